"""What the model says of one image."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        logits: float32 (A,), of the labels.
        probabilities: float32 (A,), calibrated, see `fashion.model_card.ModelCard.probabilities`: that the label is
            right, which takes a product, and one that the label's group applies to.
        embedding: float32 (E,), what similar products are found by.
        features: float32 (E, h, w), the last feature map, where it was asked for: class activation maps are made of it.
        applies: float32 (G,), the probability that a group applies, given a product, of the groups that have such a
            gate; see `fashion.gates.Gates.applies`.
        product: the probability that there is a product, or None where the model does not say.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embedding: np.ndarray
    features: np.ndarray | None = None
    applies: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    product: float | None = None

    @property
    def gates(self) -> np.ndarray:
        """The probabilities of all gates in the order of the outputs, float32 (K,)."""
        return self.applies if self.product is None else np.append(self.applies, np.float32(self.product))


@dataclass(frozen=True)
class Outcome:
    """What became of one image of many: it has a prediction or an error, and never both.

    Attributes:
        prediction: what the model says of it.
        error: why there is no prediction: an `InvalidImage`, or a fault of the engine.
        decode_seconds: spent on decoding and resizing it.
        inference_seconds: spent in the network; of a batch its share.
    """

    prediction: Prediction | None = None
    error: Exception | None = None
    decode_seconds: float = 0.0
    inference_seconds: float = 0.0

    def get(self) -> Prediction:
        """The prediction.

        Raises:
            Exception: `error`, where there is none.
        """
        if self.prediction is None:
            assert self.error is not None
            raise self.error
        return self.prediction


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), float32: the tanh form never overflows; its error is below 1e-7 everywhere."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
