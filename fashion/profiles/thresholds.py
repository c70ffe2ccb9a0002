"""Fit the thresholds of the profiles on validation images."""

from collections.abc import Sequence

import numpy as np

from fashion.profiles.cuts import Curve, best_f1_thresholds
from fashion.taxonomy import YES, Taxonomy

# Names of profiles.
HALF, MICRO_F1, MACRO_F1, PRECISION = "0.5", "micro-f1", "macro-f1", "precision"

WANTED_PRECISION = 0.9  # target of the profile `precision`
LEAST_ANSWERS = 10  # a precision measured on fewer answers is unreliable
SILENT = 1.0  # threshold of a label that never reaches the target precision

GLOBAL, GROUP, LABEL = "global", "group", "label"
SMOOTHINGS = (100, 30, 10, 3, 0)  # number of positives at which a label's threshold weighs as much as its group's
GRID = 1 / (1 + np.exp(-np.arange(-8, 8.05, 0.1)))  # candidate thresholds for macro-F1, equally spaced in logits


def best_global_threshold(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The one threshold for all labels with the highest micro-F1 on these images.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).

    Returns:
        The midpoint between the lowest answered and the highest unanswered probability; 0.5 if there are no positives.
    """
    return best_f1_thresholds([Curve.from_predictions(probabilities, targets)])[0]


def f1_candidates(
    probabilities: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy
) -> dict[str, dict[str, np.ndarray]]:
    """Candidate thresholds for the profiles `micro-f1` and `macro-f1`, to be compared on held-out images.

    `global` is one threshold for all labels, `group` one per group, `label` one per label, each optimal on these
    images. A label with few positives has a noisy optimum, so `label m=10` shrinks it toward its group's: in logits,
    with n positives, the label has the weight n / (n + 10) and the group the rest. Groups are shrunk likewise toward
    the global threshold.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).
        taxonomy: the A labels and their groups.

    Returns:
        By profile and candidate name, simplest first, thresholds (A,).
    """
    labels = [Curve.from_predictions(probabilities[:, i], targets[:, i]) for i in range(len(taxonomy))]
    parts = [taxonomy.indices(group) for group in taxonomy.groups]
    groups = [Curve.from_predictions(probabilities[:, part], targets[:, part]) for part in parts]
    micro = (
        best_global_threshold(probabilities, targets),
        best_f1_thresholds(groups),
        best_f1_thresholds(labels),
    )
    macro = (
        _best_macro_f1_threshold(labels),
        [_best_macro_f1_threshold([labels[i] for i in part]) for part in parts],
        [best_f1_thresholds([label])[0] for label in labels],
    )
    positives = np.array([label.positives for label in labels])
    return {
        MICRO_F1: _levels(*micro, positives, parts),
        MACRO_F1: _levels(*macro, positives, parts),
    }


def _levels(
    one: float,
    of_groups: Sequence[float],
    of_labels: Sequence[float],
    positives: np.ndarray,
    parts: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """Build the candidates, (A,) each, from the global threshold, the groups' and the labels'."""
    in_groups = np.array([positives[part].sum() for part in parts])

    def spread(values: np.ndarray) -> np.ndarray:
        row = np.empty(len(positives))
        for part, value in zip(parts, values, strict=True):
            row[part] = value
        return row

    everywhere = np.full(len(parts), one)
    found = {GLOBAL: spread(everywhere), GROUP: spread(shrink_toward(np.array(of_groups), in_groups, everywhere, 0))}
    for smoothing in SMOOTHINGS:
        group = spread(shrink_toward(np.array(of_groups), in_groups, everywhere, smoothing))
        name = f"{LABEL} m={smoothing}" if smoothing else LABEL
        found[name] = shrink_toward(np.array(of_labels), positives, group, smoothing)
    return found


def shrink_toward(thresholds: np.ndarray, positives: np.ndarray, parent: np.ndarray, smoothing: float) -> np.ndarray:
    """Shrink thresholds toward their parents', in logits: n positives have weight n / (n + smoothing), none have 0."""
    weight = np.divide(positives, positives + smoothing, out=np.zeros(len(thresholds)), where=positives > 0)
    logit = weight * _logit(thresholds) + (1 - weight) * _logit(parent)
    return 1 / (1 + np.exp(-logit))


def _logit(probabilities: np.ndarray) -> np.ndarray:
    bounded = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return np.log(bounded / (1 - bounded))


def _best_macro_f1_threshold(curves: Sequence[Curve]) -> float:
    """The common threshold with the highest mean F1 of labels with positives; 0.5 if there are none."""
    known = [curve.f1_at(GRID) for curve in curves if curve.positives]
    return float(GRID[np.mean(known, axis=0).argmax()]) if known else 0.5


def precision_thresholds(
    probabilities: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy, wanted: float = WANTED_PRECISION
) -> np.ndarray:
    """For each label, the lowest threshold with a precision of at least `wanted` on these images.

    A label with fewer than 10 positives gets the threshold of its group as a whole, a group with so few that of all
    labels. A label with enough positives that never reaches the precision gets 1, so it is practically never answered.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).
        taxonomy: the A labels and their groups.
        wanted: the precision, in (0, 1].

    Returns:
        Thresholds, (A,).
    """
    together = _lowest_precise(Curve.from_predictions(probabilities, targets), wanted, SILENT)
    row = np.empty(len(taxonomy))
    for group in taxonomy.groups:
        labels = taxonomy.indices(group)
        of_group = _lowest_precise(
            Curve.from_predictions(probabilities[:, labels], targets[:, labels]), wanted, together
        )
        for i in labels:
            row[i] = _lowest_precise(Curve.from_predictions(probabilities[:, i], targets[:, i]), wanted, of_group)
    return row


def _lowest_precise(curve: Curve, wanted: float, parent: float) -> float:
    """The lowest threshold with that precision and at least `LEAST_ANSWERS` answers; `SILENT` if there is none.

    With fewer than `LEAST_ANSWERS` positives, the parent's threshold is returned.
    """
    if curve.positives < LEAST_ANSWERS:
        return parent
    good = (curve.right >= wanted * curve.answered) & (curve.answered >= LEAST_ANSWERS)
    return float(curve.lowest[np.flatnonzero(good)[-1]]) if good.any() else SILENT


def typical_counts(targets: np.ndarray, taxonomy: Taxonomy) -> dict[str, int]:
    """The rounded mean number of labels per group, over images with any label of the group; 1 without annotations.

    Args:
        targets: (N, A), 1 yes, 0 no, -1 not annotated.
        taxonomy: the A labels and their groups.
    """
    counts = {}
    for group in taxonomy.groups:
        of_image = (targets[:, taxonomy.indices(group)] == YES).sum(axis=1)
        counts[group] = int(of_image[of_image > 0].mean() + 0.5) if of_image.any() else 1
    return counts
