"""Trainings of benchmarks in the process of the tests."""

from collections.abc import Sequence
from pathlib import Path

from training import fit


def fit_here(folder: Path, flags: Sequence[str]) -> None:
    """Replace `benchmarks.trainings.fit`: train in this process, which saves starting one and importing torch."""
    last = folder / "checkpoints/last.ckpt"
    fit.train(["--run", str(folder), *(["--resume"] if last.exists() else flags)])
