"""How fast catalog.score is beside the engine alone: the same photographs, in turn, in this process and through Ray.

python -m benchmarks.scoring BUNDLE [--images 512] [--rounds 3]
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import machine
from benchmarks.photographs import COUNT, photographs
from catalog.cluster import LOCAL, connected, score_with_ray
from catalog.scorer import BATCH, Scoring
from catalog.source import InMemory, Piece, rows_table
from fashion.predictor import Predictor

FOLDER = Path("data/bench-photographs")


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
    for table in score_with_ray(scoring, pieces):
        if counted < 0:
            first, counted = time.perf_counter(), 0
        else:
            counted += len(table)
    return counted / (time.perf_counter() - first), first - start


def rounds(scoring: Scoring, paths: Sequence[Path], count: int) -> Iterator[tuple[float, float, float]]:
    """Both rates, and the seconds that the scoring took to begin, of each round."""
    names = [str(i) for i in range(len(paths))]
    source = InMemory("benchmark", Path(), (), rows_table(names, names, [str(path) for path in paths]))
    pieces = list(source.pieces(np.arange(len(paths)), BATCH))
    predictor = Predictor.from_bundle(scoring.bundle, scoring.engine)
    in_process(predictor, paths[:BATCH])  # warm
    with connected(LOCAL):
        for _ in range(count):
            yield in_process(predictor, paths), *through_ray(scoring, pieces)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each round, and the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--images", type=int, default=8 * BATCH, help="of one round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--engine", default="int8")
    options = parser.parse_args(arguments)
    photographs(FOLDER)
    files = sorted(FOLDER.absolute().glob("*.jpg"))[:COUNT]
    paths = [files[i % len(files)] for i in range(max(2 * BATCH, options.images))]
    scoring = Scoring(str(options.bundle.absolute()), str(FOLDER.absolute()), options.engine)
    print(machine.describe())
    print("images a second:  in process   catalog.score   ratio   begins after")
    found = []
    for alone, scored, begins in rounds(scoring, paths, options.rounds):
        found.append((alone, scored, scored / alone, begins))
        _print("", found[-1])
    _print("median", [median(column) for column in zip(*found, strict=True)])
    return 0


def _print(name: str, values: Sequence[float]) -> None:
    print(f"{name:16}{values[0]:12.1f}{values[1]:16.1f}{values[2]:8.3f}{values[3]:13.1f} s", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
