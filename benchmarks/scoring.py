"""How fast catalog.score is beside the engine alone: the same photographs, in turn, in this process and through Ray.

    python -m benchmarks.scoring BUNDLE [--images 512] [--rounds 3]

It writes the section `rate` of docs/scoring.md.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import machine
from benchmarks.document import table, write_section
from benchmarks.photographs import COUNT, photographs
from catalog.scoring.cluster import LOCAL, connected, score_with_ray
from catalog.scoring.scorer import BATCH, Scoring
from catalog.scoring.source import ListedSource, Piece, rows_table
from fashion.model_card import ModelCard
from fashion.predictor import Predictor

FOLDER = Path("data/bench-photographs")
PAGE = Path("docs/scoring.md")


def in_process(predictor: Predictor, paths: Sequence[Path]) -> float:
    """Photographs a second of `Predictor.predict_each`, in lists as long as the steps of the scoring."""
    start = time.perf_counter()
    for first in range(0, len(paths), BATCH):
        predictor.predict_each(list(paths[first : first + BATCH]))
    return len(paths) / (time.perf_counter() - start)


def through_ray(scoring: Scoring, pieces: Sequence[Piece]) -> tuple[float, float]:
    """Photographs a second of a scoring from its first answer on, and the seconds until then."""
    start = first = time.perf_counter()
    counted = -1
    for scored in score_with_ray(scoring, pieces):
        if counted < 0:
            first, counted = time.perf_counter(), 0
        else:
            counted += len(scored)
    return counted / (time.perf_counter() - first), first - start


def rounds(scoring: Scoring, paths: Sequence[Path], count: int) -> Iterator[tuple[float, float, float]]:
    """Both rates, and the seconds that the scoring took to begin, of each round."""
    names = [str(i) for i in range(len(paths))]
    source = ListedSource("benchmark", Path(), (), rows_table(names, names, [str(path) for path in paths]))
    pieces = list(source.pieces(np.arange(len(paths)), BATCH))
    predictor = Predictor.from_bundle(scoring.bundle, scoring.engine)
    in_process(predictor, paths[:BATCH])  # warm
    with connected(LOCAL):
        for _ in range(count):
            yield in_process(predictor, paths), *through_ray(scoring, pieces)


def section(found: Sequence[tuple[float, float, float, float]], size: int, images: int, engine: str) -> str:
    """The Markdown that goes into the page: a row for each round, and the medians."""
    rows = [[str(i + 1), *_cells(values)] for i, values in enumerate(found)]
    rows.append(["median", *_cells([median(column) for column in zip(*found, strict=True)])])
    header = ["round", "in process, images/s", "catalog.score, images/s", "ratio", "first answer after, s"]
    return (
        f"{table(header, rows)}\n\nThe same {images} JPEG photographs in turn, by `Predictor.predict_each` in one "
        f"process and through Ray, from its first answer on; ResNet50 at {size}x{size} px, {engine}. Machine: "
        f"{machine.describe()}. Measured by\n\n    python -m benchmarks.scoring BUNDLE\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each round, and write all of them into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--images", type=int, default=8 * BATCH, help="of one round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--engine", default="int8", help="(%(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(%(default)s)")
    options = parser.parse_args(arguments)
    photographs(FOLDER)
    files = sorted(FOLDER.absolute().glob("*.jpg"))[:COUNT]
    paths = [files[i % len(files)] for i in range(max(2 * BATCH, options.images))]
    scoring = Scoring(str(options.bundle.absolute()), str(FOLDER.absolute()), options.engine)
    print("in process  catalog.score  ratio  first answer after")
    found = []
    for alone, scored, begins in rounds(scoring, paths, options.rounds):
        found.append((alone, scored, scored / alone, begins))
        print("  ".join(_cells(found[-1])), flush=True)
    size = ModelCard.load(options.bundle).input.size
    write_section("rate", section(found, size, len(paths), options.engine), options.page)
    print(f"wrote  {options.page}")
    return 0


def _cells(values: Sequence[float]) -> list[str]:
    alone, scored, ratio, begins = values
    return [f"{alone:.1f}", f"{scored:.1f}", f"{ratio:.3f}", f"{begins:.1f}"]


if __name__ == "__main__":
    raise SystemExit(main())
