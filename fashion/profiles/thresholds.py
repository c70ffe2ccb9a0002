"""From which probability on an attribute is answered: thresholds that suit validation images."""

from collections.abc import Sequence

import numpy as np

from fashion.profiles.cuts import Curve, best_f1_thresholds
from fashion.taxonomy import YES, Taxonomy

# Names of profiles.
HALF, MICRO_F1, MACRO_F1, PRECISION = "0.5", "micro-f1", "macro-f1", "precision"

WANTED_PRECISION = 0.9  # of the profile `precision`: nine of ten answers are right
LEAST_ANSWERS = 10  # a precision measured on fewer is chance
SILENT = 1.0  # the threshold of a label that is never sure enough

GLOBAL, GROUP, LABEL = "global", "group", "label"
SMOOTHINGS = (100, 30, 10, 3, 0)  # positives that a label needs to weigh as much as its group
GRID = 1 / (1 + np.exp(-np.arange(-8, 8.05, 0.1)))  # thresholds that groups are tried at for macro-F1


def best_global_threshold(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The one threshold for all labels with the highest micro-F1 on these images.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.

    Returns:
        The middle between the lowest answered and the highest unanswered probability; 0.5 where nothing is annotated
        as yes.
    """
    return best_f1_thresholds([Curve.of(probabilities, targets)])[0]


def f1_candidates(
    probabilities: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy
) -> dict[str, dict[str, np.ndarray]]:
    """Thresholds that may suit the profiles `micro-f1` and `macro-f1`; which do is seen on other images.

    `global` is one for all labels, `group` one for each group, `label` one for each label, each the best on these
    images. That of a label with few positives is chance, so `label m=10` draws it toward its group's: in logits, with n
    positives, the label weighs n / (n + 10) and the group the rest. A group is drawn toward the global one alike.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.

    Returns:
        By profile and name of the candidate, (A,) each, the simplest first.
    """
    labels = [Curve.of(probabilities[:, i], targets[:, i]) for i in range(len(taxonomy))]
    parts = [taxonomy.indices(group) for group in taxonomy.groups]
    groups = [Curve.of(probabilities[:, part], targets[:, part]) for part in parts]
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
    """One threshold, those of the groups and those of the labels -> candidates, (A,) each."""
    in_groups = np.array([positives[part].sum() for part in parts])

    def spread(values: np.ndarray) -> np.ndarray:
        row = np.empty(len(positives))
        for part, value in zip(parts, values, strict=True):
            row[part] = value
        return row

    everywhere = np.full(len(parts), one)
    found = {GLOBAL: spread(everywhere), GROUP: spread(toward(np.array(of_groups), in_groups, everywhere, 0))}
    for smoothing in SMOOTHINGS:
        group = spread(toward(np.array(of_groups), in_groups, everywhere, smoothing))
        name = f"{LABEL} m={smoothing}" if smoothing else LABEL
        found[name] = toward(np.array(of_labels), positives, group, smoothing)
    return found


def toward(own: np.ndarray, positives: np.ndarray, parent: np.ndarray, smoothing: float) -> np.ndarray:
    """Thresholds drawn toward others, in logits: n positives weigh n / (n + smoothing), none weigh nothing."""
    weight = np.divide(positives, positives + smoothing, out=np.zeros(len(own)), where=positives > 0)
    logit = weight * _logit(own) + (1 - weight) * _logit(parent)
    return 1 / (1 + np.exp(-logit))


def _logit(probabilities: np.ndarray) -> np.ndarray:
    bounded = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return np.log(bounded / (1 - bounded))


def _best_macro_f1_threshold(curves: Sequence[Curve]) -> float:
    """The one threshold with the highest mean F1 of labels that have positives; 0.5 where none has any."""
    known = [curve.f1_at(GRID) for curve in curves if curve.positives]
    return float(GRID[np.mean(known, axis=0).argmax()]) if known else 0.5


def precision_thresholds(
    probabilities: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy, wanted: float = WANTED_PRECISION
) -> np.ndarray:
    """For each label the lowest threshold from which on `wanted` of its answers on these images are right.

    A label with fewer than 10 positives takes the threshold at which its group's labels together reach it, a group with
    so few that of all labels. One with more that reaches it nowhere is not answered at all.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.
        wanted: the precision, in (0, 1].

    Returns:
        (A,).
    """
    together = _lowest_precise(Curve.of(probabilities, targets), wanted, SILENT)
    row = np.empty(len(taxonomy))
    for group in taxonomy.groups:
        labels = taxonomy.indices(group)
        of_group = _lowest_precise(Curve.of(probabilities[:, labels], targets[:, labels]), wanted, together)
        for i in labels:
            row[i] = _lowest_precise(Curve.of(probabilities[:, i], targets[:, i]), wanted, of_group)
    return row


def _lowest_precise(curve: Curve, wanted: float, parent: float) -> float:
    """The lowest threshold with that precision and at least `LEAST_ANSWERS` answers; `SILENT` where there is none.

    With fewer positives than that it is the parent's.
    """
    if curve.positives < LEAST_ANSWERS:
        return parent
    good = (curve.right >= wanted * curve.answered) & (curve.answered >= LEAST_ANSWERS)
    return float(curve.lowest[np.flatnonzero(good)[-1]]) if good.any() else SILENT


def typical_counts(targets: np.ndarray, taxonomy: Taxonomy) -> dict[str, int]:
    """How many labels of each group an image has that has any: the rounded mean, 1 where nothing is annotated.

    Args:
        targets: (N, A), 1 yes, 0 no, -1 not annotated.
        taxonomy: of the A labels.
    """
    counts = {}
    for group in taxonomy.groups:
        of_image = (targets[:, taxonomy.indices(group)] == YES).sum(axis=1)
        counts[group] = int(of_image[of_image > 0].mean() + 0.5) if of_image.any() else 1
    return counts
