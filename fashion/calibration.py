"""From logits to probabilities that mean what they say: a scale and an offset for each attribute group."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.prediction import sigmoid
from fashion.taxonomy import Taxonomy

TEMPERATURE, PLATT = "temperature", "platt"
METHODS = (TEMPERATURE, PLATT)

Calibration = Mapping[str, Mapping[str, Any]]  # group -> {"method": one of METHODS, "scale": a, "offset": b}


def calibrated(logits: np.ndarray, taxonomy: Taxonomy, calibration: Calibration) -> np.ndarray:
    """The probabilities sigmoid(a * logit + b), float32 (..., A).

    Args:
        logits: (..., A).
        taxonomy: of the A labels.
        calibration: by group; one that is not there has a = 1 and b = 0.
    """
    if not calibration:
        return sigmoid(logits)
    scale, offset = rows(taxonomy, calibration)
    return sigmoid(logits * scale + offset)


def rows(taxonomy: Taxonomy, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset of each label, float32 (A,) each."""
    scale, offset = np.ones(len(taxonomy), np.float32), np.zeros(len(taxonomy), np.float32)
    for group, values in calibration.items():
        indices = taxonomy.indices(group)
        scale[indices], offset[indices] = values["scale"], values["offset"]
    return scale, offset


def check(calibration: Calibration, taxonomy: Taxonomy) -> None:
    """Make sure that a calibration, as a file may hold it, is one.

    Raises:
        BundleError: an unknown group or method, or a scale or offset that is none.
        KeyError: one of the three is missing.
    """
    for group, values in calibration.items():
        if group not in taxonomy.groups:
            raise BundleError(f"the calibration names the group {group!r}; the model has: {', '.join(taxonomy.groups)}")
        method, scale, offset = (values[name] for name in ("method", "scale", "offset"))
        if method not in METHODS:
            raise BundleError(f"the calibration of group {group!r} is {method!r}; choose among: {', '.join(METHODS)}")
        if not (_is_number(scale) and scale > 0 and _is_number(offset)):
            raise BundleError(
                f"the calibration of group {group!r} has scale {scale!r} and offset {offset!r}; "
                "expected numbers, the scale above 0"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
