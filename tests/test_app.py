"""The FastAPI server: behavior beyond the contract shared with TorchServe."""

import base64
import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests
import uvicorn
import yaml
from conftest import answers
from image_files import encoded
from photos import photo
from PIL import Image
from starlette.testclient import TestClient

from fashion.errors import SettingError
from fashion.options import AnswerOptions
from fashion.predictor import Predictor
from serving import app as server
from serving import http_requests
from serving.app import create_app
from serving.archive import CONFIG_FILE, SERVING
from serving.batcher import BATCH_SIZE, QUEUE_SIZE, Batcher, QueueFull
from serving.ports import free_ports, listen_problem
from serving.properties import read_properties
from serving.protocol import MAX_BODY, IncomingRequest
from serving.responder import Responder
from serving.torchserve import DEFAULT_CONFIG, HARDENED_CONFIG

WAIT = 60  # s


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_bundle(bundle, engine="int8")


def test_answers_match_the_openapi_schema(app_url: str, tmp_path: Path) -> None:
    # By its command: its pytest plugin is incompatible with the installed pytest.
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{app_url}/openapi.json"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command += ["--checks", checks, "--max-examples", "15", "--phases", "examples,coverage,fuzzing", "--seed", "1"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]


def test_the_documentation_page_is_served(app_url: str) -> None:
    for page, script in {"docs": "SwaggerUIBundle", "redoc": "Redoc"}.items():
        text = requests.get(f"{app_url}/{page}", timeout=10).text
        parts = re.findall(r"""<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]*)""", text)
        assert len(parts) >= 2
        assert all(part.startswith("/") and not part.startswith("//") for part in parts), (
            "the page must load nothing from other servers"
        )
        assert "url(" not in text
        answers = [requests.get(app_url + part, timeout=10) for part in parts]
        assert {answer.status_code for answer in answers} == {200}
        assert any(script in answer.text for answer in answers)
    paths = requests.get(f"{app_url}/openapi.json", timeout=10).json()["paths"]
    assert {"/predictions/fashion", "/explanations/fashion", "/v1/models/fashion:predict"} <= set(paths)


def test_health(app_url: str) -> None:
    for path in ("livez", "readyz", "ping"):
        assert requests.get(f"{app_url}/{path}", timeout=10).status_code == 200


def test_errors_of_the_framework_have_the_projects_form(app_url: str) -> None:
    missing = requests.get(f"{app_url}/nowhere", timeout=10)
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NotFound")
    wrong = requests.get(f"{app_url}/predictions/fashion", timeout=10)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)


@pytest.mark.parametrize(("viewer", "end"), [(True, "; see /docs"), (False, "")])
def test_the_documentation_is_named_where_there_is_one(predictor: Predictor, viewer: bool, end: str) -> None:
    with TestClient(create_app(predictor, viewer=viewer)) as client:
        message = client.get("/nowhere").json()["error"]["message"]
        assert message == f"no such operation at this address{end}"
        assert client.get("/docs").status_code == (200 if viewer else 404)


def test_repeated_photograph_fields_are_answered_and_repeated_options_refused(app_url: str) -> None:
    files = [("image", photo(1)), ("image", photo(2))]
    response = requests.post(f"{app_url}/predictions/fashion", files=files, timeout=10)
    assert len(response.json()["predictions"]) == 2
    twice = [("top_k", (None, "1")), ("top_k", (None, "2")), *files]
    response = requests.post(f"{app_url}/predictions/fashion", files=twice, timeout=10)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidRequest")
    assert "top_k" in response.json()["error"]["message"]


def test_a_request_has_an_id(app_url: str) -> None:
    url = f"{app_url}/predictions/fashion"
    assert len(requests.post(url, data=photo(), timeout=10).headers["x-request-id"]) == 32
    given = requests.post(url, data=photo(), headers={"X-Request-Id": "mine"}, timeout=10)
    assert given.headers["x-request-id"] == "mine"


def count(app_url: str, outcome: str) -> float:
    """The number of requests with this outcome, by the Prometheus metrics."""
    text = requests.get(f"{app_url}/metrics", timeout=10).text
    name = f'fashion_requests_total{{outcome="{outcome}"}} '
    return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)


