"""Evaluation scores the answers of the Predictor, in tables and as JSON."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colored_shapes import COLORS, block
from tiny_bundle import make_tiny_bundle

from fashion.errors import SettingError
from fashion.gates import Gates
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from fashion.share_correction import GroupCorrection
from fashion.taxonomy import Label
from training import correct
from training.data.images import open_split
from training.evaluate import evaluate, main, report
from training.profiles import share_corrections
from training.profiles.scores import score
from training.sources.writer import ProductRow, write_dataset


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


def test_the_card_agrees_with_evaluation(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    result = evaluate(predictor, labeled_data, "val", list(predictor.card.profiles), cache=tmp_path)
    card = predictor.card.metrics["validation"]
    assert result["map"] == pytest.approx(card["map"])
    for profile, scores in card["profiles"].items():
        # The card's scores are out of fold, so apart from chance they are not better.
        assert result["profiles"][profile]["micro_f1"] >= scores["micro_f1"] - 0.02


def test_the_top_k_profile_is_scored_by_its_answers(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    scores = evaluate(predictor, labeled_data, "val", ["top-k"], cache=tmp_path)["profiles"]["top-k"]
    images = open_split(labeled_data, "val", predictor.taxonomy, predictor.card.input, cache=tmp_path)
    batch = np.stack([images[i]["pixels"].numpy() for i in range(len(images))])
    right = given = 0
    for i, prediction in enumerate(predictor.predict_pixels(batch)):
        for attribute in predictor.answer(prediction, "top-k")["attributes"]:
            target = images[i]["targets"][predictor.taxonomy.index[Label(attribute["group"], attribute["name"])]]
            right, given = right + int(target == 1), given + int(target != -1)
    assert scores["precision"] == pytest.approx(right / given)


def test_some_groups_only(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    result = evaluate(predictor, labeled_data, "val", groups=["color"], cache=tmp_path)
    groups = result["profiles"]["0.5"]["groups"]
    assert groups["color"]["support"] > 0
    assert all(values["support"] == 0 for group, values in groups.items() if group != "color")


def test_groups_that_rules_read_are_not_scored(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("derive: {shape: {from: color, labels: {Red: Wide}}}\n")
    result = evaluate(predictor, labeled_data, "val", groups=["shape"], cache=tmp_path, rules=rules)
    assert list(result["profiles"]["0.5"]["groups"]) == ["shape"]
    with pytest.raises(SettingError, match=r"unknown attribute group 'brand'; the model has: color, shape"):
        evaluate(predictor, labeled_data, "val", groups=["brand"], cache=tmp_path)


@pytest.mark.parametrize("command", [main, correct.main])
def test_the_models_own_names_are_read(
    command: Callable[[list[str]], int], labeled_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.yaml"
    names.write_text("- not names\n")
    bundle = make_tiny_bundle(tmp_path / "bundle", (Label("color", "Red"), Label("color", "Blue")), 32)
    replace(ModelCard.load(bundle), training={"settings": {"data": {"names": str(names)}}}).save(bundle)
    with pytest.raises(SystemExit):
        command([str(bundle), "--data", str(labeled_data), "--cache", str(tmp_path / "cache")])
    assert f"{names} holds a list" in capsys.readouterr().err


def test_groups_that_the_photographs_do_not_annotate_keep_their_corrections(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(share_corrections, "SPLITS", 1)
    bundle = Path(shutil.copytree(exported, tmp_path / "bundle"))
    old = {
        group: GroupCorrection((one, other), False, False, (20, 20), np.eye(2), np.eye(2)).to_json()
        for group, one, other in (("color", "Blue", "Red"), ("shape", "Tall", "Wide"))
    }
    replace(ModelCard.load(bundle), share_corrections=old).save(bundle)
    blocks = [(name, block(color, True, gray)) for gray in range(200, 240) for name, color in COLORS.items()]
    rows = [ProductRow("val", str(i), photo, {"color": [name]}, str(i)) for i, (name, photo) in enumerate(blocks)]
    write_dataset(rows, tmp_path / "data", ["color"], "blocks")
    assert correct.main([str(bundle), "--data", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]) == 0
    assert "fitted color; kept as before: shape\n" in capsys.readouterr().out
    after = ModelCard.load(bundle).share_corrections
    assert after["color"]["labels"] == list(COLORS)
    assert after["shape"] == old["shape"]


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


def test_a_model_with_gates_is_scored_by_its_answers(predictor: Predictor, labeled_data: Path, tmp_path: Path) -> None:
    groups = predictor.taxonomy.groups
    bundle = make_tiny_bundle(tmp_path / "bundle", predictor.card.labels, 32, gates=Gates(groups[:1], True))
    gated = Predictor.from_bundle(bundle, "onnx")
    result = evaluate(gated, labeled_data, "val", ["0.5"], cache=tmp_path)
    images = open_split(labeled_data, "val", gated.taxonomy, gated.card.input, cache=tmp_path)
    found = gated.predict_pixels(np.stack([images[i]["pixels"].numpy() for i in range(len(images))]))
    given = [len(gated.answer(prediction, "0.5")["attributes"]) for prediction in found]
    assert 0 < sum(given) < len(predictor.taxonomy) * len(images) / 2
    scores = result["profiles"]["0.5"]
    right = round((scores["recall"] or 0) * scores["support"])
    assert right / sum(given) == pytest.approx(scores["precision"])  # all labels are annotated in this data
    gates = result["gates"]  # every product has a label of each group, so that all groups apply
    assert gates["applies"][groups[0]]["applies"] == gates["product"]["products"] == len(images)
    assert gates["applies"][groups[0]]["does_not_apply"] == gates["product"]["negatives"] == 0
    refused = np.mean([gated.answer(prediction, "0.5")["product"]["recognized"] is False for prediction in found])
    assert gates["product"]["false_alarms"] == pytest.approx(refused)
    assert report(result)
