"""fashion.fetching: download photographs within limits and from public hosts only."""

import csv
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from photo_server import PHOTO, PhotoServer, running

from catalog.score import main, score
from fashion.errors import DataError, SettingError
from fashion.fetching import public_addresses
from fashion.fetching.fetch_settings import FetchSettings
from fashion.fetching.one_image import DownloadFailure, TransientFailure, fetch, open_session
from fashion.fetching.table_images import fetch_table_images
from fashion.tables.failed_downloads import FAILURES_FILE
from fashion.tables.image_paths import FETCHED_FOLDER
from training.sources.__main__ import main as import_main
from training.sources.catalog import import_catalog

HERE = FetchSettings(concurrency=4, timeout=2, retries=0, allow_private=True)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with running() as server:
        yield server


def write_table(folder: Path, cells: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "image_url", "color"), *((f"p{i}", c, "Red") for i, c in enumerate(cells))])
    return folder / "products.csv"


def ask(url: str) -> bytes:
    with open_session() as session:
        return fetch(url, session, 2, threading.Event())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # where clouds hand out credentials
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert public_addresses.is_public(address) is public


def of_host(host: str, server: PhotoServer) -> str:
    return f"http://{host}:{server.server_port}/good/1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_this_machine_is_refused_under_any_name(host: str, server: PhotoServer) -> None:
    with pytest.raises(DownloadFailure, match=r"private address|host not found|bad URL"):
        ask(of_host(host, server))
    assert not server.asked


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    """A server at 127.0.0.1, treated as public; all other addresses of this machine stay private."""
    is_public = public_addresses.is_public
    monkeypatch.setattr(public_addresses, "is_public", lambda address: address == "127.0.0.1" or is_public(address))
    with running() as server:
        yield server


@pytest.fixture
def inside(outside: PhotoServer) -> Iterator[PhotoServer]:
    """A server at a private address, on the same port."""
    with running("127.0.0.2", outside.server_port) as server:
        yield server


