"""TorchServe itself, started on free ports and queried over HTTP."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from photos import bad_photos, photo, unusual_photos

from fashion.predictor import Predictor
from serving.client import Client
from serving.connection import is_this_machine, open_session
from serving.ports import free_ports
from serving.processes import find_server
from serving.server import main
from serving.torchserve import DEFAULT_CONFIG, ServerError, TorchServe, read_properties


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_bundle(bundle)


def ask(server: TorchServe, body: bytes, model: str = "fashion") -> requests.Response:
    return requests.put(server.url(model), data=body, timeout=60)


def test_answers_are_the_predictors(endpoint: TorchServe, predictor: Predictor) -> None:
    response = ask(endpoint, photo(1))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == predictor.answer(predictor.predict(photo(1)))


def test_answer_keeps_the_contract(endpoint: TorchServe, predictor: Predictor) -> None:
    answer = ask(endpoint, photo(2)).json()
    assert list(answer) == ["attributes", "model"]
    assert answer["model"] == {"name": "fashion", "version": "1.0", "weights": predictor.card.weights_id}
    rows = answer["attributes"]
    assert rows
    for row in rows:
        assert list(row) == ["group", "name", "probability", "threshold"]
        assert row["threshold"] <= row["probability"] <= 1
    groups = predictor.taxonomy.groups
    assert rows == sorted(rows, key=lambda row: (groups.index(row["group"]), -row["probability"]))


@pytest.mark.parametrize("field", ["data", "body", "image"])
def test_a_form_may_hold_the_photograph(endpoint: TorchServe, predictor: Predictor, field: str) -> None:
    response = requests.post(endpoint.url(), files={field: ("photo.png", photo(3), "image/png")}, timeout=60)
    assert response.json() == predictor.answer(predictor.predict(photo(3)))


@pytest.mark.parametrize("name", list(unusual_photos()))
def test_unusual_photographs_are_answered(endpoint: TorchServe, predictor: Predictor, name: str) -> None:
    body = unusual_photos()[name]
    response = ask(endpoint, body)
    assert response.json() == predictor.answer(predictor.predict(body))


@pytest.mark.parametrize("name", list(bad_photos()))
def test_bad_photographs_are_refused_and_the_next_is_answered(endpoint: TorchServe, name: str) -> None:
    response = ask(endpoint, bad_photos()[name])
    assert (response.status_code, response.reason) == (400, "Bad Request")
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert (error["code"], error["type"]) == (400, "InvalidImage")
    assert "\n" not in error["message"]
    assert ask(endpoint, photo()).status_code == 200


def test_text_bodies_and_forms_without_photograph_are_refused(endpoint: TorchServe) -> None:
    for options in (
        {"data": b"some text", "headers": {"Content-Type": "text/plain"}},
        {"json": {"image": "aGVsbG8="}},
        {"files": {"note": ("a.txt", b"text")}},
    ):
        response = requests.post(endpoint.url(), timeout=60, **options)
        assert response.status_code == 400, options
        assert response.json()["error"]["type"] == "InvalidImage"


def test_mixed_batches(endpoint: TorchServe, predictor: Predictor) -> None:
    good = [photo(seed) for seed in range(8)]
    wanted = [predictor.answer(predictor.predict(body)) for body in good]
    bad = list(bad_photos().values())
    bodies = [good[i // 2 % 8] if i % 2 == 0 else bad[i // 2 % len(bad)] for i in range(128)]
    log = endpoint.log.model
    begin = log.stat().st_size
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda body: ask(endpoint, body, "batched"), bodies))
    for i, response in enumerate(responses):
        if i % 2 == 0:
            assert (response.status_code, response.json()) == (200, wanted[i // 2 % 8])
        else:
            assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidImage")
    batches = log.read_bytes()[begin:].count(b"Backend received inference")
    assert 0 < batches <= 64  # for 128 requests: a batch waits up to a second for 8 requests


def test_two_servers_at_once(
    endpoint: TorchServe,
    model_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = tmp_path / ("long" * 30)  # too long for a socket path
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(model_store / "fashion.mar", store)
    second = TorchServe.temporary(store, tmp_path / "second")
    options = ["--config", str(second.config), "--logs", str(second.logs)]
    try:
        assert main(["start", *options]) == 0
        assert f"curl {second.url()} -T photo.jpg" in capsys.readouterr().out
        assert ask(second, photo()).json() == ask(endpoint, photo()).json()
        assert main(["start", *options]) == 0
        assert "already running" in capsys.readouterr().out
        assert f"-Djava.io.tmpdir={second.temporary_folder}" in second.find().cmdline()
        assert second.temporary_folder.is_dir()
    finally:
        main(["stop", *options])
    assert find_server(second.config, store) is None
    assert not second.temporary_folder.exists()
    assert ask(endpoint, photo()).status_code == 200
    capsys.readouterr()
    assert main(["stop", *options]) == 0
    assert capsys.readouterr().out.startswith("no TorchServe with")


def test_of_two_concurrent_starts_the_first_wins_and_files_of_killed_servers_are_removed(
    model_store: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(model_store / "fashion.mar", store)
    server = TorchServe.temporary(store, tmp_path / "server")
    command = [sys.executable, "-m", "serving.server", "start", "--config", server.config, "--logs", server.logs]
    left = server.temporary_folder / "left"
    try:
        for _ in range(2):
            both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
            printed = [process.communicate(timeout=120)[0] for process in both]
            assert [process.returncode for process in both] == [0, 0]
            running = server.find()
            assert running is not None
            assert sum(f"already running as process {running.pid}\n" in text for text in printed) == 1
            assert ask(server, photo()).status_code == 200
            assert not left.exists()
            left.touch()
            family = [running, *running.children(recursive=True)]
            for process in family:
                process.kill()
            psutil.wait_procs(family, 30)
        assert left.exists(), "killed, and nothing was started since"
    finally:
        server.stop()
        shutil.rmtree(server.temporary_folder, ignore_errors=True)


def test_a_temporary_folder_of_somebody_else_is_refused(
    model_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = TorchServe.temporary(model_store, tmp_path / "server")
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").touch()
    server.temporary_folder.symlink_to(other)
    try:
        assert f"{server.temporary_folder} is a link or another user's" in fails_to_start(server, capsys)
        assert (other / "file").exists()
    finally:
        server.temporary_folder.unlink()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://127.0.0.1:99999", "inference_address is 'http://127.0.0.1:99999' in"),
        ("http://192.0.2.1:8080", "'192.0.2.1' is not an address of this machine; set another inference_address in"),
    ],
)
def test_an_invalid_address_is_reported(
    address: str, message: str, model_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = TorchServe.temporary(model_store, tmp_path, inference_address=address)
    assert message in fails_to_start(server, capsys)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Run a command as in a new terminal with the project's environment activated; return its output."""
    # As short as /tmp, for the sockets; TEMP is Java's folder for other temporary files.
    with tempfile.TemporaryDirectory(prefix="fashion-plain-", dir="/tmp", ignore_cleanup_errors=True) as temporary:
        environment = {"PATH": str(Path(sys.executable).parent), "TMPDIR": temporary, "TEMP": temporary}

        def run(*command: str | Path) -> str:
            # A file instead of a pipe, which a server in the background would keep open; a separate one per command.
            with tempfile.TemporaryFile() as file:
                result = subprocess.run(
                    command, cwd=tmp_path, env=environment, stdout=file, stderr=subprocess.STDOUT, timeout=60
                )
                file.seek(0)
                printed = file.read().decode()
            assert result.returncode == 0, printed
            return printed

        yield run


