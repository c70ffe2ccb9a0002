"""Downloads of many images from a local server that answers correctly, wrongly, slowly or never."""

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from photo_server import DRIP_SECONDS, PHOTO, PhotoServer, running

from fashion.errors import SettingError
from fashion.fetching.fetch_settings import FetchSettings
from fashion.fetching.many_images import FetchJob, FetchReport, fetch_all
from fashion.fetching.table_images import fetch_table_images
from fashion.tables.failed_downloads import FAILURES_FILE
from fashion.tables.image_paths import FETCHED_FOLDER

QUICK = FetchSettings(concurrency=8, timeout=0.5, retries=1, allow_private=True)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running() as server:
        yield server


def download(folder: Path, urls: Mapping[str, str]) -> FetchReport:
    """Download the URLs to `FOLDER/NAME.jpg`."""
    return fetch_all([FetchJob(url, folder / f"{name}.jpg") for name, url in urls.items()], folder, QUICK)


def images(folder: Path) -> list[Path]:
    """Every file of the folder, hidden ones too, except for the list of failures."""
    return sorted(path for path in folder.iterdir() if path.name != FAILURES_FILE)


def write_table(folder: Path, urls: list[str]) -> Path:
    (folder / "shop.csv").write_text("\n".join(["id,image,color", *(f"{i},{url},Red" for i, url in enumerate(urls))]))
    return folder / "shop.csv"


def test_every_kind_of_answer(tmp_path: Path, server: PhotoServer) -> None:
    kinds = ["good", "flaky", "moved", "gone", "html", "truncated", "cut", "large", "slow", "drip", "busy"]
    kinds += ["circle", "elsewhere"]
    urls = {kind: server.url(f"{kind}/1") for kind in kinds}
    urls |= {
        "refused": "http://127.0.0.1:1/x.jpg",
        "nohost": "http://no-such-host.invalid/x.jpg",
        "nonsense": "not a url",
    }
    began = time.monotonic()
    report = download(tmp_path, urls)
    assert time.monotonic() - began < DRIP_SECONDS / 2, "it waited for slow answers"
    good = {"good", "flaky", "moved"}
    assert {path.stem for path in images(tmp_path)} == good
    assert all((tmp_path / f"{name}.jpg").read_bytes() == PHOTO for name in good)
    assert report.counts == {"downloaded": 3, "failed": len(urls) - 3}
    with (tmp_path / FAILURES_FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"]: row["url"] for row in rows} == {name: url for name, url in urls.items() if name not in good}
    reasons = {row["id"]: row["reason"] for row in rows}
    expected = {
        "gone": "HTTP 404",
        "busy": "HTTP 429",
        "slow": "timeout",
        "drip": "timeout",
        "truncated": "connection lost",
        "large": "larger than 20 MB",
        "circle": "more than 5 redirects",
        "refused": "connection failed",
        "nohost": "host not found",
    }
    assert {name: reasons[name] for name in expected} == expected
    assert "an HTML page" in reasons["html"]
    assert "broken" in reasons["cut"]
    assert reasons["nonsense"].startswith("bad URL")
    assert reasons["elsewhere"].startswith("bad URL")
    asked = {path.split("/")[1]: count for path, count in server.asked.items() if path.endswith("/1")}
    once, twice = ("good", "gone", "html", "cut", "large"), ("flaky", "slow", "busy", "truncated")
    assert [asked[kind] for kind in once] == [1] * len(once), "permanent errors are not retried"
    assert [asked[kind] for kind in twice] == [2] * len(twice)


def test_second_run_fetches_only_what_is_missing(tmp_path: Path, server: PhotoServer) -> None:
    urls = {str(i): server.url(f"good/{i}") for i in range(1, 8)}
    urls |= {"8": server.url("gone/8"), "9": server.url("gone/9")}
    (tmp_path / ".3.jpg.4711-139872.tmp").write_bytes(b"left by a kill -9")
    assert str(download(tmp_path, urls)).endswith(
        "9 images: 7 downloaded, 0 already there, 2 failed, listed in download_failures.csv"
    )
    (tmp_path / "5.jpg").unlink()
    assert download(tmp_path, urls).counts == {"downloaded": 1, "already there": 6, "failed": 2}
    assert server.asked["/good/1"] == 1
    assert server.asked["/good/5"] == 2
    assert server.asked["/gone/8"] == 2
    assert [path.name for path in images(tmp_path)] == [f"{i}.jpg" for i in range(1, 8)]


def test_file_that_cannot_be_written_stops_it(tmp_path: Path, server: PhotoServer) -> None:
    table = write_table(tmp_path, [server.url(f"good/{i}") for i in range(1, 40)])
    command = ["catalog", str(table), "--out", str(tmp_path / "data"), "--fetch", "--fetch-allow-private"]
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000));"
        f"from training.sources.__main__ import main; main({command})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.strip().splitlines()[-1].startswith("error: no space left on the disk")
    assert images(tmp_path / FETCHED_FOLDER) == []


def test_interrupt_is_prompt_and_resumable(tmp_path: Path, server: PhotoServer) -> None:
    urls = [server.url(f"good/{i}") for i in range(30)] + [server.url(f"drip/{i}") for i in range(9)]
    table = write_table(tmp_path, urls)
    command = [sys.executable, "-m", "training.sources", "catalog", str(table), "--out", str(tmp_path / "data")]
    command += ["--fetch", "--fetch-concurrency", "4", "--fetch-allow-private"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while sum(server.asked[f"/drip/{i}"] for i in range(9)) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)  # until all four threads wait for slow answers
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DRIP_SECONDS)
    assert time.monotonic() - began < DRIP_SECONDS / 2, "it waited for slow answers"
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "interrupted"
    fetched = images(tmp_path / FETCHED_FOLDER)
    assert [path.suffix for path in fetched] == [".jpg"] * 30
    server.release.set()  # the slow answers end, without a photograph
    report = fetch_table_images(urls, tmp_path, QUICK)
    assert report is not None
    assert report.counts == {"failed": 9}
    assert images(tmp_path / FETCHED_FOLDER) == fetched
    assert all(server.asked[f"/good/{i}"] == 1 for i in range(30)), "nothing is fetched twice"


@pytest.mark.parametrize("settings", [{"concurrency": 0}, {"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}])
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=r"is out of range; it must be at least"):
        FetchSettings(**settings)  # type: ignore[arg-type]
