"""The plot of `make soak`: memory of the server's processes against the number of requests.

python -m benchmarks.plot_soak runs/bench-soak/results.json docs/img/soak.png
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

COLORS = {"workers": "#1d4ed8", "java": "#c2410c"}


def draw(result: dict[str, Any]) -> Figure:
    """A line for each kind of process, and the band in which it is to stay."""
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
    axes.set_xlabel("requests")
    axes.set_ylabel("resident memory, MB")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=2, loc="lower right", title=f"bands: allowed after {settled:,} requests")
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot_soak", description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, help="written by benchmarks.soak")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(json.loads(options.results.read_text(encoding="utf-8"))).savefig(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
