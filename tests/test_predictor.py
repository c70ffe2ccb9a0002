"""The Predictor: answers of the library and of the command line."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_files import BAD_IMAGES, encoded, photo
from PIL import Image
from tiny_bundle import CALIBRATION, LABELS, garments

from fashion.answers import answered_mask, chosen_labels
from fashion.errors import BundleError, InvalidImage, SettingError
from fashion.model_card import CARD_FILE, ModelCard
from fashion.options import AnswerOptions
from fashion.prediction import Prediction, sigmoid
from fashion.predictor import CHUNK, Predictor, main
from fashion.preprocess import load_pixels

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def predictor(bundle):
    return Predictor.from_bundle(bundle, engine="onnx")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Some image files on disk."""
    folder = tmp_path_factory.mktemp("images")
    for i, garment in enumerate(garments(3, 100, seed=4)):
        (folder / f"{i}.jpg").write_bytes(encoded(Image.fromarray(garment)))
    return sorted(folder.iterdir())


def close(first: Prediction, second: Prediction) -> bool:
    return np.allclose(first.logits, second.logits, atol=1e-4) and np.allclose(
        first.embedding, second.embedding, atol=1e-3
    )


# --- predict ----------------------------------------------------------------------------------------------------------


def test_a_prediction(predictor, files):
    prediction = predictor.predict(files[0])
    assert prediction.logits.shape == prediction.probabilities.shape == (len(LABELS),)
    assert prediction.embedding.shape == (512,)
    scale, offset = np.ones(len(LABELS)), np.zeros(len(LABELS))
    for i, label in enumerate(LABELS):
        if label.group in CALIBRATION:
            scale[i], offset[i] = CALIBRATION[label.group]["scale"], CALIBRATION[label.group]["offset"]
    exact = 1 / (1 + np.exp(-(prediction.logits * scale + offset)))
    np.testing.assert_allclose(prediction.probabilities, exact, atol=1e-6)
    assert np.abs(prediction.probabilities - sigmoid(prediction.logits)).max() > 0.01


@pytest.mark.parametrize("engine", ["onnx", "int8", "torch"])
def test_probabilities_are_calibrated_in_every_method(bundle, engine, files):
    one = Predictor.from_bundle(bundle, engine)
    outcomes = [outcome.get() for outcome in one.predict_each([files[0], files[1], files[2]])]
    for prediction in (one.predict(files[0]), *one.predict([files[1]]), *outcomes):
        np.testing.assert_array_equal(prediction.probabilities, one.card.probabilities(prediction.logits))


def test_path_string_bytes_and_pil_image_are_answered_alike(predictor, files):
    expected = predictor.predict(files[0])
    for source in (str(files[0]), files[0].read_bytes(), bytearray(files[0].read_bytes()), Image.open(files[0])):
        assert close(predictor.predict(source), expected)


@pytest.mark.parametrize("count", [0, 1, 3, CHUNK, CHUNK + 1])
def test_a_list_is_answered_in_its_order(predictor, files, count):
    images = [files[i % len(files)] for i in range(count)]
    predictions = predictor.predict(images)
    alone = [predictor.predict(file) for file in files]
    assert len(predictions) == count
    assert all(close(prediction, alone[i % len(files)]) for i, prediction in enumerate(predictions))


def test_a_list_may_mix_its_kinds(predictor, files):
    mixed = predictor.predict([files[0], str(files[1]), files[2].read_bytes(), Image.open(files[0])])
    assert [close(one, predictor.predict(files[i % 3])) for i, one in enumerate(mixed)] == [True] * 4


def test_predict_equals_decode_resize_and_run(predictor, files):
    batch = np.stack([load_pixels(file, predictor.card.input) for file in files])
    outputs = predictor.engine.run(batch)
    for row, prediction in enumerate(predictor.predict_pixels(batch)):
        np.testing.assert_array_equal(prediction.logits, outputs.logits[row])
        np.testing.assert_array_equal(prediction.embedding, outputs.embedding[row])


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 3, 64, 64), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
    ],
    ids=["float", "no batch", "channels first", "other size"],
)
def test_invalid_pixels_are_refused(predictor, batch):
    with pytest.raises(ValueError, match=r"expected uint8 \(B, 64, 64, 3\)"):
        predictor.predict_pixels(batch)


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_refused(predictor, name):
    with pytest.raises(InvalidImage, match=BAD_IMAGES[name].message):
        predictor.predict(BAD_IMAGES[name].data())


def test_in_a_list_the_position_of_a_bad_image_is_reported(predictor, files):
    with pytest.raises(InvalidImage, match=r"^image 9: the image is empty"):
        predictor.predict([files[0]] * 9 + [b""] + [files[1]])


