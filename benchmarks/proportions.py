"""Shares with confidence intervals, as cells of tables."""

import numpy as np

from fashion.profiles.bootstrap import Interval

Z = 1.959964  # 97.5th percentile of the standard normal distribution


def wilson(yes: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, "Probable Inference, the Law of Succession").

    It is not empty for none or all either: 0 of 100 gives 0 to 3.7 %.

    Args:
        yes: number of successes.
        of: number of trials, at least 1.
    """
    share = yes / of
    middle = share + Z**2 / (2 * of)
    spread = Z * np.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return max(0.0, float((middle - spread) / (1 + Z**2 / of))), min(1.0, float((middle + spread) / (1 + Z**2 / of)))


def decimal_cell(value: float | None, interval: Interval | tuple[float, float] = None) -> str:
    """A share as 0.912, with its interval if there is one; - if it is undefined."""
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def percent_cell(yes: int, of: int) -> str:
    """A share as 91.2 % with its interval; - without trials."""
    if not of:
        return "-"
    low, high = wilson(yes, of)
    return f"{yes / of:.1%} ({low:.1%} to {high:.1%})"