def logged(app_log: Path, **wanted: object) -> list[dict[str, Any]]:
    """The requests in the log with these values."""
    lines = [json.loads(line) for line in app_log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if wanted.items() <= line.items()]


def test_metrics_count(app_url: str) -> None:
    outcomes = ("ok", "invalid_image", "bad_request")
    before = [count(app_url, outcome) for outcome in outcomes]
    for body in (photo(1), photo(2), b"no image", bytes(MAX_BODY + 1)):
        requests.post(f"{app_url}/predictions/fashion", data=body, timeout=10)
    after = [count(app_url, outcome) for outcome in outcomes]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]


def test_a_disconnected_client_is_logged_in_one_line(app_url: str, app_log: Path) -> None:
    before, printed = count(app_url, "disconnected"), len(app_log.read_text())
    address = urlsplit(app_url)
    with socket.create_connection((address.hostname, address.port), timeout=WAIT) as connection:
        head = "POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nX-Request-Id: cut\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b"half")
        time.sleep(0.2)
    end = time.monotonic() + WAIT
    while not logged(app_log, request="cut", status=499, outcome="disconnected"):
        assert time.monotonic() < end, app_log.read_text()[-2000:]
        time.sleep(0.05)
    assert count(app_url, "disconnected") == before + 1
    assert "Traceback" not in app_log.read_text()[printed:]
    assert requests.post(f"{app_url}/predictions/fashion", data=photo(), timeout=WAIT).status_code == 200


def test_requests_of_disconnected_clients_are_not_computed(app_url: str, app_log: Path) -> None:
    address = urlsplit(app_url)
    slow = encoded(Image.new("RGB", (3000, 3000)), "PNG")
    busy = [http.client.HTTPConnection(address.netloc, timeout=WAIT) for _ in range(6 * BATCH_SIZE)]
    for connection in busy:
        connection.request("POST", "/predictions/fashion", slow)
    time.sleep(0.2)
    for i in range(5):
        head = f"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nX-Request-Id: left{i}\r\n"
        head += f"Content-Length: {len(photo(1))}\r\n\r\n"
        with socket.create_connection((address.hostname, address.port), timeout=WAIT) as connection:
            connection.sendall(head.encode() + photo(1))
            time.sleep(0.05)
    for connection in busy:
        assert connection.getresponse().read().startswith(b'{"attributes"')
        connection.close()
    for i in range(5):
        assert logged(app_log, request=f"left{i}", status=499, outcome="disconnected", images=0), i


def test_a_full_queue_is_reported_logged_and_counted(app_url: str, app_log: Path) -> None:
    before = count(app_url, "busy"), len(logged(app_log, status=503, outcome="busy"))
    slow = encoded(Image.new("RGB", (2000, 2000)), "PNG")  # slow to decode, but quick to send
    connections = [http.client.HTTPConnection(urlsplit(app_url).netloc, timeout=2 * WAIT) for _ in range(250)]
    for connection in connections:
        connection.connect()
    for connection in connections:
        connection.request("POST", "/predictions/fashion", slow)
    responses = [connection.getresponse() for connection in connections]
    answers = [json.loads(response.read()) for response in responses]
    for connection in connections:
        connection.close()
    busy = [(response, answer) for response, answer in zip(responses, answers, strict=True) if response.status == 503]
    assert {response.status for response in responses} == {200, 503}
    assert len(responses) - len(busy) >= QUEUE_SIZE
    assert all(
        answer["error"]["type"] == "Busy" and response.headers["retry-after"] == "1" for response, answer in busy
    )
    assert count(app_url, "busy") == before[0] + len(busy)
    refused = logged(app_log, status=503, outcome="busy")[before[1] :]
    assert sorted(line["request"] for line in refused) == sorted(r.headers["x-request-id"] for r, _ in busy)


def test_concurrent_requests_get_their_own_answers(app_url: str, predictor: Predictor) -> None:
    expected = [predictor.answer(predictor.predict(photo(i))) for i in range(10)]
    with ThreadPoolExecutor(16) as pool:
        responses = list(
            pool.map(
                lambda i: requests.post(f"{app_url}/predictions/fashion", data=photo(i % 10), timeout=60), range(160)
            )
        )
    assert [response.json() for response in responses] == [expected[i % 10] for i in range(160)]


