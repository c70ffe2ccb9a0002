"""Start, resume or reuse the trainings that a benchmark needs."""

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fashion.backbones import families
from fashion.errors import FashionError, SettingError
from training.fitting.progress import METRICS_FILE
from training.fitting.runs import LAST
from training.weights.first_weights import IMAGENET, NONE

# Flags of `training.fit` beside --trainer.max_steps: unlimited epochs, and no validation, which would be timed too.
FIXED_STEPS = ["--trainer.max_epochs", "-1", "--trainer.limit_val_batches", "0", "--early_stopping.strict", "false"]


def fit(run: Path, flags: Sequence[str]) -> None:
    """Train with the project's own command, or resume an interrupted run.

    Args:
        run: its folder.
        flags: of `training.fit`, for a new training.

    Raises:
        FashionError: the training ended early.
    """
    python(["training.fit", "--run", str(run), *(["--resume"] if (run / LAST).exists() else flags)])


def python(arguments: Sequence[str]) -> None:
    """Run a command of the project, with its output on the terminal. Raises FashionError if it fails."""
    status = subprocess.run([sys.executable, "-m", *arguments], check=False).returncode
    if status:
        raise FashionError(f"python -m {arguments[0]} ended with status {status}; run the same command to go on")


def column(run: Path, name: str) -> list[float]:
    """A column of the run's metrics.csv: one value per epoch; empty without such a file."""
    path = run / METRICS_FILE
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def imagenet_or_none(arch: str) -> str:
    """The `--model.weights` of a network: ImageNet's if available, else none, with a line that says why."""
    try:
        families.family(arch).imagenet(arch)
    except SettingError as error:
        print(f"note   {error}", flush=True)
        return NONE
    return IMAGENET
