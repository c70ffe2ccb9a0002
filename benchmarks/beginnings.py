"""Compare initial weights for a training on new labels: the starter model's, ImageNet's and random ones.

    python -m benchmarks.beginnings --data FOLDER --groups A,B --source NAME --photographs 2000 --minutes 4

The starter's network is trained three times by `training.fit` under runs/beginnings, on the same photographs for the
same time: a few steps are timed first, and each training gets the number of steps that fits, so that its schedule
completes. Scores are those of the last step, in fp32, on the validation photographs. Existing runs are resumed or
reused. It writes a section of docs/recipe.md.
"""

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.document import table, with_interval, write_section
from benchmarks.last_epoch import LastEpoch
from benchmarks.machine import describe
from benchmarks.trainings import FIXED_STEPS, column, fit, imagenet_or_none
from fashion.errors import BundleError, SettingError, one_line_errors
from fashion.files import write_atomically
from fashion.model_card import INT8_FILE, ModelCard
from fashion.profiles.bootstrap import f1_intervals
from fashion.profiles.thresholds import MICRO_F1
from training.data.images import open_split
from training.data.input_settings import InputSettings
from training.profiles.out_of_fold import answer_out_of_fold
from training.profiles.scores import average_precisions, mean_average_precision, score_answers
from training.weights.first_weights import IMAGENET, NONE

PAGE = Path("docs/recipe.md")
CONFIG = "training/configs/from-starter.yaml"
STARTER = "starter"
TIMED_STEPS = 8  # of each of two epochs; the first one warms up


@dataclass(frozen=True)
class Beginning:
    """The initial weights of a training.

    Attributes:
        weights: as `--model.weights` takes them; `starter` stands for the file of --starter.
        description: their description in the table.
        changes: flags of training.fit that override the configuration.
    """

    weights: str
    description: str
    changes: str = ""


BEGINNINGS: Mapping[str, Beginning] = {
    STARTER: Beginning(STARTER, "the model that comes along (`from-starter.yaml`)"),
    IMAGENET: Beginning(IMAGENET, "ImageNet weights, the same settings"),
    # Frozen random stages could not learn, and crops lower the score in few epochs (docs/recipe.md).
    NONE: Beginning(
        NONE,
        "random weights: nothing frozen, learning rate 2e-3, no crops, first filters from the photographs",
        "--model.frozen 0 --model.lr 0.002 --data.augment.crop_scale 1 --model.init.whiten true",
    ),
}


def settings(name: str, card: ModelCard, options: argparse.Namespace) -> list[str]:
    """The flags of `training.fit` for these initial weights, except the number of steps."""
    beginning = BEGINNINGS[name]
    spec = replace(card.input, size=options.size or card.input.size)
    flags = ["--config", CONFIG, "--data.path", str(options.data), "--data.groups", f"[{options.groups}]"]
    flags += ["--data.limit_train", str(options.photographs), "--model.arch", card.arch]
    for field in fields(InputSettings):
        value = getattr(spec, field.name)
        flags += [f"--data.input.{field.name}", str(list(value) if isinstance(value, tuple) else value)]
    weights = str(options.starter / INT8_FILE) if beginning.weights == STARTER else beginning.weights
    return [*flags, "--model.weights", weights, *shlex.split(beginning.changes)]


def seconds_a_step(name: str, flags: Sequence[str], options: argparse.Namespace) -> float:
    """Seconds per training step, from an existing run or a short training."""
    folder: Path = options.out / f"{name}-timed"
    if len(column(folder, "seconds")) < 2:
        print(f"time   {name}: {TIMED_STEPS} steps", flush=True)
        steps = ["--trainer.max_epochs", "2", "--trainer.limit_train_batches", str(TIMED_STEPS)]
        fit(folder, [*flags, *FIXED_STEPS, *steps])
        for checkpoint in folder.glob("checkpoints/*.ckpt"):
            checkpoint.unlink()
    first, second = column(folder, "step")
    return max(column(folder, "seconds")[1], 0.1) / (second - first)


def run(name: str, card: ModelCard, options: argparse.Namespace) -> dict[str, Any]:
    """Train from one kind of initial weights, or reuse an existing run: its steps, minutes and scores."""
    folder: Path = options.out / name
    result = folder / "beginning.json"
    flags = settings(name, card, options)
    if result.exists():
        values: dict[str, Any] = json.loads(result.read_text())
        if (values["settings"], values["starter"]) != (flags, card.weights_id):
            raise SettingError(f"{folder} was made with other settings; remove {options.out} to make it again")
        return values
    # Both pretrained ones train the same layers, so the time of one holds for both, and their steps are equal.
    timed = STARTER if name == IMAGENET else name
    step = seconds_a_step(timed, settings(timed, card, options), options)
    steps = max(TIMED_STEPS, round(60 * options.minutes / step))
    print(f"train  {name}: {steps:,} steps of {step:.2f} s", flush=True)
    fit(folder, [*flags, *FIXED_STEPS, "--trainer.max_steps", str(steps)])
    values = {"settings": flags, "starter": card.weights_id, "machine": describe(), "steps": steps}
    values |= {"minutes": sum(column(folder, "seconds")) / 60, **scores(folder, card, options)}
    write_atomically(result, json.dumps(values))
    for checkpoint in folder.glob("checkpoints/*.ckpt"):
        checkpoint.unlink()
    return values


