"""Shared by the plots of the benchmarks: the command that plots a results file, and the style of axes."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def dress(axes: Axes, x: str, y: str) -> None:
    """Label the axes, and remove everything except a faint grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def run(draw: Callable[[Path], Figure], module: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command line of `benchmarks.MODULE`, which plots a results file; returns the exit status.

    Args:
        draw: makes the figure of a results file.
        module: name of the command's module.
        arguments: of the command line; default is the program's own.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description="Draw a plot of results.")
    parser.add_argument("results", type=Path, help="the results.json that the benchmark wrote")
    parser.add_argument("out", type=Path, help="the picture to write; its ending says of which kind")
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(options.results).savefig(options.out)
    return 0
