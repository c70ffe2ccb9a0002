"""Checks that the files of a bundle are the same model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fashion.engines import Engine
from fashion.errors import BundleError
from fashion.prediction import sigmoid
from fashion.taxonomy import YES, Taxonomy
from training.profiles.predictions import Predictions
from training.profiles.scores import score

# Largest allowed difference of a probability between two fp32 files on the same image. Observed are about 1e-6; a wrong
# channel order, a missing layer or a batch norm in training mode causes far more.
FP32_TOLERANCE = 1e-4
# Largest allowed change of micro-F1 by quantization, in either direction.
INT8_TOLERANCE = 0.005


def check_fp32(engines: Mapping[str, Engine], pixels: np.ndarray) -> dict[str, float]:
    """Compare every file's probabilities with the first one's.

    Args:
        engines: by file name; the first is the reference.
        pixels: real images, uint8 (B, S, S, 3).

    Returns:
        The largest absolute difference of a probability, by name of each further file.

    Raises:
        BundleError: a difference is above `FP32_TOLERANCE`, or not a number.
    """
    (reference, first), *others = engines.items()
    expected = sigmoid(first.run(pixels).logits)
    differences = {}
    for name, engine in others:
        difference = float(np.abs(sigmoid(engine.run(pixels).logits) - expected).max())
        if not difference <= FP32_TOLERANCE:
            raise BundleError(
                f"{name} and {reference} disagree by {difference:.2g} in probability on {len(pixels)} images; "
                f"at most {FP32_TOLERANCE:g} is allowed, so no bundle was written"
            )
        differences[name] = difference
    return differences


def compare_int8(
    fp32: Predictions, int8: Predictions, thresholds: np.ndarray, taxonomy: Taxonomy
) -> dict[str, float | int]:
    """Compare the micro-F1 of the int8 file with that of the fp32 files.

    Args:
        fp32, int8: their predictions for the same N images.
        thresholds: (A,), at which labels are answered.
        taxonomy: of the A labels.

    Returns:
        `micro_f1_fp32`, `micro_f1_int8`, `difference`, `largest_probability_difference`, `same_first_label` (the share
        of annotated (image, group) pairs for which both have the same most probable label), `images` and `positives`,
        the number of their labels.
    """
    first, second = (
        score(seen.probabilities, fp32.targets, thresholds, taxonomy)["micro_f1"] or 0.0 for seen in (fp32, int8)
    )
    return {
        "micro_f1_fp32": first,
        "micro_f1_int8": second,
        "difference": second - first,
        "largest_probability_difference": float(np.abs(int8.probabilities - fp32.probabilities).max()),
        "same_first_label": _same_first_label(fp32, int8, taxonomy),
        "images": len(fp32.targets),
        "positives": int((fp32.targets == YES).sum()),
    }


def _same_first_label(fp32: Predictions, int8: Predictions, taxonomy: Taxonomy) -> float:
    same = []
    for indices in (taxonomy.indices(group) for group in taxonomy.groups):
        annotated = (fp32.targets[:, indices] == YES).any(axis=1)
        first, second = (seen.probabilities[annotated][:, indices].argmax(axis=1) for seen in (fp32, int8))
        same.append(first == second)
    answers = np.concatenate(same)
    return float(answers.mean()) if len(answers) else 1.0


def is_close(comparison: Mapping[str, Any]) -> bool:
    """Whether the int8 file may go into a bundle."""
    return abs(comparison["difference"]) <= INT8_TOLERANCE  # False for NaN


def check_int8(comparisons: Sequence[Mapping[str, Any]]) -> None:
    """Check that the last of several attempts is close enough.

    Raises:
        BundleError: it differs from the fp32 file by more than `INT8_TOLERANCE`.
    """
    if not is_close(comparisons[-1]):
        best = min(comparisons, key=lambda comparison: abs(comparison["difference"]))
        raise BundleError(
            f"quantization changes micro-F1 from {best['micro_f1_fp32']:.4f} to {best['micro_f1_int8']:.4f} on "
            f"{best['images']} images with {best['positives']} labels; at most {INT8_TOLERANCE} is allowed, so no "
            "bundle was written: export with --no-int8, or train longer"
        )
