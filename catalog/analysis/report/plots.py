"""Draw the plots of trends and comparisons, each as two PNGs for the light and the dark theme.

If the plots' font lacks a letter of a name, its number in the table is drawn instead; the browser can render the name.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import matplotlib.dates as mdates
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from catalog.analysis.comparison import ComparedShare
from catalog.analysis.label_trends import LabelTrend
from fashion.pictures.pages import THEMES, Theme, style_axes

TREND_SIZE, BAR_HEIGHT, BARS_WIDTH = (3.4, 2.1), 0.3, 5.2  # inches, without the names
LETTER, LONGEST = 0.072, 34  # inches per letter of a name, and maximum number of letters before truncation
_DPI = 160


def draw_trend(folder: Path, name: str, label: LabelTrend, starts: Sequence[date]) -> None:
    """Draw a label's share by period as dots with intervals, and the trend line if the trend is significant.

    Args:
        folder: to write `NAME-light.png` and `NAME-dark.png` into.
        name: of the plot.
        label: the label's trend.
        starts: first day of each period.
    """
    known = [(start, *values) for start, *values in zip(starts, label.shares, label.low, label.high, strict=True)]
    known = [values for values in known if values[1] is not None]
    days, shares, low, high = (list(column) for column in zip(*known, strict=True))
    places = mdates.date2num(days)
    for theme in THEMES:
        figure, axes = _axes(theme, TREND_SIZE, left=0.55, bottom=0.3)
        axes.vlines(places, low, high, color=theme.soft, linewidth=2.2)
        axes.plot(places, shares, "o", color=theme.line, markersize=3.6, clip_on=False)  # do not clip dots at 0
        if label.growth and label.trend:
            axes.plot(places[[0, -1]], [label.growth.first, label.growth.last], color=theme.mark, linewidth=1.8)
        axes.set_ylim(0, min(1, max(high) * 1.05))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if max(high) > 0.1 else 1))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        locator = mdates.AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))
        figure.savefig(folder / files(name)[theme.name], facecolor=theme.ground)


def draw_differences(folder: Path, name: str, rows: Sequence[ComparedShare]) -> None:
    """Draw differences of shares with intervals, in percentage points, from top to bottom."""
    names = [drawable(row.name_in_group, place + 1) for place, row in enumerate(rows)]
    left = 0.15 + LETTER * max(map(len, names))
    size = BARS_WIDTH + left, BAR_HEIGHT * len(rows) + 0.5
    for theme in THEMES:
        figure, axes = _axes(theme, size, left=left, bottom=0.4)
        axes.axvline(0, color=theme.soft, linewidth=1)
        for place, row in enumerate(rows):
            color = theme.line if row.more == 0 else theme.mark
            low, high = row.interval
            axes.hlines(-place, 100 * low, 100 * high, color=color, linewidth=2.2, alpha=0.5)
            axes.plot([100 * row.difference], [-place], "o", color=color, markersize=5)
            axes.annotate(
                names[place], (0.0, -place), xycoords=("axes fraction", "data"), xytext=(-6, 0), va="center",
                ha="right", textcoords="offset points", fontsize=8, color=theme.ink,
            )  # fmt: skip
        axes.set_yticks([])
        axes.set_ylim(-len(rows) + 0.4, 0.6)
        axes.set_xlabel("percentage points", color=theme.ink, fontsize=8.5, labelpad=2)
        figure.savefig(folder / files(name)[theme.name], facecolor=theme.ground)


def drawable(name: str, place: int) -> str:
    """A name for a plot: truncated if it is long, or `place` if the font lacks a letter."""
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    if any(ord(letter) not in font.get_charmap() for letter in name):
        return str(place)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def files(name: str) -> dict[str, str]:
    """The file names of a plot by theme."""
    return {theme.name: f"{name}-{theme.name}.png" for theme in THEMES}


def _axes(theme: Theme, size: tuple[float, float], left: float, bottom: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=_DPI, facecolor=theme.ground)
    width, height = 1 - (left + 0.15) / size[0], 1 - (bottom + 0.1) / size[1]
    axes = figure.add_axes((left / size[0], bottom / size[1], width, height), facecolor=theme.ground)
    style_axes(axes, theme)
    return figure, axes
