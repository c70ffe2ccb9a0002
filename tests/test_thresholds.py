"""The best global threshold is the best one, and what is not annotated does not count."""

import numpy as np
import pytest

from fashion.taxonomy import Label, Taxonomy
from training.scores import score
from training.thresholds import SILENT, best_global_threshold, fit_profiles, precision_thresholds


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.choice([1, 0, 0, 0, -1], size=(40, 6)).astype(np.int8)
    probabilities = np.clip(0.3 + 0.25 * (targets == 1) + rng.normal(0, 0.2, targets.shape), 0, 1)
    return probabilities.round(2).astype(np.float32), targets  # rounded, so that some are equal


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(seed: int) -> None:
    probabilities, targets = random_case(seed)
    taxonomy = Taxonomy(tuple(Label("color", str(i)) for i in range(6)))

    def f1(threshold: float) -> float:
        return score(probabilities, targets, np.full(6, threshold), taxonomy)["micro_f1"] or 0.0

    best = f1(best_global_threshold(probabilities, targets))
    assert best == max(f1(threshold) for threshold in np.linspace(0.001, 0.999, 999))


def test_what_is_not_annotated_does_not_count() -> None:
    probabilities = np.array([[0.9, 0.3, 0.8], [0.1, 0.8, 0.8]], dtype=np.float32)
    targets = np.array([[1, 1, -1], [0, -1, -1]], dtype=np.int8)
    assert best_global_threshold(probabilities, targets) == pytest.approx(0.2)
    targets[targets == -1] = 0
    assert best_global_threshold(probabilities, targets) == pytest.approx(0.85)


def test_without_a_positive_it_is_one_half() -> None:
    assert best_global_threshold(np.full((3, 2), 0.2, np.float32), np.zeros((3, 2), np.int8)) == 0.5


def test_profiles_have_a_threshold_for_each_label() -> None:
    profiles = fit_profiles(*random_case(0))
    assert {name: len(values) for name, values in profiles.items()} == {"0.5": 6, "micro-f1": 6, "precision": 6}
    assert set(profiles["0.5"]) == {0.5}


def test_the_precision_profile_is_as_precise_as_it_says_and_answers_as_much_as_it_can() -> None:
    rng = np.random.default_rng(0)
    targets = rng.choice([1, 0, -1], size=(400, 3), p=[0.3, 0.5, 0.2]).astype(np.int8)
    sure = np.where(targets == 1, rng.beta(6, 3, targets.shape), rng.beta(3, 6, targets.shape)).astype(np.float32)
    for label, threshold in enumerate(precision_thresholds(sure, targets, 0.9)):
        seen, column = targets[:, label] != -1, sure[:, label]

        def precision(cut: float, seen: np.ndarray = seen, column: np.ndarray = column, label: int = label) -> float:
            return float((targets[seen & (column >= cut), label] == 1).mean())

        assert precision(threshold) >= 0.9
        lower = np.unique(column[seen & (column < threshold)])
        assert len(lower) > 50
        assert all(precision(cut) < 0.9 for cut in lower)


def test_rare_labels_take_the_precision_of_all_and_hopeless_ones_are_silent() -> None:
    rng = np.random.default_rng(1)
    targets = np.stack([rng.random(200) < 0.5, np.arange(200) < 3, rng.random(200) < 0.1], axis=1).astype(np.int8)
    probabilities = np.stack([0.1 + 0.8 * targets[:, 0], np.full(200, 0.05), np.full(200, 0.05)], axis=1)
    common, rare, hopeless = precision_thresholds(probabilities.astype(np.float32), targets, 0.9)
    assert common == pytest.approx(0.9)
    assert rare == pytest.approx(0.9)
    assert hopeless == SILENT
