"""Precision-recall curves: what every threshold would give."""

from typing import Any

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES

LEVELS = 120  # recall levels at which a curve is drawn and written; it is nearly straight between them


def precision_recall(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Any] | None:
    """The precision-recall curve of all annotated (image, label) pairs together.

    Args:
        probabilities: any shape.
        targets: of the same shape, 1 yes, 0 no, -1 not annotated; -1 does not count.

    Returns:
        Lists `recall`, `precision` and `threshold`, by falling threshold, at 120 levels of recall, and
        `average_precision`, computed from all points; None if no target is yes.
    """
    annotated = targets != NOT_ANNOTATED
    order = np.argsort(-probabilities[annotated], kind="stable")
    falling = probabilities[annotated][order].astype(np.float64)
    right = np.cumsum((targets[annotated] == YES)[order])
    if not len(right) or not right[-1]:
        return None
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))  # equal probabilities share a threshold
    recall, precision = right[ends] / right[-1], right[ends] / (ends + 1)
    chosen = _thinned(recall)
    return {
        "recall": _rounded(recall[chosen]),
        "precision": _rounded(precision[chosen]),
        "threshold": _rounded(falling[ends][chosen]),
        "average_precision": float((np.diff(recall, prepend=0) * precision).sum()),
    }


def _thinned(recall: np.ndarray) -> np.ndarray:
    """Positions of the points at `LEVELS` levels of recall: the first and last of each, as precision falls there."""
    levels = recall[np.searchsorted(recall, np.linspace(recall[0], recall[-1], LEVELS)).clip(0, len(recall) - 1)]
    return np.unique([np.searchsorted(recall, levels), np.searchsorted(recall, levels, side="right") - 1])


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]
