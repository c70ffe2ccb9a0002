"""training.bundle.initial_model."""

import dataclasses
from pathlib import Path

import pytest
import pytorch_lightning
import torch
import yaml
from colored_shapes import block, write_shapes

from fashion.gates import Gates
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec
from training.bundle.initial_model import compare_with_initial_model
from training.fitting.module import FashionModule
from training.fitting.runs import CONFIG_FILE, TrainingRun, predictor_of
from training.profiles.predictions import predict
from training.sources import load_taxonomy


@pytest.mark.parametrize("mirrored", [False, True])
def test_both_models_see_the_same_photographs(mirrored: bool, tmp_path: Path) -> None:
    data = write_shapes(tmp_path / "shapes", train=6, val=30)
    for split, count in (("train", 1), ("val", 8)):
        (tmp_path / "walls" / split).mkdir(parents=True)
        for i in range(count):
            (tmp_path / "walls" / split / f"{i}.png").write_bytes(block((i, 9, 90), False))
    # Equal weights, but only the new model has a gate for products.
    new, before = (FashionModule("resnet18", "none") for _ in range(2))
    for module, gates in ((new, Gates((), True)), (before, Gates())):
        module.build(load_taxonomy(data), InputSpec(size=32), gates)
    state = new.state_dict()
    before.load_state_dict({name: v[:5] if name.startswith("network.fc.") else v for name, v in state.items()})
    saved = {
        "state_dict": before.state_dict(),
        "hyper_parameters": dict(before.hparams),
        "pytorch-lightning_version": pytorch_lightning.__version__,
    }
    torch.save(saved, tmp_path / "before.ckpt")
    of_data = {"path": str(data), "groups": None, "cache": str(tmp_path), "negatives": [str(tmp_path / "walls")]}
    settings = {"model": {"weights": str(tmp_path / "before.ckpt")}, "data": of_data}
    (tmp_path / CONFIG_FILE).write_text(yaml.safe_dump(settings))
    run = TrainingRun(tmp_path)
    predictor = predictor_of(new.eval(), "new")
    predictor = Predictor(dataclasses.replace(predictor.card, mirrored=mirrored), predictor.engine)
    images = run.split("val", new)
    assert len(images) == 30 + 8
    found = compare_with_initial_model(run, predictor.card, predict(predictor, images, "test"), images)
    assert found is not None
    assert found["labels"] == 5
    assert found["micro_f1"] == found["micro_f1_before"] > 0
