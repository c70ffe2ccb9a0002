"""TorchServe with this project's archive as shipped, the same without logs and metrics, and a stock handler."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers.running import NotStarted, Server
from fashion.files import write_atomically
from fashion.model_card import STATE_DICT_FILE, ModelCard
from serving.archive import MANIFEST, archive
from serving.ports import free_ports
from serving.torchserve import GRPC_PORTS, PORTS, TorchServe

HERE = Path(__file__).parent
QUIET_HANDLER = HERE / "quiet_handler.py"


@contextmanager
def shipped(bundle: Path, folder: Path) -> Iterator[Server]:
    """The archive with its model-config.yaml and the shipped config.properties, except for the ports."""
    archive(bundle, folder / "model_store" / "fashion.mar")
    with TorchServe.temporary(folder / "model_store", folder / "server") as server:
        yield _running(server, "fashion")


@contextmanager
def quiet(bundle: Path, folder: Path) -> Iterator[Server]:
    """The same without log lines and metrics of requests, neither the handler's nor TorchServe's own."""
    packed = archive(bundle, folder / "model_store" / "fashion.mar")
    _put_before_handler(QUIET_HANDLER, packed)
    metrics = write_atomically(folder / "metrics.yaml", "ts_metrics: {counter: []}\nmodel_metrics: {counter: []}\n")
    server = TorchServe.temporary(packed.parent, folder / "server", metrics_config=str(metrics.resolve()))
    logs, changes = re.subn('(name="(?:ACCESS|MODEL)_LOG" level=)"info"', r'\1"off"', server.log_config.read_text())
    assert changes == 2
    server.log_config = write_atomically(folder / "log4j2.xml", logs).resolve()
    with server:
        yield _running(server, "fashion")


@contextmanager
def stock(bundle: Path, folder: Path) -> Iterator[Server]:
    """A handler modeled on TorchServe's own, one image at a time, with TorchServe's default number of workers."""
    store = folder / "model_store"
    store.mkdir(parents=True, exist_ok=True)
    _archive_stock(bundle, store, folder)
    ports = free_ports(len(PORTS) + len(GRPC_PORTS) + 1)
    lines = [f"{name}=http://127.0.0.1:{ports.pop()}" for name in PORTS]
    lines += [f"{name}={ports.pop()}" for name in (*GRPC_PORTS, "initial_worker_port")]
    lines += [f"model_store={store.resolve()}", "load_models=all", "disable_token_authorization=true"]
    lines += ["disable_system_metrics=true"]  # they start a process each minute, which would disturb other measurements
    config = folder / "config.properties"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with TorchServe(config, folder / "logs", folder) as server:
        yield _running(server, "stock")


def _running(server: TorchServe, model: str) -> Server:
    process = server.find()
    if process is None:
        raise NotStarted(f"TorchServe ended after it was ready; see {server.logs}")
    return Server(server.url(model), process)


def _put_before_handler(handler: Path, packed: Path) -> None:
    """Make a file the handler of an archive, and keep the original handler in it."""
    with zipfile.ZipFile(packed) as file:
        contents: dict[str, str | bytes] = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(contents[MANIFEST])
    manifest["model"]["handler"] = handler.name
    contents |= {MANIFEST: json.dumps(manifest), handler.name: handler.read_bytes()}
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)


def _archive_stock(bundle: Path, store: Path, folder: Path) -> None:
    labels = ModelCard.load(bundle).labels
    names = folder / "index_to_name.json"
    names.write_text(json.dumps({str(i): f"{label.group}: {label.name}" for i, label in enumerate(labels)}))
    command = [sys.executable, "-m", "model_archiver.model_packaging", "--model-name", "stock", "--version", "1.0"]
    command += ["--handler", str(HERE / "stock_handler.py"), "--model-file", str(HERE / "stock_model.py")]
    command += ["--serialized-file", str(bundle / STATE_DICT_FILE), "--extra-files", str(names)]
    command += ["--export-path", str(store), "--archive-format", "zip-store", "--force"]
    work = folder / "work"  # the archiver uses the temporary folder, by the model's name
    work.mkdir(exist_ok=True)
    ended = subprocess.run(command, env=os.environ | {"TMPDIR": str(work)}, capture_output=True, text=True)
    if ended.returncode:
        raise NotStarted(f"torch-model-archiver failed: {(ended.stderr.strip().splitlines() or ['no message'])[-1]}")
