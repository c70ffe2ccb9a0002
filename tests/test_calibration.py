"""Calibration recovers a known scale and offset, keeps calibrated logits unchanged, and computes the exact error."""

import numpy as np
import pytest

from fashion.calibration import calibrated, rivalry
from fashion.prediction import sigmoid
from fashion.profiles.calibration import calibration_error, calibration_errors, fit_calibration
from fashion.taxonomy import Label, Taxonomy

TAXONOMY = Taxonomy(tuple(Label(group, str(i)) for group in ("color", "sleeve") for i in range(4)))


def drawn(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose sigmoids are the true probabilities of the drawn targets; a tenth is not annotated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (images, len(TAXONOMY))).astype(np.float32)
    targets = (rng.random(logits.shape) < sigmoid(logits)).astype(np.int8)
    targets[rng.random(logits.shape) < 0.1] = -1
    return logits, targets


def test_a_temperature_and_an_offset_are_recovered() -> None:
    logits, targets = drawn(8000)
    color, sleeve = TAXONOMY.indices("color"), TAXONOMY.indices("sleeve")
    spoiled = logits.copy()
    spoiled[:, color] *= 2.5  # overconfident: the scale is 1 / 2.5
    spoiled[:, sleeve] = (spoiled[:, sleeve] - 1.2) / 0.5  # the scale is 0.5, the offset 1.2
    found = fit_calibration(spoiled, targets, TAXONOMY)
    assert found["color"]["scale"] == pytest.approx(0.4, rel=0.03)
    assert found["color"]["offset"] == pytest.approx(0, abs=0.05)
    assert found["sleeve"]["method"] == "platt"
    assert found["sleeve"]["scale"] == pytest.approx(0.5, rel=0.05)
    assert found["sleeve"]["offset"] == pytest.approx(1.2, abs=0.1)
    assert np.abs(calibrated(spoiled, TAXONOMY, found) - sigmoid(logits)).max() < 0.03


def test_a_temperature_suffices_if_only_the_scale_is_wrong() -> None:
    chosen = []
    for seed in range(5):
        logits, targets = drawn(600, seed)
        chosen += [values["method"] for values in fit_calibration(3 * logits, targets, TAXONOMY).values()]
    assert len(chosen) == 10  # strongly overconfident, so all groups are calibrated
    assert chosen.count("temperature") >= 6


def test_calibrated_logits_stay_nearly_unchanged() -> None:
    found = [fit_calibration(*drawn(600, seed), TAXONOMY) for seed in range(5)]
    assert sum(len(groups) for groups in found) <= 6  # of 10: on held-out images a fit usually makes it worse
    for groups in found:
        for values in groups.values():
            assert values["scale"] == pytest.approx(1, abs=0.15)


