"""Several photographs of one product -> one prediction.

Each output is a weighted mean of the photographs' logits. In each group a photograph counts by the square of the
probability of its most probable label. That is small where it shows no product, where the group does not apply to what
it shows, and where the model is unsure: of a size chart nothing is taken, and of a collar seen closely little for the
length of the sleeves. Whether a group applies is weighted by the probability of a product, and that there is a product
says the photograph that shows it best. `python -m benchmarks.views` compares this with other ways, see docs/scoring.md.
"""

from collections.abc import Sequence

import numpy as np

from fashion.model_card import ModelCard
from fashion.prediction import Prediction

LEAST = 1e-9  # weight of a photograph: where none shows anything, all count alike


def joined(predictions: Sequence[Prediction], card: ModelCard) -> Prediction:
    """The prediction of a product from those of its photographs; of one photograph that photograph's own.

    Args:
        predictions: of its photographs, at least one.
        card: of the model.

    Returns:
        A prediction without a feature map. Its embedding is the mean of the embeddings at unit length, weighted by the
        probability of a product.
    """
    if len(predictions) == 1:
        return predictions[0]
    outputs = np.stack([logits_of(prediction) for prediction in predictions])
    weights = view_weights(outputs, card)
    logits, gates = card.gates.split((outputs * weights).sum(0).astype(np.float32))
    opened = card.gates.probabilities(gates)
    embeddings = np.stack([prediction.embedding for prediction in predictions])
    return Prediction(
        logits,
        card.joint_probabilities(logits, opened),
        joined_embedding(embeddings, np.array([1.0 if p.product is None else p.product for p in predictions])),
        applies=opened[: len(card.gates.applies)],
        product=float(opened[-1]) if card.gates.product else None,
    )


def joined_embedding(embeddings: np.ndarray, products: np.ndarray) -> np.ndarray:
    """The mean of embeddings (V, E) at unit length, weighted by the probabilities of a product (V,): float32 (E,)."""
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    weights = np.maximum(products, LEAST)
    return (units * (weights / weights.sum())[:, None]).sum(0).astype(np.float32)


def view_weights(outputs: np.ndarray, card: ModelCard) -> np.ndarray:
    """How much each of V photographs counts for each output, (V, A + K); the sum over the photographs is 1.

    Args:
        outputs: (V, A + K), logits of labels and gates.
        card: of the model.
    """
    logits, gates = card.gates.split(outputs)
    opened = card.gates.probabilities(gates)
    probabilities = card.joint_probabilities(logits, opened)
    shown = opened[:, -1:] if card.gates.product else np.ones((len(outputs), 1), np.float32)
    weights = np.repeat(shown, outputs.shape[1], axis=1)
    for group in card.taxonomy.groups:
        indices = card.taxonomy.indices(group)
        weights[:, indices] = probabilities[:, indices].max(1, keepdims=True) ** 2
    weights = np.maximum(weights, LEAST)
    if card.gates.product:
        weights[:, -1] = np.arange(len(outputs)) == shown[:, 0].argmax()
    return weights / weights.sum(0)


def logits_of(prediction: Prediction) -> np.ndarray:
    """The logits of labels and gates, float32 (A + K,)."""
    gates = np.clip(prediction.gates.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.concatenate([prediction.logits, np.log(gates / (1 - gates))]).astype(np.float32)
