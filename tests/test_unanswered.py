"""Requests of the FastAPI server that end without the model's answer: at shutdown, by the client, by an error."""

import http.client
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from photos import photo
from starlette.testclient import TestClient

from fashion.engines import Outputs
from fashion.predictor import Predictor
from page.application import create_page
from page.security import POLICY
from serving import http_requests
from serving.app import create_app
from serving.ports import free_ports

WAIT = 60  # s


class HeldEngine:
    """An engine of one lane whose runs, once it is held, wait until it is released."""

    def __init__(self, bundle: Path) -> None:
        self._engine = Predictor.from_bundle(bundle, engine="int8", threads=1).engine
        self.name, self.in_batches, self.lanes = self._engine.name, False, 1
        self.released = threading.Event()
        self.released.set()
        self.runs = 0

    @property
    def head(self) -> np.ndarray:
        return self._engine.head

    def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
        self.runs += 1
        assert self.released.wait(WAIT)
        return self._engine.run(pixels, features, concurrency)


@pytest.fixture
def engine(bundle: Path) -> HeldEngine:
    return HeldEngine(bundle)


@pytest.fixture
def app(bundle: Path, engine: HeldEngine) -> FastAPI:
    return create_app(Predictor(Predictor.from_bundle(bundle).card, engine))


@contextmanager
def serving(app: FastAPI, engine: HeldEngine) -> Iterator[tuple[uvicorn.Server, int]]:
    """A running server whose engine is held after the warm-up, and its port."""
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        engine.runs = 0
        engine.released.clear()
        yield server, port
    finally:
        server.should_exit = True
        engine.released.set()
        thread.join(WAIT)
        assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def sent(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    connection.request("POST", "/predictions/fashion", photo(1))
    return connection


def counted(app: FastAPI) -> dict[str, float]:
    """The number of requests by outcome, by the metrics."""
    found = re.findall(r'^fashion_requests_total\{outcome="(\w+)"\} (\S+)', app.state.counters.text().decode(), re.M)
    return {outcome: float(number) for outcome, number in found}


def test_requests_that_shutdown_answers_503_are_not_run(app: FastAPI, engine: HeldEngine) -> None:
    with serving(app, engine) as (server, port):
        connections = [sent(port) for _ in range(4)]
        until(lambda: engine.runs == 1 and app.state.traffic.waiting == 3)
        server.should_exit = True
        assert [connection.getresponse().status for connection in connections] == [503] * 4
        for connection in connections:
            connection.close()
    assert engine.runs == 1
    assert counted(app) == {"ok": 1, "busy": 3}  # the one that ran is counted by its end, and only once


def test_a_client_that_leaves_is_counted_once(
    app: FastAPI, engine: HeldEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, http_requests.__name__)
    with serving(app, engine) as (_, port):
        running = sent(port)
        until(lambda: engine.runs == 1)
        waiting = sent(port)
        until(lambda: app.state.traffic.waiting == 1)
        for connection in (running, waiting):
            connection.close()
        until(lambda: caplog.text.count('"outcome":"disconnected"') == 2)
    assert counted(app) == {"ok": 1, "disconnected": 1}


def test_an_unexpected_error_is_reported_counted_and_logged(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(call: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http_requests, "parse_form", fail)
    caplog.set_level(logging.INFO, http_requests.__name__)
    with TestClient(app) as client:
        answer = client.post("/predictions/fashion", content=photo(1), headers={"X-Request-Id": "full"})
        assert counted(app) == {"error": 1}
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "InternalError")
    assert (answer.headers["x-request-id"], answer.headers["fashion-outcome"]) == ("full", "error")
    fault, line = caplog.records
    assert "No space left on device" in logging.Formatter().format(fault)
    assert json.loads(line.getMessage()).items() >= {"request": "full", "status": 500, "outcome": "error"}.items()


def test_unexpected_errors_of_other_routes_have_the_projects_form(app: FastAPI, bundle: Path) -> None:
    def fail() -> None:
        raise KeyError("y")

    page = create_page(Predictor.from_bundle(bundle), hosts=["testserver"])
    for each in (app, page):
        each.get("/broken")(fail)
        answer = TestClient(each, raise_server_exceptions=False).get("/broken")
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "InternalError")
    shown = TestClient(page, raise_server_exceptions=False).get("/broken", headers={"Accept": "text/html"})
    assert (shown.status_code, "the server failed on this request" in shown.text) == (500, True)
    assert shown.headers["content-security-policy"] == POLICY
