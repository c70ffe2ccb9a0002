"""Fixtures that several test files share."""

import ctypes
import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from postgres_server import CannotStart, postgres_server

from fashion.heic import can_read_heic

if TYPE_CHECKING:
    import requests
    from playwright.sync_api import Browser, Page
    from proxy import Proxy

    from serving.torchserve import TorchServe


# As many processes of pytest as cores run tests; threads of theirs, and of what they start, would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# More examples of each property, for a long run: pytest --hypothesis-profile=damage tests/test_damage.py
settings.register_profile("damage", max_examples=1_000)


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    """Bypass proxies set in the environment: the servers under test run on this machine."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let child processes receive SIGINT even if pytest was started in the background, where it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # child processes inherit this
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def memory_of_a_file_is_freed() -> Iterator[None]:
    """Collect what refers to itself after each file: networks and trainers, else the process grows by gigabytes."""
    yield
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what is freed


@pytest.fixture(autouse=True, scope="module")
def threads_of_torch() -> None:
    """Start each file with one thread: an engine of an earlier file may have set more, and sums then differ in bits."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def memory_is_freed() -> Iterator[None]:
    """The same after each test, for files with many trainings."""
    yield
    gc.collect()


@pytest.fixture
def without_heic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Simulate an environment without pillow-heif."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    can_read_heic.cache_clear()
    yield
    monkeypatch.undo()
    can_read_heic.cache_clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server with pgvector, started for the tests; each test uses its own collections."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server())
        except CannotStart as error:
            pytest.skip(f"no PostgreSQL: {error}")
        yield url


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium; not for the session, because Playwright's event loop would go on in the tests of other files."""
    from browser_tabs import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser: "Browser", url: str) -> "Iterator[Callable[..., Page]]":
    """Opens pages of the test file's server, whose address is its fixture `url`."""
    from browser_tabs import tabs

    with tabs(browser, url) as open_page:
        yield open_page


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny but real bundle, shared by all tests. Read-only: a test that changes it works on a copy."""
    from tiny_bundle import make_tiny_bundle  # imports torch and onnx, which not every test needs

    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def gated_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle of a model with gates. Read-only."""
    from tiny_bundle import GATES, make_tiny_bundle

    return make_tiny_bundle(tmp_path_factory.mktemp("gated"), gates=GATES)


@pytest.fixture(scope="session")
def model_store(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with `fashion.mar`, as shipped, and `batched.mar`, whose batch delay is 1 s. Read-only."""
    from serving.archive import CONFIG_FILE, SERVING, archive

    store = tmp_path_factory.mktemp("model_store")
    archive(bundle, store / "fashion.mar", engine="int8")
    config = tmp_path_factory.mktemp("config") / CONFIG_FILE
    shipped = (SERVING / CONFIG_FILE).read_text()
    config.write_text(shipped.replace("maxBatchDelay: 1 ", "maxBatchDelay: 1000 "))
    archive(bundle, store / "batched.mar", engine="int8", config=config)
    return store


@pytest.fixture(scope="session")
def endpoint(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["TorchServe"]:
    """A running TorchServe on free ports that serves the models `fashion` and `batched` of `model_store`."""
    from serving.torchserve import TorchServe

    with TorchServe.temporary(model_store, tmp_path_factory.mktemp("endpoint"), load_models="all") as server:
        yield server


@pytest.fixture(scope="session")
def hardened(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["TorchServe"]:
    """A running TorchServe with the hardened config and the model `fashion`; its queue holds only 4 requests."""
    from serving.torchserve import HARDENED_CONFIG, TorchServe

    folder = tmp_path_factory.mktemp("hardened")
    (folder / "model_store").mkdir()
    shutil.copy(model_store / "fashion.mar", folder / "model_store")
    with TorchServe.temporary(folder / "model_store", folder, HARDENED_CONFIG, job_queue_size=4) as server:
        yield server


@pytest.fixture(scope="session")
def proxy(hardened: "TorchServe", tmp_path_factory: pytest.TempPathFactory) -> Iterator["Proxy"]:
    """The nginx of deploy/ in front of `hardened`."""
    from proxy import proxy_of

    address = hardened.inference_url.removeprefix("http://")
    with proxy_of(address, tmp_path_factory.mktemp("nginx"), hardened.key_file, {}) as running:
        yield running


@pytest.fixture
def outside(proxy: "Proxy") -> Iterator["requests.Session"]:
    """The session of an external client, which has only the proxy's address and certificate."""
    import requests

    with requests.Session() as session:
        session.trust_env = False  # certificates from the environment would override this one
        session.verify = str(proxy.certificate)
        yield session


@pytest.fixture(scope="session")
def app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the server at `app_url`."""
    return tmp_path_factory.mktemp("app") / "log"


@pytest.fixture(scope="session")
def app_url(bundle: Path, app_log: Path) -> Iterator[str]:
    """The URL of the FastAPI server, started by its command, with the same weights as `endpoint`."""
    from serving.ports import free_ports

    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with app_log.open("w+") as log:
        command = [sys.executable, "-m", "serving.app", str(bundle), "--port", str(port), "--engine", "int8"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 120
            while not answers(f"{url}/readyz"):
                log.seek(0)
                assert process.poll() is None, log.read()
                assert time.monotonic() < end, log.read()
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def answers(url: str) -> bool:
    """Whether a server at this URL answers with status 200."""
    import requests

    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="session")
def labeled_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that a network fits in seconds, so that probabilities are far from the thresholds. Read-only."""
    from colored_shapes import write_shapes

    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=240, val=40)


@pytest.fixture(scope="session")
def run(labeled_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training run of a ResNet18 at 32 px on `labeled_data`, made by the command. Read-only."""
    from training import fit

    folder = tmp_path_factory.mktemp("runs")
    flags = ["--config", "training/configs/sample.yaml", "--model.arch", "resnet18", "--data.input.size", "32"]
    flags += ["--data.path", str(labeled_data), "--data.cache", str(folder / "cache"), "--data.workers", "0"]
    flags += ["--data.batch_size", "16", "--trainer.max_epochs", "3", "--trainer.accelerator", "cpu"]
    flags += ["--trainer.precision", "32-true"]  # bf16 is slower for so small a network
    fit.quiet()
    fit.train([*flags, "--run", str(folder / "run")])
    return folder / "run"


@pytest.fixture(scope="session")
def exported(run: Path) -> Path:
    """The bundle exported from `run` by the command. Read-only."""
    from training import export

    assert export.main([str(run)]) == 0
    return run / "bundle"
