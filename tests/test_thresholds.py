"""Thresholds: global, by group and by label, shrinkage of rare labels, precision, and counts."""

import numpy as np
import pytest

from fashion.profiles.thresholds import (
    MACRO_F1,
    MICRO_F1,
    SILENT,
    best_global_threshold,
    f1_candidates,
    precision_thresholds,
    shrink_toward,
    typical_counts,
)
from fashion.taxonomy import Label, Taxonomy
from training.profiles.scores import score

TAXONOMY = Taxonomy(tuple(Label(group, str(i)) for group in ("color", "sleeve") for i in range(3)))


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.choice([1, 0, 0, 0, -1], size=(40, 6)).astype(np.int8)
    probabilities = np.clip(0.3 + 0.25 * (targets == 1) + rng.normal(0, 0.2, targets.shape), 0, 1)
    return probabilities.round(2).astype(np.float32), targets  # rounded, to have ties


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(seed: int) -> None:
    probabilities, targets = random_case(seed)
    taxonomy = Taxonomy(tuple(Label("color", str(i)) for i in range(6)))

    def f1(threshold: float) -> float:
        return score(probabilities, targets, np.full(6, threshold), taxonomy)["micro_f1"] or 0.0

    best = f1(best_global_threshold(probabilities, targets))
    assert best == max(f1(threshold) for threshold in np.linspace(0.001, 0.999, 999))


def test_labels_not_annotated_do_not_count() -> None:
    probabilities = np.array([[0.9, 0.3, 0.8], [0.1, 0.8, 0.8]], dtype=np.float32)
    targets = np.array([[1, 1, -1], [0, -1, -1]], dtype=np.int8)
    assert best_global_threshold(probabilities, targets) == pytest.approx(0.2)
    targets[targets == -1] = 0
    assert best_global_threshold(probabilities, targets) == pytest.approx(0.85)


def test_without_positives_the_threshold_is_one_half() -> None:
    assert best_global_threshold(np.full((3, 2), 0.2, np.float32), np.zeros((3, 2), np.int8)) == 0.5


def test_candidates_of_each_profile_fit_these_images_best() -> None:
    probabilities, targets = random_case(0)
    candidates = f1_candidates(probabilities, targets, TAXONOMY)
    assert list(candidates) == [MICRO_F1, MACRO_F1]
    for profile, which in ((MICRO_F1, "micro_f1"), (MACRO_F1, "macro_f1")):
        rows = candidates[profile]
        assert list(rows) == ["global", "group", *(f"label m={m}" for m in (100, 30, 10, 3)), "label"]
        scores = {name: score(probabilities, targets, row, TAXONOMY)[which] for name, row in rows.items()}
        assert scores["global"] <= scores["group"] <= scores["label"] == max(scores.values())
        assert len(set(rows["global"])) == 1
        assert [len(set(rows["group"][part])) for part in (slice(3), slice(3, 6))] == [1, 1]
    each = [best_global_threshold(probabilities[:, [i]], targets[:, [i]]) for i in range(6)]
    np.testing.assert_allclose(candidates[MACRO_F1]["label"], each)


def test_rarer_labels_are_shrunk_more_toward_their_group() -> None:
    rng = np.random.default_rng(0)
    targets = np.zeros((1000, 6), np.int8)
    for label, count in enumerate((400, 100, 5, 300, 40, 0)):
        targets[rng.permutation(1000)[:count], label] = 1
    probabilities = np.where(targets == 1, rng.beta(3, 2, targets.shape), rng.beta(2, 5, targets.shape))
    probabilities[:, 2] *= 0.2  # the rare label needs a low threshold
    rows = f1_candidates(probabilities.astype(np.float32), targets, TAXONOMY)[MACRO_F1]
    rare = [rows[name][2] for name in ("label", "label m=3", "label m=10", "label m=30", "label m=100")]
    assert rare == sorted(rare)
    assert rare[0] < 0.2
    assert rare[-1] == pytest.approx(rows["label m=100"][:3].mean(), abs=0.15)
    moved = np.abs(rows["label m=100"] - rows["label"])
    assert moved[0] < moved[2]
    for name, row in rows.items():  # no positives: the group's threshold
        if name.startswith("label"):
            weight = 340 / (340 + float(name.partition("=")[2] or 0))
            group = shrink_toward(rows["group"][[5]], np.array([340]), rows["global"][[5]], 340 / weight - 340)
            assert row[5] == pytest.approx(group[0])


