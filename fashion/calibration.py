"""Turn logits into calibrated probabilities: a scale, an offset and a rivalry weight for each attribute group."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.prediction import sigmoid
from fashion.taxonomy import Taxonomy

TEMPERATURE, PLATT, RIVALS = "temperature", "platt", "rivals"
# Fitted parameters of each method; the others keep their defaults: scale 1, offset and rivals 0.
METHODS = {TEMPERATURE: ("scale",), PLATT: ("scale", "offset"), RIVALS: ("scale", "offset", "rivals")}

# group -> {"method": one of METHODS, "scale": a, "offset": b}, for the method rivals also {"rivals": c}
Calibration = Mapping[str, Mapping[str, Any]]

LARGEST_LOGIT = 30.0  # logits are clipped to this before exp


def calibrated(logits: np.ndarray, taxonomy: Taxonomy, calibration: Calibration) -> np.ndarray:
    """The probabilities sigmoid(a * logit + b - c * rivals), float32 (..., A).

    Args:
        logits: (..., A).
        taxonomy: the A labels and their groups.
        calibration: by group; a missing group has a = 1 and b = c = 0.
    """
    if not calibration:
        return sigmoid(logits)
    fitted = np.array(logits, dtype=np.float64)
    for group, values in calibration.items():
        indices = taxonomy.indices(group)
        own = fitted[..., indices]
        z = values["scale"] * own + values["offset"]
        fitted[..., indices] = z - values["rivals"] * rivalry(own) if values.get("rivals") else z
    return sigmoid(fitted)


def rivalry(logits: np.ndarray) -> np.ndarray:
    """Evidence for the other labels of a group: log(1 + sum of exp over all but the label itself), (..., G).

    It is 0 if no other label is likely. Subtracting it in full (c = 1) gives the softmax over the group plus a "none of
    these" label with a logit of 0: mutually exclusive labels compete, and yet all may be unlikely.

    Args:
        logits: (..., G) of one group, float64.
    """
    odds = np.exp(np.minimum(logits, LARGEST_LOGIT))
    return np.log1p(np.maximum(odds.sum(axis=-1, keepdims=True) - odds, 0))


def check(calibration: Calibration, taxonomy: Taxonomy) -> None:
    """Validate a calibration read from a file.

    Raises:
        BundleError: an unknown group or method, or a parameter that is not a valid number.
        KeyError: a value is missing.
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
        if method == RIVALS and not (_is_number(values["rivals"]) and values["rivals"] >= 0):
            raise BundleError(
                f"the calibration of group {group!r} has rivals {values['rivals']!r}; expected a number from 0 up"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
