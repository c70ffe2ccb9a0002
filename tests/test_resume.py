"""Killed and resumed trainings, with every shipped configuration, are bit-identical to uninterrupted ones."""

import csv
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from colored_shapes import write_shapes
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from training import fit
from training.data.loading import set_up_worker
from training.fitting import checkpoint_files
from training.fitting.stopping import TrainingStopped

pytestmark = pytest.mark.usefixtures("memory_is_freed")

CONFIGS = Path(__file__).parent.parent / "training" / "configs"
STEPS = 6  # per epoch
# Overrides of labels, files and hardware settings; recipes and augmentations stay.
SMALL = [
    *(
        "--model.arch",
        "timm/test_resnet",
        "--model.weights",
        "none",
        "--trainer.accelerator",
        "cpu",
        "--trainer.devices",
        "1",
    ),
    *("--trainer.precision", "32-true", "--data.input.size", "32", "--data.batch_size", "4", "--data.taxonomy", "data"),
    *("--data.groups", "null", "--data.names", "null", "--data.rules", "null", "--data.min_photographs", "1"),
    *("--trainer.max_epochs", "2"),
]
EVERY_CHANGE = (
    '{"flip": 0.5, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05, "crop_scale": 0.5, '
    '"border": 0.2, "recolor": 0.3, "rotate": 20, "blank": 0.2, "ground": 0.5}'
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags that reduce any configuration to a training of a second."""
    folder = write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=4 * STEPS, val=6)
    return [*SMALL, "--data.path", str(folder), "--data.cache", str(tmp_path_factory.mktemp("cache"))]


@pytest.fixture(autouse=True)
def quiet() -> None:
    fit.quiet()


class SignalAtStep(Callback):
    """Send this process a signal before a step."""

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, i: int) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


def train_until(number: int, step: int, arguments: list[str], save_every: float) -> None:
    """Train in this process until it gets a signal, with a checkpoint at least every `save_every` seconds."""
    fit.quiet()
    checkpoint_files.SAVE_EVERY = save_every
    instantiate = fit.FashionCLI.instantiate_trainer

    def with_signal(cli: fit.FashionCLI) -> Trainer:
        trainer = instantiate(cli)
        trainer.callbacks.insert(0, SignalAtStep(number, step))
        return trainer

    fit.FashionCLI.instantiate_trainer = with_signal  # type: ignore[method-assign]
    try:
        fit.train(arguments)
    except TrainingStopped:
        return
    finally:
        fit.FashionCLI.instantiate_trainer = instantiate  # type: ignore[method-assign]


def train_in_a_process(number: int, step: int, arguments: list[str], save_every: float = 600.0) -> None:
    """Train in a separate process, which is ended by the signal."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.fit"])  # imported once for all processes
    process = context.Process(target=train_until, args=(number, step, arguments, save_every))
    process.start()
    process.join(120)
    assert process.exitcode == (0 if number == signal.SIGTERM else -number)


def load_until_killed(send: Connection) -> None:
    """Load images with two worker processes, send their ids, and end by SIGKILL."""
    loader = DataLoader(ProcessIds(), batch_size=1, num_workers=2, worker_init_fn=set_up_worker)
    loading = iter(loader)
    send.send(sorted({int(next(loading)) for _ in range(8)}))
    os.kill(os.getpid(), signal.SIGKILL)


class ProcessIds(Dataset[int]):
    """Each item is the id of the process that loads it."""

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> int:
        return os.getpid()


def is_running(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells by /proc whether a process runs")
def test_loader_processes_end_with_a_killed_trainer() -> None:
    context = multiprocessing.get_context("forkserver")  # also the start method of the loader's workers then
    receive, send = context.Pipe(duplex=False)
    trainer = context.Process(target=load_until_killed, args=(send,))
    trainer.start()
    loaders = receive.recv()
    trainer.join(60)
    assert trainer.exitcode == -signal.SIGKILL
    assert len(loaders) == 2
    end = time.monotonic() + 30
    while any(map(is_running, loaders)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(is_running, loaders))


def losses(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv as text, without times."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def check_alike(run: Path, expected: Path) -> None:
    assert losses(run) == losses(expected)
    found, wanted = (torch.load(each / "checkpoints" / "last.ckpt", weights_only=True) for each in (run, expected))
    assert found["state_dict"].keys() == wanted["state_dict"].keys()
    assert all(torch.equal(found["state_dict"][name], value) for name, value in wanted["state_dict"].items())


# The number of loader processes: before the kill, after it, and in the uninterrupted training.
WORKERS = [(2, 2, 0), (0, 0, 2)]


# Every configuration is killed; one is also stopped by SIGTERM, which works the same for all.
@pytest.mark.parametrize(
    ("config", "number"),
    [(path.stem, signal.SIGKILL) for path in sorted(CONFIGS.glob("*.yaml"))] + [("sample", signal.SIGTERM)],
)
def test_a_shipped_configuration_is_resumed_to_the_last_bit(
    config: str, number: int, small: list[str], tmp_path: Path
) -> None:
    before, after, without = WORKERS[number == signal.SIGTERM]
    flags = ["--config", str(CONFIGS / f"{config}.yaml"), *small]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit.train([*flags, "--data.workers", str(without), "--run", str(whole)])
    train_in_a_process(number, STEPS + 3, [*flags, "--data.workers", str(before), "--run", str(parts)])
    assert len(losses(parts)) == 1
    fit.train(["--run", str(parts), "--resume", "--data.workers", str(after)])
    assert len(losses(parts)) == 2
    check_alike(parts, whole)


def test_a_validation_within_an_epoch_is_a_point_to_resume_from(small: list[str], tmp_path: Path) -> None:
    often = ["--config", str(CONFIGS / "sample.yaml"), *small, "--trainer.val_check_interval", "2"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit.train([*often, "--data.workers", "0", "--run", str(whole)])
    train_in_a_process(signal.SIGKILL, STEPS + 3, [*often, "--data.workers", "0", "--run", str(parts)])
    assert torch.load(parts / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == STEPS + 2
    fit.train(["--run", str(parts), "--resume"])
    check_alike(parts, whole)


def test_a_killed_training_loses_what_came_after_the_last_regular_checkpoint(small: list[str], tmp_path: Path) -> None:
    flags = ["--config", str(CONFIGS / "sample.yaml"), *small, "--data.workers", "0", "--run", str(tmp_path)]
    train_in_a_process(signal.SIGKILL, STEPS + 3, flags, save_every=0.0)
    # The end of the first epoch would be STEPS; the clock is looked at after the first step of ten.
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == STEPS + 1
