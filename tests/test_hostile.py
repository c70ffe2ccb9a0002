"""Hostile requests to both servers: each is answered with its 4xx and JSON, and the next good one is answered."""

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hostile import HOSTILE, fuzzed
from photos import photo

from fashion.predictor import Predictor

FUZZED = 300
TINY = 10_000


@dataclass
class Server:
    """A server under attack."""

    name: str
    url: str
    workers: Any  # returns the ids of its worker processes

    def ask(self, body: bytes, **headers: str) -> requests.Response:
        with requests.Session() as session:  # closes the connection even if the server does not
            return session.post(f"{self.url}/predictions/fashion", data=body, headers=headers, timeout=60)


@pytest.fixture(scope="module", params=["torchserve", "fastapi"])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "fastapi":
        return Server("fastapi", request.getfixturevalue("app_url"), list)
    endpoint = request.getfixturevalue("endpoint")

    def workers() -> list[int]:
        return [worker["pid"] for model in endpoint.models() for worker in model["workers"]]

    return Server("torchserve", endpoint.inference_url, workers)


@pytest.fixture(scope="module")
def expected(bundle: Path) -> Any:
    predictor = Predictor.from_bundle(bundle, engine="int8")
    return predictor.answer(predictor.predict(photo(5)))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests(server: Server, expected: Any, name: str) -> None:
    hostile, before = HOSTILE[name], server.workers()
    try:
        response = server.ask(hostile.body(), **hostile.headers)
    except requests.ConnectionError:
        # A server may close the connection to a refused body before the client has read the answer.
        assert hostile.statuses == {413}
    else:
        assert response.status_code in hostile.statuses, response.text[:300]
        if response.status_code == 400:
            error = response.json().get("error") or response.json()["predictions"][0]["error"]
            assert error["code"] == 400
            assert "\n" not in error["message"]
            assert len(error["message"]) < 600
    assert server.ask(photo(5)).json() == expected
    assert server.workers() == before


def test_files_with_changed_bytes(server: Server, expected: Any) -> None:
    before = server.workers()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda body: server.ask(body).status_code, fuzzed(FUZZED)))
    assert set(statuses) == {200, 400}  # some files are still readable
    assert server.ask(photo(5)).json() == expected
    assert server.workers() == before


def test_bodies_that_are_half_sent(server: Server, expected: Any) -> None:
    address = urlsplit(server.url)
    held = []
    for i in range(20):
        connection = socket.create_connection((address.hostname, address.port), timeout=10)
        head = f"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photo(5))}\r\n\r\n"
        connection.sendall(head.encode() + photo(5)[: 100 * i])
        held.append(connection)
    assert server.ask(photo(5)).json() == expected  # while they wait
    for connection in held:
        connection.close()
    assert server.ask(photo(5)).json() == expected


def test_bytes_that_are_not_http(server: Server, expected: Any) -> None:
    address = urlsplit(server.url)
    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 500, b"A" * 100_000):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(sent)
            connection.settimeout(2)
            with contextlib.suppress(TimeoutError, ConnectionError):  # it waits for more, or has closed the connection
                connection.recv(1000)
    assert server.ask(photo(5)).json() == expected


def test_ten_thousand_tiny_requests(server: Server, expected: Any) -> None:
    """Each is a body of one byte; eight clients send them as fast as they are answered."""
    address = urlsplit(server.url)
    before, begin = server.workers(), time.monotonic()

    def send(count: int) -> int:
        refused = 0
        connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
        for _ in range(count):
            connection.request("POST", "/predictions/fashion", b"x", {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            response.read()
            refused += response.status == 400
            connection.close()  # TorchServe closes it after an error and does not say so
        return refused

    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(send, [TINY // 8] * 8))
    assert refused == TINY, f"after {time.monotonic() - begin:.1f} s"
    assert server.ask(photo(5)).json() == expected
    assert server.workers() == before
