"""The Prometheus metrics of the FastAPI server, without a server."""

from collections import Counter

from fashion.taxonomy import Label
from serving.counters import Counters
from serving.responder import BatchCounts


def test_batches_are_summed_up() -> None:
    counters = Counters(lambda: 0)
    for _ in range(2):
        labels = Counter({Label("fit", "Slim"): 1, Label("color", "red, dark"): 2, Label("color", "red dark"): 1})
        counters.add(BatchCounts(Counter({"ok": 3, "error": 1}), labels, [0.25, 0.5, 0.25, 0.25], 3, 0.25), "1.0")
    counters.add(BatchCounts(Counter(["ok"])), "2.0")
    counters.add(BatchCounts(Counter(["busy"])))
    lines = counters.text().decode().splitlines()
    assert [line for line in lines if line.startswith("fashion_") and "bucket" not in line] == [
        "fashion_request_seconds_count 8.0",
        "fashion_request_seconds_sum 2.5",
        "fashion_waiting_requests 0.0",
        'fashion_requests_total{outcome="ok"} 7.0',
        'fashion_requests_total{outcome="error"} 2.0',
        'fashion_requests_total{outcome="busy"} 1.0',
        'fashion_attributes_total{group="fit",name="Slim"} 2.0',
        'fashion_attributes_total{group="color",name="red dark"} 6.0',  # a series may occur only once
        "fashion_images_total 6.0",
        "fashion_decode_seconds_total 0.5",
        "fashion_inference_seconds_total 0.0",
        "fashion_postprocess_seconds_total 0.0",
        'fashion_version_requests_total{outcome="ok",version="1.0"} 6.0',
        'fashion_version_requests_total{outcome="error",version="1.0"} 2.0',
        'fashion_version_requests_total{outcome="ok",version="2.0"} 1.0',
    ]
