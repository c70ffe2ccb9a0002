"""The page behind the nginx of deploy/: it accepts its own origin through the proxy, and no other."""

from collections.abc import Iterator

import pytest
import requests
from page_server import STARTER, garment, page
from proxy import DEPLOY, needs_nginx, proxy_of

SHUT = "        location / {\n            return 404;\n        }\n"
MARK = "        # Who may ask is decided here"
PASSWORDS = "ana:{PLAIN}secret\n"

pytestmark = needs_nginx


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, requests.Session]]:
    folder = tmp_path_factory.mktemp("nginx")
    passwords, include = folder / "passwords", folder / "page.conf"
    passwords.write_text(PASSWORDS)
    with page(STARTER, "--allow-host", "page.shop.example") as url:
        address = url.removeprefix("http://")
        text = (DEPLOY / "page.conf").read_text(encoding="utf-8")
        assert "127.0.0.1:8070" in text
        include.write_text(text.replace("127.0.0.1:8070", address))
        lines = f'        auth_basic "page";\n        auth_basic_user_file {passwords};\n'
        changes = {SHUT: f"        include {include};\n", MARK: f"{lines}{MARK}"}
        with proxy_of(address, folder / "run", None, changes) as proxy, requests.Session() as session:
            session.trust_env = False
            session.verify = str(proxy.certificate)
            session.auth = ("ana", "secret")
            yield proxy.url, session


def test_only_authorized_clients_are_answered(outside: tuple[str, requests.Session]) -> None:
    url, session = outside
    assert session.get(url, timeout=60).ok
    with requests.Session() as stranger:
        stranger.trust_env, stranger.verify = False, session.verify
        assert stranger.get(url, timeout=60).status_code == 401
        assert stranger.post(f"{url}/predictions/fashion", data=garment(0), timeout=60).status_code == 401


def test_the_page_knows_its_own_origin_through_the_proxy(outside: tuple[str, requests.Session]) -> None:
    url, session = outside
    for host in (url.removeprefix("https://"), "page.shop.example"):
        own = {"Host": host, "Origin": f"https://{host}", "Sec-Fetch-Site": "same-origin"}
        answer = session.post(f"{url}/predictions/fashion", data=garment(0), headers=own, timeout=60)
        assert answer.json()["attributes"]
    foreign = session.post(
        f"{url}/predictions/fashion", data=b"", headers={"Origin": "https://evil.example"}, timeout=60
    )
    assert (foreign.status_code, foreign.json()["error"]["type"]) == (403, "ForeignOrigin")
    other = session.get(url, headers={"Host": "evil.example"}, timeout=60)
    assert (other.status_code, other.json()["error"]["type"]) == (421, "WrongHost")


def test_large_bodies_are_refused_before_the_page(outside: tuple[str, requests.Session]) -> None:
    url, session = outside
    refused = session.post(f"{url}/predictions/fashion", data=bytes(21 * 2**20), timeout=60)
    assert (refused.status_code, refused.json()["error"]["type"]) == (413, "TooLarge")


def test_probes_are_answered_by_the_page(outside: tuple[str, requests.Session]) -> None:
    url, session = outside
    for path in ("/livez", "/readyz"):
        answer = session.get(url + path, timeout=60)
        assert answer.ok
        assert "Content-Security-Policy" in answer.headers  # nginx's own answers have none
