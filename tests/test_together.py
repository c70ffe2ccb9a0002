"""benchmarks.together."""

import json
from pathlib import Path

import pytest
from colored_shapes import write_shapes
from trainings_here import fit_here

from benchmarks import together
from training import fit


def test_trainings_alone_and_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [write_shapes(tmp_path / name, train=32, val=12) for name in ("shop", "market")]
    config = tmp_path / "small.yaml"
    config.write_text(
        "model: {weights: none}\ndata: {batch_size: 8, workers: 0}\ntrainer: {precision: 32-true, accelerator: cpu}\n"
    )
    fit.quiet()
    monkeypatch.setattr(together, "fit", fit_here)
    monkeypatch.setattr(together, "CONFIG", str(config))
    monkeypatch.setattr(together, "PAGE", tmp_path / "recipe.md")
    command = ["--data", ",".join(map(str, folders)), "--sources", "Shop; Market", "--size", "32", "--steps", "4"]
    command += ["--arch", "resnet18"]
    assert together.main([*command, "--out", str(tmp_path / "runs")]) == 0
    results = json.loads((tmp_path / "runs" / "resnet18-32-4" / "results.json").read_text())
    assert {name: sorted(of) for name, of in results.items()} == {
        "shop alone": ["shop"],
        "market alone": ["market"],
        "all together": ["market", "shop"],
    }
    page = (tmp_path / "recipe.md").read_text()
    assert f"| Market, 12 | all together | {results['all together']['market']['half']:.3f} |" in page
    for of in results.values():
        for found in of.values():
            low, high = found["interval"]
            assert found["half"] <= found["best"]
            assert low <= found["best"] <= high


def test_one_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        together.main(["--data", "x", "--sources", "X"])
    assert "give at least two folders" in capsys.readouterr().err