def test_a_full_queue_refuses(predictor: Predictor) -> None:
    batcher = Batcher(Responder(predictor), lambda tally: None)  # not started, so the queue is not consumed
    waiting = [batcher.submit(IncomingRequest({"body": photo(1)})) for _ in range(QUEUE_SIZE)]
    with pytest.raises(QueueFull):
        batcher.submit(IncomingRequest({"body": photo(1)}))
    waiting[0].cancel()
    batcher.start()
    batcher.close()  # waiting requests are answered before it ends
    assert waiting[0].cancelled()
    assert {future.result().status for future in waiting[1:]} == {200}


def test_a_cancelled_request_leaves_the_queue(predictor: Predictor) -> None:
    batcher = Batcher(Responder(predictor), lambda tally: None)  # not started, so the queue is not consumed
    cancelled = [batcher.submit(IncomingRequest({"body": photo(1)})) for _ in range(QUEUE_SIZE)]
    for future in cancelled[1:]:
        future.cancel()
    assert batcher.waiting == 1
    submitted = [batcher.submit(IncomingRequest({"body": photo(1)})) for _ in range(QUEUE_SIZE - 1)]
    batcher.start()
    with closing(batcher):
        assert {future.result(WAIT).status for future in [cancelled[0], *submitted]} == {200}
    assert batcher.waiting == 0


def test_each_lane_answers_a_request_at_the_same_time(bundle: Path) -> None:
    predictor = Predictor.from_bundle(bundle, engine="int8", threads=3)
    all_at_work, shares = threading.Barrier(3, timeout=WAIT), []

    class Together(Responder):
        """Answers when three requests are being answered."""

        def respond(self, calls, concurrency=1):
            shares.append(concurrency)
            all_at_work.wait()
            return super().respond(calls, concurrency)

    batcher = Batcher(Together(predictor), lambda tally: None)
    futures = [batcher.submit(IncomingRequest({"body": photo(i)})) for i in range(6)]
    batcher.start()
    with closing(batcher):
        replies = [future.result(WAIT) for future in futures]
    expected = [predictor.answer(predictor.predict(photo(i))) for i in range(6)]
    assert [json.loads(reply.body) for reply in replies] == expected
    assert shares[:4] == [3] * 4  # as many waited as there are lanes: each has one core


def test_an_engine_that_runs_batches_takes_all_waiting_requests(bundle: Path) -> None:
    sizes: list[int] = []

    class Counted(Responder):
        def respond(self, calls, concurrency=1):
            sizes.append(len(calls))
            return super().respond(calls, concurrency)

    batcher = Batcher(Counted(Predictor.from_bundle(bundle, engine="torch", device="cpu")), lambda tally: None)
    futures = [batcher.submit(IncomingRequest({"body": photo(i % 4)})) for i in range(BATCH_SIZE + 3)]
    batcher.start()
    with closing(batcher):
        assert {future.result(WAIT).status for future in futures} == {200}
    assert sizes == [BATCH_SIZE, 3]


@pytest.mark.parametrize("config", [DEFAULT_CONFIG, HARDENED_CONFIG], ids=lambda path: path.stem)
def test_the_limits_are_those_of_torchserve(config: Path) -> None:
    properties = read_properties(config)
    model = yaml.safe_load((SERVING / CONFIG_FILE).read_text())
    assert int(properties["max_request_size"]) == MAX_BODY
    assert int(properties["job_queue_size"]) == QUEUE_SIZE
    assert model["batchSize"] == BATCH_SIZE


@pytest.mark.parametrize("name", ["my model", "shop?", "a{b}", "a/b", "-a", ""])
def test_a_name_that_no_address_can_have_is_refused(predictor: Predictor, name: str) -> None:
    with pytest.raises(SettingError, match="must be letters, digits"):
        create_app(predictor, name)


