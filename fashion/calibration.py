"""Turn logits into calibrated probabilities: a scale, an offset and a rivalry weight for each attribute group."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.prediction import sigmoid
from fashion.taxonomy import Taxonomy

TEMPERATURE, PLATT, RIVALS = "temperature", "platt", "rivals"
# Fitted parameters of each method; the others keep their defaults.
METHODS = {TEMPERATURE: ("scale",), PLATT: ("scale", "offset"), RIVALS: ("scale", "offset", "rivals")}
DEFAULTS = {"scale": 1.0, "offset": 0.0, "rivals": 0.0}

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
    return Calibrator(taxonomy, calibration)(logits)


class Calibrator:
    """`calibrated` for one calibration, whose parameters are prepared once as arrays.

    Args:
        taxonomy, calibration: see `calibrated`.
    """

    def __init__(self, taxonomy: Taxonomy, calibration: Calibration) -> None:
        self._taxonomy = taxonomy
        self._is_fitted = bool(calibration)
        of_groups = [calibration.get(group, {}) for group in taxonomy.groups]
        self._scale, self._offset, self._rivals = (  # (A,) each
            np.array([values.get(name) or default for values in of_groups])[taxonomy.group_of]
            for name, default in DEFAULTS.items()
        )

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Logits -> probabilities, see `calibrated`."""
        if not self._is_fitted:
            return sigmoid(logits)
        exact = np.asarray(logits, dtype=np.float64)
        # The rivalry first, so that fewer arrays of this size are in memory at a time.
        return sigmoid(-self._rivals * rivalry(exact, self._taxonomy) + (self._scale * exact + self._offset))


def rivalry(logits: np.ndarray, taxonomy: Taxonomy | None = None) -> np.ndarray:
    """Evidence for the other labels of a group: log(1 + sum of exp over all but the label itself), (..., A).

    It is 0 if no other label is likely. Subtracting it in full (c = 1) gives the softmax over the group plus a "none of
    these" label with a logit of 0: mutually exclusive labels compete, and yet all may be unlikely.

    Args:
        logits: (..., A), float64.
        taxonomy: the A labels and their groups; None if all are of one group.
    """
    odds = np.exp(np.minimum(logits, LARGEST_LOGIT))
    of_others = (odds.sum(axis=-1, keepdims=True) if taxonomy is None else taxonomy.group_sums(odds)) - odds
    return np.log1p(np.maximum(of_others, 0, out=of_others), out=of_others)


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