def test_shrink_toward() -> None:
    own, parent = np.array([0.9, 0.9, 0.9]), np.array([0.5, 0.5, 0.5])
    drawn = shrink_toward(own, np.array([0, 10, 10**9]), parent, 10)
    assert drawn == pytest.approx([0.5, 0.75, 0.9])  # half of logit(0.9) = log(9) is log(3) = logit(0.75)
    np.testing.assert_allclose(shrink_toward(own, np.array([0, 1, 2]), parent, 0), [0.5, 0.9, 0.9])


@pytest.mark.parametrize("value", [-1, 0])
def test_a_group_without_positives_takes_the_global_threshold(value: int) -> None:
    probabilities, targets = random_case(1)
    targets[:, 3:] = value
    for rows in f1_candidates(probabilities, targets, TAXONOMY).values():
        for row in rows.values():
            np.testing.assert_allclose(row[3:], rows["global"][0])
    targets[:] = value
    for rows in f1_candidates(probabilities, targets, TAXONOMY).values():
        for row in rows.values():
            np.testing.assert_allclose(row, 0.5)


def test_typical_counts() -> None:
    targets = np.array([[1, 0, 0, 1, 1, 0], [0, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, -1, -1, 1, 0, 0]], np.int8)
    assert typical_counts(targets, TAXONOMY) == {"color": 1, "sleeve": 2}
    targets[:, :3] = -1
    assert typical_counts(targets, TAXONOMY) == {"color": 1, "sleeve": 2}


def test_the_precision_profile_reaches_its_precision_with_maximum_recall() -> None:
    rng = np.random.default_rng(0)
    targets = rng.choice([1, 0, -1], size=(400, 3), p=[0.3, 0.5, 0.2]).astype(np.int8)
    sure = np.where(targets == 1, rng.beta(6, 3, targets.shape), rng.beta(3, 6, targets.shape)).astype(np.float32)
    for label, threshold in enumerate(
        precision_thresholds(sure, targets, Taxonomy(tuple(Label("a", str(i)) for i in range(3))), 0.9)
    ):
        seen, column = targets[:, label] != -1, sure[:, label]

        def precision(cut: float, seen: np.ndarray = seen, column: np.ndarray = column, label: int = label) -> float:
            return float((targets[seen & (column >= cut), label] == 1).mean())

        assert precision(threshold) >= 0.9
        lower = np.unique(column[seen & (column < threshold)])
        assert len(lower) > 50
        assert all(precision(cut) < 0.9 for cut in lower)


def test_rare_labels_use_the_groups_precision_and_hopeless_ones_are_not_answered() -> None:
    rng = np.random.default_rng(1)
    easy, hard = (rng.random((2, 400)) < 0.5).astype(np.int8)
    rare = (np.arange(400) < 3).astype(np.int8)
    hopeless = (rng.random(400) < 0.1).astype(np.int8)
    surely = 0.3 + 0.6 * easy
    # For the hard label, 0.5 is right two times in three, 0.8 always.
    hardly = np.where(hard == 1, np.where(rng.random(400) < 0.5, 0.8, 0.5), np.where(rng.random(400) < 0.25, 0.5, 0.1))
    nothing = np.full(400, 0.05)
    names = (("category", "easy"), ("category", "rare"), ("color", "hard"), ("color", "rare"), ("style", "rare"))
    taxonomy = Taxonomy(tuple(Label(*name) for name in (*names, ("size", "hopeless"))))
    targets = np.stack([easy, rare, hard, rare, rare, hopeless], axis=1)
    probabilities = np.stack([surely, nothing, hardly, nothing, nothing, nothing], axis=1).astype(np.float32)
    row = precision_thresholds(probabilities, targets, taxonomy, 0.9)
    assert row[0] == row[1] == pytest.approx(0.9)
    assert row[2] == row[3] == pytest.approx(0.8)
    assert 0.3 < row[4] <= 0.9  # the threshold of all labels together
    assert row[5] == SILENT
