"""From which probability on an attribute is answered."""

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES

# Names of profiles.
HALF, MICRO_F1, PRECISION = "0.5", "micro-f1", "precision"

WANTED_PRECISION = 0.9  # of the profile `precision`: nine of ten answers are right
LEAST_ANSWERS = 10  # a precision measured on fewer is chance
SILENT = 1.0  # the threshold of a label that is never sure enough


def best_global_threshold(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The one threshold for all labels with the highest micro-F1 on these images.

    Every cut between two neighboring probabilities is tried: with the k highest answered, of which tp are right, out
    of P annotated, F1 = 2 tp / (k + P).

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.

    Returns:
        The middle between the lowest answered and the highest unanswered probability; 0.5 where nothing is annotated
        as yes.
    """
    annotated = targets != NOT_ANNOTATED
    order = np.argsort(-probabilities[annotated], kind="stable")
    falling = probabilities[annotated][order].astype(np.float64)
    right = (targets[annotated] == YES)[order]
    if not right.any():
        return 0.5
    answered = np.arange(1, len(falling) + 1)
    f1 = 2 * np.cumsum(right) / (answered + right.sum())
    # Equal probabilities cannot be told apart by a threshold, so only the last of each run is a possible cut.
    possible = np.append(falling[1:] < falling[:-1], True)
    cut = int(np.argmax(np.where(possible, f1, -1)))
    below = falling[cut + 1] if cut + 1 < len(falling) else 0.0
    return float((falling[cut] + below) / 2)


def precision_thresholds(
    probabilities: np.ndarray, targets: np.ndarray, wanted: float = WANTED_PRECISION
) -> list[float]:
    """For each label the lowest threshold from which on `wanted` of its answers on these images are right.

    A label with fewer than 10 positives takes the threshold at which all labels together reach it. One with more that
    reaches it nowhere is not answered at all.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        wanted: the precision, in (0, 1].
    """
    together = _lowest_precise(probabilities.ravel(), targets.ravel(), wanted)
    positives = (targets == YES).sum(axis=0)
    return [
        together if positives[i] < LEAST_ANSWERS else _lowest_precise(probabilities[:, i], targets[:, i], wanted)
        for i in range(probabilities.shape[1])
    ]


def _lowest_precise(probabilities: np.ndarray, targets: np.ndarray, wanted: float) -> float:
    """The lowest threshold with that precision and at least `LEAST_ANSWERS` answers; `SILENT` where there is none."""
    annotated = targets != NOT_ANNOTATED
    order = np.argsort(-probabilities[annotated], kind="stable")
    falling = probabilities[annotated][order].astype(np.float64)
    right = (targets[annotated] == YES)[order]
    answered = np.arange(1, len(falling) + 1)
    good = (np.cumsum(right) >= wanted * answered) & (answered >= LEAST_ANSWERS)
    good &= np.append(falling[1:] < falling[:-1], True)[: len(good)]  # equal probabilities are answered together
    return float(falling[np.flatnonzero(good)[-1]]) if good.any() else SILENT


def fit_profiles(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, list[float]]:
    """The threshold profiles of a model card, each with a threshold for each of the A labels.

    `0.5` is what the sigmoid suggests; `micro-f1` is the best global threshold on these images, which belong to the
    validation split; `precision` answers what is sure: 9 of 10 answers of each label are right on these images.
    """
    labels = probabilities.shape[1]
    return {
        HALF: [0.5] * labels,
        MICRO_F1: [best_global_threshold(probabilities, targets)] * labels,
        PRECISION: precision_thresholds(probabilities, targets),
    }
