"""Weights of the original project become bundles with the same answers as torchvision's network."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from colored_shapes import COLORS
from seed_files import (
    SIZE,
    SPEC,
    answers,
    change_onnx,
    fit_head,
    seed_network,
    write_checkpoint,
    write_onnx,
    write_state,
)
from tiny_bundle import garments
from torch import nn

from fashion.backbones.families import build
from fashion.engines import TorchEngine
from fashion.model_card import ModelCard, sha256
from fashion.prediction import sigmoid
from fashion.predictor import Predictor
from fashion.taxonomy import imaterialist
from training.data.images import open_split
from training.fitting.runs import load_module
from training.import_weights import main, read_labels
from training.weights.foreign_weights import read_source

SMALL = ["--arch", "resnet18", "--size", str(SIZE)]
PICTURES = garments(6, SIZE, 11)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return seed_network()


@pytest.fixture(scope="module")
def onnx_file(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of the network. Read-only."""
    return write_onnx(network, tmp_path_factory.mktemp("onnx") / "seed.onnx")


LAYOUTS: dict[str, Callable[[nn.Module, Path], Path]] = {
    "checkpoint of Lightning 1.0": lambda network, folder: write_checkpoint(network, folder / "epoch=3.ckpt"),
    "the same, saved again": lambda network, folder: write_checkpoint(network, folder / "x.chkpt", old=False),
    "state dict": lambda network, folder: write_state(network, folder / "x.pth"),
    "state dict of torch 1.4": lambda network, folder: write_state(network, folder / "x.pth", "predictor.", old=True),
    "state dict of a parallel wrapper": lambda network, folder: write_state(network, folder / "x.pth", "module.model."),
    "half precision": lambda network, folder: write_state(seed_network().half(), folder / "x.pth"),
    "ONNX": lambda network, folder: write_onnx(network, folder / "x.onnx"),
    "ONNX, any batch": lambda network, folder: write_onnx(network, folder / "x.onnx", folded=False, dynamic=True),
    "ONNX of probabilities": lambda network, folder: write_onnx(network, folder / "X.ONNX", sigmoid=True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_weights_of_every_layout_answer_as_torchvision_does(
    layout: str, network: nn.Module, tmp_path: Path
) -> None:
    check(LAYOUTS[layout](network, tmp_path), network, "resnet18", 0.01 if layout == "half precision" else 1e-5)


@pytest.mark.parametrize("layout", ["checkpoint of Lightning 1.0", "ONNX"])
def test_resnet50_weights_answer_as_torchvision_does(layout: str, tmp_path: Path) -> None:
    network = seed_network("resnet50")
    # Folding the batch norms of 53 layers rounds: the file itself differs by 7e-5 from the network it was written from.
    check(LAYOUTS[layout](network, tmp_path), network, "resnet50", 2e-4 if layout == "ONNX" else 1e-5)


def check(file: Path, network: nn.Module, arch: str, close: float) -> None:
    source = read_source(file, arch, SPEC)
    ours = build(arch, 228)
    ours.load_state_dict(source.state, strict=False)
    expected = answers(network, PICTURES)
    assert expected.std(axis=0).max() > 0.1, "the images must get different answers"
    assert np.abs(sigmoid(TorchEngine(ours, SPEC).run(PICTURES).logits) - expected).max() < close
    if source.engine:
        assert np.abs(sigmoid(source.engine.run(PICTURES).logits) - expected).max() < close


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    """A network and the bundle made from its checkpoint by the command."""
    folder = tmp_path_factory.mktemp("imported")
    network = seed_network()
    file = write_checkpoint(network, folder / "epoch=3.ckpt")
    assert main([str(file), *SMALL, "--out", str(folder / "bundle"), "--name", "seed"]) == 0
    return network, folder / "bundle"


def test_the_bundle_records_its_origin(imported: tuple[nn.Module, Path]) -> None:
    _, bundle = imported
    card = ModelCard.load(bundle)
    assert set(card.files) == {"model.ckpt", "model.pth", "model.onnx"}
    assert card.files == {name: sha256(bundle / name) for name in card.files}
    assert card.labels == imaterialist().labels
    assert (card.input.size, card.input.mean, card.input.std) == (SIZE, SPEC.mean, SPEC.std)
    assert (card.name, card.arch, card.default_profile, list(card.thresholds)) == ("seed", "resnet18", "0.5", ["0.5"])
    source = card.training["source"]
    assert source["sha256"] == sha256(bundle.parent / "epoch=3.ckpt")
    assert source["file"] == "epoch=3.ckpt"
    assert "1.0.6" in source["kind"]
    assert max(card.metrics["parity"]["largest_probability_difference"].values()) <= 1e-4


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_the_bundle_answers_as_torchvision_does(imported: tuple[nn.Module, Path], engine: str) -> None:
    network, bundle = imported
    predictor = Predictor.from_bundle(bundle, engine, device="cpu" if engine == "torch" else None)
    found = np.stack([prediction.probabilities for prediction in predictor.predict_pixels(PICTURES)])
    expected = answers(network, PICTURES)
    assert np.abs(found - expected).max() < 1e-5
    best = int(expected[0].argmax())  # output index = label id - 1
    answer = predictor.answer(predictor.predict_pixels(PICTURES[:1])[0])
    names = {(attribute["group"], attribute["name"]) for attribute in answer["attributes"]}
    assert tuple(imaterialist().labels[best]) in names


def test_training_can_begin_from_the_checkpoint(imported: tuple[nn.Module, Path]) -> None:
    network, bundle = imported
    module = load_module(bundle / "model.ckpt")
    state = module.network.state_dict()
    assert all(torch.equal(values, state[name]) for name, values in network.state_dict().items())
    assert module.taxonomy == imaterialist()


def test_photographs_give_thresholds_and_the_int8_file(labeled_data: Path, tmp_path: Path) -> None:
    description = json.loads((labeled_data / "dataset.json").read_text())
    labels = [f"{group},{name}" for group, names in description["groups"].items() for name in names]
    (tmp_path / "labels.csv").write_text("group,name\n" + "\n".join(labels) + "\n")
    images = open_split(labeled_data, "train", read_labels(tmp_path / "labels.csv"), SPEC, cache=tmp_path / "cache")
    pixels, targets = (np.stack([image[key].numpy() for image in images]) for key in ("pixels", "targets"))
    network = fit_head(seed_network(outputs=len(labels)), pixels, targets == 1)
    file = write_onnx(network, tmp_path / "seed.onnx", sigmoid=True)
    flags = ["--labels", str(tmp_path / "labels.csv"), "--data", str(labeled_data), "--cache", str(tmp_path / "cache")]
    assert main([str(file), *SMALL, *flags, "--out", str(tmp_path / "bundle")]) == 0
    card = ModelCard.load(tmp_path / "bundle")
    assert {name for _, name in card.labels} >= set(COLORS)
    assert "model.int8.onnx" in card.files
    assert "micro-f1" in card.thresholds
    assert card.metrics["validation"]["data"] == str(labeled_data)
    assert card.metrics["validation"]["images"] == description["splits"]["val"]
    assert card.metrics["validation"]["profiles"]["micro-f1"]["micro_f1"] > 0.8
    assert Predictor.from_bundle(tmp_path / "bundle", "int8").predict_pixels(PICTURES)


class Touch:
    """Write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def with_code(folder: Path, *, old: bool) -> Path:
    content = {"state_dict": seed_network().state_dict(), "x": Touch(folder / "ran")}
    torch.save(content, folder / "x.ckpt", _use_new_zipfile_serialization=not old)
    return folder / "x.ckpt"


def with_nan(folder: Path) -> Path:
    network = seed_network()
    with torch.no_grad():
        network.layer2[0].conv1.weight[0, 0] = torch.nan
    return write_state(network, folder / "x.pth")


def whole_model(folder: Path) -> Path:
    torch.save(seed_network(), folder / "x.pth")
    return folder / "x.pth"


def cut(path: Path) -> Path:
    os.truncate(path, path.stat().st_size // 2)
    return path


def vgg(folder: Path) -> Path:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, folder / "x.pth")
    return folder / "x.pth"


WRONG: dict[str, tuple[Callable[[Path], Path], list[str], str]] = {
    "no file": (lambda folder: folder / "nothing.ckpt", SMALL, "no such file"),
    "code": (lambda folder: with_code(folder, old=False), SMALL, "which were not executed"),
    "code, torch 1.4": (lambda folder: with_code(folder, old=True), SMALL, "which were not executed"),
    "whole model": (whole_model, SMALL, "torchvision.models.resnet.ResNet"),
    "50 outputs": (lambda folder: write_state(seed_network(outputs=50), folder / "x.pth"), SMALL, "has 50 outputs"),
    "other depth": (lambda folder: write_state(seed_network(), folder / "x.pth"), [], "give --arch resnet18"),
    "other network": (vgg, SMALL, "holds no weights of resnet18"),
    "cut off": (lambda folder: cut(write_state(seed_network(), folder / "x.pth")), SMALL, "is broken"),
    "cut off, torch 1.4": (
        lambda folder: cut(write_state(seed_network(), folder / "x.pth", old=True)),
        SMALL,
        "it is truncated",
    ),
    "NaN": (with_nan, SMALL, "NaN"),
}


def refusal(file: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The command's error message for a refused file; it must leave no files."""
    out = file.parent / "bundle"
    with pytest.raises(SystemExit) as exit:
        main([str(file), *flags, "--out", str(out)])
    error = capsys.readouterr().err
    assert exit.value.code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert str(file.parent) not in error or file.name in error
    assert {path.name for path in file.parent.iterdir()} <= {file.name}
    return error


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, flags, message = WRONG[name]
    assert message in refusal(make(tmp_path), flags, capsys)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: change_onnx(path, operation="Softmax"), "does not: Softmax"),
        (lambda path: change_onnx(path, operation="Relu"), "ends neither in its linear layer"),
        (lambda path: change_onnx(path, strides=(1, 1)), "its weights and seed.onnx disagree"),
        (cut, "cannot be read as ONNX"),
    ],
)
def test_a_wrong_graph_is_refused_in_one_line(
    change: Callable[[Path], Path],
    message: str,
    onnx_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "seed.onnx"
    file.write_bytes(onnx_file.read_bytes())
    assert message in refusal(change(file), SMALL, capsys)


@pytest.mark.parametrize(
    ("flags", "message"),
    [(["--arch", "resnet18", "--size", "96"], "64x64 px, not of 96"), (["--size", str(SIZE)], "another network")],
)
def test_a_graph_of_another_input_or_depth_is_refused(
    flags: list[str], message: str, onnx_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "seed.onnx"
    file.write_bytes(onnx_file.read_bytes())
    assert message in refusal(file, flags, capsys)


def test_labels_must_be_a_list_of_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n")
    (tmp_path / "short.csv").write_text("group,name\ncolor,Red\ncolor\n")
    (tmp_path / "blank.csv").write_text("group,name\n,Red\n")
    file = tmp_path / "seed.pth"
    for labels, message in (
        ("labels.csv", "columns group and name"),
        ("none.csv", "No such file"),
        ("short.csv", "short.csv:3 lacks its group or its name"),
        ("blank.csv", "blank.csv:2 lacks its group or its name"),
    ):
        with pytest.raises(SystemExit):
            main([str(file), "--labels", str(tmp_path / labels), "--out", str(tmp_path / "bundle")])
        assert message in capsys.readouterr().err
