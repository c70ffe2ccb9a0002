"""Profiles are evaluated on held-out images, and each optimizes its objective."""

import numpy as np
import pytest

from fashion.prediction import sigmoid
from fashion.profiles.folds import split_folds
from fashion.profiles.thresholds import f1_candidates
from fashion.taxonomy import Label, Taxonomy
from training.profiles.out_of_fold import answer_out_of_fold, fit_profiles
from training.profiles.predictions import Predictions
from training.profiles.scores import score_answers

TAXONOMY = Taxonomy(tuple(Label(group, str(i)) for group in ("color", "sleeve") for i in range(5)))
PROFILES = ["0.5", "micro-f1", "macro-f1", "precision", "top-k"]


def drawn(images: int, seed: int = 0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are calibrated except for their scale; a tenth is not annotated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(np.linspace(-4, -1, 10), 2, (images, 10)).astype(np.float32)
    targets = (rng.random(logits.shape) < sigmoid(logits)).astype(np.int8)
    targets[rng.random(logits.shape) < 0.1] = -1
    return (scale * logits).astype(np.float32), targets


def predictions(logits: np.ndarray, targets: np.ndarray) -> Predictions:
    """Each image is a product of its own."""
    return Predictions(sigmoid(logits), targets, logits, np.arange(len(logits)))


def scores(answered: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    return score_answers(answered, targets, np.zeros(10), TAXONOMY)


def test_every_profile_is_fitted() -> None:
    logits, targets = drawn(400, scale=2)
    fit = fit_profiles(predictions(logits, targets), TAXONOMY)
    assert [*fit.thresholds, "top-k"] == PROFILES
    assert all(row.shape == (10,) and (row >= 0).all() and (row <= 1).all() for row in fit.thresholds.values())
    assert set(fit.thresholds["0.5"]) == {0.5}
    assert {group: values["scale"] for group, values in fit.calibration.items()} == {
        group: pytest.approx(0.5, abs=0.1) for group in TAXONOMY.groups
    }
    assert set(fit.top_k) == set(TAXONOMY.groups)
    for profile, name in fit.chosen.items():
        assert fit.candidates[profile][name] >= max(fit.candidates[profile].values()) - 0.02


def test_each_profile_optimizes_its_objective() -> None:
    logits, targets = drawn(2000)
    answered = answer_out_of_fold(predictions(logits, targets), TAXONOMY).answered
    assert list(answered) == PROFILES
    found = {profile: scores(answers, targets) for profile, answers in answered.items()}
    for profile, which in (("micro-f1", "micro_f1"), ("macro-f1", "macro_f1")):
        assert found[profile][which] > found["0.5"][which] + 0.02
        assert found[profile][which] >= max(of[which] for of in found.values()) - 0.005
    assert found["precision"]["precision"] == pytest.approx(0.9, abs=0.03)
    assert min(fit_profiles(predictions(logits, targets), TAXONOMY).thresholds["precision"]) >= 0.5
    assert found["0.5"]["precision"] < 0.85
    for group in TAXONOMY.groups:
        counts = answered["top-k"][:, TAXONOMY.indices(group)].sum(axis=1)
        assert set(counts) == {fit_profiles(predictions(logits, targets), TAXONOMY).top_k[group]}


def test_label_thresholds_are_chosen_only_if_they_help() -> None:
    logits, targets = drawn(1500)
    assert fit_profiles(predictions(logits, targets), TAXONOMY).chosen["micro-f1"] == "global"
    logits[:, ::2] += 3  # within each group, so that calibration by group cannot correct it
    logits[:, 1::2] -= 3
    chosen = fit_profiles(predictions(logits, targets), TAXONOMY).chosen
    assert chosen["micro-f1"].startswith("label")
    assert chosen["macro-f1"].startswith("label")


def test_random_labels_score_no_better_than_chance() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (300, 10)).astype(np.float32)
    targets = (rng.random(logits.shape) < 0.05).astype(np.int8)
    # The best random answer is nearly everything: F1 = 2 * 0.05 / (1 + 0.05).
    chance = 2 * targets.mean() / (1 + targets.mean())
    unseen = answer_out_of_fold(predictions(logits, targets), TAXONOMY).answered
    for profile in ("micro-f1", "macro-f1"):
        assert scores(unseen[profile], targets)["micro_f1"] <= chance + 0.01
    # Evaluated on the fitted images, label thresholds overfit: random labels seem predictable.
    label = f1_candidates(sigmoid(logits), targets, TAXONOMY)["macro-f1"]["label"]
    assert scores(sigmoid(logits) >= label, targets)["macro_f1"] > chance + 0.02
    assert fit_profiles(predictions(logits, targets), TAXONOMY).candidates["macro-f1"]["label"] < chance + 0.01


def test_images_are_answered_by_a_fit_without_them() -> None:
    logits, targets = drawn(200)
    before = answer_out_of_fold(predictions(logits, targets), TAXONOMY)
    _, held = next(iter(split_folds(200)))
    changed = targets.copy()
    changed[held] = 1 - np.abs(changed[held])
    after = answer_out_of_fold(predictions(logits, changed), TAXONOMY)
    others = np.setdiff1d(np.arange(200), held)
    np.testing.assert_array_equal(before.probabilities[held], after.probabilities[held])
    for profile in PROFILES:
        np.testing.assert_array_equal(before.answered[profile][held], after.answered[profile][held])
    assert (before.probabilities[others] != after.probabilities[others]).any()


@pytest.mark.parametrize("images", [1, 2, 6])
def test_few_or_unannotated_images_can_be_fitted(images: int) -> None:
    logits, targets = drawn(images)
    for values in (targets, np.full_like(targets, -1)):
        fit = fit_profiles(predictions(logits, values), TAXONOMY)
        unseen = answer_out_of_fold(predictions(logits, values), TAXONOMY)
        assert np.isfinite(unseen.probabilities).all()
        assert all(np.isfinite(row).all() for row in fit.thresholds.values())
    assert fit.calibration == {}
    assert fit.top_k == {"color": 1, "sleeve": 1}
    assert set(fit.thresholds["micro-f1"]) == {0.5}
