"""Cost of logs and metrics: the endpoint as shipped, compared with the same without logs and metrics of requests.

The cost would be lost in the noise of the benchmark's ResNet50, so these two servers have a model so small that the
server's own time dominates. Each gets requests for a second in turn, while the other is frozen; the result is the
difference per request.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from benchmarks.cells import Cell
from benchmarks.contestants import PAIR, Place
from benchmarks.photographs import SMALL_SIZES, photographs
from benchmarks.random_bundle import random_bundle
from benchmarks.right_answers import RightAnswers
from benchmarks.rounds import ServingPlan, measure_cell, started

ARCH, SIZE = "resnet18", 32  # the network, and its input in px
CLIENTS = 8
PLAN = ServingPlan(tuple(PAIR), (CLIENTS,), rounds=8, seconds=1.0, warm_up=3.0)


def measure(folder: Path, scratch: Path, quick: bool = False) -> list[Cell]:
    """Measure a cell for each server and round.

    Args:
        folder: for the photographs and the bundle, which are reused.
        scratch: folder for the servers' files.
        quick: run a quarter of the rounds only.

    Raises:
        FashionError: a server cannot be started here.
    """
    plan = replace(PLAN, rounds=PLAN.rounds // 4) if quick else PLAN
    images = photographs(folder / "photographs", SMALL_SIZES)
    bundle = random_bundle(folder / "bundle", images, ARCH, SIZE)
    right = RightAnswers(bundle, images)
    cells = []
    with ExitStack() as stack:
        entries = []
        for name in plan.names:
            place = Place(bundle, folder / "photographs", scratch / name)
            entries.append(stack.enter_context(started(name, PAIR[name], plan, place, right)))
        for i in tqdm(range(plan.rounds), "what logs cost", unit="round"):
            for entry in entries if i % 2 else entries[::-1]:
                cells.append(measure_cell(entry, images, CLIENTS, i))
    return cells
