"""The shipped configurations."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fashion.model_card import ModelCard
from training.data.augment import Augment
from training.data.input_settings import InputSettings
from training.fit import FashionCLI
from training.fitting.module import FashionModule

FOLDER = Path(__file__).parent.parent / "training" / "configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))


def settings(capsys: pytest.CaptureFixture, config: Path, *flags: str) -> dict[str, Any]:
    """The settings that the command would use."""
    with pytest.raises(SystemExit) as end:
        FashionCLI(["--config", str(config), "--data.path", "x", "--run", "y", *flags, "--print_config"])
    assert not end.value.code
    return yaml.safe_load(capsys.readouterr().out)


def test_all_configurations_are_tested() -> None:
    assert {path.name for path in CONFIGS} >= {"sample.yaml", "catalog.yaml", "imaterialist.yaml", "seed-recipe.yaml"}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_value_is_accepted(config: Path, capsys: pytest.CaptureFixture) -> None:
    values = settings(capsys, config)
    starter = "starter" in config.stem
    assert values["model"]["arch"] == ("timm/tf_efficientnet_lite0" if starter else "resnet50")
    FashionModule(**values["model"])
    InputSettings(**values["data"]["input"]).spec(values["model"]["arch"])
    Augment(**values["data"]["augment"])
    assert values["trainer"]["precision"] == ("32-true" if starter else "bf16-mixed")
    assert values["early_stopping"]["monitor"] == "val/best_micro_f1"
    assert values["seed_everything"] == 1


def test_flags_override_the_file(capsys: pytest.CaptureFixture) -> None:
    flags = ["--model.lr", "0.5", "--data.groups", "[a,b c]", "--data.input.size", "64", "--data.augment.hue", "0.1"]
    values = settings(capsys, FOLDER / "catalog.yaml", *flags)
    assert (values["model"]["lr"], values["data"]["groups"]) == (0.5, ["a", "b c"])
    assert (values["data"]["input"]["size"], values["data"]["augment"]["hue"]) == (64, 0.1)
    assert values["data"]["augment"]["flip"] == 0.5


def test_imaterialist_has_the_settings_of_the_challenge(capsys: pytest.CaptureFixture) -> None:
    values = settings(capsys, FOLDER / "imaterialist.yaml")
    assert values["trainer"]["devices"] == 4
    assert values["data"]["input"] == {
        "size": 512,
        "mean": [0.6765, 0.6347, 0.6207],
        "std": [0.3284, 0.3371, 0.3379],
        "resize": None,
        "interpolation": None,
        "border": None,
    }
    assert values["data"]["taxonomy"] == "imaterialist"
    assert values["model"]["weights"] == "imagenet"
    assert values["data"]["workers"] is None, "four ranks share the cores"


def test_configurations_from_the_starter_match_its_network(capsys: pytest.CaptureFixture) -> None:
    values = settings(capsys, FOLDER / "from-starter.yaml")
    file = Path(values["model"]["weights"])
    card = ModelCard.load(FOLDER.parent.parent / file.parent)
    assert file.name in card.files
    assert (values["model"]["arch"], values["data"]["input"]["size"]) == (card.arch, card.input.size)
