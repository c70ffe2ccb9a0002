"""Which learning rate a search suggests, by the loss at rates that rise from step to step."""

from collections.abc import Sequence

import numpy as np

LR_STEPS = 100
FIRST = 10  # steps, at rates that change nothing: their loss is that of the weights that were begun with
LEAST_FALL = 0.05  # of that loss; what falls less is noise
BELOW_LOWEST = 10  # the rate at which the loss is lowest is near the one at which it breaks out


def suggested_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A tenth of the rate at which the loss was lowest; None where it did not fall.

    As fast.ai's `lr_find` has it, after Smith 2017, "Cyclical Learning Rates" (arXiv:1506.01186), 3.3. Lightning's own
    suggestion is the steepest fall, a difference of two losses: on few images that is as soon found among the first
    rates, in noise.

    Args:
        rates: of the steps, rising.
        losses: at them, smoothed.
    """
    values = np.nan_to_num(np.asarray(losses, dtype=float), nan=np.inf)
    if len(values) <= FIRST:
        return None
    begun = float(np.median(values[:FIRST]))
    lowest = int(values.argmin())
    if not np.isfinite(begun) or values[lowest] > (1 - LEAST_FALL) * begun:
        return None
    return float(rates[lowest]) / BELOW_LOWEST