def mock_dns(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> dict[str, list[str]]:
    """Mock the resolver: each name gives its addresses one after the other, then always the last one."""
    resolve = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **settings: Any) -> Any:
        if host in names:
            host = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
        return resolve(host, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return names


def test_a_redirect_into_the_network_is_not_followed(outside: PhotoServer, inside: PhotoServer) -> None:
    assert ask(outside.url("moved/1")) == PHOTO
    with pytest.raises(DownloadFailure, match=r"private address 127\.0\.0\.2"):
        ask(outside.url(f"to/127.0.0.2:{inside.server_port}/good/1"))
    assert not inside.asked


def test_the_checked_address_is_the_one_connected_to(
    outside: PhotoServer, inside: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"shop.example": ["127.0.0.2"], "changes.example": ["127.0.0.1", "127.0.0.2"]}
    names = mock_dns(monkeypatch, names)
    with pytest.raises(DownloadFailure, match=r"private address 127\.0\.0\.2"):
        ask(of_host("shop.example", outside))
    assert ask(of_host("changes.example", outside)) == PHOTO
    assert names["changes.example"] == ["127.0.0.2"], "asked once"
    with pytest.raises(DownloadFailure, match="private address"):
        ask(of_host("changes.example", outside))
    assert not inside.asked


def test_a_proxy_is_not_used_for_private_hosts(server: PhotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(DownloadFailure, match="private address"):
        ask("http://127.0.0.1:9/good/1")
    assert not server.asked
    with pytest.raises(DownloadFailure, match="HTTP 404"):  # the server's own answer: it is not a proxy
        ask("http://shop.invalid/good/1")
    assert sum(server.asked.values()) == 1


def test_a_public_host_that_does_not_answer_is_a_temporary_failure(outside: PhotoServer) -> None:
    with pytest.raises(TransientFailure, match="connection failed"):
        ask("http://127.0.0.1:1/x.jpg")
    with pytest.raises(DownloadFailure, match="host not found"):
        ask("http://no-such-host.invalid/x.jpg")


def test_addresses_of_a_table_are_fetched_once_and_found(tmp_path: Path, server: PhotoServer) -> None:
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "here.jpg").write_bytes(PHOTO)
    (folder / "there.jpg").write_bytes(PHOTO)
    cells = [
        server.url("good/a?size=1"),
        server.url("good/a?size=1"),
        server.url("good/a?size=2"),
        f"{server.url('good/b')}, {server.url('good/c')}",
        server.url("good/d").removeprefix("http:"),  # relative to the page's scheme, read as https
        server.url("good/here.jpg"),
        "there.jpg",
        server.url("gone/e"),
        "s3://bucket/key.jpg",
    ]
    table = write_table(folder, cells)
    report = fetch_table_images([*cells, None, ""], folder, HERE)
    assert report is not None
    assert report.counts == {"downloaded": 3, "failed": 3}
    assert set(server.asked) == {"/good/a?size=1", "/good/a?size=2", "/good/b", "/gone/e"}
    reasons = {url: reason for _, url, reason in report.failures}
    assert reasons[server.url("gone/e")] == "HTTP 404"
    assert reasons["s3://bucket/key.jpg"].startswith("bad URL")
    assert (folder / FETCHED_FOLDER / FAILURES_FILE).read_text().count("\n") == 4
    summary = import_catalog(table, tmp_path / "data")
    assert sum(summary.splits.values()) == 6
    assert summary.left_out == {"missing file": 3}


@pytest.mark.parametrize(
    ("bound", "message", "first"),
    [({"most": 2}, "2 images", 2), ({"gigabytes": 1e-9}, "1e-09 GB", 1), ({"minutes": 0}, "0 minutes", 0)],
)
def test_a_run_has_limits_and_can_be_continued(
    bound: dict[str, Any], message: str, first: int, tmp_path: Path, server: PhotoServer
) -> None:
    cells = [server.url(f"good/{i}") for i in range(5)]
    settings: dict[str, Any] = {"concurrency": 1, "allow_private": True}
    report = fetch_table_images(cells, tmp_path, FetchSettings(**settings, **bound))
    assert report is not None
    assert (report.counts["downloaded"], report.counts["left for the next run"]) == (first, 5 - first)
    assert str(report).endswith(f"{5 - first} left for the next run; the limit of {message} per run was reached")
    report = fetch_table_images(cells, tmp_path, FetchSettings(**settings))
    assert report is not None
    assert report.counts == {"downloaded": 5 - first}
    assert all(count == 1 for count in server.asked.values()), "nothing is fetched twice"
    assert fetch_table_images(cells, tmp_path, FetchSettings(**settings)) is None


def test_it_runs_in_parallel(tmp_path: Path, server: PhotoServer) -> None:
    """Four slow downloads and a fast one wait concurrently."""
    began = time.monotonic()
    settings = FetchSettings(concurrency=5, timeout=2, retries=0, allow_private=True)
    report = fetch_table_images(
        [server.url(f"slow/{i}") for i in range(4)] + [server.url("good/1")], tmp_path, settings
    )
    assert report is not None
    assert report.counts == {"downloaded": 1, "failed": 4}
    assert time.monotonic() - began < 7


def test_settings_out_of_range_name_their_flag() -> None:
    for name, value in (("most", 0), ("gigabytes", -1), ("minutes", float("nan")), ("concurrency", 0)):
        with pytest.raises(SettingError, match=f"--fetch-{name} .* is out of range"):
            FetchSettings(**{name: value})  # type: ignore[arg-type]


def test_a_further_photograph_is_fetched_for_a_product_that_was_scored_without(
    bundle: Path, tmp_path: Path, server: PhotoServer
) -> None:
    (tmp_path / "here.jpg").write_bytes(PHOTO)
    table = tmp_path / "shop.csv"
    table.write_text(f"id,image\na,here.jpg\na,{server.url('good/2')}\na,{server.url('gone/3')}\n")
    assert score(bundle, [str(table)], tmp_path / "out").images == 1
    settings = FetchSettings(retries=0, allow_private=True)
    for scored in (1, 0):
        summary = score(bundle, [str(table)], tmp_path / "out", fetch=settings)
        assert (summary.scored, summary.images, len(summary.left_out)) == (scored, 2 * scored, 1)
    assert server.asked == {"/good/2": 1, "/gone/3": 2}


def test_a_scored_table_of_addresses(bundle: Path, tmp_path: Path, server: PhotoServer) -> None:
    table = write_table(tmp_path / "shop", [server.url("good/1"), server.url("good/2"), server.url("gone/3")])
    with pytest.raises(DataError, match=r"is a URL, which --fetch downloads"):
        score(bundle, [str(table)], tmp_path / "out")
    assert not server.asked
    arguments = [str(bundle), str(table), "--out", str(tmp_path / "out"), "--fetch", "--fetch-retries", "0"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert not server.asked, "this machine is private"
    main([*arguments, "--fetch-allow-private"])
    left_out = (tmp_path / "out" / "left_out.csv").read_text()
    assert "gone/3 could not be downloaded: HTTP 404; 3 is not in" in left_out
    assert left_out.count("\n") == 2
    main([*arguments, "--fetch-allow-private"])
    assert server.asked == {"/good/1": 1, "/good/2": 1, "/gone/3": 2}


def test_an_imported_table_of_addresses(
    tmp_path: Path, server: PhotoServer, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path / "shop", [server.url(f"good/{i}") for i in range(6)])
    arguments = ["catalog", str(table), "--out", str(tmp_path / "data")]
    with pytest.raises(SystemExit):
        import_main(arguments)
    assert "is a URL, which --fetch downloads" in capsys.readouterr().err
    import_main([*arguments, "--fetch", "--fetch-allow-private"])
    said = capsys.readouterr()
    assert "6 images: 6 downloaded, 0 already there, 0 failed" in said.err
    assert "train" in said.out
