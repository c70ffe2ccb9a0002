"""Exporting a real run: the bundle is complete or not written, and its files agree."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fashion.engines import ENGINES
from fashion.errors import BundleError
from fashion.model_card import ModelCard, sha256
from fashion.predictor import Predictor
from training.data.images import open_split
from training.export import export, main
from training.fitting.runs import TrainingRun, load_module

FILES = {"model.ckpt", "model.pth", "model.onnx", "model.int8.onnx", "model_card.json"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return a function that mounts a disk of this many megabytes, which needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(megabytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small disk is not allowed here")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


@pytest.fixture
def own_run(run: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may break."""
    return Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("bundle", "tensorboard")))


def test_it_leaves_exactly_these_files(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == FILES
    assert not [path for path in exported.parent.iterdir() if path.name.startswith(".bundle")]


def test_the_card_describes_the_files(exported: Path, run: Path, labeled_data: Path) -> None:
    card = ModelCard.load(exported)
    assert card.files == {name: sha256(exported / name) for name in FILES - {"model_card.json"}}
    assert card.taxonomy == load_module(run / "checkpoints/best.ckpt").taxonomy
    assert card.input.size == 32
    validation = card.metrics["validation"]
    assert validation["images"] == json.loads((labeled_data / "dataset.json").read_text())["splits"]["val"]
    assert list(validation["profiles"]) == list(card.profiles) == ["0.5", "micro-f1", "macro-f1", "precision", "top-k"]
    assert validation["profiles"]["micro-f1"]["micro_f1"] >= validation["uncalibrated"]["0.5"]["micro_f1"] - 0.02
    assert card.top_k == {"color": 1, "shape": 1}
    assert max(card.metrics["parity"]["largest_probability_difference"].values()) <= 1e-4
    assert abs(card.metrics["int8"]["difference"]) <= 0.005
    # The 40 validation images have too few labels: a single answer would decide, so training images are added.
    assert (card.metrics["int8"]["images"], card.metrics["int8"]["training_images"]) == (280, 240)
    assert "training.fit" in card.training["command"]
    assert card.versions["torch"] == torch.__version__.split("+")[0]


def test_every_file_answers_alike(exported: Path, labeled_data: Path) -> None:
    card = ModelCard.load(exported)
    images = open_split(labeled_data, "val", card.taxonomy, card.input, cache=exported.parent / "cache")
    pixels = np.stack([images[i]["pixels"].numpy() for i in range(4)])
    answers = {
        engine: np.stack([p.probabilities for p in Predictor.from_bundle(exported, engine).predict_pixels(pixels)])
        for engine in ENGINES
    }
    assert np.abs(answers["onnx"] - answers["torch"]).max() <= 1e-4
    assert np.abs(answers["int8"] - answers["torch"]).max() <= 0.05
    assert np.array_equal(answers["auto"], answers["torch" if torch.cuda.is_available() else "int8"])


def test_the_checkpoint_is_slim_and_loads_alone(exported: Path, run: Path) -> None:
    assert (exported / "model.ckpt").stat().st_size < 0.5 * (run / "checkpoints/best.ckpt").stat().st_size
    slim, whole = (load_module(path) for path in (exported / "model.ckpt", run / "checkpoints/best.ckpt"))
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, slim.network.state_dict()[name]), name


def test_a_new_export_replaces_the_old_one(own_run: Path) -> None:
    bundle = own_run / "bundle"
    bundle.mkdir()
    (bundle / "model_card.json").write_text("{}")
    (bundle / "old").write_text("old")
    card = export(TrainingRun(own_run), bundle, int8=False, version="2.1", mirrored=True)
    assert {path.name for path in bundle.iterdir()} == FILES - {"model.int8.onnx"}
    assert (ModelCard.load(bundle).version, card.version) == ("2.1", "2.1")
    assert ModelCard.load(bundle).mirrored


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "checkpoints/best.ckpt").unlink(), "no checkpoint"),
        (lambda run: (run / "config.yaml").unlink(), "is not a training run"),
        (lambda run: flip_a_byte(run / "checkpoints/best.ckpt"), "was changed after it was written"),
        (lambda run: cut(run / "checkpoints/best.ckpt"), "is broken"),
        (lambda run: drop_a_label(run / "checkpoints/best.ckpt"), "cannot be loaded"),
        (lambda run: lose_the_data(run / "config.yaml"), "/nowhere"),
    ],
)
def test_runs_that_cannot_be_exported_give_a_one_line_error(
    own_run: Path, damage: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(own_run)
    before = sorted(own_run.rglob("*"))
    with pytest.raises(SystemExit) as exit:
        main([str(own_run)])
    error = capsys.readouterr().err
    assert exit.value.code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert sorted(own_run.rglob("*")) == before


def test_folders_other_than_bundles_are_never_replaced(own_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for out, message in ((own_run, "is a folder with files and no bundle"), (tmp_path / "file", "is a file")):
        with pytest.raises(BundleError, match=message):
            export(TrainingRun(own_run), out)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("megabytes", [20, 60, 110])
def test_a_full_disk_leaves_the_old_bundle(
    own_run: Path, small_disk: Callable[[int], Path], megabytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk(megabytes)
    (disk / "bundle").mkdir()
    (disk / "bundle/model_card.json").write_text("old")
    with pytest.raises(SystemExit) as exit:
        main([str(own_run), "--out", str(disk / "bundle")])
    assert exit.value.code == 2
    assert "no space left on the disk" in capsys.readouterr().err
    assert [str(path.relative_to(disk)) for path in sorted(disk.rglob("*"))] == ["bundle", "bundle/model_card.json"]


def test_files_that_disagree_are_not_exported(own_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Write another network as ONNX than the checkpoint's.
    import training.export

    write = training.export.write_onnx

    def write_changed(network, spec, path):
        with torch.no_grad():
            network.fc.bias += 3  # also changes probabilities close to 0 or 1
        write(network, spec, path)

    monkeypatch.setattr(training.export, "write_onnx", write_changed)
    with pytest.raises(BundleError, match=r"model\.onnx and model\.ckpt disagree"):
        export(TrainingRun(own_run), own_run / "bundle")
    assert not (own_run / "bundle").exists()
    assert not list(own_run.glob(".bundle*"))


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def drop_a_label(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["labels"] = content["hyper_parameters"]["labels"][:-1]
    torch.save(content, path)


def lose_the_data(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join("  path: /nowhere" if line.startswith("  path:") else line for line in lines))