def test_sigmoid():
    logits = np.array([-1000, -30, -5, -0.1, 0, 0.1, 5, 30, 1000], np.float32)
    with np.errstate(all="raise", under="ignore"):
        values = sigmoid(logits)
    exact = np.array([0, 9.36e-14, 0.0066929, 0.4750208, 0.5, 0.5249792, 0.9933071, 1, 1])
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, exact, atol=1e-7)


# --- answer -----------------------------------------------------------------------------------------------------------


def made(*probabilities: float) -> Prediction:
    values = np.array(probabilities, np.float32)
    return Prediction(np.log(values / (1 - values)), values, np.zeros(4, np.float32))


# In the order of LABELS: Dresses, Black, Hosiery, Écru, Long, Jeans, Red, Sleeveless, T-Shirts, White.
PREDICTION = made(0.6, 0.1, 0.9, 0.55, 0.3, 0.5, 0.95, 0.2, 0.49999, 0.55)


def test_the_response_contract(predictor):
    answer = predictor.answer(PREDICTION, "0.5")
    assert answer == {
        "attributes": [
            {"group": "category", "name": "Hosiery, Stockings, Tights", "probability": 0.9, "threshold": 0.5},
            {"group": "category", "name": "Dresses", "probability": 0.6, "threshold": 0.5},
            {
                "group": "category",
                "name": "Jeans",
                "probability": 0.5,
                "threshold": 0.5,
            },  # reaching the threshold counts
            {"group": "color", "name": "Red", "probability": 0.95, "threshold": 0.5},
            {"group": "color", "name": "Écru", "probability": 0.55, "threshold": 0.5},  # tie: output order
            {"group": "color", "name": "White", "probability": 0.55, "threshold": 0.5},
        ],
        "model": {"name": "fashion", "version": "1.0", "weights": predictor.card.weights_id},
    }
    assert json.loads(json.dumps(answer)) == answer


def test_the_default_profile_is_the_cards(predictor):
    assert predictor.card.default_profile == "micro-f1"
    assert predictor.answer(PREDICTION) == predictor.answer(PREDICTION, "micro-f1")
    assert predictor.answer(PREDICTION) != predictor.answer(PREDICTION, "0.5")
    thresholds = dict(zip((label.name for label in LABELS), predictor.card.thresholds["micro-f1"], strict=True))
    for attribute in predictor.answer(PREDICTION)["attributes"]:
        assert attribute["threshold"] == pytest.approx(thresholds[attribute["name"]])
        assert attribute["probability"] >= attribute["threshold"]


def test_all_gives_every_label_in_the_same_order(predictor):
    everything = predictor.answer(PREDICTION, AnswerOptions(profile="0.5", all=True))["attributes"]
    assert len(everything) == len(LABELS)
    assert {(a["group"], a["name"]) for a in everything} == set(LABELS)
    assert [a["group"] for a in everything] == ["category"] * 4 + ["color"] * 4 + ["sleeve"] * 2
    for group in ("category", "color", "sleeve"):
        probabilities = [a["probability"] for a in everything if a["group"] == group]
        assert probabilities == sorted(probabilities, reverse=True)


def test_no_label_above_its_threshold_gives_an_empty_list(predictor):
    assert predictor.answer(made(*[0.01] * len(LABELS)))["attributes"] == []


def test_maps_of_no_label_run_nothing(predictor, files, monkeypatch):
    prediction = predictor.predict(files[0])
    monkeypatch.setattr(predictor.engine, "run", None)
    answer = predictor.answer(prediction, AnswerOptions(profile="1", explain="covered"), files[0])
    assert answer["attributes"] == []
    assert predictor.evidence(files[0], []).shape == (0, 8, 8)


def test_the_profile_top_k_answers_so_many_of_each_group(predictor):
    answer = predictor.answer(PREDICTION, "top-k")["attributes"]
    assert [(a["group"], a["name"], a["threshold"]) for a in answer] == [
        ("category", "Hosiery, Stockings, Tights", 0),
        ("color", "Red", 0),
        ("color", "Écru", 0),  # tie with White: output order
        ("sleeve", "Long Sleeved", 0),
    ]
    unsure = predictor.answer(made(*[1e-4] * len(LABELS)), "top-k")["attributes"]
    assert [a["group"] for a in unsure] == ["category", "color", "color", "sleeve"]
    options = AnswerOptions(profile="top-k", groups=("sleeve",), top_k=2)  # the request's number takes precedence
    assert [a["name"] for a in predictor.answer(PREDICTION, options)["attributes"]] == ["Long Sleeved", "Sleeveless"]


