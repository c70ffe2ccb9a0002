"""What makes probabilities mean what they say, fitted on validation images: a few numbers for each group.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599) divides the logits
by one number; Platt scaling (Platt 1999, "Probabilistic Outputs for Support Vector Machines") adds an offset too. Both
look at each label alone, as a sigmoid does. Of most groups a product has one label, though, so that what speaks for
another speaks against this one: `rivals` adds that, see `fashion.calibration.rivalry`. Which of them is better for a
group, or that none is, is seen on images that the fit has not seen.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fashion.calibration import METHODS, rivalry
from fashion.profiles.folds import split_folds
from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

# Logits and their rivalry are counted in cells, and a fit reads the counts: it takes some milliseconds, however many
# images there are.
CELL_WIDTH = 0.1
LARGEST = 30.0

NEWTON_STEPS = 50  # it ends after about 6
SMALLEST_GAIN = 1e-10  # of the loss by a step, relative
DIGITS = 4  # of the numbers in the card

ECE_BINS = 15


class Counts(NamedTuple):
    """How many (image, label) pairs of a group lie in each cell.

    Attributes:
        basis: (3, C), of each cell what scale, offset and rivals are multiplied by: logit, 1, minus the rivalry.
        pairs: (F, 2, C), noes and yeses of each of F parts of the images.
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
    """The calibration of each group that is better with one on held-out images, by log loss.

    Args:
        logits: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.
        ids: (N,), of the images' products, see `fashion.profiles.folds.split_folds`.
        methods: among which it chooses.

    Returns:
        By group `method`, `scale`, `offset` and, of that method, `rivals`, as the model card holds them.
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
    """The method with the lowest log loss on held-out parts; None where as good as none helps."""
    whole = counts.pairs.sum(axis=0)
    if not whole.any(axis=1).all():  # only yes, only no, or nothing
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
    """Whether what had the higher logit of a group has the higher probability: no fit may turn that."""
    return fit[0] >= 10**-DIGITS and (len(fit) < 3 or fit[2] >= 0)


def _count(logits: np.ndarray, targets: np.ndarray, part: np.ndarray) -> Counts:
    """Count the annotated pairs of one group.

    Args:
        logits: (N, G).
        targets: (N, G).
        part: (N,), which part each image is in, from 0 up.
    """
    annotated = targets != NOT_ANNOTATED
    clipped = np.clip(logits.astype(np.float64), -LARGEST, LARGEST)
    cells = np.round(np.stack([clipped[annotated], rivalry(clipped)[annotated]]) / CELL_WIDTH).astype(np.int64)
    width = round(2 * LARGEST / CELL_WIDTH)  # more than there are values of a rivalry
    each, place = np.unique(cells[0] * width + cells[1], return_inverse=True)
    rivals = np.mod(each, width)
    basis = np.stack([(each - rivals) // width * CELL_WIDTH, np.ones(len(each)), -rivals * CELL_WIDTH])
    parts = np.broadcast_to(part[:, None], targets.shape)[annotated]
    number = int(part.max()) + 1
    which = (parts * 2 + (targets[annotated] == YES)) * len(each) + place
    return Counts(basis, np.bincount(which, minlength=number * 2 * len(each)).reshape(number, 2, -1).astype(float))


def _log_loss(basis: np.ndarray, pairs: np.ndarray, fit: np.ndarray) -> float:
    """Sum of the log losses of counted pairs (2, C), in nats."""
    z = fit @ basis[: len(fit)]
    return float(pairs.sum(axis=0) @ np.logaddexp(0, z) - pairs[1] @ z)


def _fit(basis: np.ndarray, pairs: np.ndarray, method: str, start: np.ndarray | None = None) -> np.ndarray:
    """The numbers of a method with the lowest log loss, by Newton's method with halved steps (Lin, Lin, Weng 2007).

    As Platt has it, yes counts as (P + 1) / (P + 2) and no as 1 / (N + 2): without that, logits that separate yes from
    no perfectly would want an infinite scale.

    Args:
        basis: see `Counts`.
        pairs: (2, C), noes and yeses.
        method: one of `fashion.calibration.METHODS`.
        start: numbers to begin with, which change how long it takes and nothing else.
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
    """The expected calibration error: mean distance between what probabilities say and what is so.

    It is over bins of equal mass (Nixon et al. 2019, "Measuring Calibration in Deep Learning"): each holds as many
    pairs as the others, so that none is decided by a handful.

    Args:
        probabilities: (M,).
        right: bool (M,).
        bins: how many.

    Returns:
        From 0, perfect, to 1; None where M is 0.
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
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.

    Returns:
        `ece` of the most probable label of each group of each image, which is what a reader looks at; `groups`, the
        same by group; `all_pairs` of every (image, label) pair, nearly all of which are certain noes.
    """
    annotated = targets != NOT_ANNOTATED
    first = {group: first_answers(probabilities, targets, taxonomy.indices(group)) for group in taxonomy.groups}
    probability, right = (np.concatenate(parts) for parts in zip(*first.values(), strict=True))
    return {
        "ece": calibration_error(probability, right),
        "groups": {group: calibration_error(*pairs) for group, pairs in first.items()},
        "all_pairs": calibration_error(probabilities[annotated], targets[annotated] == YES),
    }


def first_answers(probabilities: np.ndarray, targets: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the most probable annotated label of each image that has one, and whether it is right."""
    annotated = targets[:, labels] != NOT_ANNOTATED
    images = np.flatnonzero(annotated.any(axis=1))
    best = labels[np.where(annotated, probabilities[:, labels], -1)[images].argmax(axis=1)]
    return probabilities[images, best], targets[images, best] == YES
