"""Check that servers answer what the model predicts, because speed counts only for right answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import Answer
from fashion.prediction import Prediction, sigmoid
from fashion.predictor import Predictor

# Of a probability. Answers have four digits; engines sum floats in different orders.
TOLERANCE = 0.002
# Other engines round the int8 values between layers differently.
OTHER_ENGINE_TOLERANCE = 0.1

Check = Callable[[Answer], str | None]


class RightAnswers:
    """The right answer to each photograph.

    Args:
        bundle: its int8 file gives the answers, its fp32 file those of an fp32 server.
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
        """The error in an answer in this project's format, or None."""
        given = _json(answer)
        return given if isinstance(given, str) else self._difference(answer.number, given, tolerance)

    def other_engine(self, answer: Answer) -> str | None:
        """The same with a tolerance for another engine's rounding."""
        return self.answer(answer, OTHER_ENGINE_TOLERANCE)

    def explanation(self, answer: Answer) -> str | None:
        """The same for an answer with a map in each attribute."""
        given = _json(answer)
        if isinstance(given, str):
            return given
        if not all(np.ndim(attribute.get("map")) == 2 for attribute in given.get("attributes", ())):
            return "attributes without a map"
        return self._difference(answer.number, given, TOLERANCE)

    def stock(self, answer: Answer) -> str | None:
        """The error in an answer of the stock handler (all labels with fp32 probabilities), or None."""
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
            # An attribute in only one of them may be just above its threshold in one and just below in the other.
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
    """The parsed answer, or the error in it."""
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200].decode(errors='replace')}"
    try:
        given = json.loads(answer.body)
    except ValueError:
        return "no JSON"
    return given if isinstance(given, dict) else "no JSON object"


def _by_name(answer: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(attribute["group"], attribute["name"]): attribute for attribute in answer["attributes"]}
