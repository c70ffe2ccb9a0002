"""Combine the predictions for several photographs of one product into one.

Each logit is a weighted mean over the photographs. For a group's labels, a photograph's weight is the squared
probability of its most probable label in the group. That is small if it shows no product, if the group does not apply,
or if the model is unsure: a size chart contributes nothing, a close-up of a collar little to the sleeve length. For the
gates of groups, the weight is the product probability; the product gate is taken from the photograph where it is
highest. `python -m benchmarks.views` compares this with other methods, see docs/scoring.md.
"""

from collections.abc import Sequence

import numpy as np

from fashion.model_card import ModelCard
from fashion.prediction import Prediction

LEAST = 1e-9  # smallest weight of a photograph, so that all count equally if none shows anything


def combine_predictions(predictions: Sequence[Prediction], card: ModelCard) -> Prediction:
    """Combine the predictions for a product's photographs; a single one is returned unchanged.

    Args:
        predictions: predictions for the photographs, at least one.
        card: the model card.

    Returns:
        A prediction without a feature map. Its embedding is the mean of the normalized embeddings, weighted by the
        product probabilities; the mean is not normalized again.
    """
    if len(predictions) == 1:
        return predictions[0]
    outputs = np.stack([logits_of(prediction) for prediction in predictions])
    weights = view_weights(outputs, card)
    logits, gates = card.gates.split((outputs * weights).sum(0).astype(np.float32))
    gate_probabilities = card.gates.probabilities(gates)
    embeddings = np.stack([prediction.embedding for prediction in predictions])
    return Prediction(
        logits,
        card.joint_probabilities(logits, gate_probabilities),
        combine_embeddings(embeddings, np.array([1.0 if p.product is None else p.product for p in predictions])),
        applies=gate_probabilities[: len(card.gates.applies)],
        product=float(gate_probabilities[-1]) if card.gates.product else None,
    )


def combine_embeddings(embeddings: np.ndarray, products: np.ndarray) -> np.ndarray:
    """The mean of normalized embeddings (V, E), weighted by product probabilities (V,): float32 (E,)."""
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    weights = np.maximum(products, LEAST)
    return (units * (weights / weights.sum())[:, None]).sum(0).astype(np.float32)


def view_weights(outputs: np.ndarray, card: ModelCard) -> np.ndarray:
    """Weights of V photographs for each output, (V, A + K); they sum to 1 over the photographs.

    Args:
        outputs: (V, A + K), logits of labels and gates.
        card: the model card.
    """
    logits, gates = card.gates.split(outputs)
    gate_probabilities = card.gates.probabilities(gates)
    probabilities = card.joint_probabilities(logits, gate_probabilities)
    shown = gate_probabilities[:, -1:] if card.gates.product else np.ones((len(outputs), 1), np.float32)
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