def test_a_taken_port_is_a_one_line_error(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "serving.app", str(bundle), "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: port {port} is in use by process")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "99999"], "port 99999 is out of range; it must be from 1 to 65535; choose another --port"),
        (["--port", "0"], "port 0 is out of range; it must be from 1 to 65535; choose another --port"),
        (["--port", "-1"], "--port is '-1'; it must be a number, such as 8080"),
        (["--port", "web"], "--port is 'web'; it must be a number, such as 8080"),
        (["--host", "192.0.2.1"], "'192.0.2.1' is not an address of this machine; choose another --host"),
        (["--host", "no host"], "'no host' is not an address of this machine; choose another --host"),
        (["--host", "a" * 80 + ".example"], "is not an address of this machine; choose another --host"),
    ],
)
def test_a_bad_address_is_a_one_line_error_before_the_model_is_read(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        server.main([str(tmp_path / "nowhere"), *flags])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert len(said.splitlines()) == 1


def test_it_may_listen_on_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as taken:
        try:
            taken.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        taken.listen()
        number = taken.getsockname()[1]
        assert listen_problem("::1", number)[0].startswith(f"port {number} is in use by process")
    assert listen_problem("::1", number) is None


def test_a_model_has_the_name_that_it_is_given(predictor: Predictor) -> None:
    paths = create_app(predictor, "shop").openapi()["paths"]
    assert {"/predictions/shop", "/v2/models/shop/infer", "/models/shop"} <= paths.keys()
    assert not any("fashion" in path for path in paths)


# Requests of curl and browsers


def test_curls_data_binary_is_answered(app_url: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (photo(1), encoded(Image.new("RGB", (64, 64))), encoded(Image.new("RGB", (64, 64)), "WEBP")):
        response = requests.post(f"{app_url}/predictions/fashion", data=body, headers=headers, timeout=WAIT)
        assert "attributes" in response.json()


def test_curls_d_of_json_is_answered(app_url: str) -> None:
    body = json.dumps({"image": base64.b64encode(photo(1)).decode(), "top_k": 1})
    url = f"{app_url}/predictions/fashion"
    declared = requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=WAIT)
    curl = requests.post(url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=WAIT)
    assert (curl.status_code, curl.json()) == (200, declared.json())


def test_options_in_the_query(app_url: str) -> None:
    url = f"{app_url}/predictions/fashion"
    given = requests.post(url, data=photo(1), headers={"Fashion-Top-K": "1"}, timeout=WAIT).json()
    assert requests.post(f"{url}?top_k=1", data=photo(1), timeout=WAIT).json() == given
    for query, message in (
        ("topk=1", "option 'topk' is unknown"),
        ("top_k=x", "top_k 'x' must be"),
        ("top_k=1&top_k=2", "option 'top_k' is given twice in the URL"),
    ):
        error = requests.post(f"{url}?{query}", data=photo(1), timeout=WAIT).json()["error"]
        assert (error["code"], error["type"]) == (400, "InvalidOption")
        assert message in error["message"]


def test_too_large_bodies_get_one_error_compressed_or_not(app_url: str) -> None:
    for body, headers in (
        (bytes(MAX_BODY + 1), {}),
        (gzip.compress(bytes(MAX_BODY + 1)), {"Content-Encoding": "gzip"}),
    ):
        response = requests.post(f"{app_url}/predictions/fashion", data=body, headers=headers, timeout=WAIT)
        assert (response.status_code, response.json()["error"]["type"]) == (413, "TooLarge")


def test_a_compressed_form_is_decompressed(app_url: str) -> None:
    url = f"{app_url}/predictions/fashion"
    plain = requests.Request("POST", url, files={"image": photo(1)}).prepare()
    headers = {"Content-Type": plain.headers["Content-Type"], "Content-Encoding": "gzip"}
    assert isinstance(plain.body, bytes)
    packed = requests.post(url, data=gzip.compress(plain.body), headers=headers, timeout=WAIT)
    assert "attributes" in packed.json()


def test_cors_allows_configured_origins(predictor: Predictor) -> None:
    asks = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "fashion-top-k, content-type",
    }
    with TestClient(create_app(predictor, allow_origins=["https://shop.example"])) as client:
        allowed = client.options("/predictions/fashion", headers=asks)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://shop.example")
        answer = client.post("/predictions/fashion", content=photo(1), headers={"Origin": "https://shop.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")
        assert client.options("/predictions/fashion", headers=asks | {"Origin": "https://x.example"}).status_code == 400
    with TestClient(create_app(predictor)) as client:
        assert "access-control-allow-origin" not in client.options("/predictions/fashion", headers=asks).headers


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "https://shop.example/a", "", "null"])
def test_an_invalid_origin_is_reported(predictor: Predictor, origin: str) -> None:
    with pytest.raises(SettingError, match="must be like https://shop"):
        create_app(predictor, allow_origins=[origin])