def test_plain_torchserve_and_curl(
    model_store: Path,
    tmp_path: Path,
    predictor: Predictor,
    terminal: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "model_store").mkdir()
    shutil.copy(model_store / "fashion.mar", tmp_path / "model_store")
    (tmp_path / "photo.png").write_bytes(photo())
    server = TorchServe.temporary(tmp_path / "model_store", tmp_path)
    relative = server.config.read_text().replace(str(server.model_store), "model_store")  # as in the shipped config
    server.config.write_text(relative)
    torchserve = Path(sys.executable).with_name("torchserve")
    monkeypatch.chdir(tmp_path)
    try:
        terminal(torchserve, "--start", "--ncs", "--ts-config", "config.properties")
        assert main(["wait", "--config", "config.properties"]) == 0
        assert f"curl {server.url()} -T photo.jpg" in capsys.readouterr().out
        if curl := shutil.which("curl"):
            answer = json.loads(terminal(curl, "-sS", server.url(), "-T", "photo.png"))
        else:
            answer = ask(server, photo()).json()
        assert answer == predictor.answer(predictor.predict(photo()))
        assert "TorchServe has stopped" in terminal(torchserve, "--stop")
        end = time.monotonic() + 60
        while server.find() and time.monotonic() < end:
            time.sleep(0.1)
        assert server.find() is None
    finally:
        server.stop()


