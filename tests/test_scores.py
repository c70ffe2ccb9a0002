"""Scores compared with values counted by hand and with torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multilabel_f1_score

from fashion.taxonomy import Label, Taxonomy
from training.profiles.scores import average_precisions, score

TAXONOMY = Taxonomy((Label("color", "Black"), Label("size", "S"), Label("color", "White"), Label("size", "L")))


def test_counted_by_hand() -> None:
    probabilities = np.array([[0.9, 0.8, 0.1, 0.4], [0.7, 0.2, 0.6, 0.1], [0.2, 0.9, 0.9, 0.1]], dtype=np.float32)
    targets = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, -1, 1, -1]], dtype=np.int8)
    scores = score(probabilities, targets, np.full(4, 0.5), TAXONOMY)
    # Right: Black and S of the 1st, White of the 2nd and 3rd. Wrong: Black of the 2nd. Missed: S 2nd, Black 3rd.
    assert scores["micro_f1"] == pytest.approx(2 * 4 / (2 * 4 + 1 + 2))
    assert scores["precision"] == pytest.approx(4 / 5)
    assert scores["recall"] == pytest.approx(4 / 6)
    assert scores["support"] == 6
    assert scores["macro_f1"] == pytest.approx(np.mean([0.5, 2 / 3, 1.0]))  # L has no positive image
    assert scores["groups"]["size"] == {
        "micro_f1": pytest.approx(2 / 3),
        "macro_f1": pytest.approx(2 / 3),
        "precision": 1.0,
        "recall": 0.5,
        "support": 2,
    }
    large = scores["labels"][3]
    assert (large["group"], large["name"], large["support"]) == ("size", "L", 0)
    assert large["f1"] is None
    assert large["recall"] is None


def test_against_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random((50, 4)).astype(np.float32)
    targets = rng.choice([1, 0, -1], (50, 4)).astype(np.int8)
    scores = score(probabilities, targets, np.full(4, 0.5), TAXONOMY)
    for average in ("micro", "macro"):
        expected = multilabel_f1_score(
            torch.from_numpy(probabilities),
            torch.from_numpy(targets.astype(np.int64)),
            num_labels=4,
            average=average,
            ignore_index=-1,
        )
        assert scores[f"{average}_f1"] == pytest.approx(float(expected))


def test_a_threshold_for_each_label_and_answered_at_it() -> None:
    probabilities = np.full((1, 4), 0.5, dtype=np.float32)
    targets = np.ones((1, 4), dtype=np.int8)
    scores = score(probabilities, targets, np.array([0.5, 0.51, 0.4, 0.9]), TAXONOMY)
    assert [label["recall"] for label in scores["labels"]] == [1.0, 0.0, 1.0, 0.0]


def test_average_precision() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], dtype=np.float32)
    targets = np.array([[1, 0], [0, 0], [1, 0]], dtype=np.int8)
    first, second = average_precisions(probabilities, targets)
    assert first == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert np.isnan(second)
