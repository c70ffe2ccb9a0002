"""A training run on disk: its settings, its checkpoints and the data it was trained on."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import yaml

from fashion.engines import TorchEngine
from fashion.errors import BundleError, one_line
from fashion.gates import Gates
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec
from fashion.profiles.thresholds import HALF
from fashion.taxonomy import Taxonomy
from training.data.catalogs import Paths
from training.data.images import Photographs, open_split
from training.fitting.module import FashionModule
from training.weights import torch_files

CONFIG_FILE = "config.yaml"
CHECKPOINTS = Path("checkpoints")
LAST, BEST = CHECKPOINTS / "last.ckpt", CHECKPOINTS / "best.ckpt"
OWN_FILES = {"names": "names.yaml", "rules": "rules.yaml"}  # by setting of the data, the copy in a run's folder

# Checkpoint keys needed for loading. The optimizer state, twice the size of the weights, is not.
KEPT = ("state_dict", "hyper_parameters", "hparams_name", "epoch", "global_step", "pytorch-lightning_version")


class Trained(Protocol):
    """The part of a model that determines how photographs are read for it: labels, input and gates."""

    @property
    def taxonomy(self) -> Taxonomy: ...
    @property
    def spec(self) -> InputSpec: ...
    @property
    def gates(self) -> Gates: ...


@dataclass(frozen=True)
class TrainingRun:
    """The folder that `python -m training.fit --run FOLDER` wrote."""

    folder: Path

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The content of config.yaml, with the present paths of `own_files`.

        Raises BundleError if it is missing or broken.
        """
        path = self.folder / CONFIG_FILE
        try:
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            settings["data"] |= own_files(self.folder, settings["data"])
            return settings
        except FileNotFoundError:
            raise BundleError(
                f"{str(self.folder)!r} is not a training run: it has no {CONFIG_FILE}; python -m training.fit makes one"
            ) from None
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise BundleError(f"{path} cannot be read: {one_line(error)}") from None

    @property
    def command(self) -> str:
        """The command that repeats the training."""
        return shlex.join(
            ["python", "-m", "training.fit", "--config", str(self.folder / CONFIG_FILE), "--run", "runs/NEW"]
        )

    def checkpoint(self, which: str = "best") -> Path:
        """The path of the `best` or `last` checkpoint, or of a file. Raises BundleError if it is missing."""
        path = self.folder / CHECKPOINTS / f"{which}.ckpt" if which in ("best", "last") else Path(which)
        if not path.is_file():
            raise BundleError(f"no checkpoint {str(path)!r}; train first: python -m training.fit --run {self.folder}")
        return path

    def split(self, name: str, model: "Trained", paths: Paths | None = None) -> Photographs:
        """A split of the data the run was trained on, with the labels and input of a checkpoint.

        Args:
            name: `train` or `val`.
            model: from the checkpoint, or another model to run on the same photographs.
            paths: the data, if they have moved.

        Raises:
            DataError: the data are not there.
        """
        data = self.settings["data"]
        gates = model.gates
        negatives = data.get("negatives") if gates.product else None
        if paths is not None:  # the negatives may have moved with them
            negatives = [path for path in negatives or () if Path(path).is_dir()]
        return open_split(
            paths or data["path"],
            name,
            model.taxonomy,
            model.spec,
            data["groups"],
            data["cache"],
            data.get("names"),
            gates=gates,
            rules=data.get("rules"),
            negatives=negatives or (),
        )


def own_files(run: Path, data: Mapping[str, Any]) -> dict[str, str]:
    """The run's own names.yaml and rules.yaml, by setting: a run that was moved still has the former paths of them.

    Args:
        run: its folder.
        data: its settings of the data.
    """
    return {
        setting: str(run / name) for setting, name in OWN_FILES.items() if data.get(setting) and (run / name).is_file()
    }


def untested_card(module: FashionModule, **facts: Any) -> ModelCard:
    """The card of a module that was not run on photographs: nothing is fitted, and all thresholds are 0.5.

    Args:
        module: the trained network.
        facts: further fields of the card.
    """
    return ModelCard(
        arch=module.hparams["arch"],
        input=module.spec,
        labels=module.taxonomy.labels,
        thresholds={HALF: [0.5] * len(module.taxonomy)},
        default_profile=HALF,
        gates=module.gates,
        **facts,
    )


def predictor_of(module: FashionModule, name: str) -> Predictor:
    """A predictor for a module: uncalibrated, threshold 0.5, run by torch on the CPU."""
    card = untested_card(module, name=name, version="0", created="", files={})
    return Predictor(card, TorchEngine(module.network, module.spec))


def load_module(checkpoint: Path) -> FashionModule:
    """Load the module of a checkpoint, on the CPU, in evaluation mode. No code in the file is executed.

    Raises:
        BundleError: the file is broken or not a checkpoint of this project.
    """
    torch_files.check(checkpoint)
    try:
        module = FashionModule.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    except BundleError as error:
        raise BundleError(f"{checkpoint}: {error}") from None
    except Exception as error:  # a damaged file fails in zipfile, pickle, torch or Lightning, each in its own way
        raise BundleError(f"{checkpoint} cannot be loaded: {torch_files.fault(error)}") from None
    return module.eval()


def write_slim(checkpoint: Path, path: Path) -> None:
    """Copy a checkpoint without its optimizer state: a third of the size; it can be loaded but not resumed."""
    content = torch_files.read(checkpoint)
    torch_files.write({name: value for name, value in content.items() if name in KEPT}, path)
