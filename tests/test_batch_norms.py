"""training.weights.batch_norms, and ONNX files as initial weights of a training."""

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fashion.backbones.contract import Backbone
from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.model_card import ModelCard
from training import fit
from training.data.images import Photographs, open_split
from training.weights import first_weights
from training.weights.batch_norms import unfold

FILES = ("model.onnx", "model.int8.onnx")


@pytest.fixture
def images(exported: Path, labeled_data: Path, tmp_path: Path) -> Photographs:
    card = ModelCard.load(exported)
    return open_split(labeled_data, "train", card.taxonomy, card.input, cache=tmp_path / "cache")


def logits(network: Backbone, images: Photographs) -> Tensor:
    pixels = torch.stack([images[i]["pixels"] for i in range(64)])
    with torch.no_grad():
        return network(Normalize(images.reader.spec)(pixels)).logits


@pytest.mark.parametrize("file", FILES)
def test_training_can_continue_from_onnx_files(file: str, exported: Path, images: Photographs) -> None:
    network = build("resnet18", len(images.reader.taxonomy)).eval()
    assert first_weights.load(network, "resnet18", str(exported / file))
    folded = logits(network, images)
    unfold(network, Normalize(images.reader.spec), images)
    assert not network.training
    unfolded = logits(network, images)
    torch.testing.assert_close(unfolded, folded, rtol=1e-3, atol=1e-3)
    original = build("resnet18", len(images.reader.taxonomy)).eval()
    original.load_state_dict(torch.load(exported / "model.pth", weights_only=True))
    wanted = logits(original, images)
    assert (unfolded - wanted).abs().mean() < 0.1 * wanted.std()
    # In training mode it normalizes by batch statistics and answers similarly; folded norms would change it much more.
    learning = logits(network.train(), images)
    assert (learning - wanted).abs().mean() < 0.3 * wanted.std()
    first_weights.load(network, "resnet18", str(exported / file))
    assert (logits(network.train(), images) - wanted).abs().mean() > 2 * (learning - wanted).abs().mean()


def test_batch_norm_statistics_are_those_of_its_inputs(exported: Path, images: Photographs) -> None:
    network = build("resnet18", len(images.reader.taxonomy)).eval()
    first_weights.load(network, "resnet18", str(exported / FILES[0]))
    unfold(network, Normalize(images.reader.spec), images)
    pixels = torch.stack([images[i]["pixels"] for i in range(len(images))])  # fewer than the number normally sampled
    with torch.no_grad():
        given = network.conv1(Normalize(images.reader.spec)(pixels))
    torch.testing.assert_close(network.bn1.running_mean, given.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(network.bn1.running_var, given.var((0, 2, 3), correction=0), rtol=1e-3, atol=1e-4)


def epochs(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_a_training_from_an_int8_file_starts_with_its_score(
    run: Path, exported: Path, labeled_data: Path, tmp_path: Path
) -> None:
    """After a step at a tiny learning rate the score is that of the int8 file; random weights score near 0."""
    fit.quiet()
    flags = ["--config", "training/configs/sample.yaml", "--model.arch", "resnet18", "--data.input.size", "32"]
    flags += ["--data.path", str(labeled_data), "--data.workers", "0", "--data.batch_size", "64"]
    flags += ["--data.cache", str(tmp_path / "cache"), "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    flags += ["--model.lr", "1e-9", "--trainer.limit_train_batches", "1"]
    fit.train([*flags, "--model.weights", str(exported / FILES[1]), "--run", str(tmp_path / "run")])
    (begun,) = epochs(tmp_path / "run")
    original = max(epochs(run), key=lambda epoch: epoch["val/best_micro_f1"])
    assert begun["val/best_micro_f1"] == pytest.approx(original["val/best_micro_f1"], abs=0.03)
    assert begun["val/loss"] < 1.5 * original["val/loss"]


@pytest.mark.skipif(not Path("model_store/starter/model.int8.onnx").exists(), reason="no starter in this checkout")
def test_the_starters_int8_file_can_initialize_a_training() -> None:
    card = ModelCard.load(Path("model_store/starter"))
    network = build(card.arch, card.num_outputs)
    assert first_weights.load(network, card.arch, "model_store/starter/model.int8.onnx")
    assert network.get_head().bias.abs().sum() > 0
