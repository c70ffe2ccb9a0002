"""The load generator: so many clients, each of which sends its next photograph when the one before is answered."""

import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT = 120.0  # s for one answer; a slow server with 16 clients takes a tenth of it
NO_ANSWER = 0  # the status of a request whose connection broke
OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Answer:
    """What came back for one request.

    Attributes:
        number: the place of its body in the list of bodies.
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
    """What one run of the generator measured.

    Attributes:
        answers: in the order in which they came.
        seconds: from the first request to the last answer.
        client_seconds: processor time the generator itself took.
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
    """Send the bodies, over and over, until the time is over or so many were sent; all that was sent is waited for.

    Args:
        url: where each body is posted to.
        bodies: in the order in which they are sent.
        concurrency: clients, each with one connection that it keeps.
        seconds: after these no client begins another request.
        requests: or how many are sent in all.
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
    """Which body is sent next, for all clients together."""

    def __init__(self, source: Iterator[int]) -> None:
        self._source = source
        self._lock = threading.Lock()

    def next(self) -> int | None:
        with self._lock:
            return next(self._source, None)


def _numbers(bodies: int, seconds: float | None, requests: int | None) -> Iterator[int]:
    """Places in the list of bodies; the time begins with the first."""
    begin = time.perf_counter()
    for i in itertools.count() if requests is None else range(requests):
        if i and seconds is not None and time.perf_counter() > begin + seconds:
            return
        yield i % bodies


class _Client(threading.Thread):
    """Its answers, each with the time at which it came, and the processor time it took."""

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
