"""What the plots of the benchmarks have in common: a command that draws a file of results, and how axes look."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def dress(axes: Axes, x: str, y: str) -> None:
    """Name the axes, and leave nothing else but a faint grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def run(draw: Callable[[Path], Figure], module: str, arguments: Sequence[str] | None = None) -> int:
    """Draw a file of results as the command line of `benchmarks.MODULE` asks; the exit status.

    Args:
        draw: the figure of a file of results.
        module: whose command it is.
        arguments: of the command line; default is the program's own.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description="Draw a plot of results.")
    parser.add_argument("results", type=Path, help="the results.json that the benchmark wrote")
    parser.add_argument("out", type=Path, help="the picture to write; its ending says of which kind")
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(options.results).savefig(options.out)
    return 0
