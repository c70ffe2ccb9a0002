"""Compare the input pipeline's speed with the seed project's, and measure whether the training step waits for it.

    make bench-training

It draws photographs, measures each input pipeline on one core, in turn, over several rounds; then it trains a ResNet50
for a few steps on photographs and on batches in memory, in turn. On a GPU it does the latter at 224 and 512 px
with bf16 and torch.compile. It writes the section `training` of docs/benchmarks.md and docs/img/training.png.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.document import PAGE, write_section
from benchmarks.input_pipeline import TITLES, Material, measure_pipelines, measure_stages
from benchmarks.machine import describe
from benchmarks.photographs import photographs
from benchmarks.seed_pipeline import AUGMENT, SPEC
from benchmarks.targets import save_targets
from benchmarks.training_page import section, tables, targets
from benchmarks.training_steps import ON_CPU, ON_GPU, Case, measure_steps, settings
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_atomically
from fashion.preprocess import InputSpec
from training.sources.writer import ProductRow, write_dataset

OUT = Path("runs/bench-training")
PLOT = Path("docs/img/training.png")
# According to the seed project's code, about 70 % of the challenge's photographs are 600x600 px.
SIZES = (
    *((600, 600),) * 2,
    (600, 800),
    *((600, 600),) * 3,
    (480, 480),
    *((600, 600),) * 2,
    (800, 800),
)
LABELS = ("Black", "Blue", "Red")  # of the challenge's group "color"


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of a measurement.

    Attributes:
        rounds: number of rounds.
        images: minimum number of images per pipeline and round.
        cases: of the training step.
        spec: input of the pipelines.
        batch_size: of the pipelines.
        sizes: of the photographs, px.
        photographs: number of drawn photographs.
        rows: of the data set, which repeats them.
    """

    rounds: int = 3
    images: int = 64
    cases: tuple[Case, ...] = ON_CPU
    spec: InputSpec = SPEC
    batch_size: int = 16
    sizes: tuple[tuple[int, int], ...] = SIZES
    photographs: int = 20
    rows: int = 160


def measure(plan: TrainingPlan, out: Path) -> dict[str, Any]:
    """All results, as they are saved in JSON: see `section`."""
    material = _material(plan, out)
    rates = measure_pipelines(material, plan.rounds, plan.images)
    stages = measure_stages(material, plan.rounds)
    cells = measure_steps(material, plan.cases, plan.rounds)
    lengths = sorted(path.stat().st_size for path in material.files)
    return {
        "machine": describe(),
        "settings": {
            "photographs": plan.photographs,
            "kilobytes": round(lengths[len(lengths) // 2] / 1000),
            "size": plan.spec.size,
            "batch_size": plan.batch_size,
            "rounds": plan.rounds,
            "step": settings(),
            "device": "gpu" if torch.cuda.is_available() else "cpu",
        },
        "titles": TITLES,
        "pipelines": rates,
        "stages": stages,
        "steps": [asdict(cell) | {"ratio": cell.ratio} for cell in cells],
    }


def publish(results: dict[str, Any], page: Path = PAGE, plot: Path = PLOT) -> None:
    """Draw the plot of the results and write the section."""
    from benchmarks.plot_training import draw  # matplotlib is not loaded while measuring

    plot.parent.mkdir(parents=True, exist_ok=True)
    draw(results).savefig(plot)
    write_section("training", section(results), page)
    save_targets("training", targets(results))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round; the page stays as it is")
    parser.add_argument("--rounds", type=int, help=f"(default: {TrainingPlan.rounds})")
    parser.add_argument("--page-only", action="store_true", help="write the page from the results of the last full run")
    options = parser.parse_args(arguments)
    with one_line_errors():
        full = OUT / "results.json"
        if options.page_only:
            if not full.exists():
                raise SettingError(f"no {full}; run make bench-training once without --page-only")
            publish(json.loads(full.read_text(encoding="utf-8")))
            return 0
        results = measure(_plan(options), OUT)
        file = OUT / "look.json" if options.quick else full
        write_atomically(file, json.dumps(results, indent=1) + "\n")
        print(tables(results))
        if not options.quick:
            publish(results)
            print(f"wrote the section 'training' of {PAGE} and {PLOT}")
    return 0


def _plan(options: argparse.Namespace) -> TrainingPlan:
    gpu = torch.cuda.is_available()
    cases = ON_GPU if gpu else ON_CPU
    if options.quick:
        cases = (cases[0],) if gpu else (Case(64, 8, 2, 4),)
    rounds = (1 if options.quick else TrainingPlan.rounds) if options.rounds is None else options.rounds
    if rounds < 1:
        raise SettingError(f"{rounds} rounds measure nothing; give 1 or more")
    return TrainingPlan(rounds=rounds, images=16 if options.quick else TrainingPlan.images, cases=cases)


def _material(plan: TrainingPlan, out: Path) -> Material:
    """The photographs as files, drawn once, and as a data set, which is rewritten."""
    folder = out / "photographs"
    images = photographs(folder, plan.sizes, plan.photographs)
    files = tuple(sorted(folder.glob("*.jpg")))
    data, cache = out / "data", out / "cache"
    for old in (data, cache):
        shutil.rmtree(old, ignore_errors=True)
    splits = {"train": plan.rows, "val": 1}
    write_dataset(
        (
            ProductRow(split, f"{split}{i}", images[i % len(images)], {"color": [LABELS[i % len(LABELS)]]})
            for split, rows in splits.items()
            for i in range(rows)
        ),
        data,
        ["color"],
        "drawn garments",
    )
    return Material(files, data, cache, plan.spec, AUGMENT, plan.batch_size)


if __name__ == "__main__":
    raise SystemExit(main())
