"""The style of axes in the plots of the benchmarks."""

from matplotlib.axes import Axes


def dress(axes: Axes, x: str, y: str) -> None:
    """Label the axes, and remove everything except a faint grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
