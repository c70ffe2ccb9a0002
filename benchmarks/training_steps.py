"""The training step on photographs and on batches in memory, to measure the cost of the input pipeline."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch.utils.data import Dataset
from tqdm import tqdm

from benchmarks.input_pipeline import Material
from fashion.errors import SettingError
from training.data.data_module import FashionData
from training.data.draws import TrainingDraw
from training.data.images import Sample
from training.data.input_settings import InputSettings
from training.fit import quiet
from training.fitting.module import FashionModule

KEPT = 4  # batches in memory


@dataclass(frozen=True)
class Case:
    """A network's training at one size.

    Attributes:
        size: of the input, px.
        batch_size: images in a step.
        warm_up: steps before timing starts; more than the loader's processes prefetch.
        steps: number of timed steps.
        arch: of the network.
    """

    size: int
    batch_size: int
    warm_up: int
    steps: int
    arch: str = "resnet50"


# With a GPU up to 16 processes prefetch two batches each.
ON_GPU = (Case(224, 128, 40, 80), Case(512, 64, 40, 60))
ON_CPU = (Case(224, 16, 3, 6),)


@dataclass(frozen=True)
class StepCell:
    """One case in one round: images a second with real photographs and with batches in memory."""

    size: int
    batch_size: int
    round: int
    real: float
    memory: float

    @property
    def ratio(self) -> float:
        """Speed with loading relative to the speed with batches in memory."""
        return self.real / self.memory


class Clock(Callback):
    """Times the steps after the warm-up, until the device has completed them."""

    def __init__(self, case: Case) -> None:
        self.case, self.done, self.start, self.end = case, 0, 0.0, 0.0

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.done += 1
        if self.done == self.case.warm_up:
            self.start = _now()
        if self.done == self.case.warm_up + self.case.steps:
            self.end = _now()

    @property
    def rate(self) -> float:
        """Images a second."""
        if self.end <= self.start:
            raise SettingError(f"the training ended after {self.done} steps; {self.case} measures more")
        return self.case.steps * self.case.batch_size / (self.end - self.start)


class Repeated(Dataset):
    """A data set repeated to a given number of images, for an epoch that is long enough."""

    def __init__(self, images: Any, length: int) -> None:
        self.images, self.length = images, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: TrainingDraw) -> Sample:
        return self.images[index._replace(image=index.image % len(self.images))]


class Batches:
    """Existing batches, repeated."""

    def __init__(self, batches: list[Sample], steps: int) -> None:
        self.batches, self.steps = batches, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Sample]:
        return (self.batches[i % len(self.batches)] for i in range(self.steps))


class RepeatedBatches(LightningDataModule):
    """The first batches of some data, loaded once and kept on the device."""

    def __init__(self, data: FashionData, steps: int) -> None:
        super().__init__()
        self.taxonomy, self.spec = data.taxonomy, data.spec
        self.gates = data.gates
        batches = list(islice(data.train_dataloader(), KEPT))
        if torch.cuda.is_available():
            batches = [{name: values.cuda() for name, values in batch.items()} for batch in batches]
        self.batches = Batches(batches, steps)

    def train_dataloader(self) -> Batches:
        return self.batches

    def val_dataloader(self) -> Batches:
        return self.batches  # never read; Lightning warns of a module without validation data


def measure_steps(material: Material, cases: tuple[Case, ...], rounds: int) -> list[StepCell]:
    """Train on both in turn: AdamW (fused), channels_last, on a GPU bf16 and torch.compile too."""
    quiet()
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
    cells = []
    with tqdm(total=2 * rounds * len(cases), desc="training steps", unit="run", leave=False) as bar:
        for case in cases:
            for i, rates in enumerate(_rounds(material, case, rounds, bar)):
                cells.append(StepCell(case.size, case.batch_size, i, rates["real"], rates["memory"]))
    return cells


def settings() -> str:
    """Precision and optimizer settings of the steps on this machine."""
    if torch.cuda.is_available():
        return "bf16, channels_last, torch.compile, fused AdamW"
    return "32-bit floats, channels_last, fused AdamW"


def _rounds(material: Material, case: Case, rounds: int, bar: tqdm) -> Iterator[Mapping[str, float]]:
    steps = case.warm_up + case.steps
    spec = replace(material.spec, size=case.size)
    real = material.opened(input=InputSettings.from_spec(spec), batch_size=case.batch_size)
    real.train = Repeated(real.train, steps * case.batch_size)  # type: ignore[assignment]
    kept: dict[str, LightningDataModule] = {"real": real, "memory": RepeatedBatches(real, steps)}
    module = FashionModule(
        arch=case.arch, weights="none", optimizer="adamw", lr=1e-4, compile=torch.cuda.is_available()
    )
    for i in range(rounds):
        rates = {}
        for name in sorted(kept, reverse=bool(i % 2)):  # alternating order
            rates[name] = _train(module, kept[name], case)
            bar.update()
        yield rates


def _train(module: FashionModule, data: LightningDataModule, case: Case) -> float:
    clock = Clock(case)
    trainer = Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
        max_epochs=-1,
        max_steps=case.warm_up + case.steps,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
    )
    trainer.fit(module, datamodule=data)
    return clock.rate


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
