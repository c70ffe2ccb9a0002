"""The nginx of deploy/ in front of the FastAPI server: requests that TorchServe would misread."""

import gzip
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from photos import photo
from proxy import DEPLOY, Proxy, ask, needs_nginx, proxy_of, refusal

pytestmark = needs_nginx

MARK = "# Who may ask is decided here"
ORIGIN = "https://shop.example"


@pytest.fixture(scope="module")
def shop(app_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy with the lines for browsers from the documentation."""
    document = (DEPLOY.parent / "docs" / "deployment.md").read_text()
    begins = ("    add_header Access-", "    if ($request_method")
    lines = "\n".join(line for line in document.splitlines() if line.startswith(begins))
    assert lines.count("\n") == 3
    folder = tmp_path_factory.mktemp("nginx")
    with proxy_of(urlsplit(app_url).netloc, folder, None, {MARK: f"{lines}\n{MARK}"}) as running:
        yield running


@pytest.fixture
def caller(shop: Proxy) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(shop.certificate)
        yield session


def test_curls_data_binary_is_answered(caller: requests.Session, shop: Proxy) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask(caller, shop, photo(1), headers=headers).json() == ask(caller, shop, photo(1)).json()
    refusal(ask(caller, shop, b"note=x", headers=headers), 400, "InvalidImage")


def test_the_query_is_refused(caller: requests.Session, shop: Proxy) -> None:
    response = caller.post(f"{shop.url}/predictions/fashion?top_k=2", data=photo(1), timeout=60)
    assert "send them as headers" in refusal(response, 400, "InvalidOption").json()["error"]["message"]


def test_below_v2_errors_are_texts(caller: requests.Session, shop: Proxy) -> None:
    url = f"{shop.url}/v2/models/fashion/infer"
    gone = caller.get(f"{shop.url}/v2/models/fashion/config", timeout=60)
    responses = {
        400: caller.post(f"{url}?top_k=2", data=photo(1), timeout=60),
        404: gone,
        405: caller.delete(url, timeout=60),
        413: caller.post(url, data=bytes(20 * 2**20 + 1), timeout=60),
    }
    for status, response in responses.items():
        assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
        assert list(response.json()) == ["error"]
        assert isinstance(response.json()["error"], str)


def test_compressed_bodies(caller: requests.Session, shop: Proxy) -> None:
    packed = {"Content-Encoding": "gzip"}
    assert ask(caller, shop, gzip.compress(photo(1)), headers=packed).json() == ask(caller, shop, photo(1)).json()
    refusal(ask(caller, shop, gzip.compress(bytes(20 * 2**20 + 1)), headers=packed), 413, "TooLarge")
    refusal(ask(caller, shop, photo(1), headers={"Content-Encoding": "br"}), 415, "UnsupportedEncoding")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    refusal(ask(caller, shop, b"x", headers=packed | form), 415, "UnsupportedEncoding")
    plain = caller.post(f"{shop.url}/predictions/fashion", files={"image": photo(1)}, timeout=60)
    assert plain.status_code == 200


def test_browsers_may_ask_as_the_document_says(caller: requests.Session, shop: Proxy) -> None:
    asked = caller.options(f"{shop.url}/predictions/fashion", headers={"Origin": ORIGIN}, timeout=60)
    assert asked.status_code == 204
    for response in (asked, ask(caller, shop), ask(caller, shop, b"x")):
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "Fashion-Top-K" in response.headers["access-control-allow-headers"]
