"""Model selection: choose one of several candidates by their answers on held-out images."""

from collections.abc import Mapping

import numpy as np

from fashion.profiles.folds import split_folds
from fashion.taxonomy import NOT_ANNOTATED, YES


def simplest_within_one_standard_error(
    answered: Mapping[str, np.ndarray], targets: np.ndarray, score: str, ids: np.ndarray | None
) -> str:
    """The simplest candidate within one standard error of the best (one-standard-error rule).

    Breiman et al. 1984, "Classification and Regression Trees", 3.4.3: among candidates that do not differ
    significantly, prefer the simplest. The standard error is that of the mean difference over the folds.

    Args:
        answered: answers by candidate, simplest first, bool (N, A) each.
        targets: (N, A).
        score: the score to compare, see `score_of`.
        ids: (N,), see `split_folds`.
    """
    names = list(answered)
    parts = [held for _, held in split_folds(len(targets), ids)]
    folds = np.array([[score_of(answered[name][part], targets[part], score) for part in parts] for name in names])
    whole = np.array([score_of(answered[name], targets, score) for name in names])
    best = int(whole.argmax())
    errors = (folds[best] - folds).std(axis=1, ddof=1) / np.sqrt(len(parts))
    return names[int(np.flatnonzero(whole[best] - whole <= errors)[0])]


def score_of(answered: np.ndarray, targets: np.ndarray, which: str) -> float:
    """`micro_f1` or `macro_f1` as defined in `training.profiles.scores`; 0 if there are no positives."""
    yes = targets == YES
    right = (answered & yes).sum(axis=0)
    whole = (answered & (targets != NOT_ANNOTATED)).sum(axis=0) + yes.sum(axis=0)
    if which == "micro_f1":
        return float(2 * right.sum() / max(1, whole.sum()))
    known = yes.any(axis=0)
    return float((2 * right[known] / whole[known]).mean()) if known.any() else 0.0
