"""Overlap of two portfolios in an attribute group."""

from dataclasses import dataclass

import numpy as np

DRAWS, SEED = 500, 0


@dataclass(frozen=True)
class Overlap:
    """Overlap of two portfolios in a group.

    Attributes:
        group: the attribute group.
        overlap: 1 if both have the labels of the group in the same proportions, 0 if they share none.
        chance: mean overlap of two random samples of these sizes from the union of both.
        chance_low: 5 % quantile of that; a lower overlap is significant.
    """

    group: str
    overlap: float | None
    chance: float | None
    chance_low: float | None


def overlap(
    group: str, shares: tuple[np.ndarray, np.ndarray], counts: tuple[float, float], covariance: np.ndarray
) -> Overlap:
    """Compare the label mixes of two portfolios.

    A mix is the shares of the group's labels divided by their sum. The overlap is 1 minus the total variation distance
    of the two mixes (Levin, Peres and Wilmer 2009, Markov Chains and Mixing Times, section 4.1). Two samples of one
    catalog differ too, small ones more. `chance` estimates how much, by draws from the normal distribution of the
    sample means.

    Args:
        group: the attribute group.
        shares: of its labels in each portfolio, (L,).
        counts: number of products of each.
        covariance: of the labels over the products of both, (L, L).
    """
    if min(part.sum() for part in shares) <= 0:
        return Overlap(group, None, None, None)
    together = sum(share * count for share, count in zip(shares, counts, strict=True)) / sum(counts)
    rng = np.random.default_rng(SEED)
    drawn = [rng.multivariate_normal(together, covariance / count, DRAWS, method="eigh") for count in counts]
    chance = _common(*(np.maximum(part, 0) for part in drawn))
    found = float(_common(*(part[None] for part in shares))[0])
    return Overlap(group, found, float(chance.mean()), float(np.quantile(chance, 0.05)))


def _common(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Overlaps of two mixes by row: (rows, L) each -> (rows,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mixes = [np.nan_to_num(part / part.sum(1, keepdims=True)) for part in (one, other)]
    return np.minimum(*mixes).sum(1)
