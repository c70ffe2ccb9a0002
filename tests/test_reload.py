"""A new bundle replaces the serving one under load, and no request is refused."""

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from conftest import answers
from photos import photo
from starlette.testclient import TestClient
from starter import starter_version

from fashion.errors import SettingError
from fashion.model_card import CARD_FILE, ModelCard
from fashion.predictor import Predictor
from serving.app import create_app, main
from serving.live import LiveModel, Traffic
from serving.ports import free_ports

WAIT = 240  # s; two servers start on a machine that may be busy


@contextmanager
def running(log: Path, bundle: Path, *flags: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the server command on a free port; yield its URL and its process."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "serving.app", str(bundle), "--port", str(port), *flags]
    with log.open("w") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + WAIT
            while not answers(f"{url}/readyz"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            yield url, process
        finally:
            process.terminate()
            process.wait(30)


class Callers:
    """Four clients that send requests without pause within the `with` block and record every answer."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[float, int, str]] = []  # time of the request, status, version
        self._url, self._ended = f"{url}/predictions/fashion", threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self._ended.is_set():
                asked = time.monotonic()
                response = session.post(self._url, data=photo(1), timeout=WAIT)
                version = response.json().get("model", {}).get("version", "")
                self.answers.append((asked, response.status_code, version))

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(WAIT)

    def versions_since(self, moment: float, count: int = 8) -> set[str]:
        """The versions that answered since a moment; waits until there are `count` answers."""
        end = time.monotonic() + WAIT
        while sum(asked > moment for asked, _, _ in self.answers) < count:
            assert time.monotonic() < end, self.answers[-5:]
            time.sleep(0.05)
        return {version for asked, _, version in self.answers if asked > moment}


def wait_for_line(log: Path, begin: str, count: int) -> list[str]:
    """The lines of a log that begin with `begin`; waits until there are `count`."""
    end = time.monotonic() + WAIT
    while len(lines := [line for line in log.read_text().splitlines() if line.startswith(begin)]) < count:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return lines


def point_link(link: Path, bundle: Path) -> None:
    """Point a link to another bundle atomically, as `ln -sfn` and a rename do."""
    new = link.with_name("new-link")
    new.symlink_to(bundle)
    new.replace(link)


def other_bundle(folder: Path, version: str) -> Path:
    """The starter's weights with another threshold under a version."""
    starter_version(folder, version)
    card = ModelCard.load(folder)
    replace(card, thresholds=card.thresholds | {"0.5": [0.6] * len(card.labels)}).save(folder)
    return folder


@pytest.fixture
def versions(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A link to version 1.0, and the bundles of versions 1.0 and 2.0."""
    first, second = (starter_version(tmp_path / number, number) for number in ("1.0", "2.0"))
    (tmp_path / "current").symlink_to(first)
    return tmp_path / "current", first, second


def test_no_request_is_refused_while_a_new_bundle_goes_live(versions: tuple[Path, ...], tmp_path: Path) -> None:
    link, first, second = versions
    log = tmp_path / "log"
    with running(log, link) as (url, process):
        with Callers(url) as callers:
            assert callers.versions_since(0.0) == {"1.0"}
            point_link(link, second)
            told = requests.post(f"{url}/-/reload", timeout=WAIT)
            assert callers.versions_since(time.monotonic()) == {"2.0"}
            point_link(link, first)
            process.send_signal(signal.SIGHUP)
            wait_for_line(log, "reloaded: ", 2)
            assert callers.versions_since(time.monotonic()) == {"1.0"}
        assert (told.status_code, [model["version"] for model in told.json()["models"]]) == (200, ["2.0"])
        assert {status for _, status, _ in callers.answers} == {200}
        assert requests.get(f"{url}/models/fashion", timeout=WAIT).json()["version"] == "1.0"
        gone = requests.post(f"{url}/predictions/fashion/2.0", data=photo(1), timeout=WAIT)
        assert (gone.status_code, gone.json()["error"]["type"]) == (404, "NotFound")
        counted = requests.get(f"{url}/metrics", timeout=WAIT).text
        assert 'fashion_version_requests_total{outcome="ok",version="2.0"}' in counted
    lines = wait_for_line(log, "reloaded: ", 2)
    assert [line.split()[2] for line in lines] == ["2.0", "1.0"]
    assert "Traceback" not in log.read_text()


def test_a_broken_bundle_is_refused_in_one_line_and_the_old_one_stays(
    versions: tuple[Path, ...], tmp_path: Path
) -> None:
    link, _, second = versions
    log = tmp_path / "log"
    with running(log, link) as (url, process):
        (second / CARD_FILE).write_text("{}")
        point_link(link, second)
        printed = len(log.read_text().splitlines())
        refused = requests.post(f"{url}/-/reload", timeout=WAIT)
        assert (refused.status_code, refused.json()["error"]["type"]) == (409, "NotReloaded")
        assert "has schema None" in refused.json()["error"]["message"]
        process.send_signal(signal.SIGHUP)
        wait_for_line(log, "not reloaded", 2)
        answer = requests.post(f"{url}/predictions/fashion", data=photo(1), timeout=WAIT).json()
        assert answer["model"]["version"] == "1.0"
    lines = [line for line in log.read_text().splitlines()[printed:] if not line.startswith("{")]
    assert len(lines) == 2
    assert all(line.startswith("not reloaded, ") and "1.0" in line and "stays in use: " in line for line in lines)


def test_reloading_needs_authorization(versions: tuple[Path, ...]) -> None:
    link, _, _ = versions
    traffic = Traffic(LiveModel(Predictor.from_bundle(link), lambda: Predictor.from_bundle(link)))
    app = create_app(traffic)
    assert "/-/reload" not in app.openapi()["paths"]
    with TestClient(app, client=("192.0.2.7", 1234)) as elsewhere:
        refused = elsewhere.post("/-/reload")
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "Forbidden")
    for header in ("X-Forwarded-For", "Forwarded", "Via", "Origin"):
        with TestClient(app, client=("127.0.0.1", 1234)) as proxied:
            assert proxied.post("/-/reload", headers={header: "127.0.0.1"}).status_code == 403
    with TestClient(app, client=("::1", 1234)) as here:
        assert here.post("/-/reload").status_code == 200
        assert here.get("/-/reload").status_code == 405


def test_the_replaced_predictor_is_released(versions: tuple[Path, ...]) -> None:
    link, _, second = versions
    model = LiveModel(Predictor.from_bundle(link), lambda: Predictor.from_bundle(second))
    before = weakref.ref(model.predictor)
    with Traffic(model).answering(lambda tally, version: None):
        model.replace(model.reopened())
        gc.collect()
        assert before() is None
        assert model.version == "2.0"


def test_a_canary_answers_its_share(versions: tuple[Path, ...], tmp_path: Path) -> None:
    link, _, second = versions
    with running(tmp_path / "log", link, "--canary", str(second), "--share", "0.25") as (url, _):

        def ask(path: str) -> str:
            return requests.post(f"{url}{path}", data=photo(1), timeout=WAIT).json()["model"]["version"]

        with ThreadPoolExecutor(4) as pool:
            found = Counter(pool.map(ask, ["/predictions/fashion"] * 100))
        assert 4 <= found["2.0"] <= 50  # 25 expected, within 5 standard deviations of 4.3
        assert found["1.0"] + found["2.0"] == 100
        assert ask("/predictions/fashion/1.0") == "1.0"
        assert ask("/predictions/fashion/2.0") == "2.0"
        assert requests.get(f"{url}/v2/models/fashion", timeout=WAIT).json()["versions"] == ["1.0", "2.0"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--share", "0.2"], "give its bundle with --canary"),
        (["--canary", "BUNDLE", "--share", "2"], "--share 2.0 must be from 0 to 1"),
        (["--canary", "nowhere"], "no model_card.json in"),
        (["--canary", "SAME"], "different bundles of version '1.0'"),
    ],
)
def test_an_invalid_canary_is_a_one_line_error(
    versions: tuple[Path, ...], tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    bundles = {"BUNDLE": str(versions[0]), "SAME": str(other_bundle(tmp_path / "same", "1.0"))}
    flags = [bundles.get(flag, flag) for flag in flags]
    with pytest.raises(SystemExit) as ended:
        main([str(versions[0]), "--port", str(port), *flags])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_reload_keeps_two_versions_apart(versions: tuple[Path, ...], tmp_path: Path) -> None:
    link, _, second = versions
    same = other_bundle(tmp_path / "same", "2.0")
    model = LiveModel(Predictor.from_bundle(link), lambda: Predictor.from_bundle(link.resolve()))
    canary = LiveModel(Predictor.from_bundle(second), lambda: Predictor.from_bundle(second))
    traffic = Traffic(model, canary)
    point_link(link, same)
    with pytest.raises(SettingError, match=r"different bundles of version '2\.0'"):
        traffic.reload()
    assert traffic.versions == ["1.0", "2.0"]
    point_link(link, second)  # the canary has become the model: one bundle
    traffic.reload()
    assert traffic.versions == ["2.0"]


def test_canary_shares_are_validated(versions: tuple[Path, ...]) -> None:
    model = LiveModel(Predictor.from_bundle(versions[0]))
    with pytest.raises(SettingError, match="must be from 0 to 1"):
        Traffic(model, model, -0.1)
