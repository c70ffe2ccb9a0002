"""The tables of the training benchmark, as Markdown."""

import statistics
import textwrap
from collections.abc import Iterator
from typing import Any

from benchmarks.document import bold, spread, table
from benchmarks.input_pipeline import NO_HUE, NORMALIZED, OURS, RESIZED_FIRST, SEED, SEED_NO_HUE
from benchmarks.targets import TargetResult

# Goals: minimum ratios of images a second between two pipelines.
RATIOS = (
    (OURS, SEED, 3.0),
    (NORMALIZED, SEED, None),
    (OURS, RESIZED_FIRST, None),
    (NO_HUE, SEED_NO_HUE, None),
)
LEAST_OF_STEP = 0.95  # of the step's speed with batches in memory

METHOD = """\
`make bench-training` draws {photographs} JPEG photographs of garments (seven of ten 600x600 px, the others 480x480 to
800x800; median {kilobytes} KB) and loads them in batches of {batch_size} at {size}x{size} px: decode, color jitter
(brightness, contrast and saturation 0.2, hue 0.1), mirror images, resize, batch. Every pipeline is a `DataLoader` in
one process and one thread; they are measured in turn, in {rounds} rounds, by their processor time. Figures are
medians over the rounds, with minimum and maximum in parentheses; ratios are computed within a round.

The seed's pipeline is re-implemented from its description: Pillow and torchvision's transforms, the jitter in PIL at
the photograph's own size, then the resize, `ToTensor` and `Normalize` (`benchmarks/seed_pipeline.py`). This project's
delivers uint8 batches, which the network normalizes on its device; "normalized too" includes that step. Both rotate the
hue in HSV, with the same result except for the resolution, 1/384 of the circle here, 1/256 in Pillow
(`tests/test_color.py`)."""

STEPS = """\
The whole training step of a ResNet50 with 228 labels ({step}) on photographs that the loader's processes prepare
meanwhile, and on batches in the device's memory; wall-clock time."""


def section(results: dict[str, Any]) -> str:
    """The Markdown for the page, of the results of `benchmarks.training.measure`."""
    parts = [_filled(METHOD, results), "![Images a second of the pipelines and of the step](img/training.png)"]
    parts += [tables(results)]
    if results["settings"]["device"] == "cpu":
        parts += ["The same command on a machine with a GPU measures the step at 224 and 512 px; that was not run."]
    return "\n\n".join(["## Training", *parts, f"Machine: {results['machine']}."])


def tables(results: dict[str, Any]) -> str:
    """All tables, each with a title line."""
    parts = [
        ("Goals; bold where met.", _goal_table(results)),
        ("Images per second of processor time, that is per core.", _pipelines(results)),
        ("Where this project's time goes.", _stages(results)),
        (_filled(STEPS, results), _steps(results)),
    ]
    return "\n\n".join(f"{title}\n\n{content}" for title, content in parts)


def targets(results: dict[str, Any]) -> list[TargetResult]:
    """The goals with a limit."""
    found = []
    for what, values, least in _goals(results):
        if least is not None:
            ratio = statistics.median(values)
            found.append(TargetResult(what, f"≥ {least:g}", f"{ratio:.2f}", ratio >= least))
    return found


def ratios(results: dict[str, Any], name: str, other: str) -> list[float]:
    """Ratios of images a second of two pipelines within each round, so that a slow minute affects both."""
    pipelines = results["pipelines"]
    return [one / two for one, two in zip(pipelines[name], pipelines[other], strict=True)]


def _goals(results: dict[str, Any]) -> Iterator[tuple[str, list[float], float | None]]:
    """What each goal is about, its ratios in each round, and their minimum; None where they are reported only."""
    titles = results["titles"]
    for name, other, least in RATIOS:
        yield f"images/s: {titles[name]} / {titles[other]}", ratios(results, name, other), least
    for size, cells in _by_size(results).items():
        what = f"training step at {size} px: photographs / in memory"
        yield what, [cell["ratio"] for cell in cells], LEAST_OF_STEP


def _goal_table(results: dict[str, Any]) -> str:
    rows = []
    for what, values, least in _goals(results):
        reached = least is not None and statistics.median(values) >= least
        rows.append([what, f"≥ {least:g}" if least else "-", bold(spread(values, 2), reached)])
    return table(["what", "wanted", "measured"], rows)


def _pipelines(results: dict[str, Any]) -> str:
    rows = [
        [results["titles"][name], spread(rates), f"{1000 / statistics.median(rates):.1f}"]
        for name, rates in results["pipelines"].items()
    ]
    return table(["pipeline", "images/s", "ms each"], rows)


def _stages(results: dict[str, Any]) -> str:
    whole = 1000 / statistics.median(results["pipelines"][OURS])
    stages = results["stages"]
    rest = max(0.0, whole - sum(stages.values()))
    rows = [[name, f"{value:.1f}"] for name, value in stages.items()]
    return table(
        ["stage", "ms each"], [*rows, ["reading the row, mirror images, copies, targets, batch", f"{rest:.1f}"]]
    )


def _steps(results: dict[str, Any]) -> str:
    rows = []
    for size, cells in _by_size(results).items():
        columns = ([cell[name] for cell in cells] for name in ("real", "memory"))
        rows.append([size, cells[0]["batch_size"], *map(spread, columns), spread([c["ratio"] for c in cells], 2)])
    return table(["px", "batch", "photographs, images/s", "in memory, images/s", "ratio"], rows)


def _by_size(results: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    sizes = dict.fromkeys(cell["size"] for cell in results["steps"])
    return {size: [cell for cell in results["steps"] if cell["size"] == size] for size in sizes}


def _filled(text: str, results: dict[str, Any]) -> str:
    return "\n\n".join(textwrap.fill(part, 120) for part in text.format(**results["settings"]).split("\n\n"))
