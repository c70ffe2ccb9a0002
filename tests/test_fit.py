"""training.fit: real trainings of a ResNet18 at 32 px, with their files and messages."""

import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from colored_shapes import write_shapes
from pytorch_lightning import Callback, LightningModule, Trainer
from torch._dynamo.utils import counters

from fashion.errors import BundleError, FashionError, SettingError
from training import fit
from training.data.data_module import FashionData
from training.data.images import open_split
from training.fitting.losses import BINARY_CROSS_ENTROPY
from training.fitting.module import FashionModule
from training.fitting.rate_search import LR_STEPS, suggested_rate
from training.fitting.runs import BEST, LAST, TrainingRun, load_module
from training.fitting.stopping import StopOnSignal, TrainingStopped

pytestmark = pytest.mark.usefixtures("memory_is_freed")

CONFIG = Path(__file__).parent.parent / "training" / "configs" / "sample.yaml"
METRICS = ["loss", "micro_f1", "macro_f1", "map", "best_micro_f1", "best_threshold"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=48, val=21)


@pytest.fixture(scope="module")
def flags(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings for a training of a few seconds: 48 images in 6 steps per epoch.

    Always fp32: with bf16, which `fit` uses if the CPU has it, scores depend on how images are batched.
    """
    return [
        *("--config", str(CONFIG), "--model.arch", "resnet18", "--trainer.accelerator", "cpu"),
        *("--trainer.precision", "32-true"),
        *("--data.path", str(folder), "--data.input.size", "32", "--data.batch_size", "8", "--data.workers", "0"),
        *("--data.cache", str(tmp_path_factory.mktemp("cache")), "--model.lr", "0.001", "--trainer.max_epochs", "2"),
    ]


@pytest.fixture(autouse=True)
def quiet() -> None:
    fit.quiet()


@pytest.fixture(scope="module")
def finished(flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run. Read-only."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    fit.quiet()
    fit.train([*flags, "--run", str(run)])
    return run


def rows(run: Path) -> list[dict[str, Any]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def without_time(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in table]


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "training.fit", *arguments]


class Interrupt(Callback):
    """Send this process a real signal at a training step, or in the validation after it."""

    def __init__(self, number: int, step: int, in_validation: bool = False) -> None:
        self.number, self.step, self.in_validation = number, step, in_validation

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, i: int) -> None:
        if not self.in_validation and trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)

    def on_validation_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, i: int) -> None:
        if self.in_validation and trainer.global_step == self.step and i == 0:
            os.kill(os.getpid(), self.number)


def train_interrupted(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], at: Interrupt) -> None:
    """Train until the signal."""
    with monkeypatch.context() as patch:
        instantiate = fit.FashionCLI.instantiate_trainer

        def instantiate_with_interrupt(cli: fit.FashionCLI) -> Trainer:
            trainer = instantiate(cli)
            trainer.callbacks.insert(0, at)
            return trainer

        patch.setattr(fit.FashionCLI, "instantiate_trainer", instantiate_with_interrupt)
        with pytest.raises(TrainingStopped) as stopped:
            fit.train([*arguments])
    assert stopped.value.number == at.number
    assert stopped.value.checkpoint is not None


def test_a_run_leaves_its_files(finished: Path) -> None:
    there = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    events = {name for name in there if name.startswith("tensorboard/")}
    assert any("events.out.tfevents" in name for name in events)
    assert there - events == {"config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"}


def test_frozen_stages_do_not_change(flags: list[str], tmp_path: Path) -> None:
    def trained(name: str, *more: str) -> dict[str, torch.Tensor]:
        run = ["--trainer.max_epochs", "1", "--run", str(tmp_path / name)]
        fit.train([*flags, "--model.frozen", "2", *more, *run])
        return weights(tmp_path / name)

    fast, slow = trained("fast"), trained("slow", "--model.lr", "0.0001")
    frozen = {name for name in fast if name.startswith(("network.conv1", "network.bn1", "network.layer1"))}
    assert all(torch.equal(fast[name], slow[name]) for name in frozen), "frozen stages change at no learning rate"
    others = [name for name in fast if name.endswith("weight") and name not in frozen]
    assert not any(torch.equal(fast[name], slow[name]) for name in others)


def test_image_sizes_grow_during_training(flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    forward = FashionModule.forward

    def see(module: FashionModule, pixels: torch.Tensor) -> Any:
        if module.training:
            sizes.append(pixels.shape[1])
        return forward(module, pixels)

    monkeypatch.setattr(FashionModule, "forward", see)
    grown = ["--data.input.size", "64", "--model.growth.start", "0.5", "--model.growth.until", "0.8"]
    run = ["--run", str(tmp_path / "run"), "--trainer.accumulate_grad_batches", "2"]
    fit.train([*flags, *grown, *run])
    assert (len(sizes), sizes) == (12, sorted(sizes))
    assert {32, 48, 64} == set(sizes)
    assert sizes[-2:] == [64, 64]
    assert load_module(tmp_path / "run" / "checkpoints" / "best.ckpt").spec.size == 64
    with pytest.raises(SettingError, match=r"planned for 6 steps, the settings make it 9: its images would shrink"):
        fit.train(["--run", str(tmp_path / "run"), "--resume", "--trainer.max_epochs", "3", "--model.schedule", "none"])


def test_several_folders_are_one_data_set(flags: list[str], folder: Path, tmp_path: Path) -> None:
    other = write_shapes(tmp_path / "other", train=16, val=6)
    run = tmp_path / "run"
    fit.train([*flags, "--data.path", f"[{folder},{other}]", "--data.repeat", "[1,2]", "--run", str(run)])
    assert rows(run)[-1]["step"] == 2 * ((48 + 2 * 16) // 8)
    images = TrainingRun(run).split("val", load_module(run / "checkpoints" / "best.ckpt"))
    assert len(images) == 27


def test_last_is_the_last_epoch_and_best_the_best(flags: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit.train([*flags, "--model.lr", "1e-12", "--trainer.max_epochs", "3", "--run", str(run)])  # none is better
    epochs = {
        name: torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["epoch"] for name in ("best", "last")
    }
    assert epochs["last"] == 2
    assert epochs["best"] == int(np.argmax([row["val/best_micro_f1"] for row in rows(run)]))


def test_epochs_without_a_validation_are_saved(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = tmp_path / "run"
    rarely = ["--trainer.check_val_every_n_epoch", "2", "--trainer.max_epochs", "3"]
    fit.train([*flags, *rarely, "--run", str(run)])
    steps = [torch.load(run / name, weights_only=True)["global_step"] for name in (BEST, LAST)]
    assert steps == [12, 18]
    capsys.readouterr()
    fit.train(["--run", str(run), "--resume"])
    assert "nothing left to train" in capsys.readouterr().out


def test_a_trial_saves_nothing_and_says_so(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = tmp_path / "run"
    fit.train([*flags, "--trainer.fast_dev_run", "true", "--run", str(run)])
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("epoch 1/1  loss")
    assert said[-1] == "done   a trial, nothing was saved; train without --trainer.fast_dev_run"
    assert not run.exists()


def test_metrics_have_a_row_for_each_epoch_and_the_network_learns(finished: Path) -> None:
    first, second = rows(finished)
    assert (first["epoch"], second["epoch"], second["step"]) == (1, 2, 12)
    assert {"train/loss", "lr", "seconds", *(f"val/{name}" for name in METRICS)} <= set(first)
    assert second["train/loss"] < first["train/loss"]
    assert second["val/best_micro_f1"] > 0.5


def test_settings_of_the_run_are_kept(finished: Path, folder: Path) -> None:
    settings = yaml.safe_load((finished / "config.yaml").read_text())
    assert settings["model"]["arch"] == "resnet18"
    assert settings["data"]["path"] == str(folder)
    assert settings["data"]["augment"]["flip"] == 0.5
    assert not settings["resume"]


def test_metrics_are_those_of_the_checkpoint_on_the_whole_split(finished: Path, folder: Path) -> None:
    assert rows(finished)[-1] == pytest.approx(rows(finished)[-1] | validate(finished, folder), abs=1e-4)


def validate(run: Path, folder: Path) -> dict[str, float]:
    """The metrics of a run's last checkpoint on its whole validation split, in one batch."""
    module = FashionModule.load_from_checkpoint(run / "checkpoints" / "last.ckpt", weights_only=True).eval()
    images = open_split(folder, "val", module.taxonomy, module.spec, cache=run / "cache")
    pixels = torch.stack([image["pixels"] for image in images])
    targets = torch.stack([image["targets"] for image in images])
    with torch.no_grad():
        logits = module(pixels).logits
    module.scores.update(logits, targets)
    values = {"loss": BINARY_CROSS_ENTROPY(logits, targets, module.groups)[0], **module.scores.compute()}
    return {f"val/{name}": value.item() for name, value in values.items()}


def test_two_processes_measure_the_same_as_one(flags: list[str], folder: Path, tmp_path: Path) -> None:
    ranks = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--data.batch_size", "4"]
    result = subprocess.run(
        command(*flags, *ranks, "--trainer.max_epochs", "1", "--run", str(tmp_path / "run")),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch 1/1  loss") == 1
    (row,) = rows(tmp_path / "run")
    assert row["step"] == 6  # 48 images by 2 processes of 4
    assert row == pytest.approx(row | validate(tmp_path / "run", folder), abs=1e-4)


def test_a_run_is_not_overwritten(finished: Path, flags: list[str]) -> None:
    with pytest.raises(SettingError, match="holds a run already; continue it with --resume, or choose another --run"):
        fit.train([*flags, "--run", str(finished)])


@pytest.mark.parametrize(
    ("at", "epochs", "bar"),
    [
        (Interrupt(signal.SIGTERM, 8), 1, "epoch 2/2:  50%"),
        (Interrupt(signal.SIGINT, 5), 1, "epoch 2/2:   0%"),
        (Interrupt(signal.SIGINT, 6, in_validation=True), 1, "epoch 2/2:   0%"),
    ],
    ids=["mid-epoch", "last step of an epoch", "validation"],
)
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    at: Interrupt,
    epochs: int,
    bar: str,
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    finished: Path,
) -> None:
    run = tmp_path / "run"
    train_interrupted(monkeypatch, [*flags, "--run", str(run)], at)
    assert len(rows(run)) == epochs
    assert (run / BEST).is_file(), "the validated epoch counts"
    capsys.readouterr()
    fit.train(["--run", str(run), "--resume"])
    assert re.findall(r"epoch \d+/\d+: +\d+%", capsys.readouterr().err)[0] == bar
    assert without_time(rows(run)) == without_time(rows(finished))
    for which in ("last", "best"):
        expected = weights(finished, which)
        assert all(torch.equal(expected[name], value) for name, value in weights(run, which).items())


@pytest.mark.parametrize("short", [("--trainer.max_steps", "3"), ("--trainer.limit_val_batches", "0")])
def test_a_training_without_validation_keeps_its_last_weights(
    short: tuple[str, str],
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    # Checkpoints do not pass through the temporary folder, from where they could not be moved in one step.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    run = tmp_path / "run"
    fit.train([*flags, *short, "--trainer.max_epochs", "1", "--run", str(run)])
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [
        f"done   nothing was validated, so there is no best; the last weights: {run / LAST}",
        f"next   python -m training.export {run} --checkpoint last",
    ]
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["last.ckpt"]


def test_a_schedule_needs_the_length_of_the_training(flags: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"--model.schedule onecycle needs the length of the training; give"):
        fit.train([*flags, "--trainer.max_epochs", "-1", "--run", str(tmp_path / "run")])


def test_a_run_may_be_moved(flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("Red: Crimson\n")
    arguments = ["--data.names", str(tmp_path / "new.yaml"), "--model.schedule", "none", "--run", str(tmp_path / "run")]
    fit.train([*flags, *arguments, "--trainer.max_epochs", "1"])
    (tmp_path / "new.yaml").unlink()
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    assert TrainingRun(moved).settings["data"]["names"] == str(moved / "names.yaml")
    # As if the first epoch had been perfect: no later one can replace it.
    last, perfect = torch.load(moved / LAST, weights_only=True), torch.tensor(1.0)
    (best,) = (state for state in last["callbacks"].values() if state.get("monitor"))
    kept = dict.fromkeys(best["best_k_models"], perfect)
    best |= {"best_model_score": perfect, "kth_value": perfect, "best_k_models": kept}
    torch.save(last, moved / LAST)
    fit.train(["--run", str(moved), "--resume", "--trainer.max_epochs", "2"])
    assert len(rows(moved)) == 2
    assert torch.load(moved / BEST, weights_only=True)["epoch"] == 0
    assert yaml.safe_load((moved / "config.yaml").read_text())["data"]["names"] == str(moved / "names.yaml")


def test_muon_resumes_like_an_uninterrupted_run(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = ["--model.optimizer", "muon", "--model.schedule", "onecycle", "--model.init.whiten", "true"]
    flags = [*flags, *recipe]
    fit.train([*flags, "--run", str(tmp_path / "whole")])
    train_interrupted(monkeypatch, [*flags, "--run", str(tmp_path / "parts")], Interrupt(signal.SIGTERM, 8))
    fit.train(["--run", str(tmp_path / "parts"), "--resume"])
    expected = weights(tmp_path / "whole")
    assert all(torch.equal(expected[name], value) for name, value in weights(tmp_path / "parts").items())
    first, second = rows(tmp_path / "whole")
    assert second["train/loss"] < first["train/loss"]


def test_the_moving_average_is_validated_saved_and_resumed(
    flags: list[str], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, parts = tmp_path / "whole", tmp_path / "parts"
    fit.train([*flags, "--ema", "0.8", "--run", str(run)])
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    averaged, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    assert all(torch.equal(current[name], value) for name, value in weights(finished).items()), (
        "the moving average must not affect the training"
    )
    assert not torch.equal(averaged["network.fc.weight"], current["network.fc.weight"])
    assert rows(run)[-1]["val/loss"] != rows(finished)[-1]["val/loss"]
    train_interrupted(monkeypatch, [*flags, "--ema", "0.8", "--run", str(parts)], Interrupt(signal.SIGTERM, 9))
    fit.train(["--run", str(parts), "--resume"])
    assert without_time(rows(parts)) == without_time(rows(run))
    assert all(torch.equal(weights(parts)[name], value) for name, value in averaged.items())


def test_ctrl_c_saves_prints_the_resume_command_and_exits(flags: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    # With a worker process, because ctrl-C in a terminal reaches it too.
    arguments = [*flags, "--data.workers", "1", "--trainer.max_epochs", "1000", "--run", str(run)]
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(command(*arguments), stdout=log, stderr=log, start_new_session=True)
        limit = time.monotonic() + 200
        # The best weights are saved last at the end of an epoch: after its row in metrics.csv.
        while not (run / BEST).exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        status = process.wait(100)
        log.seek(0)
        said = log.read()
    assert status == 130, said
    assert said.rstrip().splitlines()[-1] == f"stopped; go on with: python -m training.fit --run {run} --resume"
    assert "Traceback" not in said
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert FashionModule.load_from_checkpoint(run / "checkpoints" / "last.ckpt", weights_only=True).built


def test_a_signal_before_the_first_step_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped) as stopped, StopOnSignal(tmp_path / "last.ckpt"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.checkpoint is None
    assert not list(tmp_path.iterdir())


def test_a_finished_run_has_nothing_left_to_train(
    finished: Path, capsys: pytest.CaptureFixture, flags: list[str]
) -> None:
    before = (finished / "metrics.csv").read_text()
    fit.train(["--run", str(finished), "--resume"])
    assert "nothing left to train; raise --trainer.max_epochs (now 2)" in capsys.readouterr().out
    assert (finished / "metrics.csv").read_text() == before


def test_a_one_cycle_schedule_is_not_lengthened(finished: Path) -> None:
    with pytest.raises(SettingError, match="planned for 12 steps, the settings make it 18"):
        fit.train(["--run", str(finished), "--resume", "--trainer.max_epochs", "3"])


def test_resuming_with_other_labels_is_one_error(finished: Path, tmp_path: Path) -> None:
    other = write_shapes(tmp_path / "other", train=2, val=2)  # one of the colors and of the shapes is missing
    with pytest.raises(BundleError, match="the checkpoint has 5 labels, the data has 3"):
        fit.train(["--run", str(finished), "--resume", "--data.path", str(other)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--trainer.max_epochs", "3"], r"planned for 12 steps.* make it 18: .*\(--trainer.max_epochs 2\)"),
        (["--model.optimizer", "sgd"], "began with --model.optimizer adamw, not sgd"),
        (["--model.schedule", "cosine"], "began with --model.schedule onecycle, not cosine"),
        (["--data.groups", "[shape]"], r"began with --data.groups null, not \['shape'\]; resume it with its own, or"),
        (["--data.input.size", "48"], "began with --data.input .*'size': 32.*, not .*'size': 48"),
    ],
)
def test_a_resume_is_refused_before_the_data_are_opened_and_changes_nothing(
    changed: list[str], message: str, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    monkeypatch.setattr(FashionData, "prepare_data", lambda data: pytest.fail("the data were opened"))
    with pytest.raises(SettingError, match=message):
        fit.train(["--run", str(finished), "--resume", *changed])
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_a_resume_refused_by_the_data_keeps_the_settings(finished: Path) -> None:
    before = (finished / "config.yaml").read_bytes()
    with pytest.raises(SettingError, match="planned for 12 steps, the settings make it 9"):
        fit.train(["--run", str(finished), "--resume", "--trainer.max_epochs", "3", "--data.batch_size", "16"])
    assert (finished / "config.yaml").read_bytes() == before
    fit.train(["--run", str(finished), "--resume"])


def test_weights_of_a_run_start_another(finished: Path, flags: list[str], tmp_path: Path) -> None:
    best = finished / "checkpoints" / "best.ckpt"
    arguments = [
        "--model.weights",
        str(best),
        "--model.lr",
        "1e-9",
        "--model.schedule",
        "none",
        "--data.groups",
        "[shape]",
    ]
    fit.train([*flags, *arguments, "--trainer.max_epochs", "1", "--run", str(tmp_path / "run")])
    name = "network.layer2.0.conv1.weight"
    assert torch.allclose(weights(tmp_path / "run")[name], weights(finished, "best")[name], atol=1e-5)
    assert weights(tmp_path / "run")["network.fc.weight"].shape[0] == 2


def test_a_diverging_training_ends_in_one_line_and_no_checkpoint(flags: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"diverged: the validation loss is not finite in epoch 1, at step 6; lower"):
        fit.train([*flags, "--model.lr", "1e25", "--model.schedule", "none", "--run", str(tmp_path / "run")])
    assert not list(tmp_path.rglob("*.ckpt"))
    fit.train([*flags, "--trainer.max_epochs", "1", "--run", str(tmp_path / "run")])  # in the same folder
    assert len(rows(tmp_path / "run")) == 1


def test_find_lr_suggests_and_trains_with_it(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    fit.train([*flags, "--find_lr", "--trainer.max_epochs", "1", "--run", str(tmp_path / "run")])
    said = capsys.readouterr().out
    assert "found  learning rate" in said
    assert "(--model.lr was 0.001); training with it" in said
    used = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"]["lr"]
    assert 1e-5 < used < 0.5
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["hyper_parameters"]["lr"] == used
    assert saved["global_step"] == 6
    assert not list(tmp_path.rglob(".lr_find*"))


def test_find_lr_is_robust_to_noise_on_a_tiny_set(tmp_path: Path, flags: list[str]) -> None:
    few = write_shapes(tmp_path / "few", train=8, val=6)
    arguments = ["--data.path", str(few), "--find_lr", "--trainer.max_epochs", "1", "--run", str(tmp_path / "run")]
    fit.train([*flags, *arguments])
    assert 1e-5 < yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"]["lr"] < 0.5


def test_the_suggested_rate() -> None:
    rates = np.geomspace(1e-8, 1, LR_STEPS)
    noise = 0.01 * np.sin(np.arange(LR_STEPS) * 2.3)
    falling = 0.7 - 0.3 / (1 + (3e-3 / rates) ** 2) + 20 * np.maximum(0, rates - 0.1) + noise
    assert 1e-3 < suggested_rate(rates, falling) < 2e-2
    assert suggested_rate(rates, 0.7 + noise) is None
    assert suggested_rate(rates, np.full(LR_STEPS, np.nan)) is None
    assert suggested_rate(rates[:5], falling[:5]) is None


def test_a_compiled_network_is_saved_under_the_same_names(
    flags: list[str], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Really traced and called, but without code generation, which needs a compiler.
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="eager"))
    counters.clear()
    growing = ["--data.input.size", "64", "--model.growth.start", "0.5", "--model.growth.until", "0.8"]
    fit.train(
        [*flags, *growing, "--model.compile", "true", "--trainer.max_epochs", "1", "--run", str(tmp_path / "run")]
    )
    assert counters["stats"]["unique_graphs"] == 3  # for 32, 48 and 64 px; none for variable sizes or validation
    assert set(weights(tmp_path / "run")) == set(weights(finished))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--run is missing"),
        (["--run", "x", "--resume"], "nothing to resume: there is no x/checkpoints/last.ckpt"),
        (["--run", "x", "--resume", "--find_lr"], "exclude each other"),
        (["--run", "x", "--find_lr", "--trainer.fast_dev_run", "2"], "--trainer.fast_dev_run and --find_lr exclude"),
        (["--run", "x", "--data.groups", "color,size"], "data.groups is a list; write it as '[color,size]'"),
        (["--run", "x", "--data.repeat", "2"], "data.repeat is a list; write it as '[2]'"),
        (["--run", "x", "--model.lrr", "3"], "unrecognized arguments: --model.lrr"),
        (["--run", "x", "--model.lr", "fast"], "model.lr"),
        (["--run", "x", "--config", "nope.yaml"], "nope.yaml"),
        (["--run", "x", "--data.input.size", "7"], "input size 7 is out of range"),
        (["--run", "x", "--data.augment.flip", "2"], "augment.flip is 2.0"),
        (["--run", "x", "--data.path", "nowhere"], "nowhere"),
        (["--run", "x", "--trainer.devices", "0"], "--trainer.devices 0"),
        (["--run", "x", "--trainer.accelerator", "foo"], "invalid accelerator name: `accelerator='foo'`"),
        (["--run", "x", "--trainer.strategy", "foo"], "--trainer.strategy foo"),
        (["--run", "x", "--trainer.logger", "false"], "--trainer.logger cannot be set; a run writes metrics.csv"),
        (["--run", "x", "--trainer.num_sanity_val_steps", "2"], "--trainer.num_sanity_val_steps cannot be set"),
        (["--run", "x", "--trainer.max_steps", "-7"], "`max_steps` must be"),
        (["--run", "x", "--model.weights", "nothing.pth"], "no such weights file: nothing.pth"),
    ],
)
def test_mistakes_are_one_line_errors(
    arguments: list[str],
    message: str,
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        fit.main([*flags, *arguments])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has the device")
def test_a_missing_gpu_is_a_one_line_error(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = CONFIG.with_name("imaterialist.yaml")
    with pytest.raises(SystemExit) as end:
        fit.main(["--config", str(config), "--data.path", str(tmp_path), "--run", str(tmp_path / "x")])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: these trainer settings cannot be used: No supported gpu backend found (")
    assert "(--trainer.accelerator gpu --trainer.devices 4 --trainer.strategy auto)" in line


def test_a_stopped_training_is_not_a_user_error() -> None:
    assert not issubclass(TrainingStopped, FashionError)
