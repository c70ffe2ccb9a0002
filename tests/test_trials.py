"""benchmarks.trials."""

import argparse
import json
import shlex
from pathlib import Path

import pytest
from colored_shapes import write_shapes

from benchmarks import trials
from benchmarks.trials import REFERENCE, TRIALS, main, relative_cost, section
from training.fit import FashionCLI, quiet


@pytest.fixture(autouse=True)
def without_lightnings_advice() -> None:
    quiet()


@pytest.mark.parametrize("name", TRIALS)
def test_training_takes_the_flags_of_every_trial(name: str, tmp_path: Path) -> None:
    trial = TRIALS[name]
    flags = ["--config", f"training/configs/{trial.config}.yaml", "--run", str(tmp_path), "--data.path", "x"]
    cli = FashionCLI([*flags, *shlex.split(trial.changes)])
    assert cli.model.hparams["weights"] == "none"


def test_growing_images_cost_less() -> None:
    assert {relative_cost(trial, 96) for name, trial in TRIALS.items() if "grow" not in name} == {1.0}
    assert 0.3 < relative_cost(TRIALS["growing-longer"], 96) < relative_cost(TRIALS["growing"], 96) < 0.8


def test_a_trial_may_take_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def stop(folder: Path, command: list[str]) -> None:
        commands.append(command)
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "fit", stop)
    options = argparse.Namespace(out=tmp_path, epochs=5, size=48, data=tmp_path, groups="color", arch="resnet18")
    for name in (REFERENCE, "longer"):
        with pytest.raises(KeyboardInterrupt):
            trials.run(name, 1, options)
    assert [shlex.join(command).split("max_epochs ")[1].split()[0] for command in commands] == ["5", "9"]


def test_a_trial_is_run_once_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_shapes(tmp_path / "shapes", train=32, val=12)
    small = trials.Trial("--data.workers 0 --trainer.precision 32-true", "a small one")
    monkeypatch.setattr(trials, "TRIALS", {REFERENCE: small})
    monkeypatch.setattr(trials, "PAGE", tmp_path / "recipe.md")
    command = ["--data", str(data), "--groups", "color,shape", "--source", "Blocks", "--size", "32", "--epochs", "1"]
    command += ["--arch", "resnet18"]
    for _ in range(2):
        assert main([*command, "--out", str(tmp_path / "runs")]) == 0
    (run,) = (tmp_path / "runs").glob("*/*")
    assert not list(run.glob("checkpoints/*"))
    measured = json.loads((run / "trial.json").read_text())
    page = (tmp_path / "recipe.md").read_text()
    assert f"| reference | a small one | 1 | 0 | {measured['micro_f1']:.3f} | {measured['best_micro_f1']:.3f} |" in page
    assert measured["machine"] in page


def test_differences_are_to_the_reference() -> None:
    def values(fitted: float) -> dict[str, object]:
        scores = {"micro_f1": 0.5, "best_micro_f1": 0.6, "fitted_micro_f1": fitted, "map": 0.4}
        return scores | {"mirrored": scores, "epochs": 3, "minutes": 7.4, "machine": "a laptop"}

    options = argparse.Namespace(source="S", arch="resnet50", size=48, epochs=3, seeds="1,2", groups="color")
    options.reference = REFERENCE
    page = section({REFERENCE: [values(0.70), values(0.72)], "crops": [values(0.72), values(0.74)]}, options)
    assert "| 3 | 7 | 0.500 | 0.600 | 0.730 | 0.400 | +0.020 (0.720 to 0.740) | 0.500 | 0.730 |" in page


def test_pretrained_trials_need_weights(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", "x", "--groups", "color", "--source", "S", "--only", "pretrained"])
    assert "the trial 'pretrained' begins with pretrained weights; give --weights FILE" in capsys.readouterr().err


def test_an_unknown_trial_is_a_one_line_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", "x", "--groups", "color", "--source", "S", "--only", "magic"])
    assert "there is no trial 'magic'; there are: reference, seed" in capsys.readouterr().err
