"""fashion.profiles.bootstrap."""

import numpy as np
import pytest

from fashion.profiles.bootstrap import f1_intervals, precision_intervals, weighted_precision
from fashion.taxonomy import Label, Taxonomy
from training.profiles.scores import score


def test_an_interval_against_the_delta_method() -> None:
    images, share = 1_000, 0.7
    answered = (np.arange(images) < share * images)[:, None]
    spans = f1_intervals(answered, np.ones((images, 1), np.int8), Taxonomy((Label("a", "b"),)), resamples=4_000)
    # F1 = 2q / (1 + q) of recall q, so its standard deviation is that of q, sqrt(q (1 - q) / N), times 2 / (1 + q)^2.
    f1, deviation = 2 * share / (1 + share), np.sqrt(share * (1 - share) / images) * 2 / (1 + share) ** 2
    assert spans["micro_f1"] == pytest.approx([f1 - 1.96 * deviation, f1 + 1.96 * deviation], abs=0.15 * deviation)
    assert spans["micro_f1"] == spans["macro_f1"] == spans["groups"]["a"]["micro_f1"] == spans["labels"][0]


def test_intervals_contain_the_scores_of_rare_labels() -> None:
    rng = np.random.default_rng(0)
    taxonomy = Taxonomy(tuple(Label("a", str(i)) for i in range(60)))
    targets = (rng.random((80, 60)) < 0.02).astype(np.int8)
    probabilities = (0.5 * rng.random((80, 60)) + 0.4 * targets).astype(np.float32)
    scores = score(probabilities, targets, np.full(60, 0.5), taxonomy)
    spans = f1_intervals(probabilities >= 0.5, targets, taxonomy)
    for name in ("micro_f1", "macro_f1"):
        low, high = spans[name]
        assert low < scores[name] < high
    assert [span is None for span in spans["labels"]] == [label["support"] == 0 for label in scores["labels"]]


def test_a_weight_of_two_equals_a_repeated_photograph() -> None:
    rng = np.random.default_rng(0)
    probabilities, yes = rng.integers(0, 8, 30) / 8, rng.random(30) < 0.4
    times = rng.integers(0, 4, 30)
    (weighted,) = weighted_precision(probabilities, yes, times[:, None].astype(np.float32))
    once = np.ones((times.sum(), 1), np.float32)
    assert weighted == pytest.approx(
        weighted_precision(np.repeat(probabilities, times), np.repeat(yes, times), once)[0]
    )
    by_hand = weighted_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), np.ones((3, 1), np.float32))
    assert by_hand == pytest.approx([0.5 * 1 + 0.5 * 2 / 3])


def test_photographs_of_one_product_are_drawn_together() -> None:
    """Duplicated photographs add no evidence: the interval stays the same."""
    rng, taxonomy = np.random.default_rng(0), Taxonomy((Label("a", "b"),))
    targets = (rng.random((100, 1)) < 0.5).astype(np.int8)
    answered = np.where(rng.random(targets.shape) < 0.8, targets == 1, targets == 0)
    once = f1_intervals(answered, targets, taxonomy)["micro_f1"]
    both, of = np.concatenate([answered, answered]), np.concatenate([targets, targets])
    twice = f1_intervals(both, of, taxonomy, ids=np.tile(np.arange(100), 2))["micro_f1"]
    assert twice == pytest.approx(once, abs=1e-6)
    alone = f1_intervals(both, of, taxonomy)["micro_f1"]
    assert alone[1] - alone[0] < 0.85 * (once[1] - once[0])
    sure, products = answered.astype(np.float32), np.tile(np.arange(100), 2)
    precision = precision_intervals(sure, targets, taxonomy)["map"]
    assert precision_intervals(np.tile(sure, (2, 1)), of, taxonomy, ids=products)["map"] == pytest.approx(precision)


def test_the_interval_has_its_nominal_coverage() -> None:
    rng, taxonomy = np.random.default_rng(0), Taxonomy(tuple(Label("a", str(i)) for i in range(3)))
    covered = 0
    for _ in range(100):
        targets = (rng.random((80, 3)) < 0.5).astype(np.int8)
        answered = np.where(rng.random(targets.shape) < 0.8, targets == 1, targets == 0)
        low, high = f1_intervals(answered, targets, taxonomy, resamples=200)["micro_f1"]
        covered += low <= 0.8 <= high  # 80 % are correct and half are positives, so precision, recall and F1 are 0.8
    assert 86 <= covered <= 99
    assert f1_intervals(answered, np.zeros_like(targets) - 1, taxonomy)["micro_f1"] is None
