"""Counts of what requests came to -> Prometheus, for the server without TorchServe."""

import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from serving.metrics import REQUEST_SECONDS, counts
from serving.responder import BatchCounts

WAITING = "fashion_waiting_requests"  # what more servers are started by; TorchServe tells QueueTime instead
VERSION_REQUESTS = "fashion_version_requests_total"  # TorchServe counts by version itself


class Counters:
    """Tallies as Prometheus counters, under the names that TorchServe's metrics have. Any thread may add one.

    Args:
        waiting: tells how many requests wait at the moment.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        disable_created_metrics()  # a time beside each counter, which nothing here reads
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._seconds = Histogram(REQUEST_SECONDS, "seconds from the queue to the answer", registry=self._registry)

        Gauge(WAITING, "requests that wait for the model", registry=self._registry).set_function(waiting)

    def add(self, tally: BatchCounts, version: str = "") -> None:
        """Count a batch, with the version of the model that answered it, or a request that reached none."""
        for seconds in tally.request_seconds:
            self._seconds.observe(seconds)
        for name, value, dimensions in counts(tally):
            counter = self._counter(name, tuple(dimensions))
            (counter.labels(**dimensions) if dimensions else counter).inc(value)
        if version:
            for outcome, count in tally.outcomes.items():
                self._counter(VERSION_REQUESTS, ("version", "outcome")).labels(version, outcome).inc(count)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)

    def _counter(self, name: str, dimensions: tuple[str, ...]) -> Counter:
        with self._lock:
            if name not in self._counters:
                self._counters[name] = Counter(name, name.replace("_", " "), dimensions, registry=self._registry)
            return self._counters[name]