# KServe


def test_metadata_and_health_requests_of_kserve_clients(app_url: str) -> None:
    tensors = {"inputs": "image", "outputs": "answers"}
    metadata = {"name": "fashion", "versions": ["1.0"], "platform": "onnxruntime"}
    metadata |= {side: [{"name": name, "datatype": "BYTES", "shape": [-1]}] for side, name in tensors.items()}
    for path, expected in {
        "v2": {"name": "Fashion attributes", "version": "1.0", "extensions": ["binary_tensor_data"]},
        "v2/health/live": {"live": True},
        "v2/health/ready": {"ready": True},
        "v2/models/fashion": metadata,
        "v2/models/fashion/versions/1.0": metadata,
        "v2/models/fashion/ready": {"name": "fashion", "ready": True},
        "v2/models/fashion/versions/1.0/ready": {"name": "fashion", "ready": True},
        "v1/models/fashion": {"name": "fashion", "ready": True},
    }.items():
        response = requests.get(f"{app_url}/{path}", timeout=WAIT)
        assert (response.status_code, response.json()) == (200, expected), path


# Recorded requests of tritonclient 2.73 and the kserve client 0.21: path, headers, JSON, and whether the photograph
# follows it as a binary tensor of {n} bytes.
TENSOR = '"name":"image","shape":[{count}],"datatype":"BYTES","parameters":{{"binary_data_size":{n}}}'
CLIENT_REQUESTS = {
    "triton": ("infer", {}, '{"inputs":[{TENSOR}],"parameters":{"binary_data_output":true}}', 1),
    "triton, an output": (
        "infer",
        {},
        '{"inputs":[{TENSOR}],"outputs":[{"name":"answers","parameters":{"binary_data":true}}]}',
        1,
    ),
    "triton, an id and parameters": (
        "infer",
        {},
        '{"id":"7","inputs":[{TENSOR}],"parameters":{"priority":1,"timeout":5000000,"binary_data_output":true,"top_k":1}}',
        1,
    ),
    "triton, two": ("infer", {}, '{"inputs":[{TENSOR}],"parameters":{"binary_data_output":true}}', 2),
    "triton, a version": (
        "versions/1.0/infer",
        {},
        '{"inputs":[{TENSOR}],"parameters":{"binary_data_output":true}}',
        1,
    ),
    "triton, gzip": (
        "infer",
        {"Content-Encoding": "gzip"},
        '{"inputs":[{TENSOR}],"parameters":{"binary_data_output":true}}',
        1,
    ),
    "triton, deflate": (
        "infer",
        {"Content-Encoding": "deflate"},
        '{"inputs":[{TENSOR}],"parameters":{"binary_data_output":true}}',
        1,
    ),
    "kserve": (
        "infer",
        {"content-type": "application/octet-stream"},
        '{"id":"d8bad1de-2e54-4f56-a93f-3f8e5138d384","model_name":"fashion","inputs":[{TENSOR}]}',
        1,
    ),
}