@pytest.mark.parametrize("profile", [None, "0.5", "0.9", "micro-f1", "top-k"])
def test_many_answers_at_once_are_those_of_each_image(predictor, profile):
    card = predictor.card
    probabilities = np.random.default_rng(0).random((50, len(LABELS))).astype(np.float32).round(1)  # with ties
    together = answered_mask(card, probabilities, profile)
    assert together.any()
    for row, probability in zip(together, probabilities, strict=True):
        options = AnswerOptions(profile=profile)
        one = chosen_labels(card, probability, card.threshold_row(profile), options)
        assert sorted(one) == np.flatnonzero(row).tolist()


def test_an_unknown_profile(predictor):
    with pytest.raises(SettingError, match=r"'best' is unknown; the model has: 0\.5, micro-f1, top-k"):
        predictor.answer(PREDICTION, "best")


def test_the_engines_of_a_bundle_name_one_model(bundle):
    identities = {json.dumps(Predictor.from_bundle(bundle, engine).identity()) for engine in ("onnx", "int8", "torch")}
    assert len(identities) == 1


def test_torch_answers_a_single_image_as_onnx_does(bundle, predictor, files):
    assert close(Predictor.from_bundle(bundle, "torch").predict(files[0]), predictor.predict(files[0]))


def test_a_folder_that_is_not_a_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"no model_card\.json"):
        Predictor.from_bundle(tmp_path)


# --- command line -----------------------------------------------------------------------------------------------------


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "fashion.predictor", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_the_command_line_answers_good_images_and_reports_bad_ones(bundle, predictor, files, tmp_path):
    bad = {name: tmp_path / f"{name}.jpg" for name in ("empty", "HTML", "truncated JPEG", "1x1 px", "85 megapixels")}
    for name, path in bad.items():
        path.write_bytes(BAD_IMAGES[name].data())
    ended = run(bundle, files[0], *bad.values(), tmp_path / "missing.jpg", files[1], "--engine", "onnx")
    assert ended.returncode == 2

    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [list(answer) for answer in answers] == [["image", "attributes", "model"]] * 2
    for answer, file in zip(answers, files, strict=False):
        assert answer == {"image": str(file)} | predictor.answer(predictor.predict(file))

    errors = ended.stderr.splitlines()
    assert len(errors) == len(bad) + 1
    for line, (name, path) in zip(errors, bad.items(), strict=False):
        assert line.startswith(f"error: {path}: ")
        assert BAD_IMAGES[name].message in line
    assert errors[-1].startswith("error: ")
    assert "missing.jpg" in errors[-1]
    assert "No such file" in errors[-1]


def test_all_good_is_status_0_and_nothing_on_stderr(bundle, files, capsys):
    assert main([str(bundle), *map(str, files), "--profile", "0.5", "--engine", "onnx"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert all('"threshold": 0.5' in line for line in printed.out.splitlines() if '"name"' in line)
    assert len(printed.out.splitlines()) == len(files)


def test_all_probabilities(bundle, files, capsys):
    assert main([str(bundle), str(files[0]), "--all", "--engine", "onnx"]) == 0
    line = capsys.readouterr().out
    assert len(json.loads(line)["attributes"]) == len(LABELS)
    assert "Écru" in line  # readable, not escaped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{bundle}", "{image}", "--profile", "best"],
            "profile 'best' is unknown; choose among: default, 0.5, micro-f1, top-k, or a number from 0 to 1",
        ),
        (["{nowhere}", "{image}"], "no model_card.json in"),
    ],
    ids=["unknown profile", "no bundle"],
)
def test_fatal_errors_are_one_line_and_status_2(arguments, message, bundle, files, tmp_path, capsys):
    values = {"bundle": bundle, "image": files[0], "nowhere": tmp_path}
    with pytest.raises(SystemExit) as ended:
        main([argument.format(**values) for argument in arguments])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["bundle"], ["bundle", "image", "--engine", "gpu"]])
def test_wrong_usage_is_status_2_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m fashion.predictor" in capsys.readouterr().err


def test_a_changed_bundle_is_refused_by_the_command_line(bundle, files, tmp_path, capsys):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, copy_function=os.link)
    (folder / CARD_FILE).unlink()
    card = ModelCard.load(bundle)
    replace(card, files=dict.fromkeys(card.files, "0" * 64)).save(folder)
    with pytest.raises(SystemExit) as ended:
        main([str(folder), str(files[0]), "--engine", "onnx"])
    assert ended.value.code == 2
    assert "was changed" in capsys.readouterr().err


def test_a_file_name_that_is_not_utf8_is_answered(bundle, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/photo\xff.png")
    Path(path).write_bytes(encoded(photo(), "PNG"))
    command = [sys.executable, "-m", "fashion.predictor", str(bundle), path, "--engine", "onnx"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["image"] == path
