"""How alike two portfolios are in one attribute group."""

from dataclasses import dataclass

import numpy as np

DRAWS, SEED = 500, 0


@dataclass(frozen=True)
class Overlap:
    """What two portfolios share of a group.

    Attributes:
        group: the attribute group.
        overlap: 1 where both have the labels of the group in the same proportions, 0 where they share none.
        chance: what two catalogs of these sizes would have on average if both were drawn from the two put together.
        chance_low: and at least, in 95 of 100 draws; an overlap below it is no chance.
    """

    group: str
    overlap: float | None
    chance: float | None
    chance_low: float | None


def overlap(
    group: str, shares: tuple[np.ndarray, np.ndarray], counts: tuple[float, float], covariance: np.ndarray
) -> Overlap:
    """Compare the mixes of two portfolios.

    The overlap is 1 less the total variation distance of the two mixes, a mix being the shares of the group's labels
    divided by their sum (Levin, Peres and Wilmer 2009, Markov Chains and Mixing Times, section 4.1). Two draws from one
    catalog differ too, small ones more: `chance` says how much, from draws of the normal distribution that means of so
    many products have.

    Args:
        group: the attribute group.
        shares: of its labels in each portfolio, (L,).
        counts: number of products of each.
        covariance: of the labels among the products of both, (L, L).
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
    """What two mixes have in common, row by row: (rows, L) each -> (rows,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mixes = [np.nan_to_num(part / part.sum(1, keepdims=True)) for part in (one, other)]
    return np.minimum(*mixes).sum(1)
