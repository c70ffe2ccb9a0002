"""Throughput per core of this project's input pipeline and of the seed project's, measured in turn."""

import io
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.seed_pipeline import seed_loader
from fashion.backbones.normalize import Normalize
from fashion.preprocess import InputSpec, decode
from training.data.augment import WHOLE, Augment, crop_and_resize
from training.data.color import adjust, turn_hue
from training.data.data_module import FashionData
from training.data.input_settings import InputSettings

SEED, RESIZED_FIRST, OURS, NORMALIZED = "seed", "resized first", "ours", "normalized"
SEED_NO_HUE, NO_HUE = "seed, no hue", "ours, no hue"
TITLES = {
    SEED: "the seed's pipeline",
    RESIZED_FIRST: "the same, resized first",
    OURS: "this project",
    NORMALIZED: "this project, normalized too",
    SEED_NO_HUE: "the seed's pipeline without hue",
    NO_HUE: "this project without hue",
}


@dataclass(frozen=True)
class Material:
    """The photographs and settings of a measurement.

    Attributes:
        files: the photographs.
        data: the same, in the training format.
        cache: folder for the random-access copy.
        spec: of the network's input.
        augment: augmentation settings.
        batch_size: images in a batch.
    """

    files: tuple[Path, ...]
    data: Path
    cache: Path
    spec: InputSpec
    augment: Augment
    batch_size: int

    def opened(self, **settings: Any) -> FashionData:
        """The training data of this project; `settings` are those of `FashionData`."""
        wanted: dict[str, Any] = {
            "input": InputSettings.from_spec(self.spec),
            "augment": self.augment,
            "batch_size": self.batch_size,
        }
        data = FashionData(str(self.data), taxonomy="imaterialist", cache=str(self.cache), **wanted | settings)
        with redirect_stdout(io.StringIO()):
            data.prepare_data()
            data.setup()
        return data


def rate(batches: Iterable[Any], size: Callable[[Any], int], images: int) -> float:
    """Images a second of processor time, over at least `images` images of `batches`."""
    start, seen = time.process_time(), 0
    for batch in batches:
        seen += size(batch)
        if seen >= images:
            break
    return seen / (time.process_time() - start)


def measure_pipelines(material: Material, rounds: int, images: int) -> dict[str, list[float]]:
    """Images a second and core of each pipeline, round by round.

    Each is a `DataLoader` in this process, limited to one thread. Processor time is measured instead of wall-clock
    time, because nothing waits here and other load then matters less.
    """
    loaders = _loaders(material)
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for i in tqdm(range(rounds + 1), "input pipelines", unit="round", leave=False):
            for name, epoch in loaders.items():
                found = rate(_endless(epoch), _images_of, images if i else 1)
                if i:  # the first round is warm-up
                    rates[name].append(found)
    finally:
        torch.set_num_threads(threads)
    return rates


def measure_stages(material: Material, rounds: int) -> dict[str, float]:
    """Milliseconds of processor time for each photograph in each stage of this project's pipeline: medians."""
    files = [path.read_bytes() for path in material.files]
    size = material.spec.size
    decoded = [decode(file, size) for file in files]
    resized = [crop_and_resize(image, WHOLE, material.spec) for image in decoded]
    stages: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
        "decode": (lambda file: decode(file, size), files),
        "resize": (lambda image: crop_and_resize(image, WHOLE, material.spec), decoded),
        "brightness, contrast and saturation": (lambda image: adjust(image, 1.1, 0.9, 1.1), resized),
        "hue": (lambda image: turn_hue(image, 0.05), resized),
    }
    return {name: _milliseconds(run, values, rounds) for name, (run, values) in stages.items()}


def _milliseconds(run: Callable[[Any], Any], values: Sequence[Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for value in values:
            run(value)
        times.append(1000 * (time.process_time() - start) / len(values))
    return statistics.median(times)


def _loaders(material: Material) -> dict[str, Callable[[], Iterable[Any]]]:
    """The batches of an epoch of each pipeline."""
    no_hue = replace(material.augment, hue=0)
    ours, without = material.opened(workers=0), material.opened(workers=0, augment=no_hue)
    labels, normalize = len(ours.taxonomy), Normalize(material.spec)
    rows = [material.files[i % len(material.files)] for i in range(len(ours.train))]

    def seed(augment: Augment, resize_first: bool = False) -> Iterable[Any]:
        return seed_loader(rows, material.spec, augment, material.batch_size, labels, resize_first)

    return {
        SEED: lambda: seed(material.augment),
        RESIZED_FIRST: lambda: seed(material.augment, True),
        OURS: ours.train_dataloader,
        NORMALIZED: lambda: (normalize(batch["pixels"]) for batch in ours.train_dataloader()),
        SEED_NO_HUE: lambda: seed(no_hue),
        NO_HUE: without.train_dataloader,
    }


def _endless(epoch: Callable[[], Iterable[Any]]) -> Iterable[Any]:
    while True:
        yield from epoch()


def _images_of(batch: Any) -> int:
    """Images in a batch of any of the pipelines."""
    if isinstance(batch, dict):
        return len(batch["pixels"])
    return len(batch) if isinstance(batch, torch.Tensor) else len(batch[0])
