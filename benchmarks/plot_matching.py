"""Plot of `benchmarks.matching`: query time by number of products."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmarks.plots import dress

WAYS = {
    "catalog.search": ("ours", "default"),
    "catalog.search, filter of 1 %": ("ours", "default, filter of 1 %"),
    "catalog.search, exact": ("ours", "exact"),
    "seed's way in torch": ("torch", "all"),
    "FAISS, HNSW": ("faiss", "all"),
}


def draw(results: Sequence[dict[str, Any]]) -> Figure:
    """A line for each method: the 99th percentile of its query times."""
    figure = Figure(figsize=(7, 4), layout="constrained", dpi=110)
    axes = figure.subplots()
    for name, (who, what) in WAYS.items():
        found = [(each["size"], each[who]["times"][what]["p99"]) for each in results if who in each]
        if found:
            axes.loglog(*zip(*found, strict=True), marker="o", label=name)
    dress(axes, "products", "query time, p99, ms")
    axes.legend(frameon=False, fontsize=8)
    return figure
