"""Thresholds and scores of gates on validation images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.gates import APPLIES, DEFAULT_THRESHOLD, NO_GATES, PRODUCT, Gates
from fashion.taxonomy import NO, NOT_ANNOTATED, YES, Label, Taxonomy
from fashion.text_tables import number_cell, text_table
from training.profiles.scores import score_answers

# Largest share of products rejected as "no product" on the images that the threshold is fitted on. It leaves a margin:
# the requirement on other images, and for the int8 file, is at most 1 %.
FALSE_ALARMS = 0.005


@dataclass(frozen=True)
class GatePredictions:
    """Gate probabilities and targets of N images.

    Attributes:
        gates: of the model.
        probabilities: float32 (N, K).
        targets: int8 (N, K), 1 yes, 0 no, -1 unknown.
    """

    gates: Gates
    probabilities: np.ndarray
    targets: np.ndarray

    @classmethod
    def none(cls, images: int) -> "GatePredictions":
        """For a model without gates."""
        return cls(NO_GATES, np.empty((images, 0), np.float32), np.empty((images, 0), np.int8))

    def __getitem__(self, rows: np.ndarray | slice) -> "GatePredictions":
        """The rows of some images."""
        return GatePredictions(self.gates, self.probabilities[rows], self.targets[rows])

    def __add__(self, other: "GatePredictions") -> "GatePredictions":
        """Concatenate these images and others."""
        return GatePredictions(
            self.gates,
            np.concatenate([self.probabilities, other.probabilities]),
            np.concatenate([self.targets, other.targets]),
        )

    def factors(self, taxonomy: Taxonomy) -> np.ndarray:
        """See `fashion.gates.Gates.factors`."""
        return self.gates.factors(self.probabilities, taxonomy)

    def answerable(self, thresholds: dict[str, Any], taxonomy: Taxonomy) -> np.ndarray:
        """Which labels the gates allow at a model card's gate thresholds, bool (N, A)."""
        return self.gates.answerable(self.probabilities, self.gates.threshold_row(thresholds), taxonomy)


def split_targets(targets: np.ndarray, gates: Gates, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Split targets (N, A + K), or (N, A) of data without gates, into those of labels (N, A) and of gates (N, K)."""
    if targets.shape[1] == labels:
        return targets, np.full((len(targets), len(gates)), NOT_ANNOTATED, targets.dtype)
    return gates.split(targets)


def fit_gate_thresholds(predictions: GatePredictions) -> dict[str, Any]:
    """Fit the threshold of the product gate, in the format of a model card; gates of groups keep 0.5.

    It is the largest threshold that rejects at most `FALSE_ALARMS` of the products, and at most 0.5: no answer for a
    product is worse than an answer for a wall.
    """
    if not predictions.gates.product:
        return {}
    products = np.sort(predictions.probabilities[predictions.targets[:, -1] == YES, -1])
    threshold = products[int(FALSE_ALARMS * len(products))] if len(products) else DEFAULT_THRESHOLD
    return {PRODUCT: min(DEFAULT_THRESHOLD, float(threshold))}


def score_gates(predictions: GatePredictions, thresholds: np.ndarray) -> dict[str, Any]:
    """Score the gates.

    Args:
        predictions: probabilities and targets; unknown targets do not count.
        thresholds: (K,); a gate says yes at or above its threshold.

    Returns:
        `applies`: for each group with known targets the F1 of both answers, `applies_f1` and `does_not_apply_f1`, and
        the number of images for which each is true, `applies` and `does_not_apply`. `product`, if any target is known:
        `false_alarms`, the share of the `products` rejected as no product, and `recognized_negatives`, the share of the
        `negatives` rejected. An undefined value (0 / 0) is None.
    """
    answered, targets = predictions.probabilities >= thresholds, predictions.targets
    known = (targets != NOT_ANNOTATED).any(axis=0)
    scores: dict[str, Any] = {
        APPLIES: {
            group: _both_f1(answered[:, i], targets[:, i])
            for i, group in enumerate(predictions.gates.applies)
            if known[i]
        }
    }
    if predictions.gates.product and known[-1]:
        refused = ~answered[:, -1]
        products, negatives = refused[targets[:, -1] == YES], refused[targets[:, -1] == NO]
        scores[PRODUCT] = {
            "threshold": float(thresholds[-1]),
            "false_alarms": _mean(products),
            "products": len(products),
            "recognized_negatives": _mean(negatives),
            "negatives": len(negatives),
        }
    return scores


def describe_gates(scores: dict[str, Any]) -> list[str]:
    """Format the result of `score_gates` as lines of text; empty if nothing is known."""
    lines = []
    if scores[APPLIES]:
        rows = [
            [
                group,
                number_cell(gate["applies_f1"]),
                f"{gate['applies']:,}",
                number_cell(gate["does_not_apply_f1"]),
                f"{gate['does_not_apply']:,}",
            ]
            for group, gate in scores[APPLIES].items()
        ]
        heading = ["group", "F1 applies", "images", "F1 does not", "images"]
        lines += text_table(heading, rows, range(1, 5)).splitlines()
    if PRODUCT in scores:
        gate = scores[PRODUCT]
        lines.append(
            f"'no product' is answered for {_percent(gate['false_alarms'])} of {gate['products']:,} products and for "
            f"{_percent(gate['recognized_negatives'])} of {gate['negatives']:,} images without a product"
        )
    return lines


def _both_f1(answered: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    known = targets != NOT_ANNOTATED
    answered, yes = answered[known], targets[known] == YES
    answers = Taxonomy((Label(APPLIES, "yes"), Label(APPLIES, "no")))
    both = np.stack([yes, ~yes], axis=1).astype(np.int8)
    applies, does_not = score_answers(np.stack([answered, ~answered], axis=1), both, np.zeros(2), answers)["labels"]
    return {
        "applies_f1": applies["f1"],
        "does_not_apply_f1": does_not["f1"],
        "applies": applies["support"],
        "does_not_apply": does_not["support"],
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
