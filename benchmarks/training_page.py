"""The tables of the training benchmark, as Markdown."""

import statistics
import textwrap
from collections.abc import Sequence
from typing import Any

from benchmarks.document import table
from benchmarks.input_pipeline import NO_HUE, NORMALIZED, OURS, RESIZED_FIRST, SEED, SEED_NO_HUE

# What is to be reached: images a second of which over which, and at least how many times as many.
RATIOS = (
    (OURS, SEED, 3.0),
    (NORMALIZED, SEED, None),
    (OURS, RESIZED_FIRST, None),
    (NO_HUE, SEED_NO_HUE, None),
)
LEAST_OF_STEP = 0.95  # of the speed that the step has on batches in memory

METHOD = """\
`make bench-training` draws {photographs} JPEG photographs of garments (seven of ten 600x600 px, the others 480x480 to
800x800; median {kilobytes} KB) and loads them in batches of {batch_size} at {size}x{size} px: decode, color jitter
(brightness, contrast and saturation 0.2, hue 0.1), mirror images, resize, batch. Every pipeline is a `DataLoader` in
one process and one thread; they are measured in turn, in {rounds} rounds, by the processor time they take. Figures are
medians over the rounds, with the least and the most in parentheses; ratios are taken within a round.

The seed's pipeline is written anew from its description: Pillow and torchvision's transforms, the jitter in PIL at the
photograph's own size, then the resize, `ToTensor` and `Normalize` (`benchmarks/seed_pipeline.py`). This project's makes
bytes, which the network normalizes on its device; "normalized too" adds that. Hue is turned on the circle of HSV by
both, with the same result but for the steps it is taken in, 1/384 of the circle here, 1/256 in Pillow
(`tests/test_color.py`)."""

STEPS = """\
The whole training step of a ResNet50 with 228 labels ({step}) on photographs that the loader's processes make ready
meanwhile, and on batches that lie in the device's memory; time of day."""


def section(results: dict[str, Any]) -> str:
    """The Markdown that goes into the page, of what `benchmarks.training.measure` returns."""
    parts = [_filled(METHOD, results), "![Images a second of the pipelines and of the step](img/training.png)"]
    parts += [tables(results)]
    if results["settings"]["device"] == "cpu":
        parts += ["The same command on a machine with a GPU measures the step at 224 and 512 px; that was not run."]
    return "\n\n".join(["## Training", *parts, f"Machine: {results['machine']}."])


def tables(results: dict[str, Any]) -> str:
    """All tables, each with a line that says what it holds."""
    parts = [
        ("What was to be reached; bold where it was.", _goals(results)),
        ("Images a second of processor time: what one core makes ready.", _pipelines(results)),
        ("Where this project's time goes.", _stages(results)),
        (_filled(STEPS, results), _steps(results)),
    ]
    return "\n\n".join(f"{title}\n\n{content}" for title, content in parts)


def ratios(results: dict[str, Any], name: str, other: str) -> list[float]:
    """Images a second of one pipeline over those of another, within each round: a slow minute then hits both."""
    pipelines = results["pipelines"]
    return [one / two for one, two in zip(pipelines[name], pipelines[other], strict=True)]


def _goals(results: dict[str, Any]) -> str:
    titles = results["titles"]
    rows = []
    for name, other, least in RATIOS:
        values = ratios(results, name, other)
        text = _bold(_spread(values, 2), least is not None and statistics.median(values) >= least)
        rows.append([f"images/s: {titles[name]} / {titles[other]}", f"≥ {least:g}" if least else "-", text])
    for size, cells in _by_size(results).items():
        values = [cell["ratio"] for cell in cells]
        text = _bold(_spread(values, 2), statistics.median(values) >= LEAST_OF_STEP)
        rows.append([f"training step at {size} px: photographs / in memory", f"≥ {LEAST_OF_STEP:g}", text])
    return table(["what", "wanted", "measured"], rows)


def _pipelines(results: dict[str, Any]) -> str:
    rows = [
        [results["titles"][name], _spread(rates), f"{1000 / statistics.median(rates):.1f}"]
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
        rows.append([size, cells[0]["batch_size"], *map(_spread, columns), _spread([c["ratio"] for c in cells], 2)])
    return table(["px", "batch", "photographs, images/s", "in memory, images/s", "ratio"], rows)


def _by_size(results: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    sizes = dict.fromkeys(cell["size"] for cell in results["steps"])
    return {size: [cell for cell in results["steps"] if cell["size"] == size] for size in sizes}


def _filled(text: str, results: dict[str, Any]) -> str:
    return "\n\n".join(textwrap.fill(part, 120) for part in text.format(**results["settings"]).split("\n\n"))


def _bold(text: str, reached: bool) -> str:
    return f"**{text}**" if reached else text


def _spread(values: Sequence[float], digits: int = 1) -> str:
    middle, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"
