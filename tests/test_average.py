"""training.average."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from source_files import jpeg

from fashion.gates import Gates
from fashion.preprocess import InputSpec
from fashion.taxonomy import Taxonomy
from training.average import main
from training.fitting.module import FashionModule
from training.fitting.runs import load_module

COLORS = Taxonomy.from_columns({"color": ["Blue", "Red"]})


def write_checkpoint(
    path: Path,
    arch: str = "resnet18",
    labels: Taxonomy = COLORS,
    size: int = 32,
    border: Literal["keep", "cut"] = "keep",
) -> Path:
    """A checkpoint with random weights and batch norm statistics."""
    module = FashionModule(arch=arch, weights="none")
    module.build(labels, InputSpec(size=size, border=border), Gates())
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value))
    version = {"pytorch-lightning_version": "2.6.6", "epoch": 0, "global_step": 3, "optimizer_states": [1]}
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)} | version, path)
    return path


def test_the_mean_is_a_checkpoint_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write_checkpoint(tmp_path / f"{i}.ckpt") for i in range(3)]
    assert main([*map(str, paths), "--out", str(tmp_path / "mean.ckpt")]) == 0
    assert f"python -m training.export RUN --checkpoint {tmp_path / 'mean.ckpt'}" in capsys.readouterr().out
    states = [load_module(path).state_dict() for path in paths]
    found = load_module(tmp_path / "mean.ckpt").state_dict()
    assert found.keys() == states[0].keys()
    for name, value in found.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, sum(state[name] for state in states) / 3)
    assert "optimizer_states" not in torch.load(tmp_path / "mean.ckpt", weights_only=True)


def test_trainings_at_several_sizes_get_the_size_of_the_first(tmp_path: Path) -> None:
    paths = [write_checkpoint(tmp_path / f"{size}.ckpt", size=size) for size in (48, 32)]
    assert main([*map(str, paths), "--out", str(tmp_path / "mean.ckpt")]) == 0
    assert load_module(tmp_path / "mean.ckpt").spec.size == 48


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"arch": "resnet50"}, "another arch than"),
        ({"labels": Taxonomy.from_columns({"color": ["Blue", "Green"]})}, "another labels than"),
        ({"border": "cut"}, "another input than"),
    ],
)
def test_other_networks_are_refused(
    other: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_checkpoint(tmp_path / "a.ckpt")
    second = write_checkpoint(tmp_path / "b.ckpt", **other)  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="2"):
        main([str(first), str(second), "--out", str(tmp_path / "mean.ckpt")])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "mean.ckpt").exists()


def test_unusable_checkpoints_are_one_line_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_checkpoint(tmp_path / "a.ckpt")
    (tmp_path / "text.ckpt").write_text("no weights")
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    unusable = {
        "two or more": [],
        "no checkpoint": [tmp_path / "no.ckpt"],
        "text.ckpt": [tmp_path / "text.ckpt"],
        "photo.jpg cannot be loaded: torch.save did not write it\n": [tmp_path / "photo.jpg"],
    }
    for message, others in unusable.items():
        with pytest.raises(SystemExit, match="2"):
            main([str(good), *map(str, others), "--out", str(tmp_path / "mean.ckpt")])
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error
        assert "weights_only" not in error
