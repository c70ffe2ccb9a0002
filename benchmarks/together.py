"""Compare one model of several data folders with one model of each, at the same number of steps.

    python -m benchmarks.together --data 'FOLDER,FOLDER' --sources 'NAME;NAME'

It trains all of them with `training.fit` under runs/together, scores the last epoch of each, in fp32, on the validation
photographs of its data folders, and writes the section `together` of docs/recipe.md. Existing runs are resumed or
reused.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.document import table, write_section
from benchmarks.last_epoch import LastEpoch
from benchmarks.machine import describe
from benchmarks.trainings import fit
from benchmarks.trials import PAGE
from fashion.backbones import resnet
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_atomically
from fashion.profiles.bootstrap import f1_intervals

CONFIG = "training/configs/adamw-recipe.yaml"


def train(name: str, paths: Sequence[Path], options: argparse.Namespace) -> Path:
    """Train on some of the data folders, or resume; returns the run's folder."""
    run: Path = options.out / name
    if (run / "finished").exists():
        return run
    flags = ["--config", CONFIG, "--data.path", f"[{','.join(str(path) for path in paths)}]"]
    flags += ["--data.groups", f"[{options.groups}]"] if options.groups else []
    flags += ["--model.arch", options.arch, "--data.input.size", str(options.size)]
    flags += ["--trainer.max_steps", str(options.steps)]
    # A training of less than an epoch is not validated, so early stopping has no metric.
    flags += ["--early_stopping.patience", "1000", "--early_stopping.strict", "false", "--trainer.max_epochs", "-1"]
    print(f"train  {name}: {options.steps:,} steps", flush=True)
    fit(run, flags)
    write_atomically(run / "finished", "")
    return run


def scores(run: Path, data: Path) -> dict[str, Any]:
    """Micro-F1 on a data folder's validation photographs: at 0.5, and at the best threshold with its interval."""
    model = LastEpoch(run)
    seen = model.answer(model.photographs(data))
    found = model.scores(seen.logits, seen.targets)
    answered = seen.probabilities >= found["threshold"]
    interval = f1_intervals(answered, seen.targets, model.taxonomy)["micro_f1"]
    return {"half": found["micro_f1"], "best": found["best_micro_f1"], "interval": interval, "images": len(answered)}


def section(results: dict[str, dict[str, dict[str, Any]]], options: argparse.Namespace, machine: str) -> str:
    """The Markdown: a row for each data folder and model trained on it."""
    rows = []
    for path, source in zip(options.folders, options.names, strict=True):
        for name, of in results.items():
            if path.name in of:
                found = of[path.name]
                low, high = found["interval"]
                best = f"{found['best']:.3f} ({low:.3f} to {high:.3f})"
                rows.append([f"{source}, {found['images']:,}", name, f"{found['half']:.3f}", best])
    header = ["validation photographs of", "trained on", "micro-F1 at 0.5", "at the best threshold, with 95 % interval"]
    return (
        f"## One model of several catalogs\n\n{table(header, rows)}\n\n{options.steps:,} steps of 32 photographs each, "
        f"{options.arch} at {options.size}x{options.size} px, `{CONFIG}`; trained together, a catalog is seen as often "
        "as its share of all photographs. The threshold is chosen on the photographs it is scored on. "
        f"Machine: {machine}. Measured by\n\n"
        f"    python -m benchmarks.together --data FOLDER,FOLDER --sources '{options.sources}' "
        f"--arch {options.arch} --size {options.size} --steps {options.steps}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, score and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.together", description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data folders, separated by commas")
    parser.add_argument("--sources", required=True, help="their public names, separated by semicolons")
    parser.add_argument("--groups", help="columns to learn, separated by commas (default: all)")
    parser.add_argument("--arch", choices=resnet.NAMES, default="resnet50", help="(default: %(default)s)")
    parser.add_argument("--size", type=int, default=64, help="input size in px (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=1_500, help="of each training (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/together"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    options.folders = [Path(part) for part in options.data.split(",")]
    options.names = [part.strip() for part in options.sources.split(";")]
    with one_line_errors():
        if len(options.folders) < 2 or len(options.names) != len(options.folders):
            raise SettingError("give at least two folders with --data, and as many names with --sources")
        options.out = options.out / f"{options.arch}-{options.size}-{options.steps}"
        results: dict[str, dict[str, dict[str, Any]]] = {}
        for path in options.folders:
            results[f"{path.name} alone"] = {path.name: scores(train(path.name, [path], options), path)}
        run = train("together", options.folders, options)
        results["all together"] = {path.name: scores(run, path) for path in options.folders}
        write_atomically(options.out / "results.json", json.dumps(results, indent=1))
        write_section("together", section(results, options, describe()), PAGE)
        print(f"wrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
