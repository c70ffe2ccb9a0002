"""Confidence intervals and tests for shares, trends and differences, from sums over products.

All functions take the number of products, the sum of their values and the sum of squares, so a catalog of any size is
read once. A value is a calibrated probability, one corrected for the model's errors (which may be outside 0 to 1), or
1 and 0 for answered and not. Products are assumed to be drawn independently.

The uncertainty of the model's error rates widens the intervals of shares. It widens those of changes and differences
less, because both sides have the same error. A `Noise` computes its covariance.
"""

from typing import NamedTuple, Protocol

import numpy as np
from scipy import special, stats

from fashion.share_intervals import LEVEL, Z, score_interval

FALSE_DISCOVERIES = 0.05  # false discovery rate of reported trends and differences
LEAST = 10.0  # minimum expected number of products with a label, and without it, for a test
PSEUDO = 2.0  # pseudo-products added to a fit, distributed like the others: one per parameter
_ROUNDING = 1e-10  # variance as a fraction of the mean square, at most, that rounding of sums explains
_WHOLE = 1 - 1e-9  # a change of 100 points, bounded so that its artanh is finite
_STEPS, _LONGEST = 100, 1.0  # Newton steps, and the maximum step on the logit scale


class Noise(Protocol):
    """Uncertainty of the model's error rates."""

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Its contribution, (..., A), to the covariance of estimates of the true shares `one` and `other`, (..., A).

        If both arguments are the same difference of shares, it is the variance of the estimated difference.
        """


def no_noise(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The noise of uncorrected values: zero."""
    return np.zeros(np.broadcast_shapes(one.shape, other.shape))


class Sums(NamedTuple):
    """Sums over products in T cells (periods, or shops): number (T, 1), values and their squares (T, A), float64."""

    products: np.ndarray
    total: np.ndarray
    squares: np.ndarray


class TrendLine(NamedTuple):
    """A straight line through the logits of shares over time, per label; float64 (A,), NaN for untested labels.

    Attributes:
        slope, low, high: change of the logit per period, with its interval.
        first, last: share on the line in the first and the last period with products.
        change, change_low, change_high: from first to last, with its interval.
        scatter: dispersion of the periods around the line: squared residuals as a multiple of their expectation; 1 if
            there are too few periods.
        p: for the null hypothesis of slope 0.
    """

    slope: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    last: np.ndarray
    change: np.ndarray
    change_low: np.ndarray
    change_high: np.ndarray
    scatter: np.ndarray
    p: np.ndarray


class ShareDifference(NamedTuple):
    """Share in one shop minus the share in another, with interval and p for no difference; float64 (A,) each."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def shares(
    sums: Sums, noise: Noise = no_noise, least: float | np.ndarray = LEAST
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares with lower and upper ends of their intervals, (T, A) each; NaN without products.

    The interval is Wilson's (1927, J. Am. Stat. Assoc. 22, 209-212). Probabilities vary less than answers, so it uses
    an effective sample size: the number of answers of equal certainty, corrected for the estimation of the variance
    (Korn and Graubard 1998, Survey Methodology 24, 193-201) and at least the number of products. With fewer than
    `least` expected products with or without the label, it uses the number of products, because the variance cannot be
    estimated. Corrected values vary more than answers: their excess variance and the noise are added as a variance that
    does not depend on the share, see `fashion.share_intervals.score_interval`.
    """
    n = sums.products
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.total / n
        share = np.clip(mean, 0, 1)
        of_answers = share * (1 - share)
        variance = (sums.squares - n * mean**2) / (n - 1) / (Z / stats.t.ppf(0.5 + LEVEL / 2, n - 1)) ** 2
        enough = np.minimum(sums.total, n - sums.total) >= least
        part = np.where(enough & (variance < of_answers), variance / of_answers, 1)
        more = np.maximum(np.nan_to_num((sums.squares - n * mean**2) / (n - 1) - n / (n - 1) * of_answers), 0) / n
        low, high = score_interval(share, part / n, more + noise(share, share))
        return share, low, high


def are_testable(sums: Sums) -> np.ndarray:
    """Whether each label can be tested: enough products are expected with and without it, and they differ; bool (A,).

    Products with the same photograph, such as a placeholder, have no variance, and rounding would look like a trend.
    """
    total, squares, count = sums.total.sum(0), sums.squares.sum(0), sums.products.sum()
    return (total >= LEAST) & (count - total >= LEAST) & (squares * count - total**2 > _ROUNDING * squares * count)


