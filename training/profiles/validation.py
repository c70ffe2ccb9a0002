"""Calibration, threshold profiles and out-of-fold scores of a model from validation images."""

from dataclasses import replace
from typing import Any

import numpy as np

from fashion.gates import APPLIES
from fashion.model_card import ONNX_FILE, ModelCard
from fashion.profiles.bootstrap import f1_intervals
from fashion.profiles.calibration import calibration_errors
from fashion.profiles.folds import FOLDS
from fashion.profiles.thresholds import HALF, MICRO_F1, WANTED_PRECISION
from fashion.taxonomy import YES, Taxonomy
from fashion.text_tables import number_cell, text_table
from training.profiles.gate_scores import describe_gates, score_gates
from training.profiles.out_of_fold import answer_out_of_fold, fit_profiles, joint_probabilities
from training.profiles.predictions import Predictions
from training.profiles.scores import average_precisions, mean_average_precision, score_answers

# With 1,000 positive labels one changed answer changes micro-F1 by at most 0.001, a fifth of the int8 file's tolerance;
# with 100 it would be 0.01, so that a single answer would decide.
LEAST_POSITIVES = 1_000


def with_thresholds(card: ModelCard, data: str, predictions: Predictions) -> ModelCard:
    """Add calibration, profiles and gate thresholds fitted on validation images, and their scores, to a card.

    The scores are out of fold: each image is answered by a fit that has not seen it. The card's own values are fitted
    on all images, which is at least as good. Gate scores are not out of fold: only one threshold is fitted for them.

    Args:
        card: without profiles.
        data: source of the images.
        predictions: those of the bundle's ONNX file for the images.
    """
    taxonomy, gates = card.taxonomy, predictions.gate_predictions
    fit = fit_profiles(predictions, taxonomy)
    unseen = answer_out_of_fold(predictions, taxonomy)
    raw = joint_probabilities(predictions.logits, taxonomy, {}, gates)
    uncalibrated = (raw >= 0.5) & gates.answerable(fit.gate_thresholds, taxonomy)

    def summary(answered: np.ndarray) -> dict[str, Any]:
        scores = score_answers(answered, predictions.targets, np.zeros(len(taxonomy)), taxonomy)
        del scores["labels"]
        interval = f1_intervals(answered, predictions.targets, taxonomy, ids=predictions.ids)["micro_f1"]
        return {"micro_f1_interval": interval} | scores

    validation = {
        "data": data,
        "split": "val",
        "images": len(predictions.targets),
        "products": len(np.unique(predictions.ids)),
        "file": ONNX_FILE,
        "note": f"scores are out of fold: calibration and thresholds were fitted on other products, in {FOLDS} folds",
        "map": mean_average_precision(average_precisions(predictions.probabilities, predictions.targets)),
        "profiles": {profile: summary(answered) for profile, answered in unseen.answered.items()},
        "uncalibrated": {HALF: summary(uncalibrated)},
        "chosen": fit.chosen,
        "candidates": fit.candidates,
        "wanted_precision": WANTED_PRECISION,
        "ece": _before_and_after(raw, unseen.probabilities, predictions.targets, taxonomy),
    }
    if len(gates.gates):
        validation["gates"] = score_gates(gates, gates.gates.threshold_row(fit.gate_thresholds))
    return replace(
        card,
        gate_thresholds=fit.gate_thresholds,
        calibration=fit.calibration,
        thresholds={profile: row.tolist() for profile, row in fit.thresholds.items()},
        top_k=fit.top_k,
        default_profile=MICRO_F1,
        metrics={"validation": validation},
    )


def _before_and_after(
    raw: np.ndarray, calibrated: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy
) -> dict[str, Any]:
    before, after = (calibration_errors(probabilities, targets, taxonomy) for probabilities in (raw, calibrated))

    def pair(first: float | None, second: float | None) -> dict[str, float | None]:
        return {"before": first, "after": second}

    return {
        "of": "the most probable label of each annotated group of each image; all_pairs: of every annotated pair",
        **pair(before["ece"], after["ece"]),
        "groups": {group: pair(before["groups"][group], after["groups"][group]) for group in taxonomy.groups},
        "all_pairs": pair(before["all_pairs"], after["all_pairs"]),
    }


def more_images(targets: np.ndarray, available: int) -> int:
    """How many training images to add to few validation images, so that a single answer cannot decide.

    Args:
        targets: (N, A), of the validation images.
        available: training images.
    """
    positives = int((targets == YES).sum())
    if positives >= LEAST_POSITIVES:
        return 0
    return min(available, int(np.ceil((LEAST_POSITIVES - positives) * len(targets) / max(1, positives))))


def describe(card: ModelCard) -> str:
    """Format the scores in the card as lines of text."""
    validation = card.metrics["validation"]
    rows = []
    for profile, scores in ({"sigmoid 0.5": validation["uncalibrated"][HALF]} | validation["profiles"]).items():
        interval = " to ".join(map(number_cell, scores["micro_f1_interval"] or (None, None)))
        measures = (number_cell(scores[measure]) for measure in ("macro_f1", "precision", "recall"))
        rows.append([profile, number_cell(scores["micro_f1"]), interval, *measures])
    heading = ["profile", "micro-F1", "95 % interval", "macro-F1", "precision", "recall"]
    ece = validation["ece"]
    lines = [
        f"{validation['images']:,} validation images, scores out of fold:",
        *text_table(heading, rows, range(1, 6)).splitlines(),
        f"calibration error {number_cell(ece['before'])} before, {number_cell(ece['after'])} after calibration",
        *describe_gates(validation.get("gates", {APPLIES: {}})),
    ]
    return "\n".join(f"       {line}" for line in lines)
