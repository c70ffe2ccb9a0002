"""What the model says of one image."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        logits: float32 (A,).
        probabilities: float32 (A,), calibrated, see `fashion.model_card.ModelCard.probabilities`.
        embedding: float32 (E,), what similar products are found by.
        features: float32 (E, h, w), the last feature map, where it was asked for: class activation maps are made of it.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embedding: np.ndarray
    features: np.ndarray | None = None


class Outcome(NamedTuple):
    """What became of one image of many.

    Attributes:
        result: its prediction, or why there is none: an `InvalidImage`, or a fault of the engine.
        decode_seconds: spent on decoding and resizing it.
        inference_seconds: spent in the network; of a batch its share.
    """

    result: Prediction | Exception
    decode_seconds: float = 0.0
    inference_seconds: float = 0.0


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), float32: the tanh form never overflows; its error is below 1e-7 everywhere."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