def chosen_one(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a group with at most one label per image, drawn by softmax over the labels and "none" (logit 0)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (images, len(TAXONOMY))).astype(np.float32)
    targets = np.zeros(logits.shape, np.int8)
    for group in TAXONOMY.groups:
        labels = TAXONOMY.indices(group)
        weights = np.exp(np.concatenate([logits[:, labels], np.zeros((images, 1))], axis=1))
        drawn = (rng.random((images, 1)) > np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
        has = drawn < len(labels)
        targets[np.flatnonzero(has), labels[drawn[has]]] = 1
    return logits, targets


def test_labels_that_exclude_each_other_are_rivals() -> None:
    logits, targets = chosen_one(6000)
    found = fit_calibration(logits, targets, TAXONOMY)
    for values in found.values():
        assert values["method"] == "rivals"
        assert values["scale"] == pytest.approx(1, abs=0.08)
        assert values["offset"] == pytest.approx(0, abs=0.12)
        assert values["rivals"] == pytest.approx(1, abs=0.1)
    probabilities = calibrated(logits, TAXONOMY, found)
    labels = TAXONOMY.indices("sleeve")
    odds = np.exp(logits[:, labels])
    truth = odds / (1 + odds.sum(axis=1, keepdims=True))
    assert np.abs(probabilities[:, labels] - truth).max() < 0.06
    order = np.argsort(logits[:, labels], axis=1)
    assert (np.diff(np.take_along_axis(probabilities[:, labels], order, axis=1), axis=1) >= 0).all()


def test_rivals_do_not_force_an_answer_in_a_group() -> None:
    """If all labels of a group are unlikely, as for a blank wall, all stay unlikely."""
    fit = {"color": {"method": "rivals", "scale": 1.0, "offset": 0.0, "rivals": 1.0}}
    nothing = np.full(len(TAXONOMY), -6.0, np.float32)
    assert calibrated(nothing, TAXONOMY, fit).max() < 0.003
    extreme = np.array([80, 79, -80, 0, 80, 0, 0, 0], np.float32)
    assert np.isfinite(calibrated(extreme, TAXONOMY, fit)).all()


def test_labels_that_do_not_exclude_each_other_are_not_rivals() -> None:
    for seed in range(3):
        logits, targets = drawn(2000, seed)
        for values in fit_calibration(2 * logits, targets, TAXONOMY).values():
            assert abs(values.get("rivals", 0)) < 0.06


def test_an_uninformative_group_is_not_calibrated() -> None:
    logits, targets = drawn(50)
    for value in (-1, 0, 1):
        targets[:, TAXONOMY.indices("sleeve")] = value
        assert "sleeve" not in fit_calibration(3 * logits, targets, TAXONOMY)
    assert fit_calibration(logits[:0], targets[:0], TAXONOMY) == {}
    assert set(fit_calibration(logits[:1], targets[:1], TAXONOMY)) <= {"color"}


def test_a_perfect_separation_has_a_finite_scale() -> None:
    targets = (np.arange(100)[:, None] % 4 == np.arange(8) % 4).astype(np.int8)
    logits = np.where(targets == 1, 3.0, -3.0).astype(np.float32)
    for values in fit_calibration(logits, targets, TAXONOMY).values():
        assert 1 < values["scale"] < 5


def test_inverted_logits_are_not_inverted_back() -> None:
    logits, targets = drawn(500)
    assert fit_calibration(-logits, targets, TAXONOMY) == {}


def test_the_error_is_the_mean_distance_of_the_bins() -> None:
    probabilities = np.array([0.1, 0.2, 0.6, 0.8])
    right = np.array([False, True, True, True])
    assert calibration_error(probabilities, right, bins=2) == pytest.approx((abs(0.15 - 0.5) + abs(0.7 - 1)) / 2)
    assert calibration_error(probabilities, right, bins=1) == pytest.approx(0.75 - 0.425)
    assert calibration_error(probabilities, right, bins=15) == pytest.approx((0.1 + 0.8 + 0.4 + 0.2) / 4)
    assert calibration_error(probabilities[:0], right[:0]) is None


def test_errors_are_those_of_the_most_probable_annotated_label() -> None:
    probabilities = np.full((1, 8), 0.1)
    probabilities[0, [0, 1, 5]] = 0.9, 0.7, 0.6
    targets = np.zeros((1, 8), np.int8)
    targets[0, [0, 1]] = -1, 1  # the most probable is not annotated, the next is right; sleeve is not annotated
    errors = calibration_errors(probabilities, targets, TAXONOMY)
    assert errors["groups"] == {"color": pytest.approx(0.3), "sleeve": pytest.approx(0.6)}
    assert errors["ece"] == pytest.approx(0.45)
    targets[:, 4:] = -1
    assert calibration_errors(probabilities, targets, TAXONOMY)["groups"]["sleeve"] is None


def test_calibration_lowers_the_error() -> None:
    logits, targets = drawn(4000)
    found = fit_calibration(3 * logits[:2000], targets[:2000], TAXONOMY)
    before, after = (
        calibration_errors(values, targets[2000:], TAXONOMY)
        for values in (sigmoid(3 * logits[2000:]), calibrated(3 * logits[2000:], TAXONOMY, found))
    )
    assert before["ece"] > 0.1
    assert after["ece"] < 0.04
    assert after["all_pairs"] < before["all_pairs"] / 3


def test_each_group_has_its_own_parameters_wherever_its_labels_are() -> None:
    mixed = Taxonomy(tuple(Label(("color", "sleeve", "fit")[i % 3], str(i)) for i in range(12)))
    logits = np.random.default_rng(3).normal(0, 4, (50, 12)).astype(np.float32)
    found = calibrated(
        logits,
        mixed,
        {
            "color": {"method": "rivals", "scale": 0.9, "offset": 0.2, "rivals": 1.1},
            "fit": {"method": "platt", "scale": 1.5, "offset": -1.0},
        },
    )
    color, sleeve, fit = (logits[:, mixed.indices(group)].astype(np.float64) for group in ("color", "sleeve", "fit"))
    expected = (0.9 * color + 0.2 - 1.1 * rivalry(color), sleeve, 1.5 * fit - 1)
    for group, exact in zip(("color", "sleeve", "fit"), expected, strict=True):
        assert np.abs(found[:, mixed.indices(group)] - sigmoid(exact)).max() < 1e-6
