"""Fitting of calibration and threshold profiles on validation images, scored by cross-validation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.answers import most_probable
from fashion.calibration import Calibration, calibrated
from fashion.model_card import TOP_K
from fashion.profiles.calibration import fit_calibration
from fashion.profiles.folds import split_folds
from fashion.profiles.model_selection import f1_score, simplest_within_one_standard_error
from fashion.profiles.thresholds import (
    HALF,
    MACRO_F1,
    MICRO_F1,
    PRECISION,
    f1_candidates,
    precision_thresholds,
    typical_counts,
)
from fashion.taxonomy import Taxonomy
from training.profiles.gate_scores import GatePredictions, fit_gate_thresholds
from training.profiles.predictions import Predictions

# Lowest threshold of the profile `precision`. On validation photographs 0.01 can be precise for a label that is rarely
# confused with others; on a photograph of something else, such as a wall, it is not.
PRECISION_FLOOR = 0.5

DECIDED_BY = {MICRO_F1: "micro_f1", MACRO_F1: "macro_f1"}  # by profile, the score that selects its candidate


@dataclass(frozen=True)
class Profiles:
    """Fitted calibration and thresholds.

    Attributes:
        calibration: by group, in the format of the model card.
        thresholds: by profile, (A,), for joint probabilities (calibrated label probabilities times those of gates).
        top_k: by group, in the format of the model card.
        chosen: by profile, the name of the selected candidate, see `fashion.profiles.thresholds.f1_candidates`.
        candidates: by profile and name, the score of each candidate on held-out images.
        gate_thresholds: in the format of the model card.
    """

    calibration: dict[str, dict[str, Any]]
    thresholds: dict[str, np.ndarray]
    top_k: dict[str, int]
    chosen: dict[str, str]
    candidates: dict[str, dict[str, float]]
    gate_thresholds: dict[str, Any]

    def answered(self, seen: Predictions, taxonomy: Taxonomy) -> dict[str, np.ndarray]:
        """The answers by profile, bool (N, A)."""
        gates = seen.gate_predictions
        probabilities = joint_probabilities(seen.logits, taxonomy, self.calibration, gates)
        answered = {profile: probabilities >= row for profile, row in self.thresholds.items()}
        answered[TOP_K] = most_probable(probabilities, taxonomy, self.top_k)
        answerable = gates.answerable(self.gate_thresholds, taxonomy)
        return {profile: labels & answerable for profile, labels in answered.items()}


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold answers and probabilities: each image is held out from the fit that answers it.

    Attributes:
        answered: by profile, bool (N, A).
        probabilities: joint probabilities, float32 (N, A).
    """

    answered: dict[str, np.ndarray]
    probabilities: np.ndarray


def joint_probabilities(
    logits: np.ndarray, taxonomy: Taxonomy, calibration: Calibration, gates: GatePredictions
) -> np.ndarray:
    """Calibrated label probabilities times those of gates, as in `fashion.model_card.ModelCard`, float32 (N, A)."""
    return calibrated(logits, taxonomy, calibration) * gates.factors(taxonomy)


def fit_profiles(seen: Predictions, taxonomy: Taxonomy) -> Profiles:
    """Fit calibration and every profile; each takes the simplest of its candidates that score best on held-out images.

    Calibration is fitted on the labels' own logits. Thresholds apply to joint probabilities (calibrated label
    probabilities times those of gates) of labels that the gates allow.

    Args:
        seen: the model's predictions for N images; their probabilities are not used.
        taxonomy: of the A labels.
    """
    targets, ids = seen.targets, seen.ids
    answered = _candidate_answers(seen, taxonomy)
    chosen = {
        profile: simplest_within_one_standard_error(by_name, targets, DECIDED_BY[profile], ids)
        for profile, by_name in answered.items()
    }
    scores = {
        profile: {name: f1_score(answers, targets, DECIDED_BY[profile]) for name, answers in by_name.items()}
        for profile, by_name in answered.items()
    }
    calibration = fit_calibration(seen.logits, targets, taxonomy, ids)
    gate_thresholds = fit_gate_thresholds(seen.gate_predictions)
    probabilities = _allowed_probabilities(seen, taxonomy, calibration, gate_thresholds)
    candidates = f1_candidates(probabilities, targets, taxonomy)
    thresholds = {
        HALF: np.full(len(taxonomy), 0.5),
        MICRO_F1: candidates[MICRO_F1][chosen[MICRO_F1]],
        MACRO_F1: candidates[MACRO_F1][chosen[MACRO_F1]],
        PRECISION: np.maximum(precision_thresholds(probabilities, targets, taxonomy), PRECISION_FLOOR),
    }
    counts = typical_counts(targets, taxonomy)
    return Profiles(calibration, thresholds, counts, chosen, scores, gate_thresholds)


def answer_out_of_fold(seen: Predictions, taxonomy: Taxonomy) -> OutOfFold:
    """Five-fold cross-validation of `fit_profiles`, with its arguments; candidates are selected within each fit."""
    shape = seen.logits.shape
    probabilities = np.empty(shape, np.float32)
    answered: dict[str, np.ndarray] = {}
    for rest, held in split_folds(len(seen.logits), seen.ids):
        fit, part = fit_profiles(seen[rest], taxonomy), seen[held]
        probabilities[held] = joint_probabilities(part.logits, taxonomy, fit.calibration, part.gate_predictions)
        for profile, answers in fit.answered(part, taxonomy).items():
            answered.setdefault(profile, np.zeros(shape, bool))[held] = answers
    return OutOfFold(answered, probabilities)


def _candidate_answers(seen: Predictions, taxonomy: Taxonomy) -> dict[str, dict[str, np.ndarray]]:
    """Out-of-fold answers of each candidate by profile and name; its calibration is fitted without the fold too."""
    answered: dict[str, dict[str, np.ndarray]] = {profile: {} for profile in DECIDED_BY}
    for rest, held in split_folds(len(seen.logits), seen.ids):
        part = seen[rest]
        calibration = fit_calibration(part.logits, part.targets, taxonomy, part.ids)
        gate_thresholds = fit_gate_thresholds(part.gate_predictions)
        fitted, probabilities = (
            _allowed_probabilities(each, taxonomy, calibration, gate_thresholds) for each in (part, seen[held])
        )
        candidates = f1_candidates(fitted, part.targets, taxonomy)
        for profile, rows in candidates.items():
            for name, row in rows.items():
                answered[profile].setdefault(name, np.zeros(seen.logits.shape, bool))[held] = probabilities >= row
    return answered


def _allowed_probabilities(
    seen: Predictions, taxonomy: Taxonomy, calibration: Calibration, gate_thresholds: dict[str, Any]
) -> np.ndarray:
    """Joint probabilities, float32 (N, A), 0 for labels that the gates do not allow."""
    gates = seen.gate_predictions
    joint = joint_probabilities(seen.logits, taxonomy, calibration, gates)
    return np.where(gates.answerable(gate_thresholds, taxonomy), joint, np.float32(0))
