"""Whether what a server answered is what the model says: speed counts only where it is."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import Answer
from fashion.prediction import Prediction, sigmoid
from fashion.predictor import Predictor

# Of a probability. Answers have four digits; engines add up floats in their own order.
TOLERANCE = 0.002
# Another engine rounds the int8 values between the layers in its own way.
OTHER_ENGINE_TOLERANCE = 0.1

Check = Callable[[Answer], str | None]


class RightAnswers:
    """What each photograph must be answered.

    Args:
        bundle: its int8 file says what the answers are, its fp32 file what those of an fp32 server are.
        photographs: in the order of the load generator's bodies.

    Attributes:
        answers: the Predictor's, in that order.
    """

    def __init__(self, bundle: Path, photographs: Sequence[bytes]) -> None:
        self._bundle, self._photographs = bundle, photographs
        predictor = Predictor.from_bundle(bundle, "int8")
        self.answers = [predictor.answer(predictor.predict(photograph)) for photograph in photographs]
        self._fp32: list[Prediction] | None = None

    def answer(self, answer: Answer, tolerance: float = TOLERANCE) -> str | None:
        """What is wrong with an answer as this project gives it, or None."""
        given = _json(answer)
        return given if isinstance(given, str) else self._difference(answer.number, given, tolerance)

    def other_engine(self, answer: Answer) -> str | None:
        """The same with room for another engine's rounding."""
        return self.answer(answer, OTHER_ENGINE_TOLERANCE)

    def explanation(self, answer: Answer) -> str | None:
        """The same with a map in each attribute."""
        given = _json(answer)
        if isinstance(given, str):
            return given
        if not all(np.ndim(attribute.get("map")) == 2 for attribute in given.get("attributes", ())):
            return "attributes without a map"
        return self._difference(answer.number, given, TOLERANCE)

    def stock(self, answer: Answer) -> str | None:
        """What is wrong with the answer of the stock handler, every label with its fp32 probability, or None."""
        given = _json(answer)
        if isinstance(given, str):
            return given
        right = sigmoid(self._fp32_prediction(answer.number).logits)  # a stock handler does not calibrate
        if len(given) != len(right):
            return f"{len(given)} labels instead of {len(right)}"
        farthest = float(np.abs(np.array(list(given.values())) - right).max())
        return f"a probability off by {farthest:.4f}" if farthest > TOLERANCE else None

    def _difference(self, number: int, given: dict[str, Any], tolerance: float) -> str | None:
        right = self.answers[number]
        if given.get("model") != right["model"]:
            return f"another model: {given.get('model')}"
        before, after = _by_name(right), _by_name(given)
        for name in before.keys() | after.keys():
            attribute = before.get(name) or after[name]
            # One that only one of them has may be just above its threshold there and just below it here.
            other = attribute["threshold"] if name not in before or name not in after else after[name]["probability"]
            if abs(attribute["probability"] - other) > tolerance:
                return f"{' '.join(name)} at {attribute['probability']} and {other}"
        return None

    def _fp32_prediction(self, number: int) -> Prediction:
        if self._fp32 is None:
            predictor = Predictor.from_bundle(self._bundle, "onnx")
            self._fp32 = [predictor.predict(photograph) for photograph in self._photographs]
        return self._fp32[number]


def _json(answer: Answer) -> dict[str, Any] | str:
    """The answer, or what is wrong with it."""
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200].decode(errors='replace')}"
    try:
        given = json.loads(answer.body)
    except ValueError:
        return "no JSON"
    return given if isinstance(given, dict) else "no JSON object"


def _by_name(answer: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(attribute["group"], attribute["name"]): attribute for attribute in answer["attributes"]}
