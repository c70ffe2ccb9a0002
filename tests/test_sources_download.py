"""Downloads from a local server that answers correctly, wrongly, slowly or never."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from photo_server import DRIP_SECONDS, PHOTO, PhotoServer, running

from fashion.errors import DataError, SettingError
from training.sources.download import DownloadSettings, download
from training.sources.imaterialist import import_imaterialist

QUICK = DownloadSettings(concurrency=8, timeout=0.5, retries=1, allow_private=True)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running() as server:
        yield server


def challenge(folder: Path, urls: dict[int | str, list[str] | str]) -> Path:
    """The challenge's folder with these images in train.json."""
    folder.mkdir()
    images = [{"image_id": image_id, "url": url} for image_id, url in urls.items()]
    annotations = [{"image_id": image_id, "label_id": [62]} for image_id in urls]
    (folder / "train.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder


def failures(folder: Path) -> dict[str, str]:
    lines = (folder / "download_failures.csv").read_text().splitlines()
    return {row["id"]: row["reason"] for row in csv.DictReader(lines)}


def test_every_kind_of_answer(tmp_path: Path, server: PhotoServer) -> None:
    kinds = ["good", "flaky", "moved", "gone", "html", "truncated", "cut", "large", "slow", "drip", "busy"]
    kinds += ["circle", "elsewhere"]
    urls: dict[int | str, list[str] | str] = {kind: [server.url(f"{kind}/1")] for kind in kinds}
    urls |= {
        "second": [server.url("gone/2"), server.url("good/2")],
        "text": server.url("good/3"),
        "refused": "http://127.0.0.1:1/x.jpg",
        "nohost": "http://no-such-host.invalid/x.jpg",
        "nourl": [],
        "nonsense": "not a url",
        "../up": server.url("good/4"),
    }
    source = challenge(tmp_path / "challenge", urls)
    began = time.monotonic()
    report = download(source, settings=QUICK)
    assert time.monotonic() - began < DRIP_SECONDS / 2, "it waited for slow answers"
    good = {"good", "flaky", "moved", "second", "text"}
    assert {path.stem for path in (source / "train").iterdir()} == good
    assert all((source / "train" / f"{name}.jpg").read_bytes() == PHOTO for name in good)
    assert report.counts == {"downloaded": 5, "failed": len(urls) - 5}
    reasons = failures(source)
    assert reasons.keys() == urls.keys() - good
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
        "nourl": "no URL",
        "../up": "bad id",
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


def test_second_run_fetches_only_what_is_missing_and_the_importer_finds_it(tmp_path: Path, server: PhotoServer) -> None:
    urls: dict[int | str, list[str] | str] = {i: server.url(f"good/{i}") for i in range(1, 8)}
    source = challenge(tmp_path / "challenge", {**urls, 8: server.url("gone/8"), 9: server.url("gone/9")})
    (source / "train").mkdir()
    (source / "train/.3.jpg.4711-139872.tmp").write_bytes(b"left by a kill -9")
    assert str(download(source, settings=QUICK)).endswith(
        "9 images: 7 downloaded, 0 already there, 2 failed, listed in download_failures.csv"
    )
    (source / "train/5.jpg").unlink()
    assert download(source, settings=QUICK).counts == {"downloaded": 1, "already there": 6, "failed": 2}
    assert server.asked["/good/1"] == 1
    assert server.asked["/good/5"] == 2
    assert server.asked["/gone/8"] == 2
    assert sorted(path.name for path in (source / "train").iterdir()) == [f"{i}.jpg" for i in range(1, 8)]
    summary = import_imaterialist(source, tmp_path / "out")
    assert (summary.splits, summary.left_out) == ({"train": 7}, {"missing file": 2})


def test_only_failed_downloads_are_an_error_at_the_import(tmp_path: Path, server: PhotoServer) -> None:
    source = challenge(tmp_path / "challenge", {i: server.url(f"gone/{i}") for i in range(20)})
    assert download(source, settings=QUICK).counts == {"failed": 20}
    with pytest.raises(DataError, match=r"no usable row in .*20 missing file"):
        import_imaterialist(source, tmp_path / "out")


def test_limit_and_other_folder(tmp_path: Path, server: PhotoServer) -> None:
    source = challenge(tmp_path / "challenge", {i: server.url(f"good/{i}") for i in range(1, 9)})
    download(source / "train.json", tmp_path / "images", DownloadSettings(limit=3, allow_private=True))
    assert sorted(path.name for path in (tmp_path / "images/train").iterdir()) == ["1.jpg", "2.jpg", "3.jpg"]
    assert not (source / "train").exists()


def test_file_that_cannot_be_written_stops_it(tmp_path: Path, server: PhotoServer) -> None:
    source = challenge(tmp_path / "challenge", {i: server.url(f"good/{i}") for i in range(1, 40)})
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000));"
        f"from training.sources.__main__ import main; main(['download', {str(source)!r}, '--allow-private'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.strip().splitlines()[-1].startswith("error: no space left on the disk")
    assert list((source / "train").iterdir()) == []


def test_interrupt_is_prompt_and_resumable(tmp_path: Path, server: PhotoServer) -> None:
    urls: dict[int | str, list[str] | str] = {i: server.url(f"good/{i}") for i in range(1, 31)}
    urls |= {i: server.url(f"drip/{i}") for i in range(31, 40)}
    source = challenge(tmp_path / "challenge", urls)
    command = [
        sys.executable,
        "-m",
        "training.sources",
        "download",
        str(source),
        "--concurrency",
        "4",
        "--allow-private",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while sum(server.asked[f"/drip/{i}"] for i in range(31, 40)) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)  # until all four threads wait for slow answers
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DRIP_SECONDS)
    assert time.monotonic() - began < DRIP_SECONDS / 2, "it waited for slow answers"
    assert process.returncode == 130
    assert errors.strip().splitlines()[-2:] == [
        "run the same command again to go on where this one stopped",
        "interrupted",
    ]
    names = sorted(int(path.stem) for path in (source / "train").iterdir())
    assert names == list(range(1, 31))
    server.release.set()  # the slow answers end, without a photograph
    report = download(source, settings=QUICK)
    assert report.counts["already there"] == 30
    assert all(server.asked[f"/good/{i}"] == 1 for i in range(1, 31)), "nothing is fetched twice"


@pytest.mark.parametrize(
    "settings", [{"concurrency": 0}, {"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}, {"limit": 0}]
)
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=r"is out of range; it must be at least"):
        DownloadSettings(**settings)  # type: ignore[arg-type]


def test_other_json_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(DataError, match=r"labels.json is not named as a file of the challenge"):
        download(tmp_path / "labels.json")