def fit_trends(sums: Sums, noise: Noise = no_noise) -> TrendLine:
    """Fit share = logistic(a + b * period) to each label, with a confidence interval and a test of b.

    The fit is the fractional logit with robust variance (Papke and Wooldridge 1996, J. Appl. Econometrics 11, 619-632),
    which for answers is logistic regression. Two pseudo-products, distributed over time like the real ones, keep b
    finite if a label appears or disappears (Clogg et al. 1991, J. Am. Stat. Assoc. 86, 68-78). If periods scatter more
    around the line than random samples would, the variance is multiplied by that factor (quasi-likelihood, McCullagh
    and Nelder 1989, section 4.5). If the overdispersion is significant, Student's t with two degrees of freedom fewer
    than periods replaces the normal distribution. Using t always would hide a change of 15 points among forty colors in
    eight months.

    Args:
        sums: T periods of the same length, in order; periods without products are ignored.
        noise: of the values.
    """
    labels = sums.total.shape[1]
    there = np.flatnonzero(sums.products[:, 0] > 0)
    found = np.full((len(TrendLine._fields), labels), np.nan)
    kept = are_testable(sums)
    if len(there) >= 2 and kept.any():
        fitted = _line(there.astype(float), _part(sums, there, kept))
        found[:, kept] = fitted.with_noise(_noise_of_ends(fitted.ends, sums, kept, noise))
    return TrendLine(*found)


def _noise_of_ends(ends: np.ndarray, sums: Sums, kept: np.ndarray, noise: Noise) -> np.ndarray:
    """Noise at the ends of the line: variance at the first, covariance of both, variance at the last, (3, kept)."""
    shares = np.tile(np.clip(sums.total.sum(0) / sums.products.sum(), 0, 1), (2, 1))
    shares[:, kept] = ends
    return np.stack([noise(shares[i], shares[j])[kept] for i, j in ((0, 0), (0, 1), (1, 1))])


def _part(sums: Sums, periods: np.ndarray, labels: np.ndarray) -> Sums:
    return Sums(sums.products[periods], sums.total[periods][:, labels], sums.squares[periods][:, labels])


class _FittedLine(NamedTuple):
    """A fitted line without noise: slope, shares at both ends (2, A), standard errors, and scatter.

    `span` is the number of periods from the first to the last, `freedom` the degrees of freedom of Student's t.
    """

    slope: np.ndarray
    error: np.ndarray
    ends: np.ndarray
    change_error: np.ndarray
    scatter: np.ndarray
    freedom: np.ndarray
    span: float

    def with_noise(self, noise: np.ndarray) -> np.ndarray:
        """The rows of a `TrendLine`, with the noise of `_noise_of_ends` added.

        The interval of the change is computed for its artanh, so that it stays between -100 and 100 points.
        """
        first, last = self.ends
        slopes = np.maximum(self.ends * (1 - self.ends), np.finfo(float).tiny)  # of the logistic function
        of_slope = noise[0] / slopes[0] ** 2 - 2 * noise[1] / slopes[0] / slopes[1] + noise[2] / slopes[1] ** 2
        error = np.sqrt(self.error**2 + np.maximum(of_slope, 0) / self.span**2)
        change_error = np.sqrt(self.change_error**2 + np.maximum(noise[0] - 2 * noise[1] + noise[2], 0))
        width = stats.t.ppf(0.5 + LEVEL / 2, self.freedom)
        change = np.clip(last - first, -_WHOLE, _WHOLE)
        center, half = np.arctanh(change), width * change_error / np.maximum(1 - change**2, np.finfo(float).tiny)
        p = 2 * stats.t.sf(np.abs(self.slope) / error, self.freedom)
        return np.stack(
            [
                *(self.slope, self.slope - width * error, self.slope + width * error, first, last),
                *(change, np.tanh(center - half), np.tanh(center + half), self.scatter, p),
            ]
        )


def _line(x: np.ndarray, sums: Sums) -> _FittedLine:
    # corrected values may sum to shares outside 0 to 1, to which no logistic line can be fitted
    sums = sums._replace(total=np.clip(sums.total, 0, sums.products))
    n, total, squares = _with_pseudo(sums)
    x = (x - (x * n[:, 0]).sum() / n.sum())[:, None]
    a, b = _fit(x, n, total)
    mean = special.expit(a + b * x)  # (T, A)
    bread = np.linalg.inv(_moments(x, n * mean * (1 - mean)))
    meat = _moments(x, np.maximum(squares - 2 * mean * total + n * mean**2, 0))
    scatter = _scatter(n, total, squares, mean)
    products = n.sum()
    covariance = bread @ meat @ bread * (products / (products - 2)) * np.maximum(scatter, 1)[:, None, None]
    slopes = mean[[0, -1]] * (1 - mean[[0, -1]])
    gradient = np.stack([slopes[1] - slopes[0], slopes[1] * x[-1] - slopes[0] * x[0]], axis=1)  # (A, 2)
    return _FittedLine(
        b,
        np.sqrt(covariance[:, 1, 1]),
        mean[[0, -1]],
        np.sqrt(np.maximum(np.einsum("ai,aij,aj->a", gradient, covariance, gradient), 0)),  # rounding may give < 0
        scatter,
        np.where(scatter > _chance_scatter(len(x) - 2), max(len(x) - 2, 1), np.inf),
        float(x[-1, 0] - x[0, 0]),
    )


