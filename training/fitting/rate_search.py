"""Suggested learning rate of a range test: losses at rates that rise from step to step."""

from collections.abc import Sequence

import numpy as np

LR_STEPS = 100
FIRST = 10  # first steps, whose rates are too low to matter: their loss is that of the initial weights
LEAST_FALL = 0.05  # smallest relative fall of the loss that is not noise
BELOW_LOWEST = 10  # divisor: the rate with the lowest loss is close to divergence


def suggested_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A tenth of the rate with the lowest loss; None if the loss did not fall.

    As in fast.ai's `lr_find`, after Smith 2017, "Cyclical Learning Rates" (arXiv:1506.01186), 3.3. Lightning's own
    suggestion is the rate of the steepest fall between two losses: with few images that is often noise at the lowest
    rates.

    Args:
        rates: learning rate of each step, rising.
        losses: smoothed loss of each step.
    """
    values = np.nan_to_num(np.asarray(losses, dtype=float), nan=np.inf)
    if len(values) <= FIRST:
        return None
    begun = float(np.median(values[:FIRST]))
    lowest = int(values.argmin())
    if not np.isfinite(begun) or values[lowest] > (1 - LEAST_FALL) * begun:
        return None
    return float(rates[lowest]) / BELOW_LOWEST
