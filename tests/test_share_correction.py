"""Share corrections: by hand, against another library, on data with known truth, and their files."""

import numpy as np
import pytest

from fashion.errors import BundleError
from fashion.gates import Gates
from fashion.share_correction import GroupCorrection, class_probabilities, read_corrections
from fashion.share_intervals import Z, score_interval, share_intervals
from fashion.taxonomy import Label, Taxonomy
from training.profiles import share_corrections
from training.profiles.gate_scores import GatePredictions
from training.profiles.share_corrections import coverage, drawn_rows, fit_correction, shifted_shares, true_classes

NAMES = ("Black", "Navy Blue", "White")
USUAL = np.array([600, 300, 100])


def photographs(counts: np.ndarray | list[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True labels, and probabilities of an often wrong model with the usual shares as prior."""
    truths = np.repeat(np.arange(3), counts)
    evidence = 1.2 * (rng.normal(size=(len(truths), 3)) + 1.2 * np.eye(3)[truths])
    likely = np.exp(evidence) * USUAL
    return truths, likely / likely.sum(1, keepdims=True)


def own_products(truths: np.ndarray) -> np.ndarray:
    return np.arange(len(truths))


def test_adjusted_counts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean probability of A: 0.8 for A, 0.3 for B. A catalog with a mean of 0.4 has a share (0.4 - 0.3) / 0.5 of A."""
    monkeypatch.setattr(share_corrections, "PRIOR_PHOTOGRAPHS", 0.0)
    ones = np.array([0.9, 0.7] * 10 + [0.4, 0.2] * 10)
    probabilities = np.stack([ones, 1 - ones], axis=1)
    found = fit_correction(probabilities, np.repeat([0, 1], 20), ("A", "B"), np.arange(40))
    assert found
    shares = found.estimates(np.array([[0.4, 0.6]]), ("A", "B"))[0]
    assert shares == pytest.approx([0.2, 0.8])
    # The variance of the mean of 20 values of 0.9 and 0.7 is 0.01 / 19; the share scales it by 1 / 0.5^2.
    assert found.variances[0, 0] == pytest.approx(0.01 / 19 / 0.5**2)


def test_estimates_equal_those_of_quapy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares by QuaPy 0.2.3, `PACC(classifier, fit_classifier=False)`, fitted on the first set, of the second."""
    monkeypatch.setattr(share_corrections, "PRIOR_PHOTOGRAPHS", 0.0)
    rng = np.random.default_rng(0)

    def drawn(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
        truths = np.repeat(np.arange(3), counts)
        likely = np.exp(1.5 * (rng.normal(size=(len(truths), 3)) + 1.2 * np.eye(3)[truths]))
        return truths, likely / likely.sum(1, keepdims=True)

    truths, probabilities = drawn([600, 300, 100])
    _, catalog = drawn([100, 200, 700])
    found = fit_correction(probabilities, truths, NAMES, own_products(truths))
    assert found
    shares = found.estimates(catalog, NAMES).mean(0)
    assert shares == pytest.approx([0.14871750518526305, 0.2331708687918305, 0.6181116260229065], abs=1e-5)
    assert catalog.mean(0) == pytest.approx([0.23498415, 0.28015253, 0.48486332])


def test_photographs_of_one_product_are_not_independent() -> None:
    rng = np.random.default_rng(0)
    truths, probabilities = photographs(USUAL, rng)
    once = fit_correction(probabilities, truths, NAMES, own_products(truths))
    thrice = fit_correction(np.repeat(probabilities, 3, 0), np.repeat(truths, 3), NAMES, np.repeat(np.arange(1000), 3))
    assert once
    assert thrice
    assert thrice.variances == pytest.approx(once.variances, rel=0.15)


def test_shifted_shares_need_the_correction() -> None:
    rng = np.random.default_rng(1)
    truths, probabilities = photographs(USUAL * 5, rng)
    correction = fit_correction(probabilities, truths, NAMES, own_products(truths))
    assert correction
    assert (correction.labels, correction.rest, correction.none) == (NAMES, False, False)
    _, moved = photographs([10_000, 20_000, 70_000], rng)
    assert correction.estimates(moved, NAMES).mean(0) == pytest.approx([0.1, 0.2, 0.7], abs=0.05)
    assert moved.mean(0)[2] < 0.5


@pytest.mark.parametrize("shares", [[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.98, 0.01, 0.01]])
def test_intervals_cover_the_truth(shares: list[float]) -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(300):
        truths, probabilities = photographs(USUAL, rng)
        correction = fit_correction(probabilities, truths, NAMES, own_products(truths))
        assert correction
        _, drawn = photographs(rng.multinomial(300, shares), rng)
        values = correction.estimates(drawn, NAMES)
        noise = np.clip(values.mean(0), 0, 1) ** 2 @ correction.variances
        low, high = share_intervals(values.mean(0), values.var(0, ddof=1), 300, noise)
        held.append((low <= shares) & (shares <= high))
    assert 0.92 <= np.mean(held) <= 0.99


def test_coverage_is_measured_on_other_products() -> None:
    rng = np.random.default_rng(3)
    truths, probabilities = photographs(USUAL * 2, rng)
    found = coverage(probabilities, truths, NAMES, own_products(truths))
    assert found is not None
    assert 0.92 <= found <= 0.99
    none = coverage(probabilities[:12], truths[:12], NAMES, own_products(truths[:12]))
    assert none is None


def test_rare_labels_are_one_class_and_none_is_another() -> None:
    truths = np.repeat([0, 1, 2, 3], [50, 11, 11, 20])
    probabilities = np.eye(4)[truths][:, :3] * 0.8 + 0.02
    found = fit_correction(probabilities, truths, NAMES, np.arange(92))
    assert found
    assert (found.labels, found.rest, found.none, found.photographs) == (("Black",), True, True, (50, 22, 20))
    assert fit_correction(probabilities[:50], truths[:50], NAMES, np.arange(50)) is None  # a single class
    values = class_probabilities(probabilities, NAMES, ("Black",), True, False)
    assert values.sum(1) == pytest.approx(1)  # "none" is added to the rest


def test_true_classes() -> None:
    taxonomy = Taxonomy((Label("neck", "Round"), Label("color", "Black"), Label("neck", "V")))
    targets = np.array([[1, 1, 0], [0, -1, 1], [1, 0, 1], [0, 0, 0], [-1, 0, -1], [-1, -1, -1], [1, 1, -1]])
    gates = GatePredictions(
        Gates(("neck",), product=True), np.ones((7, 2)), np.array([[-1, 1]] * 4 + [[0, 1], [-1, 0], [1, 1]])
    )
    assert true_classes(targets, taxonomy, "neck", gates).tolist() == [0, 1, -1, 2, 2, 2, 0]
    assert true_classes(targets, taxonomy, "color", GatePredictions.none(7)).tolist() == [0, -1, 1, 1, 1, -1, 0]


def test_chosen_shares_need_no_photograph_twice() -> None:
    rng = np.random.default_rng(4)
    available = np.array([900, 30, 0])
    shares = np.array([shifted_shares(available, rng) for _ in range(50)])
    assert shares.sum(1) == pytest.approx(1)
    assert shares.std(0)[0] > 0.005
    assert (shares[:, 1] <= 0.12).all()
    assert (shares[:, 2] == 0).all()
    members = [np.arange(900), np.arange(900, 930), np.arange(0)]
    assert len(set(drawn_rows(members, np.array([270, 30, 0]), rng))) == 300


@pytest.mark.parametrize("share", [-0.2, 0.0, 0.003, 0.5, 1.0, 1.3])
def test_intervals_stay_inside(share: float) -> None:
    low, high = score_interval(np.array(share), 1 / 30, 0.2)
    assert 0 <= low <= min(max(share, 0), 1) <= high <= 1


def test_without_a_constant_the_interval_is_wilsons() -> None:
    low, high = score_interval(np.array(0.15), 1 / 100)
    assert (low, high) == (pytest.approx(0.0931, abs=1e-4), pytest.approx(0.2328, abs=1e-4))
    low, high = score_interval(np.array(0.5), 0.0, 0.01**2)
    assert high - low == pytest.approx(2 * Z * 0.01)


def test_files_hold_corrections() -> None:
    truths, probabilities = photographs(USUAL, np.random.default_rng(5))
    found = fit_correction(probabilities, truths, NAMES, own_products(truths))
    assert found
    taxonomy = Taxonomy(tuple(Label("color", name) for name in NAMES))
    read = read_corrections({"color": found.to_json()}, taxonomy, "file")["color"]
    assert read.labels == NAMES
    assert read.weights == pytest.approx(found.weights, rel=1e-4)
    assert read.variances == pytest.approx(found.variances, rel=1e-4)
    assert not read.trusted
    assert GroupCorrection.from_json(found.to_json() | {"coverage": 0.93}).trusted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": ["1 0", "0 1"]}, "expected numbers of 3 classes"),
        ({"weights": ["1 0 0", "0 1 0", "0 0 nan"]}, "expected numbers of 3 classes"),
        ({"labels": ["Black", "Navy Blue", "Rose"]}, "names 'Rose', which is not one of its labels"),
        ({"photographs": None}, "cannot be read: .* export again"),
    ],
)
def test_broken_files_are_reported(change: dict[str, object], message: str) -> None:
    truths, probabilities = photographs(USUAL, np.random.default_rng(5))
    found = fit_correction(probabilities, truths, NAMES, own_products(truths))
    assert found
    taxonomy = Taxonomy(tuple(Label("color", name) for name in NAMES))
    with pytest.raises(BundleError, match=message):
        read_corrections({"color": found.to_json() | change}, taxonomy, "file")