def scores(folder: Path, card: ModelCard, options: argparse.Namespace) -> dict[str, Any]:
    """Scores of the last step of a training, with thresholds and calibration fitted out of fold.

    Returns:
        `micro_f1`, `interval` and `groups` (both for each group), `map`; the numbers of photographs and labels; and
        `known`, the number of labels that the starter has.
    """
    model = LastEpoch(folder)
    taxonomy = model.taxonomy
    seen = model.answer(model.photographs(options.data))
    answered = answer_out_of_fold(seen, taxonomy).answered[MICRO_F1]
    found = score_answers(answered, seen.targets, np.zeros(len(taxonomy)), taxonomy)
    intervals = f1_intervals(answered, seen.targets, taxonomy, ids=seen.ids)
    train = open_split(options.data, "train", taxonomy, model.spec, taxonomy.groups)
    return {
        "micro_f1": found["micro_f1"],
        "interval": intervals["micro_f1"],
        "groups": {
            group: [values["micro_f1"], intervals["groups"][group]["micro_f1"]]
            for group, values in found["groups"].items()
        },
        "map": mean_average_precision(average_precisions(seen.probabilities, seen.targets)),
        "train": min(options.photographs, len(train)),
        "val": len(seen.targets),
        "labels": len(taxonomy),
        "known": sum(label in card.taxonomy.index for label in taxonomy.labels),
    }


def section(results: Mapping[str, dict[str, Any]], card: ModelCard, options: argparse.Namespace) -> str:
    """The Markdown: a row for each kind of initial weights, and how it was measured."""
    groups = options.groups.split(",") if "," in options.groups else []
    rows = []
    for name, values in results.items():
        each = [with_interval(*values["groups"][group]) for group in groups]
        row = [BEGINNINGS[name].description, f"{values['steps']:,}", f"{values['minutes']:.1f}"]
        rows.append([*row, with_interval(values["micro_f1"], values["interval"]), *each, f"{values['map']:.3f}"])
    header = ["begins with", "steps", "minutes", "micro-F1, 95 % interval", *groups, "mAP"]
    first = next(iter(results.values()))
    size = options.size or card.input.size
    missing = "" if IMAGENET in options.names else f"ImageNet weights of {card.arch} could not be had. "
    return (
        f"## {options.source}: what to begin with\n\n{table(header, rows)}\n\n"
        f"{first['train']:,} photographs to train on and {first['val']:,} to validate on; {first['labels']} labels, of "
        f"which the model that comes along was trained on {first['known']}. {card.arch} at {size}x{size} px, "
        f"`{CONFIG}`. Each has the steps of 32 photographs that {options.minutes:g} minutes take, as timed beforehand, "
        f"and comes to the end of its schedule; minutes are those that it took. {missing}Micro-F1 of the last step, "
        f"fp32, calibration and thresholds fitted out of fold. Machine: {first['machine']}. Measured by\n\n"
        f"    python -m benchmarks.beginnings --data FOLDER --groups {options.groups} --source '{options.source}' "
        f"--photographs {options.photographs} --minutes {options.minutes:g}"
        f"{f' --size {options.size}' if options.size else ''}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the missing trainings and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beginnings", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder with a train and a val split")
    parser.add_argument("--groups", required=True, help="columns to learn, separated by commas")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--photographs", type=int, default=2000, help="to train on, drawn (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=4, help="of each training (default: %(default)s)")
    parser.add_argument("--size", type=int, help="input size in px (default: the starter's)")
    parser.add_argument(
        "--starter", type=Path, default=Path("model_store/starter"), help="bundle to begin with (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/beginnings"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        card = ModelCard.load(options.starter)
        if not (options.starter / INT8_FILE).is_file():
            raise BundleError(f"{options.starter} has no {INT8_FILE}, which a training begins with; export it again")
        size = options.size or card.input.size
        network = f"{card.arch.replace('/', '-')}-{size}"
        options.out /= f"{options.data.name}-{network}-{options.photographs}-{options.minutes:g}"
        options.names = list(BEGINNINGS)
        if imagenet_or_none(card.arch) == NONE:
            options.names.remove(IMAGENET)
        results = {}
        for name in options.names:
            results[name] = run(name, card, options)
            write_section(f"beginnings {options.out.name}", section(results, card, options), PAGE)
        print(f"wrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
