"""Fixtures that several test files share."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving.torchserve import TorchServe


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny but real bundle, made once for all tests. Read only: a test that changes it works on a copy."""
    from tiny_bundle import make_tiny_bundle  # imports torch and onnx, which not every test needs

    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def model_store(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with `fashion.mar`, as shipped, and `batched.mar`, the same model with batches of 8. Read only."""
    from serving.archive import CONFIG_FILE, SERVING, archive

    store = tmp_path_factory.mktemp("model_store")
    archive(bundle, store / "fashion.mar", engine="int8")
    config = tmp_path_factory.mktemp("config") / CONFIG_FILE
    shipped = (SERVING / CONFIG_FILE).read_text()
    config.write_text(
        shipped.replace("batchSize: 1", "batchSize: 8").replace("maxBatchDelay: 5 ", "maxBatchDelay: 100 ")
    )
    archive(bundle, store / "batched.mar", engine="int8", config=config)
    return store


@pytest.fixture(scope="session")
def endpoint(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["TorchServe"]:
    """A running TorchServe on free ports that serves the models `fashion` and `batched` of `model_store`."""
    from serving.torchserve import TorchServe

    with TorchServe.temporary(model_store, tmp_path_factory.mktemp("endpoint")) as server:
        yield server


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample data set, drawn once for all tests. Read only."""
    from training.sources.sample import make_sample

    return make_sample(tmp_path_factory.mktemp("data") / "sample", train=64, val=24, test=4, size=48, workers=1)


@pytest.fixture(scope="session")
def run(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training run of a ResNet18 at 32 px on `sample_data`, by the real command. Read only."""
    folder = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "training.fit", "--config", "training/configs/sample.yaml"]
    command += ["--model.arch", "resnet18", "--data.path", str(sample_data), "--data.input.size", "32"]
    command += ["--data.batch_size", "16", "--data.cache", str(folder / "cache"), "--data.workers", "0"]
    command += ["--trainer.max_epochs", "2", "--trainer.accelerator", "cpu", "--run", str(folder / "run")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / "run"


@pytest.fixture(scope="session")
def exported(run: Path) -> Path:
    """The bundle of `run`, by the real command. Read only."""
    subprocess.run([sys.executable, "-m", "training.export", str(run)], check=True, capture_output=True, text=True)
    return run / "bundle"
