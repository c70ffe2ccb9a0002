"""The plot of the training benchmark: input pipelines per core, and the training step with and without loading."""

import statistics
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, THEIRS = "#1d4ed8", "#9ca3af"
GOAL = 3  # times the seed's images a second


def draw(results: dict[str, Any]) -> Figure:
    """Two panels of bars, each with the range over its rounds."""
    figure = Figure(figsize=(11, 3.8), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    pipelines, titles = results["pipelines"], results["titles"]
    names = list(pipelines)
    colors = [OURS if titles[name].startswith("this") else THEIRS for name in names]
    _bars(left, [titles[name] for name in names], [pipelines[name] for name in names], colors)
    goal = GOAL * statistics.median(pipelines["seed"])
    left.axvline(goal, color="#111827", linestyle="--", linewidth=1, label=f"{GOAL} times the seed's")
    left.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    left.set_xlabel(f"images/s a core, {results['settings']['size']} px")
    labels, values = [], []
    for size in dict.fromkeys(cell["size"] for cell in results["steps"]):
        cells = [cell for cell in results["steps"] if cell["size"] == size]
        labels += [f"{size} px, in memory", f"{size} px, photographs"]
        values += [[cell[name] for cell in cells] for name in ("memory", "real")]
    _bars(right, labels, values, [THEIRS, OURS] * (len(labels) // 2))
    right.set_xlabel("images/s of the whole training step")
    return figure


def _bars(axes: Axes, labels: list[str], rates: list[list[float]], colors: list[str]) -> None:
    """One bar for each, from the top down: the median, and a line from minimum to maximum."""
    middles = [statistics.median(values) for values in rates]
    spans = [
        [middle - min(values) for middle, values in zip(middles, rates, strict=True)],
        [max(values) - middle for middle, values in zip(middles, rates, strict=True)],
    ]
    axes.barh(labels, middles, color=colors, xerr=spans, error_kw={"linewidth": 1, "capsize": 3})
    for i, (middle, values) in enumerate(zip(middles, rates, strict=True)):
        axes.annotate(f"{middle:.1f}", (max(values), i), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.18 * max(max(values) for values in rates))
    axes.set_ylim(max(len(labels), 4) - 0.5, -0.5)  # keep few bars thin
    axes.grid(alpha=0.25, axis="x")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
