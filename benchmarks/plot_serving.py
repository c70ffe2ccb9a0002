"""The plot of the serving benchmark: images a second and p50 against the number of clients."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.cells import Results, percentile, pooled, rate
from benchmarks.plots import dress

COLORS = {"shipped": "#1d4ed8", "app": "#0891b2", "fastapi": "#c2410c", "litserve": "#a16207", "stock": "#6b7280"}
LIMITS = {
    "inference": ("--", "in process: inference only, one at a time"),
    "each": (":", "in process: decode, resize and inference, lists of 16"),
}


def draw(results: Results) -> Figure:
    """Two panels: throughput with the range over the rounds, and the median latency."""
    figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
    rates, latencies = figure.subplots(1, 2)
    for name, color in COLORS.items():
        points = [(at, cells) for at in results.concurrencies if (cells := results.cells_of(name, at))]
        if not points:
            continue
        clients = [at for at, _ in points]
        wide = 2.6 if name == "shipped" else 1.6
        line = {
            "color": color,
            "marker": "o",
            "markersize": 4,
            "linewidth": wide,
            "label": results.titles[name].replace("`", ""),
        }
        rates.plot(clients, [rate(cells) for _, cells in points], **line)
        lows, highs = zip(
            *((min(c.rate for c in cells), max(c.rate for c in cells)) for _, cells in points), strict=True
        )
        rates.fill_between(clients, lows, highs, color=color, alpha=0.15, linewidth=0)
        latencies.plot(clients, [percentile(pooled(cells), 0.5) for _, cells in points], **line)
    for name, (style, label) in LIMITS.items():
        if cells := results.cells_of(name):
            rates.axhline(rate(cells), color="#111827", linestyle=style, linewidth=1, label=label)
    _label(rates, results.concurrencies, "images/s")
    rates.set_ylim(bottom=0)
    _label(latencies, results.concurrencies, "p50 until the answer, ms")
    latencies.set_yscale("log")
    latencies.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    latencies.yaxis.set_minor_locator(NullLocator())
    latencies.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.legend(*rates.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def _label(axes: Axes, concurrencies: Sequence[int], what: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(concurrencies, [str(at) for at in concurrencies])
    dress(axes, "clients at the same time", what)