@pytest.mark.parametrize("name", CLIENT_REQUESTS)
def test_requests_of_kserve_clients(app_url: str, predictor: Predictor, name: str) -> None:
    path, headers, request, count = CLIENT_REQUESTS[name]
    elements = (len(photo(1)).to_bytes(4, "little") + photo(1)) * count
    shape = "2,1" if count > 1 else "1"
    head = request.replace("{TENSOR}", f"{{{TENSOR.format(count=shape, n=len(elements))}}}").encode()
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}.get(headers.get("Content-Encoding", ""), bytes)
    headers = {**headers, "Inference-Header-Content-Length": str(len(head))}
    response = httpx.post(f"{app_url}/v2/models/fashion/{path}", content=pack(head + elements), headers=headers)
    assert response.status_code == 200, response.text
    (output,) = response.json()["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("answers", "BYTES", [count])
    options = AnswerOptions(top_k=1) if "top_k" in request else None
    assert json.loads(output["data"][0]) == predictor.answer(predictor.predict(photo(1)), options)
    assert response.json().get("id") == json.loads(head).get("id")
    assert "Inference-Header-Content-Length" not in response.headers, "the answer is pure JSON"


def test_the_kserve_clients_other_requests(app_url: str) -> None:
    assert httpx.get(f"{app_url}/").json() == {"status": "alive"}
    text = base64.b64encode(photo(1)).decode()
    requests_ = {
        "v1/models/fashion:predict": {"instances": [{"b64": text}]},
        "v2/models/fashion/infer": {
            "id": "1",
            "model_name": "fashion",
            "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}],
        },
    }
    for path, content in requests_.items():
        assert httpx.post(f"{app_url}/{path}", json=content).status_code == 200, path


def test_requests_for_another_version_are_refused(app_url: str) -> None:
    for path in ("predictions/fashion/{}", "v2/models/fashion/versions/{}/infer"):
        assert requests.post(f"{app_url}/{path.format('1.0')}", data=photo(1), timeout=WAIT).status_code == 200
        response = requests.post(f"{app_url}/{path.format('2.0')}", data=photo(1), timeout=WAIT)
        message = "fashion is served in version 1.0, not in version '2.0'"
        error = message if path.startswith("v2") else {"code": 404, "type": "NotFound", "message": message}
        assert (response.status_code, response.json()) == (404, {"error": error})


def test_every_error_below_v2_is_a_text(app_url: str) -> None:
    for path, status, body, headers in (
        ("v2/models/other/infer", 404, b"x", {}),
        ("v2/models/fashion/infer", 400, b"no JSON", {"Content-Type": "application/json"}),
        ("v2/models/fashion/infer?topk=1", 400, photo(1), {}),
        ("v2/models/fashion/infer", 413, bytes(MAX_BODY + 1), {}),
        ("v2/models/fashion/infer", 415, b"x", {"Content-Encoding": "br"}),
    ):
        response = requests.post(f"{app_url}/{path}", data=body, headers=headers, timeout=WAIT)
        assert (response.status_code, list(response.json())) == (status, ["error"]), path
        assert isinstance(response.json()["error"], str), path


# Clients that stop


def test_a_body_that_stalls_is_reported(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_requests, "BODY_TIMEOUT", 0.1)

    (port,) = free_ports(1)
    running = uvicorn.Server(uvicorn.Config(create_app(predictor), port=port, log_level="warning"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started:
            time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
            connection.sendall(b"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
            answer = b"".join(iter(lambda: connection.recv(10_000), b""))  # until the server closes the connection
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"type":"TooSlow"' in answer
    finally:
        running.should_exit = True
        thread.join(WAIT)


def test_an_unread_log_pipe_does_not_stall_the_server(bundle: Path) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "serving.app", str(bundle), "--port", str(port), "--engine", "int8"]
    reader, writer = os.pipe()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + WAIT
        while not answers(f"{url}/readyz"):
            assert time.monotonic() < end
            time.sleep(0.1)
        with requests.Session() as session:
            for _ in range(700):  # one line each; a pipe holds 64 KiB
                assert session.post(f"{url}/predictions/fashion", data=b"no image", timeout=WAIT).status_code == 400
        process.send_signal(signal.SIGTERM)
        assert process.wait(server.STOP_TIMEOUT) in (0, -signal.SIGTERM)
        assert len(os.read(reader, 2**20)) > 60_000, "the pipe was not full"
    finally:
        process.kill()
        process.wait()
        os.close(reader)


def test_a_suspended_client_does_not_block_shutdown(bundle: Path) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "serving.app", str(bundle), "--port", str(port), "--engine", "int8"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + WAIT
        while not answers(f"http://127.0.0.1:{port}/readyz"):
            assert time.monotonic() < end
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
            connection.sendall(b"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            printed, _ = process.communicate(timeout=server.STOP_TIMEOUT + 20)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in printed
    assert '"status":503' in printed
