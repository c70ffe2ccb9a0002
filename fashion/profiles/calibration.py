"""Fit the calibration of each group on validation images, and measure calibration errors.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599) divides the logits
by one number; Platt scaling (Platt 1999, "Probabilistic Outputs for Support Vector Machines") also adds an offset. Both
treat each label independently. In most groups, however, a product has one label, so evidence for one label is evidence
against the others: the method `rivals` uses that, see `fashion.calibration.rivalry`. Cross-validation chooses the best
method for each group, or none.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fashion.calibration import METHODS, rivalry
from fashion.profiles.folds import split_folds
from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

# Logits and rivalries are binned into cells, and the fit uses the counts: a few milliseconds for any number of images.
CELL_WIDTH = 0.1
LARGEST = 30.0

NEWTON_STEPS = 50  # limit; about 6 suffice
SMALLEST_GAIN = 1e-10  # stop if a step reduces the loss by less than this, relative
DIGITS = 4  # decimals of the parameters in the card

ECE_BINS = 15


class Counts(NamedTuple):
    """Counts of a group's (image, label) pairs in each of C cells.

    Attributes:
        basis: (3, C), the factors of scale, offset and rivals in each cell: logit, 1, minus the rivalry.
        pairs: (F, 2, C), numbers of negatives and positives in each of F folds.
    """

    basis: np.ndarray
    pairs: np.ndarray


def fit_calibration(
    logits: np.ndarray,
    targets: np.ndarray,
    taxonomy: Taxonomy,
    ids: np.ndarray | None = None,
    methods: Sequence[str] = tuple(METHODS),
) -> dict[str, dict[str, Any]]:
    """Fit the calibration of each group whose log loss on held-out images improves with one.

    Args:
        logits: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).
        taxonomy: the A labels and their groups.
        ids: (N,), product ids of the images, see `fashion.profiles.folds.split_folds`.
        methods: the methods to choose from.

    Returns:
        By group `method`, `scale`, `offset` and, for the method `rivals`, `rivals`, as stored in the model card.
    """
    part = np.zeros(len(logits), dtype=np.int64)
    for i, (_, held) in enumerate(split_folds(len(logits), ids)):
        part[held] = i
    found: dict[str, dict[str, Any]] = {}
    for group in taxonomy.groups if len(logits) else ():
        labels = taxonomy.indices(group)
        counts = _count(logits[:, labels], targets[:, labels], part)
        method = _choose(counts, methods)
        if method:
            fit = _fit(counts.basis, counts.pairs.sum(axis=0), method)
            values = {name: round(float(value), DIGITS) for name, value in zip(METHODS[method], fit, strict=True)}
            found[group] = {"method": method, "scale": values["scale"], "offset": 0.0} | values
    return found


def _choose(counts: Counts, methods: Sequence[str]) -> str | None:
    """The method with the lowest log loss on held-out folds; None if no method beats no calibration."""
    whole = counts.pairs.sum(axis=0)
    if not whole.any(axis=1).all():  # no positives or no negatives
        return None
    losses: dict[str | None, float] = {None: _log_loss(counts.basis, whole, np.ones(1))}
    for method in methods:
        of_all = _fit(counts.basis, whole, method)
        fits = [_fit(counts.basis, whole - part, method, of_all) for part in counts.pairs]
        if all(_keeps_order(fit) for fit in (of_all, *fits)):
            parts = zip(counts.pairs, fits, strict=True)
            losses[method] = sum(_log_loss(counts.basis, part, fit) for part, fit in parts)
    return min(losses, key=lambda method: losses[method])


def _keeps_order(fit: np.ndarray) -> bool:
    """Whether a fit is monotonic: a higher logit in a group always gives a higher probability."""
    return fit[0] >= 10**-DIGITS and (len(fit) < 3 or fit[2] >= 0)


def _count(logits: np.ndarray, targets: np.ndarray, part: np.ndarray) -> Counts:
    """Count the annotated pairs of one group.

    Args:
        logits: (N, G).
        targets: (N, G).
        part: (N,), the fold of each image, from 0 up.
    """
    annotated = targets != NOT_ANNOTATED
    clipped = np.clip(logits.astype(np.float64), -LARGEST, LARGEST)
    cells = np.round(np.stack([clipped[annotated], rivalry(clipped)[annotated]]) / CELL_WIDTH).astype(np.int64)
    width = round(2 * LARGEST / CELL_WIDTH)  # exceeds the number of rivalry cells, so that indices are unique
    each, place = np.unique(cells[0] * width + cells[1], return_inverse=True)
    rivals = np.mod(each, width)
    basis = np.stack([(each - rivals) // width * CELL_WIDTH, np.ones(len(each)), -rivals * CELL_WIDTH])
    parts = np.broadcast_to(part[:, None], targets.shape)[annotated]
    number = int(part.max()) + 1
    which = (parts * 2 + (targets[annotated] == YES)) * len(each) + place
    return Counts(basis, np.bincount(which, minlength=number * 2 * len(each)).reshape(number, 2, -1).astype(float))


def _log_loss(basis: np.ndarray, pairs: np.ndarray, fit: np.ndarray) -> float:
    """Total log loss of binned pairs (2, C), in nats."""
    z = fit @ basis[: len(fit)]
    return float(pairs.sum(axis=0) @ np.logaddexp(0, z) - pairs[1] @ z)


def _fit(basis: np.ndarray, pairs: np.ndarray, method: str, start: np.ndarray | None = None) -> np.ndarray:
    """Fit a method's parameters to minimal log loss, by Newton's method with step halving (Lin, Lin, Weng 2007).

    As in Platt's paper, the target is (P + 1) / (P + 2) for positives and 1 / (N + 2) for negatives; otherwise,
    perfectly separated logits would drive the scale to infinity.

    Args:
        basis: see `Counts`.
        pairs: (2, C), numbers of negatives and positives.
        method: one of `fashion.calibration.METHODS`.
        start: initial parameters; they affect only the running time.
    """
    filled = pairs.any(axis=0)
    basis, (no, yes) = basis[: len(METHODS[method]), filled], pairs[:, filled]
    weight = no + yes
    soft = yes * (yes.sum() + 1) / (yes.sum() + 2) + no / (no.sum() + 2)

    def loss(parameters: np.ndarray) -> float:
        z = parameters @ basis
        return float(weight @ np.logaddexp(0, z) - soft @ z)

    parameters = np.array([1.0, 0.0, 0.0])[: len(basis)] if start is None else start
    now = loss(parameters)
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (parameters @ basis)))
        gradient = basis @ (weight * p - soft)
        hessian = (basis * (weight * p * (1 - p))) @ basis.T + 1e-9 * np.eye(len(basis))
        step = np.linalg.solve(hessian, gradient)
        halvings = (0.5**i for i in range(30))
        better = next((part for part in halvings if loss(parameters - part * step) < now), None)
        if better is None:
            break
        parameters = parameters - better * step
        before, now = now, loss(parameters)
        if before - now < SMALLEST_GAIN * abs(before):
            break
    return parameters


def calibration_error(probabilities: np.ndarray, right: np.ndarray, bins: int = ECE_BINS) -> float | None:
    """Expected calibration error: mean absolute difference between predicted probability and observed frequency.

    Bins have equal mass (Nixon et al. 2019, "Measuring Calibration in Deep Learning"): each holds the same number of
    pairs, so none depends on only a few.

    Args:
        probabilities: (M,).
        right: bool (M,).
        bins: number of bins.

    Returns:
        From 0, perfect, to 1; None if M is 0.
    """
    if not len(probabilities):
        return None
    parts = [part for part in np.array_split(np.argsort(probabilities, kind="stable"), bins) if len(part)]
    distances = [len(part) * abs(probabilities[part].mean(dtype=np.float64) - right[part].mean()) for part in parts]
    return float(sum(distances) / len(probabilities))


def calibration_errors(probabilities: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy) -> dict[str, Any]:
    """Expected calibration errors of predictions.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).
        taxonomy: the A labels and their groups.

    Returns:
        `ece` over the most probable label of each group of each image, the ones users see; `groups`, the same by group;
        `all_pairs` over all (image, label) pairs, nearly all of which are confident negatives.
    """
    annotated = targets != NOT_ANNOTATED
    first = {group: top_answers(probabilities, targets, taxonomy.indices(group)) for group in taxonomy.groups}
    probability, right = (np.concatenate(parts) for parts in zip(*first.values(), strict=True))
    return {
        "ece": calibration_error(probability, right),
        "groups": {group: calibration_error(*pairs) for group, pairs in first.items()},
        "all_pairs": calibration_error(probabilities[annotated], targets[annotated] == YES),
    }


def top_answers(probabilities: np.ndarray, targets: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each image's most probable annotated label, and whether it is right, (M,) each."""
    annotated = targets[:, labels] != NOT_ANNOTATED
    images = np.flatnonzero(annotated.any(axis=1))
    best = labels[np.where(annotated, probabilities[:, labels], -1)[images].argmax(axis=1)]
    return probabilities[images, best], targets[images, best] == YES
