"""benchmarks.backbones."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
from colored_shapes import write_shapes
from trainings_here import fit_here

from benchmarks import backbones
from benchmarks.backbones import main, section, time_engines
from fashion.model_card import INT8_FILE, ONNX_FILE
from training import fit

TINY = "timm/test_resnet"  # 0.5 million parameters; timm's test model


# Lightning warns that without validation there is no best checkpoint.
pytestmark = pytest.mark.filterwarnings("ignore:.*could not find the monitored key.*")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fit.quiet()
    monkeypatch.setattr(backbones, "fit", fit_here)
    monkeypatch.setattr(backbones, "PAGE", tmp_path / "backbones.md")
    monkeypatch.setattr(backbones, "SETTINGS", f"{backbones.SETTINGS} --data.workers 0")
    data = write_shapes(tmp_path / "blocks", train=64, val=24)
    flags = ["--data", str(data), "--groups", "color,shape", "--source", "Blocks", "--size", "32", "--steps", "6"]
    return [*flags, "--rounds", "2", "--weights", "none", "--out", str(tmp_path / "runs")]


def test_finished_networks_are_not_run_again(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = ["resnet18", TINY]
    for _ in range(2):
        assert main([*command, "--arch", ",".join(networks)]) == 0
    assert capsys.readouterr().out.count("train  ") == len(networks)  # the second run had nothing to do
    page = (tmp_path / "backbones.md").read_text()
    assert page.count("<!-- backbones ") == 1
    for arch in networks:
        run = tmp_path / "runs/blocks-32-6-none" / arch.replace("/", "-")
        values = json.loads((run / "backbone.json").read_text())
        assert f"| `{arch}` | {values['parameters'] / 1e6:.1f} |" in page
        assert f"| random weights | {values['minutes']:.1f} | {values['micro_f1']:.3f} (" in page
        assert (run / "bundle" / ONNX_FILE).is_file()
        assert not (run / "checkpoints/last.ckpt").exists()
    assert "| 11.2 | 5 | 512 |" in page
    assert "| 1x1 |" in page
    assert "--weights none" in page
    assert "could not be had" not in page


def test_an_export_that_fails_is_a_row_and_is_tried_again(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = backbones.export

    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("no such operator\nat all")

    monkeypatch.setattr(backbones, "export", fail)
    assert main([*command, "--arch", TINY]) == 0
    assert "| export failed: no such operator" in (tmp_path / "backbones.md").read_text()
    monkeypatch.setattr(backbones, "export", own)
    assert main([*command, "--arch", TINY]) == 0
    page = (tmp_path / "backbones.md").read_text()
    assert "export failed" not in page
    assert json.loads(next((tmp_path / "runs").rglob("backbone.json")).read_text())["minutes"] >= 0


def test_files_are_timed_in_turns(exported: Path) -> None:
    times = time_engines({"resnet18": exported}, rounds=2)
    assert times["resnet18"].keys() == {ONNX_FILE, INT8_FILE}
    assert all(0 < ms < 1000 for ms in times["resnet18"].values())


def test_a_refused_int8_file_and_random_weights_are_noted() -> None:
    values = {"parameters": 4.6e6, "stages": 8, "embedding": 1280, "weights": "none", "minutes": 1.26, "machine": "M"}
    values |= {"micro_f1": 0.5, "interval": [0.4, 0.6], "int8_difference": None, "int8_bytes": None, "heat_map": [3, 3]}
    options = Namespace(source="S", steps=9, size=96, groups="a,b", rounds=5, weights="imagenet")
    page = section({"timm/x": values}, {"timm/x": {ONNX_FILE: 7.24}}, options)
    row = "| `timm/x` | 4.6 | 8 | 1280 | random weights | 1.3 | 0.500 (0.400 to 0.600) | refused by the export | 7.2 |"
    assert f"{row} – | – | 3x3 |" in page
    assert "Their ImageNet weights could not be had offline: `timm/x`." in page


def test_an_unknown_network_is_a_one_line_error(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--arch", "resnet18,timm/magic"])
    assert "has no network 'magic'" in capsys.readouterr().err
