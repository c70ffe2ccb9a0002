"""The interval of a share, inside 0 to 1."""

from statistics import NormalDist

import numpy as np

LEVEL = 0.95  # of all intervals
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


def score_interval(
    share: np.ndarray, binomial: np.ndarray | float, constant: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The shares p from which an estimate lies no more than Z standard errors away, inside 0 to 1.

    The variance of the estimate is binomial * p (1 - p) + constant. Without the constant that is the interval of Wilson
    (1927, J. Am. Stat. Assoc. 22, 209-212) for 1 / binomial products; the constant is for errors of measurement, which
    are there whatever the share is.

    Args:
        share: the estimates; those outside 0 to 1 count as the nearer end.
        binomial, constant: see above, from 0 up; of the estimates' shape, or numbers.
    """
    inside = np.clip(share, 0, 1)
    a, b, c = 1 + Z**2 * binomial, inside + Z**2 * binomial / 2, inside**2 - Z**2 * constant
    half = np.sqrt(np.maximum(b**2 - a * c, 0))
    return np.clip((b - half) / a, 0, 1), np.clip((b + half) / a, 0, 1)


def share_intervals(
    share: np.ndarray, variance: np.ndarray, products: float | np.ndarray, noise: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of means of values that may vary less than answers do, or more.

    Args:
        share: means, of any shape.
        variance: of the values of products.
        products: how many.
        noise: variance that the means have beside that of products being drawn.
    """
    inside = np.clip(share, 0, 1)
    of_answers = inside * (1 - inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(of_answers > 0, np.minimum(variance / of_answers, 1), 1)
    return score_interval(share, part / products, np.maximum(variance - of_answers, 0) / products + noise)
