"""Compare the speed of catalog.score with the engine alone: the same photographs, in this process and by the command.

    python -m benchmarks.scoring BUNDLE [--photographs FOLDER] [--images 512] [--rounds 3] [--address local]

It writes the section `rate` of docs/scoring.md. The command's time is that of its whole process.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.document import table, write_section
from benchmarks.footprint import spent
from benchmarks.photographs import COUNT, photographs
from benchmarks.targets import TargetResult, save_targets
from catalog.scoring.scorer import BATCH
from fashion.image_files import image_files
from fashion.model_card import ModelCard
from fashion.predictor import Predictor

FOLDER = Path("data/bench-photographs")
PAGE = Path("docs/scoring.md")
GOAL = 0.9


def in_process(predictor: Predictor, paths: Sequence[Path]) -> tuple[float, float]:
    """Wall-clock and processor seconds of `Predictor.predict_each`, in lists as long as the steps of scoring."""
    clock, processor = time.perf_counter(), time.process_time()
    for first in range(0, len(paths), BATCH):
        predictor.predict_each(list(paths[first : first + BATCH]))
    return time.perf_counter() - clock, time.process_time() - processor


def by_command(bundle: Path, list_file: Path, engine: str, address: str | None) -> tuple[float, float]:
    """The same for the whole command; the processor time of Ray's workers is unknown."""
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [sys.executable, "-m", "catalog.score", bundle, list_file, "--out", f"{folder}/out"]
        command += ["--engine", engine, *(["--address", address] if address else [])]
        return spent(command)


def rounds(
    bundle: Path, engine: str, paths: Sequence[Path], count: int, address: str | None
) -> Iterator[tuple[float, float, float, float]]:
    """Photographs a second of both, and the command's relative speed by wall-clock and by processor time."""
    predictor = Predictor.from_bundle(bundle, engine)
    in_process(predictor, paths[:BATCH])  # warm
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "catalog.csv"
        lines = [f"{i},{path.absolute()}" for i, path in enumerate(paths)]
        listed.write_text("\n".join(["id,image", *lines]) + "\n", encoding="utf-8")
        for _ in range(count):
            alone, command = in_process(predictor, paths), by_command(bundle, listed, engine, address)
            yield (len(paths) / alone[0], len(paths) / command[0], alone[0] / command[0], alone[1] / command[1])


def section(found: Sequence[tuple[float, float, float, float]], what: str, ray: bool) -> str:
    """The Markdown that goes into the page: a row for each round, and the medians."""
    rows = [[str(i + 1), *_cells(values)] for i, values in enumerate(found)]
    rows.append(["median", *_cells([median(column) for column in zip(*found, strict=True)])])
    header = ["round", "in process, images/s", "catalog.score, images/s", "ratio", "ratio of processor time"]
    ratio = median(values[2] for values in found)
    return (
        f"{table(header, rows)}\n\n{what}, in turn by `Predictor.predict_each` in one process that is warm and by the "
        f"whole command, its start included{', with Ray' if ray else ''}. Goal: {GOAL}, "
        f"{'met' if ratio >= GOAL else 'missed'}. Machine: {machine.describe()}. Measured by\n\n"
        "    python -m benchmarks.scoring BUNDLE\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each round, and write all of them into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--photographs", type=Path, help="folder of some (default: drawn ones)")
    parser.add_argument("--images", type=int, default=512, help="of one round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--engine", default="int8", help="(%(default)s)")
    parser.add_argument("--address", help="of Ray, as of catalog.score (default: without)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(%(default)s)")
    options = parser.parse_args(arguments)
    if options.photographs is None:
        photographs(FOLDER)
    files = [Path(path) for path in image_files(options.photographs or FOLDER)]
    files = files if options.photographs else files[:COUNT]
    paths = [files[i % len(files)] for i in range(options.images)]
    print("in process  catalog.score  ratio  of processor time")
    found = []
    for values in rounds(options.bundle, options.engine, paths, options.rounds, options.address):
        found.append(values)
        print("  ".join(_cells(values)), flush=True)
    card = ModelCard.load(options.bundle)
    size = f"{card.input.size}x{card.input.size} px"
    what = f"The same {len(paths)} JPEG photographs; {card.arch} at {size}, {options.engine}"
    write_section("rate", section(found, what, options.address is not None), options.page)
    ratio = median(values[2] for values in found)
    name = f"photographs/s of catalog.score, {len(paths):,} photographs, / in process"
    save_targets("scoring", [TargetResult(name, f"≥ {GOAL:g}", f"{ratio:.2f}", ratio >= GOAL)])
    print(f"wrote  {options.page}")
    return 0


def _cells(values: Sequence[float]) -> list[str]:
    alone, command, ratio, processor = values
    return [f"{alone:.1f}", f"{command:.1f}", f"{ratio:.3f}", f"{processor:.3f}"]


if __name__ == "__main__":
    raise SystemExit(main())
