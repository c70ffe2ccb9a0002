"""The servers and engines of the serving benchmark, and how each is started and checked."""

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.interpreters import bench_python
from benchmarks.right_answers import Check, RightAnswers
from benchmarks.servers.engine import engine
from benchmarks.servers.running import Running, python_server
from benchmarks.servers.torchserve import quiet, shipped, stock

LOG = "server.log"


@dataclass(frozen=True)
class Place:
    """Paths that a server is started with.

    Attributes:
        bundle: the model.
        photographs: the folder of the photographs.
        folder: for the server's files; each server has its own.
    """

    bundle: Path
    photographs: Path
    folder: Path


@dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Attributes:
        title: its name in the tables.
        start: context manager that runs the server or engine.
        check: selects the function that finds its wrong answers.
    """

    title: str
    start: Callable[[Place], AbstractContextManager[Running]]
    check: Callable[[RightAnswers], Check]


def _torchserve(
    start: Callable[[Path, Path], AbstractContextManager[Running]],
) -> Callable[[Place], AbstractContextManager[Running]]:
    return lambda place: start(place.bundle, place.folder)


def _app(place: Place) -> AbstractContextManager[Running]:
    return python_server("serving.app", place.bundle, place.folder / LOG, path="/predictions/fashion")


def _fastapi(place: Place) -> AbstractContextManager[Running]:
    return python_server("benchmarks.servers.fastapi_plain", place.bundle, place.folder / LOG, bench_python())


def _litserve(place: Place) -> AbstractContextManager[Running]:
    module, log = "benchmarks.servers.litserve_plain", place.folder / LOG
    return python_server(module, place.bundle, log, bench_python(), body=_base64, content_type="application/json")


def _base64(photograph: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(photograph).decode()}).encode()


def _in_process(way: str, other_packages: bool = False) -> Callable[[Place], AbstractContextManager[Running]]:
    def start(place: Place) -> AbstractContextManager[Running]:
        python = bench_python() if other_packages else None
        return engine(way, place.bundle, place.photographs, place.folder / LOG, python)

    return start


SHIPPED, STOCK, APP, FASTAPI, LITSERVE = "shipped", "stock", "app", "fastapi", "litserve"
INFERENCE, OPENVINO, SINGLE, EACH = "inference", "openvino", "single", "each"

SERVERS = {
    SHIPPED: Contestant("this bundle in TorchServe, as shipped", _torchserve(shipped), lambda right: right.answer),
    APP: Contestant("this bundle in `serving.app`", _app, lambda right: right.answer),
    FASTAPI: Contestant("FastAPI + uvicorn, the same int8 model", _fastapi, lambda right: right.answer),
    LITSERVE: Contestant("LitServe, the same int8 model", _litserve, lambda right: right.answer),
    STOCK: Contestant("stock TorchServe handler, fp32 torch", _torchserve(stock), lambda right: right.stock),
}
ENGINES = {
    INFERENCE: Contestant("inference only", _in_process("inference"), lambda right: right.answer),
    SINGLE: Contestant(
        "decode + resize + inference, one photograph at a time", _in_process("single"), lambda right: right.answer
    ),
    EACH: Contestant(
        "decode + resize + inference by `Predictor.predict_each`, lists of 16",
        _in_process("each"),
        lambda right: right.answer,
    ),
    OPENVINO: Contestant(
        "inference only, OpenVINO on the same file",
        _in_process("openvino", other_packages=True),
        lambda right: right.other_engine,
    ),
}
CONTESTANTS = SERVERS | ENGINES

# These two measure the cost of logs and metrics, with a model so small that the server's own time dominates.
LOGGED, QUIET = "logged", "quiet"
PAIR = {
    LOGGED: Contestant("as shipped", _torchserve(shipped), lambda right: right.answer),
    QUIET: Contestant("without log lines and metrics of requests", _torchserve(quiet), lambda right: right.answer),
}
