"""The model's prediction for one image."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """The model's prediction for one image.

    Attributes:
        logits: float32 (A,), of the labels.
        probabilities: float32 (A,), calibrated label probabilities, multiplied by those of the gates; see
            `fashion.model_card.ModelCard.probabilities`.
        embedding: float32 (E,), used to find similar products.
        features: float32 (E, h, w), the last feature map, for class activation maps; None if not requested.
        applies: float32 (G,), P(group applies | product) of the groups with such a gate, see
            `fashion.gates.Gates.applies`.
        product: the probability that there is a product, or None if the model has no product gate.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embedding: np.ndarray
    features: np.ndarray | None = None
    applies: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    product: float | None = None

    @cached_property
    def gates(self) -> np.ndarray:
        """The probabilities of all gates in the order of the outputs, float32 (K,)."""
        return self.applies if self.product is None else np.append(self.applies, np.float32(self.product))


@dataclass(frozen=True)
class Outcome:
    """The outcome for one of many images: a prediction or an error, never both.

    Attributes:
        prediction: the model's prediction.
        error: the reason for a missing prediction: an `InvalidImage`, or an error of the engine.
        decode_seconds: time spent decoding and resizing.
        inference_seconds: time spent in the network; for a batch, the image's share.
    """

    prediction: Prediction | None = None
    error: Exception | None = None
    decode_seconds: float = 0.0
    inference_seconds: float = 0.0

    def get(self) -> Prediction:
        """The prediction.

        Raises:
            Exception: `error`, if there is no prediction.
        """
        if self.prediction is None:
            assert self.error is not None
            raise self.error
        return self.prediction


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), float32: the tanh form never overflows; its error is below 1e-7 everywhere."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
