"""The chosen cuts are optimal among all cuts."""

from itertools import product

import numpy as np
import pytest

from fashion.profiles.cuts import Curve, best_f1_thresholds


def random_case(seed: int, labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.choice([1, 0, 0, -1], size=(7, labels)).astype(np.int8)
    return (0.3 * (targets == 1) + 0.6 * rng.random(targets.shape)).round(1).astype(np.float32), targets


def micro_f1(probabilities: np.ndarray, targets: np.ndarray, thresholds: np.ndarray) -> float:
    answered = (probabilities >= thresholds) & (targets != -1)
    right, positives = (answered & (targets == 1)).sum(), (targets == 1).sum()
    return 2 * right / (answered.sum() + positives)


@pytest.mark.parametrize("seed", range(8))
def test_no_other_thresholds_of_the_labels_are_better(seed: int) -> None:
    probabilities, targets = random_case(seed)
    best = best_f1_thresholds([Curve.from_predictions(probabilities[:, i], targets[:, i]) for i in range(3)])
    tried = product(np.arange(0.05, 1.1, 0.1), repeat=3)  # between all occurring probabilities
    highest = max(micro_f1(probabilities, targets, np.array(thresholds)) for thresholds in tried)
    assert micro_f1(probabilities, targets, np.array(best)) == pytest.approx(highest)


def test_for_exact_probabilities_the_best_threshold_is_half_of_the_best_f1() -> None:
    rng = np.random.default_rng(0)  # Lipton et al. 2014, theorem 1
    probabilities = rng.beta(0.5, 2, (40_000, 2)).astype(np.float32)
    targets = (rng.random(probabilities.shape) < probabilities).astype(np.int8)
    thresholds = best_f1_thresholds([Curve.from_predictions(probabilities[:, i], targets[:, i]) for i in range(2)])
    half = micro_f1(probabilities, targets, np.array(thresholds)) / 2
    assert thresholds == pytest.approx([half, half], abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_a_curve_counts_the_answers_at_each_threshold(seed: int) -> None:
    probabilities, targets = random_case(seed)
    curve = Curve.from_predictions(probabilities, targets)
    seen = targets != -1
    for cut, (lowest, answered, right) in enumerate(zip(curve.lowest, curve.answered, curve.right, strict=True)):
        above = seen & (probabilities >= curve.threshold(cut))
        assert (above.sum(), (above & (targets == 1)).sum()) == (answered, right)
        assert np.array_equal(above, seen & (probabilities >= lowest))
    thresholds = np.array([0.0, 0.33, 0.6, 0.99, 1.0])
    assert curve.f1_at(thresholds) == pytest.approx([micro_f1(probabilities, targets, t) for t in thresholds])


def test_without_positives_the_threshold_is_one_half() -> None:
    nothing = Curve.from_predictions(np.full((3, 2), 0.2, np.float32), np.zeros((3, 2), np.int8))
    empty = Curve.from_predictions(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.int8))
    assert best_f1_thresholds([nothing, empty]) == [0.5, 0.5]
    assert empty.f1_at(np.array([0.5])) == [0]
