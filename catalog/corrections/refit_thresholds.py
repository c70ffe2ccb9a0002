"""Fit calibration and thresholds on corrected products, and evaluate them out of fold."""

from typing import Any, NamedTuple

import numpy as np

from catalog.corrections.corrected_products import LEAST, CorrectedProducts
from fashion.calibration import PLATT, RIVALS, TEMPERATURE, Calibration, calibrated
from fashion.profiles.calibration import fit_calibration
from fashion.profiles.folds import split_folds
from fashion.profiles.model_selection import simplest_within_one_standard_error
from fashion.profiles.thresholds import MACRO_F1, MICRO_F1, f1_candidates, shrink_toward
from fashion.taxonomy import NOT_ANNOTATED, YES

AS_BEFORE = "as before"
WEIGHT = 30  # number of corrected labels that have the same weight as the thresholds in force
SCORES = {MICRO_F1: "micro_f1", MACRO_F1: "macro_f1"}  # profiles whose thresholds are fitted; the others are unchanged


class RefitResult(NamedTuple):
    """Calibration and thresholds fitted on all corrected products, and their out-of-fold predictions.

    Attributes:
        calibration: by group.
        thresholds: (A,).
        chosen: name of the candidate that was taken for the thresholds.
        probabilities, answered: (N, A), out of fold. The candidate is also selected on these answers.
    """

    calibration: dict[str, dict[str, Any]]
    thresholds: np.ndarray
    chosen: str
    probabilities: np.ndarray
    answered: np.ndarray


def fit_refit(data: CorrectedProducts, calibration: Calibration, thresholds: np.ndarray, profile: str) -> RefitResult:
    """Fit calibration and thresholds on all corrected products, and by cross-validation for the evaluation.

    Args:
        data: the corrected products.
        calibration, thresholds: those in force, thresholds (A,).
        profile: whose thresholds are fitted; a profile not in `SCORES` keeps its own.
    """
    fits_thresholds = profile in SCORES and data.representative_count >= LEAST

    def candidates(part: CorrectedProducts, calibration: Calibration) -> dict[str, np.ndarray]:
        return _candidates(part, calibration, thresholds, profile) if fits_thresholds else {AS_BEFORE: thresholds}

    probabilities = np.empty(data.targets.shape, np.float32)
    answered: dict[str, np.ndarray] = {}
    for rest, held in split_folds(len(data.targets)):
        part = _recalibrated(data[rest], calibration)
        probabilities[held] = data[held].probabilities(part)
        for name, row in candidates(data[rest], part).items():
            answered.setdefault(name, np.zeros(data.targets.shape, bool))[held] = probabilities[held] >= row
    chosen = simplest_within_one_standard_error(
        answered, data.representative_targets, SCORES.get(profile, "micro_f1"), None
    )
    fitted = _recalibrated(data, calibration)
    row = candidates(data, fitted)[chosen]
    return RefitResult(fitted, row, chosen, probabilities, answered[chosen])


def _recalibrated(data: CorrectedProducts, calibration: Calibration) -> dict[str, dict[str, Any]]:
    """Add a scale s and an offset o to the calibration of the groups that benefit.

    sigmoid(s * (a * logit + b - c * rivalry) + o) has the same form: a, b and c become s * a, s * b + o and s * c.
    """
    own = np.clip(calibrated(data.logits, data.taxonomy, calibration).astype(np.float64), 1e-7, 1 - 1e-7)
    targets = data.targets.copy()
    for group in data.taxonomy.groups:  # without a confirmed label the group may not apply, so mask all its labels
        indices = data.taxonomy.indices(group)
        targets[np.ix_(~(targets[:, indices] == YES).any(axis=1), indices)] = NOT_ANNOTATED
    more = fit_calibration(np.log(own / (1 - own)), targets, data.taxonomy, methods=(TEMPERATURE, PLATT))
    found = {group: dict(values) for group, values in calibration.items()}
    for group, step in more.items():
        was = found.get(group, {"scale": 1.0, "offset": 0.0})
        scale, offset = step["scale"], step["offset"]
        values = {"scale": scale * was["scale"], "offset": scale * was["offset"] + offset}
        rivals = {"rivals": scale * was["rivals"]} if was.get("rivals") else {}
        found[group] = {"method": RIVALS if rivals else PLATT} | values | rivals
    return found


def _candidates(
    data: CorrectedProducts, calibration: Calibration, thresholds: np.ndarray, profile: str
) -> dict[str, np.ndarray]:
    """Candidate thresholds, (A,) each, the simplest first: those in force, and fitted ones shrunk toward them."""
    best = f1_candidates(data.probabilities(calibration), data.representative_targets, data.taxonomy)[profile]
    positives = (data.representative_targets == YES).sum(axis=0)
    of_group = np.zeros(len(thresholds))
    for group in data.taxonomy.groups:
        indices = data.taxonomy.indices(group)
        of_group[indices] = positives[indices].sum()
    found = {AS_BEFORE: thresholds}
    for name, row in best.items():
        found[name] = shrink_toward(row, positives if name.startswith("label") else of_group, thresholds, WEIGHT)
    return found
