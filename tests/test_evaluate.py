"""Evaluation reports what the Predictor answers, in tables and as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from fashion.errors import SettingError
from fashion.predictor import Predictor
from training.evaluate import evaluate, main, report
from training.images import open_split
from training.scores import score


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor.from_bundle(exported, "onnx")


def test_scores_are_those_of_the_predictor(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    result = evaluate(predictor, labeled_data, "val", cache=tmp_path)
    images = open_split(labeled_data, "val", predictor.taxonomy, predictor.card.input, cache=tmp_path)
    items = [images[i] for i in range(len(images))]
    predictions = predictor.predict_pixels(np.stack([item["pixels"].numpy() for item in items]))
    probabilities = np.stack([prediction.probabilities for prediction in predictions])
    targets = np.stack([item["targets"].numpy() for item in items])
    for profile, scores in result["profiles"].items():
        expected = score(probabilities, targets, predictor.card.threshold_row(profile), predictor.taxonomy)
        assert scores["micro_f1"] == pytest.approx(expected["micro_f1"], abs=1e-3)
    assert list(result["profiles"]) == ["0.5", "micro-f1"]
    assert result["images"] == len(images)
    assert set(result["profiles"]["0.5"]["groups"]) == set(predictor.taxonomy.groups)
    assert len(result["profiles"]["0.5"]["labels"]) == len(predictor.taxonomy)


def test_the_card_has_the_scores_that_evaluation_finds(
    predictor: Predictor, labeled_data: Path, tmp_path: Path
) -> None:
    result = evaluate(predictor, labeled_data, "val", list(predictor.card.thresholds), cache=tmp_path)
    card = predictor.card.metrics["validation"]
    assert result["map"] == pytest.approx(card["map"])
    for profile, scores in card["profiles"].items():
        assert result["profiles"][profile]["micro_f1"] == pytest.approx(scores["micro_f1"])


def test_some_groups_only(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    result = evaluate(predictor, labeled_data, "val", groups=["color"], cache=tmp_path)
    groups = result["profiles"]["0.5"]["groups"]
    assert groups["color"]["support"] > 0
    assert all(values["support"] == 0 for group, values in groups.items() if group != "color")


def test_unknown_profile(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"'best' is unknown; the model has: 0\.5, micro-f1"):
        evaluate(predictor, labeled_data, "val", ["best"], cache=tmp_path)


def test_command_line(exported: Path, labeled_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.json"
    arguments = [str(exported), "--data", str(labeled_data), "--cache", str(tmp_path), "--json", str(out)]
    assert main(arguments) == 0
    result = json.loads(out.read_text())
    printed = capsys.readouterr().out
    assert report(result) in printed
    assert f"{result['profiles']['micro-f1']['micro_f1']:.3f}" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "train", "--groups", "price"], "price"),
        (["--json", "no/such/folder/x.json"], "does not exist"),
    ],
)
def test_mistakes_end_in_one_line(
    exported: Path,
    labeled_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as exit:
        main([str(exported), "--data", str(labeled_data), "--cache", str(tmp_path), *arguments])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
