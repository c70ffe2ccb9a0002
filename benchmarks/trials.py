"""Ablation of the training recipe from scratch: one change at a time, at equal cost.

    python -m benchmarks.trials --data FOLDER --groups gender,article,colour,season,usage --source "NAME OF THE DATA"

Each trial is a run of `training.fit` under runs/trials; existing runs are resumed or reused, so that the table may
grow over days. All but `longer` see as many pixels as the reference does in its epochs. Scores are those of the last
epoch on the validation photographs, in fp32, plain and averaged with mirror images. It writes its section of
docs/recipe.md. Trials of pretrained weights need `--weights FILE`, and are skipped without.
"""

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.document import table, write_section
from benchmarks.last_epoch import LastEpoch
from benchmarks.machine import describe
from benchmarks.trainings import column, fit
from fashion.backbones import resnet
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_atomically
from training.fitting.growing import ImageGrowth

PAGE = Path("docs/recipe.md")
REFERENCE = "reference"
# The scores of `benchmarks.last_epoch`, with their names in the table.
SCORES = {
    "micro_f1": "micro-F1 at 0.5",
    "best_micro_f1": "at the best threshold",
    "fitted_micro_f1": "fitted, out of fold",
    "map": "mAP",
}
DECIDES = "fitted_micro_f1"
MIRRORED = ("micro_f1", DECIDES)  # of the mean with mirror images
STEPS = 1_000  # at which the size of growing images is sampled to compute their cost


@dataclass(frozen=True)
class Trial:
    """One change to the reference recipe.

    Attributes:
        changes: flags of training.fit.
        description: its description in the table.
        config: the configuration that is changed.
        pretrained: whether it starts from the weights of --weights.
        longer: times the reference's epochs.
    """

    changes: str
    description: str
    config: str = "adamw-recipe"
    pretrained: bool = False
    longer: float = 1.0


TRIALS: Mapping[str, Trial] = {
    REFERENCE: Trial("", "AdamW 2e-3, one cycle, decay 0.05, flips (`adamw-recipe.yaml`)"),
    "seed": Trial("", "the seed's: Adam 1e-3, no schedule, no flips (`seed-recipe.yaml`)", "seed-recipe"),
    "cosine": Trial("--model.schedule cosine --model.warmup_fraction 0.1", "cosine after a warm-up of 10 %"),
    "adam": Trial("--model.optimizer adam --model.weight_decay 0", "Adam, no decay"),
    "sgd": Trial("--model.optimizer sgd --model.lr 0.2 --model.weight_decay 0.0001", "SGD 0.2, Nesterov, decay 1e-4"),
    "lr-1e-3": Trial("--model.lr 0.001", "learning rate 1e-3"),
    "lr-4e-3": Trial("--model.lr 0.004", "learning rate 4e-3"),
    "smoothing": Trial("--model.loss.smoothing 0.1", "label smoothing 0.1"),
    "average": Trial("--ema 0.998", "moving average of the weights, 0.998 a step"),
    "crops": Trial("--data.augment.crop_scale 0.7", "random resized crops of 70 % and more"),
    "zero-residual": Trial("--model.init.zero_residual true", "zero-initialized residual blocks"),
    "prior": Trial("--model.init.prior 0.01", "initial probability of 0.01 for every label"),
    "whiten": Trial("--model.init.whiten true", "first convolution initialized from the photographs"),
    "muon": Trial("--model.optimizer muon --model.weight_decay 0", "Muon, no decay"),
    "from-scratch": Trial("", "Muon, no decay, prior and patterns together (`from-scratch.yaml`)", "from-scratch"),
    "longer": Trial("", "the reference for as long as Muon takes", longer=1.8),
    "batch-16": Trial("--data.batch_size 16 --model.lr 0.0014", "batches of 16, learning rate 1.4e-3"),
    "growing": Trial("--model.growth.start 0.5 --model.growth.until 0.75", "images that grow from half the size"),
    "growing-longer": Trial("--model.growth.start 0.4 --model.growth.until 0.9", "from 0.4 of it, until 90 %"),
    "pretrained": Trial("--model.lr 0.0005", "weights of another catalog, learning rate 5e-4", pretrained=True),
}


def relative_cost(trial: Trial, size: int) -> float:
    """Pixels in an epoch of the trial, relative to the reference's."""
    flags = shlex.split(trial.changes)
    values = {name.removeprefix("--model.growth."): value for name, value in zip(flags[::2], flags[1::2], strict=True)}
    growth = ImageGrowth(*(float(values.get(name, default)) for name, default in asdict(ImageGrowth()).items()))
    return mean((growth.size(step / STEPS, size) / size) ** 2 for step in range(STEPS))


