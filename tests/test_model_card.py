"""The model card: saving and loading, and clear errors for cards and files that do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fashion.errors import BundleError, SettingError
from fashion.model_card import CARD_FILE, SCHEMA, ModelCard, checked_file, sha256
from fashion.prediction import sigmoid
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label

CARD = ModelCard(
    name="fashion",
    version="1.0",
    created="2026-01-01T00:00:00+00:00",
    arch="resnet18",
    input=InputSpec(64, (0.6765, 0.6347, 0.6207), (0.3284, 0.3371, 0.3379), "pad"),
    labels=(Label("color", "Red"), Label("sleeve", "Short"), Label("color", "Écru")),
    thresholds={"0.5": [0.5, 0.5, 0.5], "micro-f1": [0.25, 0.3, 1 / 3]},
    default_profile="micro-f1",
    files={"model.pth": "a" * 64, "model.onnx": "b" * 64},
    metrics={"data": "products, val", "micro-f1": 0.75},
    training={"command": "python -m training.fit"},
    versions={"torch": "2"},
    calibration={"color": {"method": "platt", "scale": 2.0, "offset": -0.5}},
    top_k={"color": 2, "sleeve": 1},
)
CALIBRATED = {"method": "platt", "scale": 1, "offset": 0}


def test_saved_and_loaded_it_is_the_same(tmp_path):
    assert CARD.save(tmp_path) == tmp_path / CARD_FILE
    assert ModelCard.load(tmp_path) == CARD
    assert [path.name for path in tmp_path.iterdir()] == [CARD_FILE]
    assert "Écru" in (tmp_path / CARD_FILE).read_text(encoding="utf-8")


def test_a_card_is_replaced_atomically(tmp_path):
    CARD.save(tmp_path)
    with pytest.raises(TypeError):
        replace(CARD, metrics={"data": object()}).save(tmp_path)  # cannot be written as JSON
    assert ModelCard.load(tmp_path) == CARD
    assert [path.name for path in tmp_path.iterdir()] == [CARD_FILE]


def test_a_failed_write_leaves_no_files(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        CARD.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_threshold_rows():
    np.testing.assert_array_equal(CARD.threshold_row(), np.array([0.25, 0.3, 1 / 3], np.float32))
    np.testing.assert_array_equal(CARD.threshold_row("0.5"), [0.5, 0.5, 0.5])
    assert CARD.threshold_row().dtype == np.float32
    with pytest.raises(SettingError, match=r"profile 'best' is unknown; the model has: 0\.5, micro-f1, top-k, and"):
        CARD.threshold_row("best")


def test_the_top_k_profile_has_no_thresholds():
    np.testing.assert_array_equal(CARD.threshold_row("top-k"), [0, 0, 0])
    assert CARD.profiles == ("0.5", "micro-f1", "top-k")
    assert replace(CARD, default_profile="top-k").threshold_row().tolist() == [0, 0, 0]
    without = replace(CARD, top_k={})
    assert without.profiles == ("0.5", "micro-f1")
    with pytest.raises(SettingError, match="'top-k' is unknown"):
        without.threshold_row("top-k")


def test_probabilities_are_calibrated_by_group():
    logits = np.array([[-1, 0, 2], [0.25, 1, 1000]], np.float32)  # color, sleeve, color
    exact = 1 / (1 + np.exp(-np.array([[-2.5, 0, 3.5], [0, 1, 700]])))
    probabilities = CARD.probabilities(logits)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, exact, atol=1e-6)
    np.testing.assert_array_equal(CARD.probabilities(logits[0]), probabilities[0])
    np.testing.assert_array_equal(replace(CARD, calibration={}).probabilities(logits), sigmoid(logits))


@pytest.mark.parametrize(("schema", "lacks"), [(1, ("mirrored", "calibration", "top_k")), (2, ("mirrored",)), (3, ())])
def test_a_card_of_an_older_schema_is_read(tmp_path, schema, lacks):
    content = {name: value for name, value in CARD.to_json().items() if name not in lacks} | {"schema": schema}
    (tmp_path / CARD_FILE).write_text(json.dumps(content), encoding="utf-8")
    empty = {} if schema > 1 else {"calibration": {}, "top_k": {}}
    assert ModelCard.load(tmp_path) == replace(CARD, **empty)


def test_the_weights_id_depends_on_every_file_and_on_no_order():
    assert CARD.weights_id.startswith("sha256:")
    assert len(CARD.weights_id) == len("sha256:") + 64
    turned = replace(CARD, files=dict(reversed(CARD.files.items())))
    assert turned.weights_id == CARD.weights_id
    assert replace(CARD, files=CARD.files | {"model.onnx": "c" * 64}).weights_id != CARD.weights_id


def change(folder: Path, **values: object) -> None:
    """Write the card with some values changed; None removes a value."""
    CARD.save(folder)
    path = folder / CARD_FILE
    content = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schema": 99}, f"has schema 99; .* reads schemas 1 to {SCHEMA}"),
        ({"schema": 99, "calibration": []}, "schema 99"),
        ({"schema": None}, "schema None"),
        ({"labels": None}, "'labels' is missing"),
        ({"labels": []}, "no label"),
        ({"labels": [{"group": "color"}] * 3}, "list of objects with 'group' and 'name'"),
        ({"labels": [{"group": "color", "name": "Red"}] * 3}, "'Red' of group 'color' is in the taxonomy twice"),
        ({"labels": [{"group": "color", "name": "Red"}]}, "'0.5' has 3 thresholds for 1 labels"),
        ({"thresholds": {"0.5": [0.5, 0.5]}, "default_profile": "0.5"}, "'0.5' has 2 thresholds for 3 labels"),
        ({"thresholds": {"0.5": [0.5, 0.5, 50]}, "default_profile": "0.5"}, "'0.5' .* not between 0 and 1"),
        ({"thresholds": {"0.5": ["a", "b", "c"]}, "default_profile": "0.5"}, "not a valid model card"),
        ({"thresholds": ["micro-f1"]}, "not a valid model card"),
        ({"default_profile": "best"}, "'best' is not among"),
        ({"top_k": {}, "default_profile": "top-k"}, "'top-k' is not among"),
        ({"thresholds": {"top-k": [0.5, 0.5, 0.5]}, "default_profile": "top-k"}, "'top-k' has no thresholds"),
        ({"top_k": {"color": 1}}, "'top_k' names the groups color; the model has: color, sleeve"),
        ({"top_k": {"color": 3, "sleeve": 1}}, "'top_k' of group 'color' is 3; .* from 1 to 2"),
        ({"top_k": {"color": 0, "sleeve": 1}}, "'color' is 0"),
        ({"top_k": {"color": 1, "sleeve": True}}, "'sleeve' is True"),
        ({"top_k": 3}, "not a valid model card"),
        ({"calibration": {"size": CALIBRATED}}, "names the group 'size'; the model has: color, sleeve"),
        ({"calibration": {"color": CALIBRATED | {"method": "magic"}}}, "is 'magic'; choose among: temperature, pl"),
        ({"calibration": {"color": CALIBRATED | {"scale": 0}}}, "has scale 0 and offset 0; .* the scale above 0"),
        ({"calibration": {"color": CALIBRATED | {"scale": float("inf")}}}, "has scale inf"),
        ({"calibration": {"color": CALIBRATED | {"offset": float("nan")}}}, "offset nan"),
        ({"calibration": {"color": CALIBRATED | {"scale": "1"}}}, "has scale '1'"),
        ({"calibration": {"color": {"method": "platt", "scale": 1}}}, "'offset' is missing"),
        ({"calibration": {"color": "platt"}}, "not a valid model card"),
        ({"calibration": {"color": CALIBRATED | {"method": "rivals"}}}, "'rivals' is missing"),
        ({"calibration": {"color": CALIBRATED | {"method": "rivals", "rivals": -1}}}, "rivals -1; expected a number"),
        ({"calibration": ["color"]}, "not a valid model card"),
        ({"input": {"size": 10, "mean": [0, 0, 0], "std": [1, 1, 1], "resize": "pad"}}, "input size 10"),
        ({"input": {"size": 64, "mean": [0, 0, 0]}}, "'std' is missing"),
        ({"input": "224"}, "not a valid model card"),
        ({"colour": 1}, "colour"),
    ],
    ids=str,
)
def test_a_card_that_does_not_fit_is_refused(values, message, tmp_path):
    change(tmp_path, **values)
    with pytest.raises(BundleError, match=message) as raised:
        ModelCard.load(tmp_path)
    assert str(tmp_path / CARD_FILE) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b"null"])
def test_an_invalid_card_is_refused(content, tmp_path):
    (tmp_path / CARD_FILE).write_bytes(content)
    with pytest.raises(BundleError, match=r"cannot be read as JSON|is not a model card"):
        ModelCard.load(tmp_path)


def test_a_missing_card_is_reported_with_the_fix(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleError, match=r"no model_card\.json in .*python -m training\.export"):
            ModelCard.load(folder)


def test_a_file_is_checked_against_the_card(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"weights")
    card = replace(CARD, files={"model.pth": sha256(path), "model.onnx": "b" * 64})
    assert checked_file(tmp_path, card, "model.pth") == path

    path.write_bytes(b"Weights")
    with pytest.raises(BundleError, match=rf"model\.pth was changed: .* {sha256(path)[:12]}, .*export again"):
        checked_file(tmp_path, card, "model.pth")
    with pytest.raises(BundleError, match=r"has no model\.onnx; it has: model\.pth"):
        checked_file(tmp_path, card, "model.onnx")
    (tmp_path / "other.onnx").write_bytes(b"weights")
    with pytest.raises(BundleError, match=r"other\.onnx is not in the model card"):
        checked_file(tmp_path, card, "other.onnx")
    path.unlink()
    with pytest.raises(BundleError, match="no weights"):
        checked_file(tmp_path, card, "model.pth")


def test_sha256_is_that_of_the_standard(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
