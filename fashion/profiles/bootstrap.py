"""How far scores may be off by the chance of which photographs were in the split: bootstrap intervals over images.

N of the N photographs are drawn with replacement, again and again, and each draw is scored (Efron 1979). Photographs
are drawn, not (image, label) pairs, because the labels of one photograph depend on each other. The interval is the
middle 95 % of the draws, moved so that their mean is the score: means over rare labels come out too high in draws,
where the one photograph of a label stands twice or not at all, by more than they vary. A label whose positive
photographs are all absent from a draw says nothing new there and counts with its own score.

Drawing is a matrix of how often each photograph was drawn, and counting the answers of all draws a matrix product.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

RESAMPLES = 1_000  # of the F1 scores
MAP_RESAMPLES = 200  # of average precision, which sorts and so costs more
SEED = 0
LEVEL = 0.95
_AT_ONCE = 100  # resamples in memory at the same time: 100 x 100,000 images are 40 MB

Interval = list[float] | None  # low and high; None where there are too few photographs, or nothing to score


def f1_intervals(
    answered: np.ndarray,
    targets: np.ndarray,
    taxonomy: Taxonomy,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    ids: np.ndarray | None = None,
) -> dict[str, Any]:
    """95 % intervals of the F1 scores as `training.profiles.scores.score` defines them.

    Args:
        answered: bool (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.
        resamples: draws.
        seed: of the draws.
        ids: (N,), of the photographs' products: all of one are drawn together. None where each is of its own.

    Returns:
        `micro_f1` and `macro_f1`; `groups`, the same by name; `labels`, a list of the labels' intervals of F1.
    """
    yes, annotated = targets == YES, targets != NOT_ANNOTATED
    counts = [mask.astype(np.float32) for mask in (answered & yes, answered & ~yes & annotated, ~answered & yes)]
    parts = [
        [draws @ count for count in counts] for draws in _draws(len(targets), resamples, seed, ids)
    ]  # exact below 2**24
    tp, fp, fn = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))  # (R + 1, A)
    each = np.where(tp + fn > 0, _f1(tp, fp, fn), np.nan)
    filled = np.where(np.isnan(each), each[0], each)

    def together(labels: np.ndarray) -> dict[str, Interval]:
        micro = _f1(*(count[:, labels].sum(axis=1) for count in (tp, fp, fn)))
        return {"micro_f1": _interval(micro, targets), "macro_f1": _interval(_mean(filled[:, labels]), targets)}

    return together(np.arange(len(taxonomy))) | {
        "groups": {group: together(taxonomy.indices(group)) for group in taxonomy.groups},
        "labels": [_interval(each[:, i], targets) for i in range(len(taxonomy))],
    }


def precision_intervals(
    probabilities: np.ndarray,
    targets: np.ndarray,
    taxonomy: Taxonomy,
    resamples: int = MAP_RESAMPLES,
    seed: int = SEED,
    ids: np.ndarray | None = None,
) -> dict[str, Any]:
    """95 % intervals of mean average precision.

    Args:
        probabilities: (N, A).
        targets: (N, A), 1 yes, 0 no, -1 not annotated; the last do not count.
        taxonomy: of the A labels.
        resamples: draws.
        seed: of the draws.
        ids: (N,), of the photographs' products: all of one are drawn together. None where each is of its own.

    Returns:
        `map`, and `groups`, the same by name.
    """
    draws = np.concatenate(list(_draws(len(targets), resamples, seed, ids))).T.copy()  # (N, R + 1)
    each = np.full((resamples + 1, len(taxonomy)), np.nan)
    for label in np.flatnonzero((targets == YES).any(axis=0)):
        rows = np.flatnonzero(targets[:, label] != NOT_ANNOTATED)
        each[:, label] = weighted_precision(probabilities[rows, label], targets[rows, label] == YES, draws[rows])
    each = np.where(np.isnan(each), each[0], each)
    return {
        "map": _interval(_mean(each), targets),
        "groups": {group: _interval(_mean(each[:, taxonomy.indices(group)]), targets) for group in taxonomy.groups},
    }


def interval(
    statistic: Callable[[np.ndarray], np.ndarray], images: int, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """The 95 % interval of any number that can be told from how often each photograph counts.

    Args:
        statistic: float32 (R, N), how often each of N photographs counts in each of R draws -> (R,); NaN where it is
            not defined.
        images: N.
        resamples: draws.
        seed: of the draws.
    """
    values = np.concatenate([statistic(weights) for weights in _draws(images, resamples, seed)])
    return _interval(values, np.empty(images))


def weighted_precision(probabilities: np.ndarray, yes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision of one label where photographs count several times, (R,); NaN where no positive counts.

    The sum over thresholds of precision times the recall gained; equal probabilities share a threshold.

    Args:
        probabilities: (N,).
        yes: bool (N,).
        weights: float32 (N, R), how often each photograph counts.
    """
    order = np.argsort(-probabilities, kind="stable")
    falling, ordered = probabilities[order], weights[order]
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))
    answers = np.cumsum(ordered, axis=0)[ends]
    right = np.cumsum(ordered * yes[order, None], axis=0)[ends]
    gained = np.diff(right, axis=0, prepend=0)
    with np.errstate(invalid="ignore"):
        return (gained * np.where(answers > 0, right / answers, 0)).sum(axis=0) / right[-1]


def _draws(images: int, resamples: int, seed: int, ids: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """How often each photograph counts, float32 (R + 1, N), some rows at a time: the first is all of them, once."""
    rng = np.random.default_rng(seed)
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
    """Mean over the columns that are not NaN, (R,); NaN where all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    return np.divide(np.where(known, values, 0).sum(axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def _interval(values: np.ndarray, targets: np.ndarray) -> Interval:
    """From the score and those of the draws, (R + 1,)."""
    score, drawn = values[0], values[1:][~np.isnan(values[1:])]
    if len(targets) < 2 or np.isnan(score) or not len(drawn):
        return None
    around = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - drawn.mean() + score
    return [float(value) for value in around.clip(0, 1)]