def run(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train one trial, or reuse its run: its scores, plain and with mirror images, epochs and minutes."""
    trial = TRIALS[name]
    folder: Path = options.out / f"{name}-{seed}"
    result = folder / "trial.json"
    epochs = max(1, round(options.epochs * trial.longer / relative_cost(trial, options.size)))
    command = ["--config", f"training/configs/{trial.config}.yaml", "--data.path", str(options.data)]
    command += ["--data.groups", f"[{options.groups}]", "--data.input.size", str(options.size)]
    command += ["--model.arch", options.arch, "--seed_everything", str(seed), "--trainer.max_epochs", str(epochs)]
    command += ["--early_stopping.patience", str(epochs), *shlex.split(trial.changes)]
    command += ["--model.weights", str(options.weights)] if trial.pretrained else []
    if result.exists():
        values: dict[str, Any] = json.loads(result.read_text())
        if values["command"] != command:
            raise SettingError(f"{folder} was made with other settings; remove it to make it again")
        return values
    print(f"trial  {name}, seed {seed}: {epochs} epochs", flush=True)
    fit(folder, command)
    model = LastEpoch(folder)
    images = model.photographs(options.data)
    seen, mirrored = model.answer(images), model.answer(images, mirrored=True)
    values = model.scores(seen.logits, seen.targets)
    values["mirrored"] = model.scores((seen.logits + mirrored.logits) / 2, seen.targets)
    values |= {"epochs": epochs, "minutes": sum(column(folder, "seconds")) / 60}
    values |= {"machine": describe(), "command": command}
    write_atomically(result, json.dumps(values))
    for checkpoint in (folder / "checkpoints").glob("*.ckpt"):
        checkpoint.unlink()  # 280 MB each, and not needed any more
    return values


def section(results: Mapping[str, list[dict[str, Any]]], options: argparse.Namespace) -> str:
    """The Markdown table: means over the seeds, differences to the reference, and the spread of both."""
    header = ["trial", "what is changed", "epochs", "minutes", *SCORES.values(), "difference"]
    header += ["with mirror images, " + SCORES[score] for score in MIRRORED]
    reference = mean(value[DECIDES] for value in results[options.reference])
    names = [name for name in results if name != options.reference]
    rows = []
    for name, values in results.items():
        found = [value[DECIDES] for value in values]
        spread = f" ({min(found):.3f} to {max(found):.3f})" if len(found) > 1 else ""
        cells = [f"{mean(value[score] for value in values):.3f}" for score in SCORES]
        difference = "" if name == options.reference else f"{mean(found) - reference:+.3f}"
        both = [f"{mean(value['mirrored'][score] for value in values):.3f}" for score in MIRRORED]
        minutes = f"{mean(value['minutes'] for value in values):.0f}"
        epochs = int(values[0]["epochs"])
        rows.append([name, TRIALS[name].description, epochs, minutes, *cells, difference + spread, *both])
    machine = results[options.reference][0]["machine"]
    return (
        f"## {options.source}: {options.arch} at {options.size}x{options.size} px\n\n{table(header, rows)}\n\n"
        f"Difference: of micro-F1 with fitted thresholds, out of fold, to the first row. Seeds {options.seeds}. "
        "Mirror images: logits averaged over the photograph and its mirror image, at twice the time of an answer. "
        f"Trials see as many pixels as in {options.epochs} epochs, except where noted. "
        f"Validation photographs only. Machine: {machine}. "
        "Measured by\n\n"
        f"    python -m benchmarks.trials --data FOLDER --groups {options.groups} --source '{options.source}' "
        f"--arch {options.arch} --size {options.size} --epochs {options.epochs} --seeds {options.seeds}"
        f"{'' if options.reference == REFERENCE else f' --reference {options.reference} --only ' + ','.join(names)}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the missing trials and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder with a train and a val split")
    parser.add_argument("--groups", required=True, help="columns to learn, separated by commas")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--only", help="trials to run beside the reference, separated by commas (default: all)")
    parser.add_argument(
        "--reference", default=REFERENCE, help="trial that others are compared with (default: %(default)s)"
    )
    parser.add_argument("--weights", type=Path, help="of another catalog, for the trials of pretrained weights")
    parser.add_argument("--arch", choices=resnet.NAMES, default="resnet50", help="(default: %(default)s)")
    parser.add_argument("--size", type=int, default=48, help="input size in px (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="of the reference (default: %(default)s)")
    parser.add_argument("--seeds", default="1", help="separated by commas (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/trials"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        possible = [name for name, trial in TRIALS.items() if options.weights or not trial.pretrained]
        names = options.only.split(",") if options.only else possible
        if unknown := [name for name in (options.reference, *names) if name not in TRIALS]:
            raise SettingError(f"there is no trial {unknown[0]!r}; there are: {', '.join(TRIALS)}")
        if lacking := [name for name in names if name not in possible]:
            raise SettingError(f"the trial {lacking[0]!r} begins with pretrained weights; give --weights FILE")
        options.out = options.out / f"{options.data.name}-{options.arch}-{options.size}-{options.epochs}"
        seeds = [int(seed) for seed in options.seeds.split(",")]
        results = {}
        for name in dict.fromkeys([options.reference, *names]):
            results[name] = [run(name, seed, options) for seed in seeds]
            write_section(f"trials {options.out.name}", section(results, options), PAGE)
        print(f"wrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
