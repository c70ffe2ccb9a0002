"""Send validation photographs to a running TorchServe, one at a time, as a client does.

    python -m benchmarks.endpoint runs/mine/bundle --data FOLDER --source "NAME OF THE DATA"

It packs the bundle, starts TorchServe on free ports, sends the photographs, compares each answer with the Predictor's,
scores the answers against the labels and writes the section `endpoint` of docs/benchmarks.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from fashion.errors import FashionError, one_line_errors
from fashion.predictor import Predictor
from fashion.taxonomy import Label
from serving.archive import archive
from serving.client import Client
from serving.torchserve import TorchServe
from training.data.images import open_split
from training.profiles.scores import score


def measure(bundle: Path, data: Path, photographs: int) -> dict[str, Any]:
    """Send photographs and score the answers.

    Returns:
        `photographs`, `seconds` of each, `micro_f1` of the answered attributes and `different`, the number of
        photographs with another answer than the Predictor's.
    """
    predictor = Predictor.from_bundle(bundle)
    taxonomy = predictor.taxonomy
    images = open_split(data, "val", taxonomy, predictor.card.input, taxonomy.groups).sample(photographs)
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "model_store"
        archive(bundle, store / "fashion.mar")
        with TorchServe.temporary(store, Path(scratch) / "server") as server:
            return _ask(Client(server.url("fashion")), predictor, images)


def _ask(client: Client, predictor: Predictor, images: Any) -> dict[str, Any]:
    answered = np.zeros((len(images), len(predictor.taxonomy)), np.float32)
    targets = np.stack([images[i]["targets"].numpy() for i in range(len(images))])
    seconds, different = [], 0
    for i in tqdm(range(len(images)), "photographs", unit="image"):
        photo = images.rows[i]["image"]["bytes"]
        start = time.perf_counter()
        answer = client.ask(photo)
        seconds.append(time.perf_counter() - start)
        different += answer != predictor.answer(predictor.predict(photo))
        for attribute in answer["attributes"]:
            answered[i, predictor.taxonomy.index[Label(attribute["group"], attribute["name"])]] = 1
    scores = score(answered, targets, np.full(len(predictor.taxonomy), 0.5), predictor.taxonomy)
    return {"photographs": len(images), "seconds": seconds, "micro_f1": scores["micro_f1"], "different": different}


def section(result: dict[str, Any], options: argparse.Namespace) -> str:
    """The Markdown that goes into the page."""
    milliseconds = sorted(1000 * value for value in result["seconds"])
    row = [
        result["photographs"],
        f"{result['micro_f1']:.3f}",
        result["different"],
        f"{sum(result['seconds']):.1f}",
        f"{statistics.median(milliseconds):.0f}",
        f"{milliseconds[int(0.95 * len(milliseconds))]:.0f}",
    ]
    header = [
        "photographs",
        "micro-F1 of the answers",
        "answers unlike the Predictor's",
        "seconds",
        "p50, ms",
        "p95, ms",
    ]
    command = f"python -m benchmarks.endpoint BUNDLE --data FOLDER --source '{options.source}'"
    return (
        f"## The endpoint on {options.source}\n\n"
        "Validation photographs sent one after the other to a TorchServe started for it, answered with the default "
        f"thresholds.\n\n{table(header, [row])}\n\nMachine: {describe()}. Measured by\n\n    {command}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--data", type=Path, required=True, help="any folder that training can read")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--photographs", type=int, default=100, help="how many to send (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        result = measure(options.bundle, options.data, options.photographs)
        if result["different"]:
            raise FashionError(f"{result['different']} answers differ from the Predictor's; nothing was written")
        write_section("endpoint", section(result, options))
        print(f"micro-F1 {result['micro_f1']:.3f}; wrote the section 'endpoint' of docs/benchmarks.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
