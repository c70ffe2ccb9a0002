"""The plots of a report, each as two PNGs: for a light and a dark page background.

Plots contain no names of groups and labels: the page shows them beside the plot, in any script.
"""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion.pictures.pages import THEMES, Theme, style_axes

SMALL, LARGE = (2.5, 2.2), (5.0, 3.5)  # inches
_DPI = 200


def draw_curve(
    folder: Path,
    name: str,
    curve: dict[str, Any],
    point: tuple[float | None, float | None],
    reference: dict[str, Any] | None = None,
    size: tuple[float, float] = SMALL,
) -> None:
    """Draw a precision-recall curve, with a dot at the operating point of the profile.

    Args:
        folder: to write `NAME-light.png` and `NAME-dark.png` into.
        name: of the plot.
        curve: see `training.report.curves.precision_recall`.
        point: recall and precision of the profile.
        reference: another curve, drawn thin behind.
        size: width and height, inches.
    """
    at, height = point
    for theme in THEMES:
        figure, axes = _square(theme, size, "recall", "precision")
        if reference is not None:
            axes.plot(reference["recall"], reference["precision"], color=theme.soft, linewidth=1.2)
        recall, precision = curve["recall"], curve["precision"]
        axes.plot([0, *recall], [precision[0], *precision], color=theme.line, linewidth=1.8)
        if at is not None and height is not None:
            axes.plot(
                [at], [height], "o", color=theme.mark, markersize=5.5, markeredgecolor=theme.ground, clip_on=False
            )
        _save(figure, folder, name, theme)


def draw_reliability(folder: Path, name: str, bins: dict[str, Any], size: tuple[float, float] = SMALL) -> None:
    """Draw a reliability diagram: the share of right answers against the predicted probability, one dot per bin.

    Args:
        folder: to write `NAME-light.png` and `NAME-dark.png` into.
        name: of the plot.
        bins: see `training.report.reliability.binned`.
        size: width and height, inches.
    """
    for theme in THEMES:
        figure, axes = _square(theme, size, "probability", "share right")
        axes.plot([0, 1], [0, 1], color=theme.soft, linewidth=1.2)
        for confidence, right in zip(bins["confidence"], bins["right"], strict=True):
            axes.plot([confidence, confidence], [confidence, right], color=theme.mark, linewidth=1.6, alpha=0.75)
        axes.plot(bins["confidence"], bins["right"], "o-", color=theme.line, linewidth=1.4, markersize=4, clip_on=False)
        _save(figure, folder, name, theme)


def files(name: str) -> dict[str, str]:
    """The file of a plot for each theme."""
    return {theme.name: f"{name}-{theme.name}.png" for theme in THEMES}


def _square(theme: Theme, size: tuple[float, float], across: str, up: str) -> tuple[Figure, Axes]:
    """Axes from 0 to 1 in both directions."""
    figure = Figure(figsize=size, dpi=_DPI, facecolor=theme.ground)
    left, bottom = 0.5 / size[0], 0.4 / size[1]
    axes = figure.add_axes(
        (left, bottom, 1 - left - 0.12 / size[0], 1 - bottom - 0.1 / size[1]), facecolor=theme.ground
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.0))
    ticks = (0, 0.25, 0.5, 0.75, 1)
    axes.set_xticks(ticks, ["0", "", "0.5", "", "1"])
    axes.set_yticks(ticks, ["0", "", "0.5", "", "1"])
    axes.set_xlabel(across, color=theme.ink, fontsize=8.5, labelpad=2)
    axes.set_ylabel(up, color=theme.ink, fontsize=8.5, labelpad=2)
    style_axes(axes, theme)
    return figure, axes


def _save(figure: Figure, folder: Path, name: str, theme: Theme) -> None:
    figure.savefig(folder / files(name)[theme.name], facecolor=theme.ground)
