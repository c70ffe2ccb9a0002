"""Shares, trends and differences: cases by hand, and simulations with known truth."""

import math

import numpy as np
import pytest

from catalog.analysis.inference import FALSE_DISCOVERIES, LEAST, Sums, adjusted_p, fit_trends, share_difference, shares

LABELS = 1500


def sums(count: np.ndarray | list[float], total: np.ndarray) -> Sums:
    """Sums of 0/1 answers, which equal their squares."""
    return Sums(np.asarray(count, float).reshape(-1, 1), total.astype(float), total.astype(float))


def drawn(
    logits: np.ndarray, products: int, rng: np.random.Generator, soft: bool = False, scatter: float = 0.0
) -> tuple[Sums, np.ndarray]:
    """Products drawn for labels with these logits by period, (T, A), and the true shares."""
    share = 1 / (1 + np.exp(-(logits + scatter * rng.normal(size=logits.shape))))
    count = np.full(len(logits), products)
    if not soft:
        return sums(count, rng.binomial(products, share)), share
    values = rng.beta(1.5 * share[..., None], 1.5 * (1 - share)[..., None], size=(*share.shape, products))
    return Sums(np.full((len(logits), 1), float(products)), values.sum(-1), (values**2).sum(-1)), share


def flat(share: float, periods: int, labels: int = LABELS) -> np.ndarray:
    return np.full((periods, labels), math.log(share / (1 - share)))


def covered(low: np.ndarray, high: np.ndarray, truth: np.ndarray | float) -> float:
    known = ~np.isnan(low)
    return float(((low <= truth) & (truth <= high))[known].mean())


def test_the_interval_of_answers_is_wilsons() -> None:
    """By hand for 15 of 100: center (0.15 + 1.9208 / 100) / (1 + 3.8416 / 100), etc."""
    share, low, high = shares(sums([100], np.array([[15]])))
    assert share[0, 0] == 0.15
    assert low[0, 0] == pytest.approx(0.0931, abs=1e-4)
    assert high[0, 0] == pytest.approx(0.2328, abs=1e-4)


def test_intervals_of_zero_of_zero_and_zero_of_ten() -> None:
    share, low, high = shares(sums([0, 10], np.array([[0], [0]])))
    assert np.isnan([share[0, 0], low[0, 0], high[0, 0]]).all()
    assert (share[1, 0], low[1, 0]) == (0, 0)
    assert high[1, 0] == pytest.approx(3.8415 / 13.8415, abs=1e-4)  # z² / (n + z²)


@pytest.mark.filterwarnings("error")
def test_products_with_one_photograph_show_no_trend() -> None:
    """A placeholder for all products: rounding errors of the sums are no trend and no difference."""
    count = np.array([7.0, 7, 7, 7, 6, 6])
    value = np.array([0.290043, 0.61])
    alike = Sums(count[:, None], count[:, None] * value, count[:, None] * value**2)
    assert np.isnan(fit_trends(alike).p).all()
    one, other = (Sums(*(part[i : i + 1] * 10 for part in alike)) for i in (0, 4))
    assert np.isnan(share_difference(one, other).p).all()


def test_probabilities_of_low_variance_have_shorter_intervals_than_answers() -> None:
    values = np.tile([0.28, 0.32], 500)
    certain = Sums(np.array([[1000.0]]), np.array([[values.sum()]]), np.array([[(values**2).sum()]]))
    _, low, high = shares(certain)
    assert high[0, 0] - low[0, 0] == pytest.approx(2 * 1.96 * 0.02 / math.sqrt(1000), rel=0.02)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("share", "products"), [(0.3, 40), (0.1, 150)])
def test_intervals_of_shares_cover(share: float, products: int, soft: bool) -> None:
    found, truth = drawn(flat(share, 2), products, np.random.default_rng(1), soft)
    assert 0.93 <= covered(*shares(found)[1:], truth) <= 0.985


def test_the_line_of_answers_is_logistic_regression() -> None:
    """Two periods: the slope is the logarithm of the odds ratio, its variance the sum of 1 / count (Woolf 1955)."""
    found = fit_trends(sums([1000, 2000], np.array([[200], [500]])))
    slope = math.log((500 / 1500) / (200 / 800))
    error = math.sqrt(1 / 200 + 1 / 800 + 1 / 500 + 1 / 1500)
    assert found.slope[0] == pytest.approx(slope, rel=0.005)
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * error, rel=0.005)
    assert (found.first[0], found.last[0]) == pytest.approx((0.2, 0.25), abs=2e-4)
    assert found.p[0] == pytest.approx(math.erfc(slope / error / math.sqrt(2)), rel=0.05)


def test_a_gap_between_periods_counts_by_its_length() -> None:
    close, far = (fit_trends(sums(count, total)) for count, total in _with_and_without_gap())
    assert far.slope[0] == pytest.approx(close.slope[0] / 3)
    assert far.change[0] == pytest.approx(close.change[0])


