"""Scores of predictions: F1, precision, recall and average precision, over all labels, by group and by label."""

from typing import Any

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy


def score(probabilities: np.ndarray, targets: np.ndarray, thresholds: np.ndarray, taxonomy: Taxonomy) -> dict[str, Any]:
    """Score the answers at some thresholds; see `score_answers`.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; -1 does not count.
        thresholds: (A,); a label is answered at or above its threshold.
        taxonomy: of the A labels.
    """
    return score_answers(probabilities >= thresholds, targets, thresholds, taxonomy)


def score_answers(
    answered: np.ndarray, targets: np.ndarray, thresholds: np.ndarray, taxonomy: Taxonomy
) -> dict[str, Any]:
    """Score answers.

    Micro-F1 weights every annotated (image, label) pair equally: 2 tp / (2 tp + fp + fn) over all of them. Macro-F1 is
    the mean F1 of the labels with at least one positive image (`support`); the F1 of the others is undefined.

    Args:
        answered: bool (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; -1 does not count.
        thresholds: (A,), those of the answers; only copied to the result.
        taxonomy: of the A labels.

    Returns:
        `micro_f1`, `macro_f1`, `precision` and `recall` (both micro); `groups`, with the same by group name; `labels`,
        a list with `group`, `name`, `threshold`, `f1`, `precision`, `recall` and `support`. An undefined value (0 / 0)
        is None.
    """
    counts = _Counts(answered, targets)
    everything = np.arange(len(taxonomy))
    return counts.summary(everything) | {
        "groups": {group: counts.summary(taxonomy.indices(group)) for group in taxonomy.groups},
        "labels": [
            label._asdict() | {"threshold": float(thresholds[i])} | counts.of(np.array([i]))
            for i, label in enumerate(taxonomy.labels)
        ],
    }


def average_precisions(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Area under each label's precision-recall curve, (A,); NaN for a label without a positive image."""
    import torch
    from torchmetrics.functional.classification import binary_average_precision

    values = np.full(targets.shape[1], np.nan, dtype=np.float32)
    for label in np.flatnonzero((targets == YES).any(axis=0)):
        annotated = targets[:, label] != NOT_ANNOTATED
        values[label] = binary_average_precision(
            torch.from_numpy(probabilities[annotated, label]),
            torch.from_numpy(targets[annotated, label].astype(np.int64)),
        )
    return values


def mean_average_precision(precisions: np.ndarray) -> float | None:
    """Mean average precision (mAP) over the labels that are not NaN; None if all are."""
    known = precisions[~np.isnan(precisions)]
    return float(known.mean()) if len(known) else None


class _Counts:
    """True positives, false positives and false negatives of each label, and scores computed from them."""

    def __init__(self, answered: np.ndarray, targets: np.ndarray) -> None:
        yes, annotated = targets == YES, targets != NOT_ANNOTATED
        self.tp = (answered & yes).sum(axis=0)
        self.fp = (answered & ~yes & annotated).sum(axis=0)
        self.fn = (~answered & yes).sum(axis=0)

    def of(self, labels: np.ndarray) -> dict[str, Any]:
        """The scores of some labels together."""
        tp, fp, fn = (int(count[labels].sum()) for count in (self.tp, self.fp, self.fn))
        return {
            "f1": _ratio(2 * tp, 2 * tp + fp + fn),
            "precision": _ratio(tp, tp + fp),
            "recall": _ratio(tp, tp + fn),
            "support": tp + fn,
        }

    def summary(self, labels: np.ndarray) -> dict[str, Any]:
        """Micro scores and macro-F1 of some labels."""
        micro = self.of(labels)
        each = [self.of(np.array([i]))["f1"] for i in labels if self.tp[i] + self.fn[i] > 0]
        return {
            "micro_f1": micro["f1"],
            "macro_f1": float(np.mean(each)) if each else None,
            "precision": micro["precision"],
            "recall": micro["recall"],
            "support": micro["support"],
        }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
