"""The model without a server: the upper limit of a server's speed.

python -m benchmarks.servers.in_process BUNDLE PHOTOGRAPHS --way single

Run by `benchmarks.servers.engine` in a separate process. It reads a number of seconds from each line of standard input,
measures for that time and prints a line of JSON: `numbers`, the positions of the photographs; `seconds`, the time of
each; `answers`, as a server would send them.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.servers.plain import PlainModel
from fashion.answers import make_answer
from fashion.engines import Outputs, available_cores
from fashion.model_card import INT8_FILE, ModelCard
from fashion.pipeline import predictions
from fashion.prediction import Prediction
from fashion.predictor import Predictor

READY = "ready"
LIST = 16  # photographs per call of `Predictor.predict_each`

Step = Callable[[Sequence[int]], list[Prediction]]  # positions of photographs -> their predictions


def _inference(bundle: Path, photographs: Sequence[bytes]) -> Step:
    model = PlainModel(bundle)
    prepared = [model.prepare(photograph) for photograph in photographs]
    return lambda numbers: [model.infer(prepared[number]) for number in numbers]


def _openvino(bundle: Path, photographs: Sequence[bytes]) -> Step:
    import openvino

    model = PlainModel(bundle)
    prepared = [model.prepare(photograph) for photograph in photographs]
    network = openvino.Core().read_model(bundle / INT8_FILE)
    network.reshape(prepared[0].shape)  # a static shape is slightly faster
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": available_cores()}
    request = openvino.compile_model(network, "CPU", options).create_infer_request()

    def step(numbers: Sequence[int]) -> list[Prediction]:
        request.infer({"image": prepared[numbers[0]]})
        logits, embedding = (request.get_tensor(name).data[0].copy() for name in ("logits", "embedding"))
        return predictions(Outputs(logits[None], embedding[None]), model.card)

    return step


def _single(bundle: Path, photographs: Sequence[bytes]) -> Step:
    predictor = Predictor.from_bundle(bundle, "int8")
    return lambda numbers: [predictor.predict(photographs[number]) for number in numbers]


def _each(bundle: Path, photographs: Sequence[bytes]) -> Step:
    predictor = Predictor.from_bundle(bundle, "int8")

    def step(numbers: Sequence[int]) -> list[Prediction]:
        outcomes = predictor.predict_each([photographs[number] for number in numbers])
        return [outcome.prediction for outcome in outcomes if outcome.prediction]

    return step


WAYS: dict[str, Callable[[Path, Sequence[bytes]], Step]] = {
    "inference": _inference,
    "openvino": _openvino,
    "single": _single,
    "each": _each,
}


def measure(step: Step, at_once: int, photographs: int, seconds: float) -> tuple[list[int], list[float], list]:
    """Run for a number of seconds; only the steps are timed.

    Returns:
        The position of each photograph, its share of the time of its step in seconds, and its prediction.
    """
    numbers: list[int] = []
    took: list[float] = []
    found: list[Prediction] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        chosen = [(len(numbers) + i) % photographs for i in range(at_once)]
        start = time.perf_counter()
        found += step(chosen)
        took += [(time.perf_counter() - start) / at_once] * at_once
        numbers += chosen
    return numbers, took, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once for each line of standard input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers.in_process")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--way", choices=WAYS, required=True)
    options = parser.parse_args(arguments)
    card = ModelCard.load(options.bundle)
    photographs = [path.read_bytes() for path in sorted(options.photographs.glob("*.jpg"))]
    step, at_once = WAYS[options.way](options.bundle, photographs), LIST if options.way == "each" else 1
    print(READY, flush=True)
    for line in sys.stdin:
        step([0])  # warm-up: caches are cold after the freeze
        numbers, took, found = measure(step, at_once, len(photographs), float(line))
        answers: list[dict[str, Any]] = [make_answer(card, prediction) for prediction in found]
        print(json.dumps({"numbers": numbers, "seconds": took, "answers": answers}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
