"""Prometheus metrics of the FastAPI server."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from serving.metrics import REQUEST_SECONDS, counts
from serving.responder import BatchCounts

WAITING = "fashion_waiting_requests"  # for autoscaling; TorchServe has QueueTime instead
VERSION_REQUESTS = "fashion_version_requests_total"  # TorchServe counts requests by version itself


class Counters(Collector):
    """Prometheus counters with the same names as TorchServe's metrics; thread-safe.

    Batches are summed up here and become metrics only when Prometheus asks for them.

    Args:
        waiting: returns the current number of waiting requests.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        disable_created_metrics()  # omit each counter's creation time, which is unused
        self._lock = threading.Lock()  # guards the next two
        self._total = BatchCounts()
        self._versions: Counter[tuple[str, str]] = Counter()  # requests by version and outcome
        self._registry = CollectorRegistry()
        self._seconds = Histogram(REQUEST_SECONDS, "seconds from the queue to the answer", registry=self._registry)
        Gauge(WAITING, "requests that wait for the model", registry=self._registry).set_function(waiting)
        self._registry.register(self)

    def add(self, tally: BatchCounts, version: str = "") -> None:
        """Count a batch answered by a model version, or, without a version, a request that reached no model."""
        for seconds in tally.request_seconds:
            self._seconds.observe(seconds)
        with self._lock:
            self._total.add(tally)
            self._total.request_seconds.clear()  # they are in the histogram, and the list would grow without end
            if version:
                self._versions.update({(version, outcome): count for outcome, count in tally.outcomes.items()})

    def collect(self) -> Iterable[CounterMetricFamily]:
        """All counters, for `prometheus_client`."""
        with self._lock:
            found = list(counts(self._total))
            found += [
                (VERSION_REQUESTS, count, {"version": version, "outcome": outcome})
                for (version, outcome), count in self._versions.items()
            ]
        families: dict[str, CounterMetricFamily] = {}
        sums: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
        for name, value, dimensions in found:
            if name not in families:
                families[name] = CounterMetricFamily(name, name.replace("_", " "), labels=list(dimensions))
            sums[name, tuple(dimensions.values())] += value  # different labels may have the same dimensions
        for (name, values), total in sums.items():
            families[name].add_metric(values, total)
        return families.values()

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)
