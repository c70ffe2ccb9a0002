"""Shares with their intervals, as the tables of measured pages show them."""

import numpy as np

from fashion.profiles.bootstrap import Interval

Z = 1.959964  # standard deviations that the middle 95 % of a normal distribution reach to either side


def wilson(yes: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, "Probable Inference, the Law of Succession").

    It says something of none and of all too: of 0 of 100 from 0 to 3.7 %.

    Args:
        yes: how many.
        of: of how many, at least 1.
    """
    share = yes / of
    middle = share + Z**2 / (2 * of)
    spread = Z * np.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return max(0.0, float((middle - spread) / (1 + Z**2 / of))), min(1.0, float((middle + spread) / (1 + Z**2 / of)))


def decimal_cell(value: float | None, interval: Interval | tuple[float, float] = None) -> str:
    """A share as 0.912, with its interval where there is one; - where it is not defined."""
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def percent_cell(yes: int, of: int) -> str:
    """A share as 91.2 % with its interval; - of nothing."""
    if not of:
        return "-"
    low, high = wilson(yes, of)
    return f"{yes / of:.1%} ({low:.1%} to {high:.1%})"
