"""The nginx of deploy/ in front of TorchServe: the routes open to clients, and that all others are closed."""

import base64
import http.client
import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from photos import bad_photos, photo
from proxy import DEPLOY, Proxy, ask, needs_nginx, proxy_of, refusal

from fashion.predictor import Predictor
from serving.keys import authorization, read_key
from serving.torchserve import TorchServe

pytestmark = needs_nginx

BUCKET = 40  # burst of requests that nginx allows per address
RATE = 20  # further requests per second


# Open routes


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_photograph_is_answered(outside: requests.Session, proxy: Proxy, bundle: Path, method: str) -> None:
    predictor = Predictor.from_bundle(bundle)
    response = outside.request(method, f"{proxy.url}/predictions/fashion", data=photo(1), timeout=60)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == predictor.answer(predictor.predict(photo(1)))


def test_every_route_for_photographs_is_open(outside: requests.Session, proxy: Proxy) -> None:
    image = base64.b64encode(photo()).decode()
    v1 = {"instances": [{"b64": image}]}
    v2 = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [image]}]}
    for path, body in {
        "/predictions/fashion/1.0": photo(),
        "/explanations/fashion": photo(),
        "/v1/models/fashion:predict": json.dumps(v1).encode(),
        "/v1/models/fashion:explain": json.dumps(v1).encode(),
        "/v2/models/fashion/infer": json.dumps(v2).encode(),
        "/v2/models/fashion/explain": json.dumps(v2).encode(),
    }.items():
        response = outside.post(proxy.url + path, data=body, timeout=60)
        assert (response.status_code, response.json().get("error")) == (200, None), path


def test_the_handlers_errors_pass_unchanged(outside: requests.Session, proxy: Proxy, hardened: TorchServe) -> None:
    body = bad_photos()["HTML"]
    direct = requests.post(hardened.url(), body, headers=authorization(read_key(hardened.key_file)), timeout=60)
    through = ask(outside, proxy, body)
    assert refusal(through, 400, "InvalidImage").content == direct.content


def test_options_pass_and_torchserves_own_errors_do_not(outside: requests.Session, proxy: Proxy) -> None:
    assert len(ask(outside, proxy, headers={"Fashion-All": "true"}).json()["attributes"]) == 10
    refusal(ask(outside, proxy, headers={"Fashion-Colour": "red"}), 400, "InvalidOption")
    plain = ask(outside, proxy).json()
    assert ask(outside, proxy, headers={"describe": "True", "explain": "True", "Authorization": "x"}).json() == plain


