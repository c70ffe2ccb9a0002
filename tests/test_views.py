"""Several photographs of one product: their weights, by hand."""

import numpy as np
import pytest

from fashion.gates import Gates
from fashion.model_card import ModelCard
from fashion.prediction import Prediction, sigmoid
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label
from fashion.views import combine_embeddings, combine_predictions, logits_of, view_weights

LABELS = (Label("color", "Black"), Label("color", "Red"), Label("sleeve", "Long"), Label("sleeve", "Short"))


def card(gates: Gates) -> ModelCard:
    return ModelCard(
        name="fashion",
        version="1.0",
        created="",
        arch="resnet18",
        input=InputSpec(size=64),
        labels=LABELS,
        thresholds={"0.5": [0.5] * len(LABELS)},
        default_profile="0.5",
        files={},
        gates=gates,
    )


PLAIN, GATED = card(Gates()), card(Gates(("sleeve",), product=True))


def seen(of: ModelCard, outputs: list[float], embedding: list[float]) -> Prediction:
    logits, gates = of.gates.split(np.array(outputs, np.float32))
    opened = of.gates.probabilities(gates)
    return Prediction(
        logits,
        of.probabilities(np.array(outputs, np.float32)),
        np.array(embedding, np.float32),
        applies=opened[: len(of.gates.applies)],
        product=float(opened[-1]) if of.gates.product else None,
    )


def test_a_single_photograph_is_unchanged() -> None:
    alone = seen(GATED, [1, -1, 0, 2, 3, 4], [1, 2])
    assert combine_predictions([alone], GATED) is alone


def test_weights_are_the_squared_highest_probability() -> None:
    one, other = seen(PLAIN, [2, -1, 0, 0], [3, 0]), seen(PLAIN, [-1, 0, 0, 4], [0, 1])
    color = sigmoid(np.array([2.0, 0.0])) ** 2
    sleeve = sigmoid(np.array([0.0, 4.0])) ** 2
    found = combine_predictions([one, other], PLAIN)
    expected = [
        np.average([2, -1], weights=color),
        np.average([-1, 0], weights=color),
        np.average([0, 0], weights=sleeve),
        np.average([0, 4], weights=sleeve),
    ]
    np.testing.assert_allclose(found.logits, expected, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, PLAIN.probabilities(found.logits), atol=1e-6)
    np.testing.assert_allclose(found.embedding, [0.5, 0.5])  # each normalized to unit length
    assert (found.product, found.features, len(found.applies)) == (None, None, 0)


def test_a_photograph_without_a_product_has_no_weight() -> None:
    whole, chart = seen(GATED, [3, -3, 2, -2, 4, 5], [1, 0]), seen(GATED, [-3, 3, -4, 4, 0, -9], [0, 1])
    found = combine_predictions([chart, whole], GATED)
    np.testing.assert_allclose(found.logits, whole.logits, atol=1e-3)
    assert found.product == pytest.approx(whole.product)
    np.testing.assert_allclose(found.applies, whole.applies, atol=1e-3)
    np.testing.assert_allclose(found.embedding, [1, 0], atol=1e-3)


def test_a_photograph_where_a_group_does_not_apply_has_little_weight() -> None:
    whole, detail = seen(GATED, [1, -1, 3, -3, 4, 5], [1, 0]), seen(GATED, [3, -3, -3, 3, -1, 5], [0, 1])
    weights = view_weights(np.stack([logits_of(whole), logits_of(detail)]), GATED)
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-6)
    assert weights[1, 0] > 0.5 > weights[1, 2]  # the detail shows the color best, but no sleeve
    found = combine_predictions([whole, detail], GATED)
    assert found.probabilities[2] > 0.5 > found.probabilities[3]


def test_without_any_product_all_weigh_the_same() -> None:
    blank = [seen(GATED, [-30, -30, -30, -30, -30, -30], embedding) for embedding in ([1.0, 0.0], [0.0, 1.0])]
    found = combine_predictions(blank, GATED)
    assert np.isfinite(found.logits).all()
    np.testing.assert_allclose(found.embedding, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(combine_embeddings(np.zeros((2, 2)), np.ones(2)), [0, 0])


def test_gate_logits_are_recovered() -> None:
    outputs = [1.0, -1.0, 0.5, 2.0, -3.0, 6.0]
    np.testing.assert_allclose(logits_of(seen(GATED, outputs, [1, 1])), outputs, atol=1e-3)
