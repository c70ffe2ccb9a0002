"""Bootstrap confidence intervals of scores: how much they depend on which photographs are in the split.

N of the N photographs are drawn with replacement, repeatedly, and each resample is scored (Efron 1979). Photographs are
drawn, not (image, label) pairs, because the labels of one photograph are dependent. The interval is the middle 95 % of
the resampled scores, shifted so that their mean equals the score: for rare labels, whose only photograph is drawn twice
or not at all, the resampled means are biased upward by more than they vary. A label without positive photographs in a
resample counts there with its original score.

Resamples are a matrix of how often each photograph was drawn, so counting answers is a matrix product.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

RESAMPLES = 1_000  # for F1 scores
MAP_RESAMPLES = 200  # for average precision, which is slower because it sorts
SEED = 0
LEVEL = 0.95
_AT_ONCE = 100  # resamples in memory at the same time: 100 x 100,000 images are 40 MB

Interval = list[float] | None  # low and high; None if there are too few photographs or nothing to score


def f1_intervals(
    answered: np.ndarray,
    targets: np.ndarray,
    taxonomy: Taxonomy,
    resamples: int = RESAMPLES,
    ids: np.ndarray | None = None,
) -> dict[str, Any]:
    """95 % intervals of the F1 scores as `training.profiles.scores.score` defines them.

    Args:
        answered: bool (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).
        taxonomy: the A labels and their groups.
        resamples: number of resamples, R.
        ids: (N,), product ids; photographs of one product are drawn together. None if each is a separate product.

    Returns:
        `micro_f1` and `macro_f1`; `groups`, the same by group name; `labels`, a list of each label's F1 interval.
    """
    yes, annotated = targets == YES, targets != NOT_ANNOTATED
    counts = [mask.astype(np.float32) for mask in (answered & yes, answered & ~yes & annotated, ~answered & yes)]
    parts = [[draws @ count for count in counts] for draws in _draws(len(targets), resamples, ids)]  # exact below 2**24
    tp, fp, fn = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))  # (R + 1, A)
    scores = np.where(tp + fn > 0, _f1(tp, fp, fn), np.nan)
    filled = np.where(np.isnan(scores), scores[0], scores)

    def together(labels: np.ndarray) -> dict[str, Interval]:
        micro = _f1(*(count[:, labels].sum(axis=1) for count in (tp, fp, fn)))
        return {"micro_f1": _interval(micro, targets), "macro_f1": _interval(_mean(filled[:, labels]), targets)}

    return together(np.arange(len(taxonomy))) | {
        "groups": {group: together(taxonomy.indices(group)) for group in taxonomy.groups},
        "labels": [_interval(scores[:, i], targets) for i in range(len(taxonomy))],
    }


def precision_intervals(
    probabilities: np.ndarray,
    targets: np.ndarray,
    taxonomy: Taxonomy,
    ids: np.ndarray | None = None,
) -> dict[str, Any]:
    """95 % intervals of mean average precision.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated (ignored).
        taxonomy: the A labels and their groups.
        ids: (N,), product ids; photographs of one product are drawn together. None if each is a separate product.

    Returns:
        `map`, and `groups`, the same by group name.
    """
    draws = np.concatenate(list(_draws(len(targets), MAP_RESAMPLES, ids))).T.copy()  # (N, R + 1)
    scores = np.full((MAP_RESAMPLES + 1, len(taxonomy)), np.nan)
    for label in np.flatnonzero((targets == YES).any(axis=0)):
        rows = np.flatnonzero(targets[:, label] != NOT_ANNOTATED)
        scores[:, label] = weighted_precision(probabilities[rows, label], targets[rows, label] == YES, draws[rows])
    scores = np.where(np.isnan(scores), scores[0], scores)
    return {
        "map": _interval(_mean(scores), targets),
        "groups": {group: _interval(_mean(scores[:, taxonomy.indices(group)]), targets) for group in taxonomy.groups},
    }


def interval(statistic: Callable[[np.ndarray], np.ndarray], images: int, resamples: int = RESAMPLES) -> Interval:
    """The 95 % interval of any statistic of weighted photographs.

    Args:
        statistic: weights, float32 (R, N), how often each of N photographs occurs in each of R resamples -> (R,); NaN
            where it is undefined.
        images: N.
        resamples: number of resamples, R.
    """
    values = np.concatenate([statistic(weights) for weights in _draws(images, resamples)])
    return _interval(values, np.empty(images))


def weighted_precision(probabilities: np.ndarray, yes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision of one label with weighted photographs, (R,); NaN where all positives have weight 0.

    The sum over thresholds of precision * increase in recall; equal probabilities share a threshold.

    Args:
        probabilities: (N,).
        yes: bool (N,).
        weights: float32 (N, R), how often each photograph occurs in each resample.
    """
    order = np.argsort(-probabilities, kind="stable")
    descending, ordered = probabilities[order], weights[order]
    ends = np.flatnonzero(np.append(descending[1:] < descending[:-1], True))
    answers = np.cumsum(ordered, axis=0)[ends]
    right = np.cumsum(ordered * yes[order, None], axis=0)[ends]
    gained = np.diff(right, axis=0, prepend=0)
    with np.errstate(invalid="ignore"):
        return (gained * np.where(answers > 0, right / answers, 0)).sum(axis=0) / right[-1]


def _draws(images: int, resamples: int, ids: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Yield weights, float32 (R + 1, N) in blocks of rows; the first row is the original sample, all ones."""
    rng = np.random.default_rng(SEED)
    yield np.ones((1, images), dtype=np.float32)
    product = np.arange(images) if ids is None else np.unique(ids, return_inverse=True)[1]
    products = int(product.max(initial=-1)) + 1
    for start in range(0, resamples, _AT_ONCE):
        drawn = rng.integers(products, size=(min(_AT_ONCE, resamples - start), products))
        yield np.stack([np.bincount(row, minlength=products)[product] for row in drawn]).astype(np.float32)


def _f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    whole = 2 * tp + fp + fn
    return np.divide(2 * tp, whole, out=np.full(tp.shape, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the columns that are not NaN, (R,); NaN if all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    return np.divide(np.where(known, values, 0).sum(axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def _interval(values: np.ndarray, targets: np.ndarray) -> Interval:
    """The interval from the original score and the resampled ones, (R + 1,)."""
    score, drawn = values[0], values[1:][~np.isnan(values[1:])]
    if len(targets) < 2 or np.isnan(score) or not len(drawn):
        return None
    around = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - drawn.mean() + score
    return [float(value) for value in around.clip(0, 1)]
