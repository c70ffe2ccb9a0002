"""Validation scores in the card: out-of-fold scores with intervals, and the images that int8 is checked on."""

import numpy as np
import pytest

from fashion.model_card import ModelCard
from fashion.prediction import sigmoid
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label
from training.profiles.out_of_fold import answer_out_of_fold
from training.profiles.predictions import Predictions
from training.profiles.scores import score_answers
from training.profiles.validation import LEAST_POSITIVES, describe, more_images, with_thresholds

LABELS = tuple(Label(group, str(i)) for group in ("color", "sleeve") for i in range(4))
CARD = ModelCard("fashion", "1.0", "", "resnet18", InputSpec(), LABELS, {"0.5": [0.5] * 8}, "0.5", {})


@pytest.fixture(scope="module")
def seen() -> Predictions:
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, (400, 8)).astype(np.float32)
    targets = (rng.random(logits.shape) < sigmoid(logits)).astype(np.int8)
    return Predictions(sigmoid(3 * logits), targets, 3 * logits, np.arange(len(logits)).astype(str))


@pytest.fixture(scope="module")
def card(seen: Predictions) -> ModelCard:
    return with_thresholds(CARD, "folder", seen)


def test_the_card_has_the_fitted_values_and_is_read_back(card: ModelCard, tmp_path) -> None:
    assert card.profiles == ("0.5", "micro-f1", "macro-f1", "precision", "top-k")
    assert card.default_profile == "micro-f1"
    assert card.calibration["color"]["scale"] == pytest.approx(1 / 3, rel=0.2)
    card.save(tmp_path)
    assert ModelCard.load(tmp_path) == card


def test_scores_are_out_of_fold(card: ModelCard, seen: Predictions) -> None:
    validation = card.metrics["validation"]
    unseen = answer_out_of_fold(seen, card.taxonomy)
    for profile, answered in unseen.answered.items():
        scores = score_answers(answered, seen.targets, np.zeros(8), card.taxonomy)
        assert validation["profiles"][profile]["micro_f1"] == scores["micro_f1"]
        low, high = validation["profiles"][profile]["micro_f1_interval"]
        assert low < scores["micro_f1"] < high
    assert set(validation["candidates"]["micro-f1"]) > {validation["chosen"]["micro-f1"], "global", "group"}


def test_the_calibration_error_falls(card: ModelCard) -> None:
    ece = card.metrics["validation"]["ece"]
    for pair in (ece, ece["all_pairs"], ece["groups"]["color"], ece["groups"]["sleeve"]):
        assert pair["after"] < pair["before"] / 1.5


def test_validation_is_described_in_lines(card: ModelCard, seen: Predictions) -> None:
    lines = describe(card).splitlines()
    assert [line.split("  ")[3].strip() for line in lines[2:8]][1:] == [*card.profiles]
    assert f"{card.metrics['validation']['profiles']['micro-f1']['micro_f1']:.3f}" in lines[4]
    nothing = Predictions(seen.probabilities, np.full_like(seen.targets, -1), seen.logits, seen.ids)
    assert "     -" in describe(with_thresholds(CARD, "folder", nothing))


@pytest.mark.parametrize(
    ("images", "positives", "available", "expected"),
    [(500, LEAST_POSITIVES, 9000, 0), (100, 200, 9000, 400), (100, 200, 30, 30), (40, 0, 50, 50), (3, 9, 9000, 331)],
)
def test_int8_is_checked_on_training_images_if_labels_are_few(
    images: int, positives: int, available: int, expected: int
) -> None:
    targets = np.zeros((images, 10), np.int8)
    targets.flat[:positives] = 1
    assert more_images(targets, available) == expected