def _with_and_without_gap() -> list[tuple[list[float], np.ndarray]]:
    return [([500, 500], np.array([[100], [150]])), ([500, 0, 0, 500], np.array([[100], [0], [0], [150]]))]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_intervals_of_slopes_cover(slope: float, soft: bool) -> None:
    logits = flat(0.1, 12) + slope * np.arange(12)[:, None]
    found = fit_trends(drawn(logits, 100, np.random.default_rng(2), soft)[0])
    assert 0.945 <= covered(found.low, found.high, slope) <= 0.985
    truth = 1 / (1 + np.exp(-logits))
    assert 0.93 <= covered(found.change_low, found.change_high, truth[-1] - truth[0]) <= 0.985


@pytest.mark.parametrize("periods", [2, 3, 12])
@pytest.mark.parametrize("scatter", [0.0, 0.4])
def test_false_discoveries_are_bounded(periods: int, scatter: float) -> None:
    """200 runs of 20 labels. Random scatter of months is not a trend either, given enough months to tell."""
    rng = np.random.default_rng(3)
    p = fit_trends(drawn(flat(0.1, periods, 4000), 300, rng, scatter=scatter)[0]).p
    runs = np.array([(adjusted_p(run) <= FALSE_DISCOVERIES).any() for run in p.reshape(200, 20)])
    if scatter and periods < 12:
        assert runs.mean() > FALSE_DISCOVERIES  # two or three months are not enough; a note says so
    else:
        assert runs.mean() <= FALSE_DISCOVERIES + 0.045  # 3 standard errors of 200 runs


def test_a_planted_trend_is_found() -> None:
    rng = np.random.default_rng(4)
    logits = flat(0.1, 12, 200)
    logits[:, :20] += 0.12 * np.arange(12)[:, None]
    found = fit_trends(drawn(logits, 300, rng)[0])
    called = adjusted_p(found.p) <= FALSE_DISCOVERIES
    assert called[:20].all()
    assert called[20:].sum() <= 3
    assert (found.slope[:20] > 0).all()


def test_a_label_that_appears_late_has_a_finite_line() -> None:
    found = fit_trends(sums([300] * 6, np.array([[0], [0], [0], [0], [0], [60]])))
    assert np.isfinite(found).all()
    assert found.slope[0] > 0


@pytest.mark.parametrize("totals", [[-5, 30], [-1, 30], [104, 70], [-3, -2, 5, 30]])
def test_corrected_values_may_sum_to_shares_outside_0_to_1(totals: list[float]) -> None:
    total = np.array(totals, float)[:, None]
    found = fit_trends(Sums(np.full((len(totals), 1), 100.0), total, np.abs(total)))
    change = (np.clip(totals[-1], 0, 100) - np.clip(totals[0], 0, 100)) / 100
    assert found.change[0] == pytest.approx(change, abs=0.03)
    assert found.change_low[0] < found.change[0] < found.change_high[0]
    assert found.change_high[0] - found.change_low[0] < 0.5


def test_labels_of_too_few_products_are_not_tested() -> None:
    few = LEAST - 1
    found = fit_trends(sums([100, 100], np.array([[few, 100, 50, 50], [0, 100 - few, 50, 60]])))
    assert np.isnan(found.p).tolist() == [True, True, False, False]
    assert np.isnan(fit_trends(sums([100, 0], np.array([[50], [0]]))).p).all()


def test_a_difference_is_the_pooled_test_of_two_proportions() -> None:
    """Newcombe 1998, table II, contrast a: 56/70 and 48/80 give 0.0524 to 0.3339 by his method 10."""
    found = share_difference(sums([70], np.array([[56]])), sums([80], np.array([[48]])))
    assert found.value[0] == pytest.approx(0.2)
    assert (found.low[0], found.high[0]) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    pooled = 104 / 150
    z = 0.2 / math.sqrt(pooled * (1 - pooled) * (1 / 70 + 1 / 80))
    assert found.p[0] == pytest.approx(math.erfc(z / math.sqrt(2)))


@pytest.mark.parametrize("soft", [False, True])
def test_differences_cover_and_find_no_more_than_chance(soft: bool) -> None:
    rng = np.random.default_rng(5)
    one, _ = drawn(flat(0.1, 1), 300, rng, soft)
    other, _ = drawn(flat(0.1, 1), 150, rng, soft)
    found = share_difference(one, other)
    assert 0.93 <= covered(found.low, found.high, 0.0) <= 0.97
    assert 0.03 <= (found.p < 0.05).mean() <= 0.07


def test_p_values_are_adjusted_as_benjamini_and_hochberg_do() -> None:
    """p * tests / rank, and never more than the value of a larger p."""
    found = adjusted_p(np.array([0.01, np.nan, 0.04, 0.03, 0.2]))
    assert found[[0, 2, 3, 4]] == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.2])
    assert np.isnan(found[1])
    assert np.isnan(adjusted_p(np.array([np.nan]))).all()
