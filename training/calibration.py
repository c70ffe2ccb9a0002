"""What makes probabilities mean what they say, fitted on validation images: a scale and an offset for each group.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599) divides the logits
by one number; Platt scaling (Platt 1999, "Probabilistic Outputs for Support Vector Machines") adds an offset too. Which
is better for a group, or that neither is, is seen on images that the fit has not seen.
"""

from typing import Any

import numpy as np

from fashion.calibration import PLATT, TEMPERATURE
from fashion.taxonomy import NO, NOT_ANNOTATED, YES, Taxonomy
from training.folds import split_folds

# Logits are counted in bins, and a fit reads the counts: it takes a millisecond, however many images there are.
BIN_WIDTH = 0.01
LARGEST = 30.0
CENTERS = np.arange(-LARGEST, LARGEST + BIN_WIDTH / 2, BIN_WIDTH)

NEWTON_STEPS = 50  # it ends after about 6
SMALLEST_GAIN = 1e-10  # of the loss by a step, relative
DIGITS = 4  # of a scale and an offset in the card

ECE_BINS = 15


def fit_calibration(logits: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy) -> dict[str, dict[str, Any]]:
    """The calibration of each group that is better with one on held-out images, by log loss.

    Args:
        logits: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.

    Returns:
        By group `method`, `scale` and `offset`, as the model card holds them.
    """
    parts = [held for _, held in split_folds(len(logits))]
    found = {}
    for group in taxonomy.groups:
        labels = taxonomy.indices(group)
        counts = np.stack([_count(logits[np.ix_(part, labels)], targets[np.ix_(part, labels)]) for part in parts])
        method = _choose(counts)
        if method:
            scale, offset = _fit(counts.sum(axis=0), method)
            found[group] = {"method": method, "scale": round(scale, DIGITS), "offset": round(offset, DIGITS)}
    return found


def _choose(counts: np.ndarray) -> str | None:
    """The method with the lowest log loss on held-out parts; None where as good as none helps.

    Args:
        counts: (F, 2, BINS), of F parts.
    """
    whole = counts.sum(axis=0)
    if not whole.any(axis=1).all():  # only yes, only no, or nothing
        return None
    losses: dict[str | None, float] = {None: _log_loss(whole, 1.0, 0.0)}
    for method in (TEMPERATURE, PLATT):
        fits = [_fit(whole - part, method) for part in counts]
        if min(scale for scale, _ in fits) > 0 and _fit(whole, method)[0] >= 10**-DIGITS:  # else it turns the order
            losses[method] = sum(_log_loss(part, *fit) for part, fit in zip(counts, fits, strict=True))
    return min(losses, key=lambda method: losses[method])


def _count(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many noes and yeses lie in each bin, float64 (2, BINS)."""
    bins = np.round((np.clip(logits, -LARGEST, LARGEST) + LARGEST) / BIN_WIDTH).astype(np.int64)
    return np.stack([np.bincount(bins[targets == value], minlength=len(CENTERS)) for value in (NO, YES)]).astype(float)


def _log_loss(counts: np.ndarray, scale: float, offset: float) -> float:
    """Sum of the log losses of counted logits, in nats."""
    z = scale * CENTERS + offset
    return float(counts.sum(axis=0) @ np.logaddexp(0, z) - counts[1] @ z)


def _fit(counts: np.ndarray, method: str) -> tuple[float, float]:
    """Scale and offset with the lowest log loss, by Newton's method with halved steps (Lin, Lin, Weng 2007).

    As Platt has it, yes counts as (P + 1) / (P + 2) and no as 1 / (N + 2): without that, logits that separate yes from
    no perfectly would want an infinite scale.

    Args:
        counts: (2, BINS), noes and yeses.
        method: for a temperature the offset is 0.
    """
    filled = counts.any(axis=0)
    x, (no, yes) = CENTERS[filled], counts[:, filled]
    weight = no + yes
    soft = yes * (yes.sum() + 1) / (yes.sum() + 2) + no / (no.sum() + 2)
    basis = np.stack([x, np.ones_like(x)])[: 2 if method == PLATT else 1]  # (parameters, filled bins)

    def loss(parameters: np.ndarray) -> float:
        z = parameters @ basis
        return float(weight @ np.logaddexp(0, z) - soft @ z)

    parameters = np.array([1.0, 0.0])[: len(basis)]
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
    return float(parameters[0]), float(parameters[1]) if method == PLATT else 0.0


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
