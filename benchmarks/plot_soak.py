"""The plot of `make soak`: memory of the server's processes against the number of requests."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.plots import dress

COLORS = {"workers": "#1d4ed8", "java": "#c2410c"}


def draw(path: Path) -> Figure:
    """A line for each kind of process, and its allowed band.

    Args:
        path: the results that `benchmarks.soak` saved.
    """
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    figure = Figure(figsize=(9, 3.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    requests, settled = result["requests"], result["settled"]
    for name, values in result["memory"].items():
        axes.plot(requests, values, color=COLORS[name], marker="o", markersize=2.5, linewidth=1.6, label=name)
        axes.fill_between(
            [settled, requests[-1]], *result["allowed"][name], color=COLORS[name], alpha=0.15, linewidth=0
        )
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    dress(axes, "requests", "resident memory, MB")
    axes.legend(frameon=False, ncols=2, loc="lower right", title=f"bands: allowed after {settled:,} requests")
    return figure
