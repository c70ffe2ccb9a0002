"""The seed's recipe and this project's, trained on the same photographs, images and epochs, scored on validation.

    python -m benchmarks.recipes --data FOLDER --groups gender,article,colour,season,usage --source "NAME OF THE DATA"

It trains one after the other with the project's own commands, exports both, evaluates both bundles and writes the
section `recipes` of docs/benchmarks.md. A run that is there is resumed or reused.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from benchmarks.trainings import column, fit, python
from fashion.errors import one_line_errors
from fashion.files import write_whole
from training.thresholds import HALF, MICRO_F1

RECIPES = {
    "seed (Adam 1e-3, no schedule, no augmentation)": "seed-recipe",
    "this project (AdamW 2e-3, one cycle, flips)": "from-scratch",
}


def measure(config: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train, export and evaluate one recipe; reuse what a run before has finished."""
    run: Path = options.out / config
    finished = run / "benchmark.json"
    if finished.exists():
        return json.loads(finished.read_text())
    command = ["training.fit", "--config", f"training/configs/{config}.yaml", "--data.path", str(options.data)]
    command += ["--data.groups", f"[{options.groups}]", "--data.input.size", str(options.size)]
    command += ["--trainer.max_epochs", str(options.epochs)]
    if len(column(run, "seconds")) < options.epochs:
        fit(run, command[1:])
    python(["training.export", str(run)])
    scores = run / "scores.json"
    python(["training.evaluate", str(run / "bundle"), "--data", str(options.data), "--json", str(scores)])
    result = {
        "command": "python -m " + " ".join([*command, "--run", str(run)]),
        "seconds": sum(column(run, "seconds")),
        "epochs": column(run, "val/micro_f1"),
        "scores": json.loads(scores.read_text()),
        "machine": describe(),
    }
    write_whole(finished, json.dumps(result, indent=1))
    return result


def section(results: dict[str, dict[str, Any]], options: argparse.Namespace) -> str:
    """The Markdown that goes into the page."""
    rows = []
    for name, result in results.items():
        scores = result["scores"]
        half, best = scores["profiles"][HALF], scores["profiles"][MICRO_F1]
        threshold = best["labels"][0]["threshold"]
        minutes = f"{result['seconds'] / 60:.0f}"
        cells = [half["micro_f1"], best["micro_f1"], half["macro_f1"], best["macro_f1"], scores["map"]]
        epochs = ", ".join(f"{value:.3f}" for value in result["epochs"])
        rows.append([name, *(f"{cell:.3f}" for cell in cells), f"{threshold:.2f}", minutes, epochs])
    first = next(iter(results.values()))
    header = ["recipe", "micro-F1 at 0.5", "micro-F1 at best threshold", "macro-F1 at 0.5", "macro-F1 at best"]
    header += ["mAP", "best threshold", "training, minutes", "micro-F1 at 0.5 after each epoch"]
    commands = "\n".join(f"    {result['command']}" for result in results.values())
    return (
        f"## Recipes on {options.source}\n\n"
        f"ResNet50 from random weights, {options.size}x{options.size} px, {options.epochs} epochs, groups "
        f"{options.groups}; {first['scores']['images']:,} validation photographs, scored by "
        "`training.evaluate` on the exported int8 file. The best threshold is one for all labels, "
        "chosen on the same validation photographs.\n\n"
        f"{table(header, rows)}\n\n"
        f"Machine: {first['machine']}. Measured by\n\n"
        f"    python -m benchmarks.recipes --data FOLDER --groups {options.groups} --source '{options.source}'\n\n"
        f"which runs, with FOLDER for the data,\n\n{commands}\n".replace(str(options.data), "FOLDER")
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both recipes and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="catalog folder with a train and a val split")
    parser.add_argument("--groups", required=True, help="columns to learn, separated by commas")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--size", type=int, default=80, help="input size in px (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        options.out.mkdir(parents=True, exist_ok=True)
        results = {name: measure(config, options) for name, config in RECIPES.items()}
        write_section("recipes", section(results, options))
        print("wrote the section 'recipes' of docs/benchmarks.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
