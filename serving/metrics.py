"""TorchServe's metrics of the handler, which Prometheus reads at TorchServe's metrics address."""

import logging
import re
import threading
from collections.abc import Iterable
from typing import Any

from serving.responder import BatchCounts

logger = logging.getLogger(__name__)

REQUEST_SECONDS = "fashion_request_seconds"  # a histogram; all others are counters
INTERVAL = 1.0  # s between writes; writing each count of each request would take longer than running a small model
_SEPARATORS = re.compile(r"[,:|#\s]+")  # separators of TorchServe's metric lines


class Meter:
    """Accumulates counts and writes them to TorchServe's metrics about once a second, from a timer thread.

    Metric names must be listed in `serving/metrics.yaml`; TorchServe drops others.

    Args:
        metrics: TorchServe's `context.metrics`, or None to count nothing.
        interval: seconds between writes.
    """

    def __init__(self, metrics: Any, interval: float = INTERVAL) -> None:
        self._metrics = metrics
        self._interval = interval
        self._lock = threading.Lock()
        self._tally: BatchCounts | None = None  # counts not written yet

    def add(self, tally: BatchCounts) -> None:
        """Count a batch; it is written within the interval."""
        if self._metrics is None:
            return
        with self._lock:
            if self._tally is not None:
                self._tally.add(tally)
                return
            self._tally = tally
        timer = threading.Timer(self._interval, self.write)
        timer.daemon = True
        timer.start()

    def write(self) -> None:
        """Write everything counted since the last write."""
        with self._lock:
            tally, self._tally = self._tally, None
        if tally is None:
            return
        try:
            for name, value, dimensions in counts(tally):
                self._metric(name, "counter").add_or_update(value, list(dimensions.values()))
            for seconds in tally.request_seconds:  # TorchServe's histograms take single observations
                self._metric(REQUEST_SECONDS, "histogram").add_or_update(round(seconds, 4), [])
        except Exception:  # a failure of metrics must never affect requests
            logger.exception("metrics could not be written")

    def _metric(self, name: str, kind: str) -> Any:
        from ts.metrics.metric_type_enum import MetricTypes

        return self._metrics.get_metric(name, MetricTypes(kind))


def counts(tally: BatchCounts) -> Iterable[tuple[str, float, dict[str, str]]]:
    """Name, value and dimensions of each counter in the counts of a batch."""
    for outcome, count in tally.outcomes.items():
        yield "fashion_requests_total", count, {"outcome": outcome}
    for label, count in tally.attributes.items():
        yield "fashion_attributes_total", count, {"group": dimension(label.group), "name": dimension(label.name)}
    yield "fashion_images_total", tally.images, {}
    for part in ("decode", "inference", "postprocess"):
        yield f"fashion_{part}_seconds_total", round(getattr(tally, f"{part}_seconds"), 6), {}


def dimension(text: str) -> str:
    """A name as the value of a metric's dimension, without TorchServe's separators: commas, colons, bars, hashes."""
    return _SEPARATORS.sub(" ", text).strip()
