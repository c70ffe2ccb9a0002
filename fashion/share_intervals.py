"""Confidence intervals of shares, within 0 to 1."""

from statistics import NormalDist

import numpy as np

LEVEL = 0.95  # of all intervals
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


def score_interval(
    share: np.ndarray, binomial: np.ndarray | float, constant: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Score interval: the shares p within Z standard errors of an estimate, clipped to 0 to 1.

    The variance of the estimate is binomial * p (1 - p) + constant. Without the constant, this is Wilson's interval
    (1927, J. Am. Stat. Assoc. 22, 209-212) for 1 / binomial products; the constant is for measurement errors that do
    not depend on the share.

    Args:
        share: the estimates, clipped to 0 to 1.
        binomial, constant: see above, non-negative; in the shape of the estimates, or numbers.
    """
    inside = np.clip(share, 0, 1)
    a, b, c = 1 + Z**2 * binomial, inside + Z**2 * binomial / 2, inside**2 - Z**2 * constant
    half = np.sqrt(np.maximum(b**2 - a * c, 0))
    return np.clip((b - half) / a, 0, 1), np.clip((b + half) / a, 0, 1)


def share_intervals(
    share: np.ndarray, variance: np.ndarray, products: float | np.ndarray, noise: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence intervals of means of values whose variance may differ from that of yes/no answers.

    Args:
        share: means, of any shape.
        variance: variance of the products' values.
        products: number of products.
        noise: variance of the means in addition to the sampling of products.
    """
    inside = np.clip(share, 0, 1)
    of_answers = inside * (1 - inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(of_answers > 0, np.minimum(variance / of_answers, 1), 1)
    return score_interval(share, part / products, np.maximum(variance - of_answers, 0) / products + noise)
