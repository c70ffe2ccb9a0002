"""Prometheus metrics of the FastAPI server."""

import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from serving.metrics import REQUEST_SECONDS, counts
from serving.responder import BatchCounts

WAITING = "fashion_waiting_requests"  # for autoscaling; TorchServe has QueueTime instead
VERSION_REQUESTS = "fashion_version_requests_total"  # TorchServe counts requests by version itself


class Counters:
    """Prometheus counters with the same names as TorchServe's metrics; thread-safe.

    Args:
        waiting: returns the current number of waiting requests.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        disable_created_metrics()  # omit each counter's creation time, which is unused
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._seconds = Histogram(REQUEST_SECONDS, "seconds from the queue to the answer", registry=self._registry)

        Gauge(WAITING, "requests that wait for the model", registry=self._registry).set_function(waiting)

    def add(self, tally: BatchCounts, version: str = "") -> None:
        """Count a batch answered by a model version, or, without a version, a request that reached no model."""
        for seconds in tally.request_seconds:
            self._seconds.observe(seconds)
        for name, value, dimensions in counts(tally):
            counter = self._counter(name, tuple(dimensions))
            (counter.labels(**dimensions) if dimensions else counter).inc(value)
        if version:
            for outcome, count in tally.outcomes.items():
                self._counter(VERSION_REQUESTS, ("version", "outcome")).labels(version, outcome).inc(count)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, dimensions: tuple[str, ...]) -> Counter:
        with self._lock:
            if name not in self._counters:
                self._counters[name] = Counter(name, name.replace("_", " "), dimensions, registry=self._registry)
            return self._counters[name]
