"""Reliability diagrams: are 8 of 10 answers with probability 0.8 right?"""

from typing import Any

import numpy as np

from fashion.profiles.calibration import ECE_BINS, calibration_error, top_answers
from training.report.evidence import Evidence


def reliability(evidence: Evidence) -> dict[str, Any]:
    """Confidence and correctness of the most probable label of each annotated group of each photograph.

    All (image, label) pairs together would be uninformative: nearly all are certain negatives.

    Returns:
        `all` and `groups`, by name, each a result of `binned`, or None if nothing is annotated.
    """
    taxonomy = evidence.taxonomy
    pairs = {
        group: top_answers(evidence.probabilities, evidence.targets, taxonomy.indices(group))
        for group in taxonomy.groups
    }
    confidence, right = (np.concatenate(parts) for parts in zip(*pairs.values(), strict=True))
    return {"all": binned(confidence, right), "groups": {group: binned(*pair) for group, pair in pairs.items()}}


def binned(confidence: np.ndarray, right: np.ndarray, bins: int = ECE_BINS) -> dict[str, Any] | None:
    """Equal-mass bins: each holds the same number of answers, so that no bin depends on a handful.

    Args:
        confidence: (N,), probabilities.
        right: bool (N,).
        bins: maximum number; fewer if there are fewer answers.

    Returns:
        `ece`, the expected calibration error, see `fashion.profiles.calibration.calibration_error`; `count`; and lists
        `confidence`, `right` and `counts` of the bins. None if N is 0.
    """
    if not len(confidence):
        return None
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(confidence)))
    means = np.array([confidence[part].mean() for part in parts], dtype=np.float64)
    shares = np.array([right[part].mean() for part in parts], dtype=np.float64)
    counts = np.array([len(part) for part in parts])
    return {
        "ece": calibration_error(confidence, right, bins),
        "count": int(counts.sum()),
        "confidence": means.round(5).tolist(),
        "right": shares.round(5).tolist(),
        "counts": counts.tolist(),
    }
