"""Scores of gates on validation images, checked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fashion.gates import NO_GATES, Gates
from fashion.model_card import ModelCard
from fashion.prediction import sigmoid
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label
from training.profiles.gate_scores import (
    GatePredictions,
    describe_gates,
    fit_gate_thresholds,
    score_gates,
    split_targets,
)
from training.profiles.out_of_fold import answer_out_of_fold
from training.profiles.predictions import Predictions
from training.profiles.validation import describe, with_thresholds

GATES = Gates(("neck", "sleeve"), True)
SEEN = GatePredictions(
    GATES,
    np.array([[0.9, 0.1, 0.9], [0.6, 0.1, 0.8], [0.2, 0.1, 0.2], [0.7, 0.1, 0.1], [0.1, 0.1, 0.6]], np.float32),
    np.array([[1, -1, 1], [0, -1, 1], [1, -1, 1], [-1, -1, 0], [0, -1, 0]], np.int8),
)


def test_scores() -> None:
    scores = score_gates(SEEN, np.full(3, 0.5))
    # neck: predicted yes, yes, no, -, no; true yes, no, yes, -, no
    assert scores["applies"] == {
        "neck": {"applies_f1": 0.5, "does_not_apply_f1": 0.5, "applies": 2, "does_not_apply": 2}
    }  # sleeve has no annotation
    assert scores["product"] == {
        "threshold": 0.5,
        "false_alarms": pytest.approx(1 / 3),
        "products": 3,
        "recognized_negatives": 0.5,
        "negatives": 2,
    }
    lines = describe_gates(scores)
    assert "0.500" in lines[1]
    assert lines[2] == "'no product' is answered for 33.33% of 3 products and for 50.00% of 2 images without a product"


def test_a_gate_without_positives_has_no_f1_of_yes() -> None:
    seen = GatePredictions(Gates(("neck",)), np.full((3, 1), 0.1, np.float32), np.zeros((3, 1), np.int8))
    scores = score_gates(seen, np.array([0.5]))
    assert scores == {
        "applies": {"neck": {"applies_f1": None, "does_not_apply_f1": 1.0, "applies": 0, "does_not_apply": 3}}
    }
    assert len(describe_gates(scores)) == 2


def test_without_annotations_there_are_no_scores() -> None:
    seen = GatePredictions(GATES, SEEN.probabilities, np.full_like(SEEN.targets, -1))
    assert score_gates(seen, np.full(3, 0.5)) == {"applies": {}}
    assert describe_gates({"applies": {}}) == []


@pytest.mark.parametrize(("products", "low", "expected"), [(1000, 5, 0.2), (1000, 6, 0.1), (199, 1, 0.1), (50, 0, 0.2)])
def test_at_most_a_half_percent_of_products_is_below_the_threshold(products: int, low: int, expected: float) -> None:
    values = np.r_[np.full(low, 0.1), np.full(products - low, 0.2)].astype(np.float32)
    probabilities = np.r_[values, np.zeros(30, np.float32)][:, None]
    targets = np.r_[np.ones(products, np.int8), np.zeros(30, np.int8)][:, None]
    seen = GatePredictions(Gates(product=True), probabilities, targets)
    thresholds = fit_gate_thresholds(seen)
    assert thresholds["product"] == pytest.approx(expected)
    assert score_gates(seen, seen.gates.threshold_row(thresholds))["product"]["false_alarms"] <= 0.005


def test_no_product_threshold_is_above_a_half() -> None:
    sure = GatePredictions(Gates(product=True), np.full((9, 1), 0.9, np.float32), np.ones((9, 1), np.int8))
    assert fit_gate_thresholds(sure) == {"product": 0.5}
    nothing = GatePredictions(Gates(product=True), np.full((9, 1), 0.1, np.float32), np.full((9, 1), -1, np.int8))
    assert fit_gate_thresholds(nothing) == {"product": 0.5}
    assert fit_gate_thresholds(GatePredictions.none(9)) == {}


def test_targets_without_gates_give_no_gate_scores() -> None:
    targets = np.arange(12, dtype=np.int8).reshape(2, 6)
    labels, gates = split_targets(targets, GATES, 3)
    assert (labels.tolist(), gates.tolist()) == ([[0, 1, 2], [6, 7, 8]], [[3, 4, 5], [9, 10, 11]])
    labels, gates = split_targets(targets, GATES, 6)
    assert labels is targets
    assert gates.tolist() == [[-1] * 3] * 2
    assert split_targets(targets, NO_GATES, 6)[1].shape == (2, 0)


LABELS = tuple(Label(group, str(i)) for group in ("color", "neck", "sleeve") for i in range(3))
CARD = ModelCard("fashion", "1.0", "", "resnet18", InputSpec(), LABELS, {"0.5": [0.5] * 9}, "0.5", {}, gates=GATES)


@pytest.fixture(scope="module")
def seen() -> Predictions:
    """400 photographs, a quarter of them without a product; necks apply to half of all, sleeves to most."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, (400, 9)).astype(np.float32)
    targets = (rng.random(logits.shape) < sigmoid(logits)).astype(np.int8)
    true = np.ones((400, 3), np.int8)
    true[::4], true[1::4, 0], true[2::8, 0] = 0, 0, 0
    targets[true[:, 0] == 0, 3:6], targets[true[:, 1] == 0, 6:], targets[true[:, 2] == 0, :3] = 0, 0, 0
    outputs = np.where(true == 1, 3, -3) + rng.normal(0, 1, true.shape)
    gates = GatePredictions(GATES, sigmoid(outputs.astype(np.float32)), true)
    ids = np.arange(400).astype(str)
    probabilities = CARD.joint_probabilities(logits, gates.probabilities)
    return Predictions(probabilities, targets, logits, ids, gates=gates)


def test_profiles_are_fitted_to_gated_probabilities(seen: Predictions) -> None:
    card = with_thresholds(CARD, "folder", seen)
    assert set(card.gate_thresholds) == {"product"}
    assert card.metrics["validation"]["gates"]["product"]["false_alarms"] <= 0.005
    assert card.metrics["validation"]["gates"]["applies"]["neck"]["does_not_apply_f1"] > 0.95
    assert "'no product' is answered for" in describe(card)
    unseen = answer_out_of_fold(seen, card.taxonomy)
    without = answer_out_of_fold(replace(seen, gates=None), card.taxonomy)
    refused = ~card.answerable(seen.gate_predictions.probabilities)
    for profile in ("0.5", "micro-f1", "top-k"):
        right, wrong = (
            float(((found.answered[profile] == (seen.targets == 1)) & (seen.targets >= 0)).sum())
            for found in (unseen, without)
        )
        assert right > wrong, profile
        assert unseen.answered[profile][refused].mean() < 0.01  # each fold has its own product threshold
    assert not np.allclose(unseen.probabilities, without.probabilities)
    assert unseen.probabilities[::4].mean() < 0.1


def test_another_calibration_keeps_the_gates(seen: Predictions) -> None:
    card = with_thresholds(CARD, "folder", seen)
    again = seen.recalibrated(card)
    np.testing.assert_allclose(
        again.probabilities, card.joint_probabilities(seen.logits, seen.gate_predictions.probabilities)
    )
    both = seen + seen
    assert both.gate_predictions.targets.shape == (800, 3)