@pytest.mark.parametrize("head", ["base64", "quoted-printable", None])
def test_a_form_that_torchserve_cannot_parse_is_refused(
    outside: requests.Session, proxy: Proxy, head: str | None
) -> None:
    disposition = b'form-data; name="image"' if head else b"form-data"
    lines = [b"--x", b"Content-Disposition: " + disposition + b'; filename="a.jpg"']
    lines += [b"Content-Transfer-Encoding: " + head.encode()] if head else []
    body = b"\r\n".join([*lines, b"", base64.b64encode(photo()), b"--x--", b""])
    response = ask(outside, proxy, body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert "the form cannot be read" in refusal(response, 400, "InvalidRequest").json()["error"]["message"]


def test_a_request_keeps_its_id(outside: requests.Session, proxy: Proxy) -> None:
    assert ask(outside, proxy, headers={"X-Request-Id": "order-7.a_B"}).headers["x-request-id"] == "order-7.a_B"
    made = {ask(outside, proxy, headers={"X-Request-Id": bad}).headers["x-request-id"] for bad in ("a b", "x" * 65)}
    assert all(len(made_id) == 32 for made_id in made)
    assert len(made) == 2


def test_the_access_log_is_json(outside: requests.Session, proxy: Proxy) -> None:
    begin = time.monotonic()
    ask(outside, proxy, headers={"X-Request-Id": "log-1", "User-Agent": 'a "quoted\\ one'})
    elapsed = time.monotonic() - begin
    ask(outside, proxy, b"no photograph", headers={"X-Request-Id": "log-2"})
    outside.delete(f"{proxy.url}/models?a=%22", headers={"X-Request-Id": "log-3"}, timeout=60)
    end = time.monotonic() + 10  # the log line is written after the answer is sent
    while b"log-3" not in proxy.access_log.read_bytes() and time.monotonic() < end:
        time.sleep(0.1)
    lines = {line["request_id"]: line for line in map(json.loads, proxy.access_log.read_text().splitlines())}
    good, bad, elsewhere = (lines[f"log-{i}"] for i in (1, 2, 3))
    assert (good["status"], good["outcome"], good["agent"]) == (200, "ok", 'a "quoted\\ one')
    assert (bad["status"], bad["outcome"]) == (400, "invalid_image")
    assert (elsewhere["status"], elsewhere["outcome"]) == (404, "")
    assert (elsewhere["method"], elsewhere["path"]) == ("DELETE", "/models?a=%22")
    # nginx reads two clocks at different moments, so either may be larger by a millisecond.
    assert 0 < good["seconds"] <= elapsed
    assert 0 < float(good["upstream_seconds"]) <= elapsed
    assert len(good["worker_id"]) == 36


def test_the_fastapi_server_works_behind_it(app_url: str, tmp_path: Path) -> None:
    changes = {  # as docs/deployment.md says
        "proxy_pass http://torchserve/predictions/fashion;": "proxy_pass http://torchserve/readyz;",
        "proxy_method POST;": "proxy_method GET;",
    }
    document = (DEPLOY.parent / "docs" / "deployment.md").read_text()
    assert all(f"`{line}`" in document for line in changes.values())
    with proxy_of(urlsplit(app_url).netloc, tmp_path, None, changes) as proxy, requests.Session() as outside:
        outside.trust_env, outside.verify = False, str(proxy.certificate)
        for path in ("/livez", "/readyz"):
            assert outside.get(proxy.url + path, timeout=60).status_code == 200
        assert ask(outside, proxy).json()["attributes"]
        refusal(ask(outside, proxy, bad_photos()["HTML"]), 400, "InvalidImage")
        refusal(outside.get(f"{proxy.url}/metrics", timeout=60), 404, "NotFound")


def test_callers_may_need_a_certificate(hardened: TorchServe, tmp_path: Path) -> None:
    document = (DEPLOY.parent / "docs" / "deployment.md").read_text()
    lines = "\n".join(line for line in document.splitlines() if line.startswith("    ssl_"))
    assert "ssl_verify_client on;" in lines
    mark = "# Who may ask is decided here"
    # The proxy's certificate serves as the clients' CA and as a client certificate.
    changes = {mark: f"{lines.replace('/etc/nginx/fashion/callers.crt', f'{tmp_path}/fashion/tls.crt')}\n{mark}"}
    address = urlsplit(hardened.inference_url).netloc
    with proxy_of(address, tmp_path, hardened.key_file, changes) as proxy, requests.Session() as outside:
        outside.trust_env, outside.verify = False, str(proxy.certificate)
        refusal(ask(outside, proxy), 400, "InvalidRequest")
        outside.close()
        outside.cert = (str(proxy.certificate), str(proxy.certificate.with_suffix(".key")))
        assert ask(outside, proxy).status_code == 200


# Closed routes

CLOSED = [
    *("/", "/models", "/models/fashion", "/models/fashion/all", "/models?url=http://127.0.0.1:1/x.mar", "/workflows"),
    *("/metrics", "/ping", "/describe", "/refused", "/api-description", "/token?type=inference", "/invocations"),
    *("/wfpredict/x", "/fashion/predict", "/models/fashion/invoke", "/v2"),
    *("/v2/models/fashion", "/v1/models/fashion:delete", "/predictions", "/predictions/", "/predictions/a/b/c"),
]
TRICKS = [
    *("//models", "/predictions/../models", "/predictions/fashion/../../models", "/predictions/..%2fmodels"),
    *("/predictions/%2e%2e/models", "/predictions/..%5cmodels", "/predictions/fashion%2f..%2f..%2fmodels"),
    *("/predictions/fashion%00", "/predictions/fashion%0d%0aX:%20y", "/predictions/fashion%20/x", "/./models/"),
    *("/predictions/fashion;/../../models", "/PREDICTIONS/fashion", "/v1/models/fashion:predict/../../../models"),
]


@pytest.mark.parametrize("path", CLOSED + TRICKS)
def test_every_other_path_is_closed(proxy: Proxy, hardened: TorchServe, path: str) -> None:
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        connection = http.client.HTTPSConnection(urlsplit(proxy.url).netloc, timeout=60, context=context)
        connection.request(method, path, body=b"x")  # sends the path unchanged
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status in (400, 404, 405), (method, body)
        if response.status != 400:  # nginx's own error for unreadable requests
            error = json.loads(body)["error"]
            assert (
                isinstance(error, str) if path.startswith("/v2/") else error["type"] in ("NotFound", "MethodNotAllowed")
            )
        assert response.headers["content-type"] == "application/json"
    assert len(hardened.models()) == 1


def test_unknown_models_are_not_found(outside: requests.Session, proxy: Proxy) -> None:
    refusal(outside.post(f"{proxy.url}/predictions/other", data=photo(), timeout=60), 404, "NotFound")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_only_methods_that_send_photographs_are_allowed(outside: requests.Session, proxy: Proxy, method: str) -> None:
    response = outside.request(method, f"{proxy.url}/predictions/fashion", timeout=60)
    if method == "TRACE":  # nginx refuses it before routing
        assert response.status_code == 405
    else:
        refusal(response, 405, "MethodNotAllowed")


def test_plain_http_is_not_answered(proxy: Proxy) -> None:
    for url in (proxy.plain_url, proxy.url.replace("https", "http")):
        refusal(requests.post(f"{url}/predictions/fashion", photo(), timeout=60), 400, "HttpsRequired")


def test_old_protocols_are_refused(proxy: Proxy) -> None:
    host, port = urlsplit(proxy.url).netloc.split(":")
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((host, int(port)), timeout=60) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        assert secured.version() == "TLSv1.2"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((host, int(port)), timeout=60) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname=host)