def fails_to_start(server: TorchServe, capsys: pytest.CaptureFixture[str], command: str = "start") -> str:
    """The error line of the failing command."""
    with pytest.raises(SystemExit) as stop:
        main([command, "--config", str(server.config), "--logs", str(server.logs)])
    assert stop.value.code == 2
    assert server.find() is None
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    return error


def test_changed_weights_are_reported_and_the_server_is_stopped(
    model_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    with (
        zipfile.ZipFile(model_store / "fashion.mar") as source,
        zipfile.ZipFile(tmp_path / "store" / "fashion.mar", "w") as target,
    ):
        for name in source.namelist():
            data = bytearray(source.read(name))
            if name == "model.int8.onnx":
                data[5000] ^= 1
            target.writestr(name, bytes(data))
    error = fails_to_start(TorchServe.temporary(tmp_path / "store", tmp_path), capsys)
    assert "the model does not load" in error
    assert "model.int8.onnx was changed" in error


def test_no_model_in_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = TorchServe.temporary(tmp_path / "store", tmp_path)
    assert "make archive" in fails_to_start(server, capsys)
    (tmp_path / "store").mkdir()
    assert "no fashion.mar in the model store" in fails_to_start(server, capsys)
    (tmp_path / "store" / "fashion.mar").write_bytes(b"not an archive")
    assert "fashion.mar is not a valid model archive" in fails_to_start(server, capsys)


def test_a_port_that_is_taken_is_named(model_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = TorchServe.temporary(model_store, tmp_path)
    with socket.create_server(("127.0.0.1", int(server.management_url.rpartition(":")[2]))) as taken:
        error = fails_to_start(server, capsys)
        assert f"port {taken.getsockname()[1]} is in use by process" in error
        assert "management_address" in error


def test_wait_needs_a_server(model_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = TorchServe.temporary(model_store, tmp_path)
    assert "make serve" in fails_to_start(server, capsys, "wait")
    with pytest.raises(ServerError, match=r"cannot read .*nowhere"):
        TorchServe(tmp_path / "nowhere.properties")


def test_wrong_settings_are_reported(model_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = TorchServe.temporary(model_store, tmp_path, job_queue_size="many")
    assert 'Invalid configuration: For input string: "many"' in fails_to_start(server, capsys)


def test_urls_in_requests_are_not_fetched(endpoint: TorchServe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/other.mar"
        for path in (f"/models?url={url}", f"/workflows?url={url}&workflow_name=other"):
            assert requests.post(endpoint.management_url + path, timeout=60).status_code >= 400
        elsewhere.settimeout(0.2)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_a_config_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    config = tmp_path / "config.properties"
    config.write_bytes("# Größe\n".encode("latin-1"))
    with pytest.raises(ServerError, match=r"config\.properties' is not UTF-8 text; save it as UTF-8"):
        TorchServe(config)


def test_the_shipped_config_listens_on_localhost_only() -> None:
    addresses = {name: value for name, value in read_properties(DEFAULT_CONFIG).items() if name.endswith("_address")}
    assert len(addresses) == 5
    assert all(urlsplit(value).hostname == "127.0.0.1" or value == "127.0.0.1" for value in addresses.values())


def test_environment_proxies_are_not_used_for_this_machine(
    endpoint: TorchServe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_ports(1)[0]}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert len(endpoint.models()) == 2
    assert Client(endpoint.url()).ask(photo())["attributes"]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://127.0.0.1:8080/predictions/fashion", True),
        ("http://LOCALHOST:8080", True),
        ("http://[::1]:8080", True),
        ("http://0.0.0.0:8081", True),
        ("http://10.0.0.1:8080", False),
        ("https://localhost.example.com", False),
        ("127.0.0.1:8080", False),
        ("http://[::1", False),
    ],
)
def test_proxies_are_used_for_other_machines_only(url: str, wanted: bool) -> None:
    assert is_this_machine(url) is wanted
    assert open_session(url).trust_env is not wanted


def test_every_model_is_described(endpoint: TorchServe) -> None:
    sizes = {model["modelName"]: model["batchSize"] for model in endpoint.models()}
    assert sizes == {"fashion": 8, "batched": 8}
    ping = requests.get(f"{endpoint.inference_url}/ping", timeout=60)
    assert json.loads(ping.text) == {"status": "Healthy"}
