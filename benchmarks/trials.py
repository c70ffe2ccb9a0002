"""What helps when a network is trained from scratch: one change at a time to the recipe, at equal cost.

    python -m benchmarks.trials --data FOLDER --groups gender,article,colour,season,usage --source "NAME OF THE DATA"

Each trial is a run of `training.fit` under runs/trials; one that is there is resumed or reused, so that the table may
grow over days. All see as many pixels as the reference does in its epochs. Scores are those of the last epoch on the
validation photographs, at the float precision of the training. It writes its section of docs/recipe.md.
"""

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from benchmarks.trainings import column, fit
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_whole
from training.growing import Growth

PAGE = Path("docs/recipe.md")
REFERENCE = "reference"
STEPS = 1_000  # at which the size of growing images is looked at, to know their cost


@dataclass(frozen=True)
class Trial:
    """One change to the reference recipe.

    Attributes:
        changes: flags of training.fit.
        says: what it is, for the table.
        config: the configuration that is changed.
    """

    changes: str
    says: str
    config: str = "from-scratch"


TRIALS: Mapping[str, Trial] = {
    REFERENCE: Trial("", "AdamW 2e-3, one cycle, decay 0.05, flips (`from-scratch.yaml`)"),
    "seed": Trial("", "the seed's: Adam 1e-3, no schedule, no flips (`seed-recipe.yaml`)", "seed-recipe"),
    "cosine": Trial("--model.schedule cosine --model.warmup_fraction 0.1", "cosine after a warm-up of 10 %"),
    "adam": Trial("--model.optimizer adam --model.weight_decay 0", "Adam, no decay"),
    "sgd": Trial("--model.optimizer sgd --model.lr 0.2 --model.weight_decay 0.0001", "SGD 0.2, Nesterov, decay 1e-4"),
    "lr-1e-3": Trial("--model.lr 0.001", "learning rate 1e-3"),
    "lr-4e-3": Trial("--model.lr 0.004", "learning rate 4e-3"),
    "smoothing": Trial("--model.loss.smoothing 0.1", "label smoothing 0.1"),
    "asymmetric": Trial("--model.loss.focus 2 --model.loss.margin 0.05", "asymmetric loss, focus 2, margin 0.05"),
    "average": Trial("--ema 0.998", "moving average of the weights, 0.998 a step"),
    "crops": Trial("--data.augment.crop_scale 0.7", "random resized crops of 70 % and more"),
    "mixup": Trial("--model.mixup 0.2", "mixup, alpha 0.2"),
    "growing": Trial("--model.growth.start 0.5 --model.growth.until 0.75", "images that grow from half the size"),
    "growing-longer": Trial("--model.growth.start 0.4 --model.growth.until 0.9", "from 0.4 of it, until 90 %"),
}


def relative_cost(trial: Trial, size: int) -> float:
    """Pixels that an epoch of the trial sees, as a part of what one of the reference does."""
    flags = shlex.split(trial.changes)
    values = {name.removeprefix("--model.growth."): value for name, value in zip(flags[::2], flags[1::2], strict=True)}
    growth = Growth(float(values.get("start", 1.0)), float(values.get("until", 0.75)))
    return mean((growth.size(step / STEPS, size) / size) ** 2 for step in range(STEPS))


def run(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train one trial, or reuse what is there: micro-F1 at 0.5 and at the best threshold, mAP, epochs and minutes."""
    trial = TRIALS[name]
    folder: Path = options.out / f"{name}-{seed}"
    result = folder / "trial.json"
    epochs = max(1, round(options.epochs / relative_cost(trial, options.size)))
    command = ["--config", f"training/configs/{trial.config}.yaml", "--data.path", str(options.data)]
    command += ["--data.groups", f"[{options.groups}]", "--data.input.size", str(options.size)]
    command += ["--seed_everything", str(seed), "--trainer.max_epochs", str(epochs)]
    command += ["--early_stopping.patience", str(epochs), *shlex.split(trial.changes)]
    if result.exists():
        values: dict[str, Any] = json.loads(result.read_text())
        if values["command"] != command:
            raise SettingError(f"{folder} was made with other settings; remove it to make it again")
        return values
    print(f"trial  {name}, seed {seed}: {epochs} epochs", flush=True)
    fit(folder, command)
    values = {score: column(folder, f"val/{score}")[-1] for score in ("micro_f1", "best_micro_f1", "map")}
    values |= {"epochs": epochs, "minutes": sum(column(folder, "seconds")) / 60}
    values |= {"machine": describe(), "command": command}
    write_whole(result, json.dumps(values))
    for checkpoint in (folder / "checkpoints").glob("*.ckpt"):
        checkpoint.unlink()  # 280 MB each, and nobody asks for them again
    return values


def section(results: Mapping[str, list[dict[str, Any]]], options: argparse.Namespace) -> str:
    """The Markdown table: means over the seeds, differences to the reference, and the spread of both."""
    header = ["trial", "what is changed", "epochs", "micro-F1 at 0.5", "at the best threshold", "mAP", "difference"]
    reference = mean(value["best_micro_f1"] for value in results[REFERENCE])
    rows = []
    for name, values in results.items():
        best = [value["best_micro_f1"] for value in values]
        spread = f" ({min(best):.3f} to {max(best):.3f})" if len(best) > 1 else ""
        cells = [f"{mean(value[column] for value in values):.3f}" for column in ("micro_f1", "best_micro_f1", "map")]
        difference = "" if name == REFERENCE else f"{mean(best) - reference:+.3f}"
        rows.append(
            [name, TRIALS[name].says, int(values[0]["epochs"]), cells[0], cells[1] + spread, cells[2], difference]
        )
    machine = results[REFERENCE][0]["machine"]
    return (
        f"## {options.source}, {options.size}x{options.size} px\n\n{table(header, rows)}\n\n"
        f"Difference: of micro-F1 at the best threshold to the reference. Seeds {options.seeds}; the reference sees "
        f"{options.epochs} epochs, all others as many pixels. Validation photographs only. Machine: {machine}. "
        "Measured by\n\n"
        f"    python -m benchmarks.trials --data FOLDER --groups {options.groups} --source '{options.source}' "
        f"--size {options.size} --epochs {options.epochs} --seeds {options.seeds}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing of the trials and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="catalog folder with a train and a val split")
    parser.add_argument("--groups", required=True, help="columns to learn, separated by commas")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--only", help="trials to run beside the reference, separated by commas (default: all)")
    parser.add_argument("--size", type=int, default=48, help="input size in px (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="of the reference (default: %(default)s)")
    parser.add_argument("--seeds", default="1", help="separated by commas (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/trials"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        names = options.only.split(",") if options.only else list(TRIALS)
        unknown = [name for name in names if name not in TRIALS]
        if unknown:
            raise SettingError(f"--only names no trial {unknown[0]!r}; there are: {', '.join(TRIALS)}")
        options.out = options.out / f"{options.data.name}-{options.size}-{options.epochs}"
        seeds = [int(seed) for seed in options.seeds.split(",")]
        results = {}
        for name in dict.fromkeys([REFERENCE, *names]):
            results[name] = [run(name, seed, options) for seed in seeds]
            write_section(f"trials {options.data.name}", section(results, options), PAGE)
        print(f"wrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