def test_invalid_requests_are_refused(outside: requests.Session, proxy: Proxy) -> None:
    # Longer than the 8 KiB that nginx reads of a line, but short enough for the socket's buffers: a client that is
    # still writing when nginx closes the connection may not read the answer.
    refusal(outside.get(f"{proxy.url}/{'a' * 9_000}", timeout=60), 414, "InvalidRequest")
    refusal(outside.get(f"{proxy.url}/livez", headers={"X-Large": "a" * 9_000}, timeout=60), 400, "InvalidRequest")


def test_large_bodies_are_refused(outside: requests.Session, proxy: Proxy) -> None:
    large = bytes(20 * 2**20 + 1)
    refusal(ask(outside, proxy, large), 413, "TooLarge")
    pieces = (large[i : i + 2**20] for i in range(0, len(large), 2**20))
    refusal(outside.post(f"{proxy.url}/predictions/fashion", data=pieces, timeout=60), 413, "TooLarge")
    refusal(ask(outside, proxy, large[:-1]), 400, "InvalidImage")  # by the handler


# Limits per address


def test_half_sent_bodies_cost_one_address_its_connections(
    outside: requests.Session, proxy: Proxy, hardened: TorchServe
) -> None:
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    host, port = urlsplit(proxy.url).netloc.split(":")
    begin = b"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
    opened = []
    try:
        for _ in range(32):
            connection = context.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname=host)
            connection.sendall(begin)
            opened.append(connection)
        time.sleep(0.5)
        refusal(ask(outside, proxy), 429, "TooManyRequests")
        direct = requests.post(hardened.url(), photo(), headers=authorization(read_key(hardened.key_file)), timeout=60)
        assert direct.status_code == 200, "TorchServe itself has seen nothing of it"
    finally:
        for connection in opened:
            connection.close()
    time.sleep(2)
    assert ask(outside, proxy).status_code == 200


def test_too_many_requests_are_refused(outside: requests.Session, proxy: Proxy) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(outside, proxy, b"x"), range(8 * BUCKET)))
    refused = [answer for answer in answers if answer.status_code == 429]
    refusal(refused[0], 429, "TooManyRequests")
    assert {answer.status_code for answer in answers} <= {400, 429, 503}
    time.sleep(BUCKET / RATE)
    assert ask(outside, proxy).status_code == 200
