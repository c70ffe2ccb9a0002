"""Closed-loop load generator: each client sends its next photograph once the previous one is answered."""

import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT = 120.0  # s per answer; a slow server with 16 clients takes a tenth of it
NO_ANSWER = 0  # the status of a request whose connection broke
OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        number: the index of its body in the list of bodies.
        seconds: from the first byte sent to the last one received.
        status: of HTTP, or `NO_ANSWER`.
        body: the answer, or why there is none.
    """

    number: int
    seconds: float
    status: int
    body: bytes


@dataclass(frozen=True)
class Load:
    """The measurements of one run of the generator.

    Attributes:
        answers: in order of arrival.
        seconds: from the first request to the last answer.
        client_seconds: processor time of the generator itself.
    """

    answers: list[Answer]
    seconds: float
    client_seconds: float


def send(
    url: str,
    bodies: Sequence[bytes],
    concurrency: int,
    seconds: float | None = None,
    requests: int | None = None,
    content_type: str = OCTETS,
) -> Load:
    """Send the bodies in a loop until the time or number of requests is reached, and wait for all answers.

    Args:
        url: where each body is posted to.
        bodies: in the order in which they are sent.
        concurrency: number of clients, each with one keep-alive connection.
        seconds: after which no client starts another request.
        requests: total number to send instead.
        content_type: of the bodies.
    """
    numbers = _Numbers(_numbers(len(bodies), seconds, requests))
    clients = [_Client(url, bodies, content_type, numbers) for _ in range(concurrency)]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    elapsed = time.perf_counter() - start
    answers = [timed for client in clients for timed in client.answers]
    ordered = [answer for _, answer in sorted(answers, key=lambda timed: timed[0])]
    return Load(ordered, elapsed, sum(client.processor_seconds for client in clients))


class _Numbers:
    """Thread-safe iterator over the index of the next body, shared by all clients."""

    def __init__(self, source: Iterator[int]) -> None:
        self._source = source
        self._lock = threading.Lock()

    def next(self) -> int | None:
        with self._lock:
            return next(self._source, None)


def _numbers(bodies: int, seconds: float | None, requests: int | None) -> Iterator[int]:
    """Indices into the list of bodies; the time starts with the first."""
    begin = time.perf_counter()
    for i in itertools.count() if requests is None else range(requests):
        if i and seconds is not None and time.perf_counter() > begin + seconds:
            return
        yield i % bodies


class _Client(threading.Thread):
    """A client thread: its answers, each with its time of arrival, and its processor time."""

    def __init__(self, url: str, bodies: Sequence[bytes], content_type: str, numbers: _Numbers) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[float, Answer]] = []
        self.processor_seconds = 0.0
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        self._path = parts.path
        self._bodies, self._headers, self._numbers = bodies, {"Content-Type": content_type}, numbers

    def run(self) -> None:
        start = time.thread_time()
        while (number := self._numbers.next()) is not None:
            answer = self._ask(number)
            self.answers.append((time.perf_counter(), answer))
        self._connection.close()
        self.processor_seconds = time.thread_time() - start

    def _ask(self, number: int) -> Answer:
        start = time.perf_counter()
        try:
            self._connection.request("POST", self._path, self._bodies[number], self._headers)
            response = self._connection.getresponse()
            status, body = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next request opens another
            status, body = NO_ANSWER, f"{type(error).__name__}: {error}".encode()
        return Answer(number, time.perf_counter() - start, status, body)