def _chance_scatter(freedom: int) -> float:
    """The 95 % quantile of the scatter for random samples."""
    return float(stats.chi2.ppf(0.95, freedom)) / freedom if freedom > 0 else np.inf


def _with_pseudo(sums: Sums) -> Sums:
    more = PSEUDO / sums.products.sum() * sums.products / sums.products.sum()
    return Sums(
        sums.products + PSEUDO * sums.products / sums.products.sum(),
        sums.total + more * sums.total.sum(0),
        sums.squares + more * sums.squares.sum(0),
    )


def _fit(x: np.ndarray, n: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for all labels at once, starting from slope 0."""
    a = special.logit(total.sum(0) / n.sum())
    b = np.zeros_like(a)
    reach = np.array([1.0, np.abs(x).max()])
    for _ in range(_STEPS):
        mean = special.expit(a + b * x)
        rest = total - n * mean
        score = np.stack([rest.sum(0), (rest * x).sum(0)], axis=1)
        step = np.linalg.solve(_moments(x, n * mean * (1 - mean)), score[..., None])[..., 0]
        step /= np.maximum(np.abs(step * reach).max(1, keepdims=True) / _LONGEST, 1)
        a, b = a + step[:, 0], b + step[:, 1]
        if np.abs(step * reach).max() < 1e-10:
            break
    return a, b


def _moments(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums over periods of weight times (1, x; x, x squared), (A, 2, 2)."""
    zero, one, two = weights.sum(0), (weights * x).sum(0), (weights * x**2).sum(0)
    return np.stack([np.stack([zero, one], 1), np.stack([one, two], 1)], 1)


def _scatter(n: np.ndarray, total: np.ndarray, squares: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Pearson's statistic of the periods around the line, divided by its degrees of freedom; 1 if there are none.

    The variance within periods is assumed to be the same fraction of mean * (1 - mean) in all of them.
    """
    freedom = len(n) - 2
    if freedom < 1:
        return np.ones(total.shape[1])
    binomial = mean * (1 - mean)
    within = np.maximum(squares - total**2 / n, 0).sum(0) / (n * binomial).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = ((total - n * mean) ** 2 / (n * binomial)).sum(0) / within / freedom
    return np.nan_to_num(scatter, nan=1.0, posinf=np.finfo(float).max)


def share_difference(one: Sums, other: Sums, noise: Noise = no_noise) -> ShareDifference:
    """Difference between the shares of two shops, each with one cell.

    The interval combines those of the two shares (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10), with
    the noise of the difference added. p is from the normal approximation of the permutation test, which for answers is
    the pooled test of two proportions. Labels on too few products of both together have no p.
    """
    n, m = one.products[0, 0], other.products[0, 0]
    both = Sums(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))
    least = np.where(are_testable(both), 0, LEAST)  # tested labels have enough products in both together
    (a, a_low, a_high), (b, b_low, b_high) = (
        tuple(part[0] for part in shares(sums, least=least)) for sums in (one, other)
    )
    mean = both.total.sum(0) / (n + m)
    variance = np.maximum(both.squares.sum(0) / (n + m) - mean**2, 0)
    more = np.maximum(noise(a - b, a - b), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.ndtr(-np.abs(a - b) / np.sqrt(variance * (1 / n + 1 / m) + more))
    return ShareDifference(
        a - b,
        np.maximum(a - b - np.sqrt((a - a_low) ** 2 + (b_high - b) ** 2 + Z**2 * more), -1),
        np.minimum(a - b + np.sqrt((a_high - a) ** 2 + (b - b_low) ** 2 + Z**2 * more), 1),
        np.where(are_testable(both), p, np.nan),
    )


def adjusted_p(p: np.ndarray) -> np.ndarray:
    """p values adjusted for all tests of a run; NaN stays NaN and is not counted as a test.

    Values up to 0.05 are significant at a false discovery rate of 5 % (Benjamini and Hochberg 1995, J. R. Stat. Soc. B
    57, 289-300).
    """
    found = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        found[tested] = stats.false_discovery_control(p[tested])
    return found
