"""benchmarks.beginnings."""

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from colored_shapes import write_shapes
from trainings_here import fit_here

from benchmarks import beginnings
from benchmarks.beginnings import BEGINNINGS, STARTER, main, settings
from benchmarks.trainings import FIXED_STEPS
from fashion.backbones import resnet
from fashion.errors import SettingError
from fashion.model_card import ModelCard
from training import fit
from training.weights.first_weights import IMAGENET, NONE

SMALL = "--data.workers 0 --data.batch_size 8 --trainer.precision 32-true"

# Lightning warns that without validation there is no best checkpoint.
pytestmark = pytest.mark.filterwarnings("ignore:.*could not find the monitored key.*")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    fit.quiet()
    monkeypatch.setattr(beginnings, "fit", fit_here)
    monkeypatch.setattr(
        beginnings,
        "BEGINNINGS",
        {name: replace(each, changes=f"{each.changes} {SMALL}") for name, each in BEGINNINGS.items()},
    )


@pytest.fixture
def command(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(beginnings, "PAGE", tmp_path / "recipe.md")
    data = write_shapes(tmp_path / "blocks", train=80, val=24)
    flags = ["--data", str(data), "--groups", "color,shape", "--source", "Blocks", "--starter", str(exported)]
    return [*flags, "--photographs", "64", "--minutes", "0.001", "--out", str(tmp_path / "runs")]


def test_each_beginning_is_trained_once_and_written(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imagenet = resnet.build("resnet18", 1000).state_dict()
    monkeypatch.setattr(resnet, "imagenet", lambda arch: dict(imagenet))
    assert main(command) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name == "blocks-resnet18-32-64-0.001"
    measured = {name: json.loads((folder / name / "beginning.json").read_text()) for name in BEGINNINGS}
    page = (tmp_path / "recipe.md").read_text()
    for name, values in measured.items():
        assert (
            f"| {BEGINNINGS[name].description} | {values['steps']} | {values['minutes']:.1f} | {values['micro_f1']:.3f}"
            in page
        )
        assert (values["train"], values["val"], values["labels"], values["known"]) == (64, 24, 5, 5)
    assert measured[STARTER]["steps"] == measured[IMAGENET]["steps"]
    assert measured[STARTER]["micro_f1"] > measured[NONE]["micro_f1"]  # the starter was trained on these labels
    assert not list(folder.rglob("*.ckpt"))
    capsys.readouterr()
    assert main(command) == 0
    assert "train " not in capsys.readouterr().out


def test_without_imagenet_weights_two_beginnings_are_left(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(arch: str) -> dict[str, torch.Tensor]:
        raise SettingError("no hub")

    def note_and_fit(folder: Path, flags: Sequence[str]) -> None:
        trained.append(folder.name)
        fit_here(folder, flags)

    trained: list[str] = []
    monkeypatch.setattr(resnet, "imagenet", nothing)
    monkeypatch.setattr(beginnings, "fit", note_and_fit)
    assert main(command) == 0
    assert trained == ["starter-timed", "starter", "none-timed", "none"]
    assert "ImageNet weights of resnet18 could not be had." in (tmp_path / "recipe.md").read_text()


@pytest.mark.parametrize("name", BEGINNINGS)
def test_training_takes_the_flags_and_the_input_of_the_starter(name: str, exported: Path, tmp_path: Path) -> None:
    card = ModelCard.load(exported)
    options = Namespace(data="x", groups="color", photographs=7, size=None, starter=exported)
    flags = [*settings(name, card, options), *FIXED_STEPS, "--trainer.max_steps", "3"]
    cli = fit.FashionCLI(["--run", str(tmp_path), *flags])
    assert cli.datamodule.spec == card.input
    assert cli.model.hparams["frozen"] == (0 if name == NONE else 3)
    assert cli.config.data.limit_train == 7


def test_a_bundle_without_int8_is_a_one_line_error(
    command: list[str], exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "model_card.json").write_bytes((exported / "model_card.json").read_bytes())
    with pytest.raises(SystemExit):
        main([*command, "--starter", str(tmp_path / "bare")])
    assert "has no model.int8.onnx, which a training begins with" in capsys.readouterr().err
