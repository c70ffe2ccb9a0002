"""Evidence maps: their values, and their alignment with the photograph in overlays."""

import base64
import io

import numpy as np
import pytest
from photos import photo
from PIL import Image

from fashion.explanation import OVERLAY_SIDE, activation_maps, overlay
from fashion.occlusion import PARTS_PER_SIDE, occlusion_maps
from fashion.options import AnswerOptions, InvalidOption
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label

SQUASH, PAD = InputSpec(size=64), InputSpec(size=64, resize="pad")


@pytest.fixture(scope="module", params=["int8", "onnx", "torch"])
def predictor(request, bundle):
    return Predictor.from_bundle(bundle, engine=request.param)


def test_the_mean_of_a_map_is_the_logit_without_its_bias(predictor):
    outcomes = predictor.predict_each([photo(i) for i in range(3)], features=True)
    results = [outcome.get() for outcome in outcomes]
    means = np.stack([activation_maps(one.features, predictor.engine.head).mean((1, 2)) for one in results])
    bias = np.stack([one.logits for one in results]) - means
    assert np.ptp(bias, axis=0).max() < 1e-3  # one bias for each label, whatever the image
    assert np.ptp(means, axis=0).min() > 1e-2  # while the maps do differ


def test_maps_are_optional(predictor):
    plain, explained = (predictor.predict_each([photo()], features=wanted)[0].get() for wanted in (False, True))
    assert plain.features is None
    assert explained.features.shape == (512, 2, 2)
    answer = predictor.answer(explained, AnswerOptions(explain="maps", top_k=1))
    assert [np.shape(attribute["map"]) for attribute in answer["attributes"]] == [(2, 2)] * 3
    assert all("overlay" not in attribute for attribute in answer["attributes"])
    with pytest.raises(ValueError, match="features=True"):
        predictor.answer(plain, AnswerOptions(explain="maps"))


def test_overlays_are_jpegs_in_the_photographs_proportions(predictor):
    wide = Image.open(io.BytesIO(photo())).resize((900, 300))
    result = predictor.predict_each([wide], features=True)[0].get()
    answer = predictor.answer(result, AnswerOptions(explain="overlay", top_k=1), wide)
    for attribute in answer["attributes"]:
        picture = Image.open(io.BytesIO(base64.b64decode(attribute["overlay"])))
        assert (picture.format, picture.size) == ("JPEG", (OVERLAY_SIDE, OVERLAY_SIDE // 3))


def test_occlusion_maps_find_the_relevant_region():
    """For a model that uses only one corner, the maps are highest there and zero elsewhere."""

    def red_in_the_corner(batch: np.ndarray) -> np.ndarray:
        red = batch[:, :20, 44:, 0].mean((1, 2)) / 255
        return np.stack([red, 1 - red], axis=1)

    image = np.zeros((64, 64, 3), np.uint8)
    image[8:19, 45:56] = 255  # one of the parts
    found = occlusion_maps(image, red_in_the_corner)
    assert found.shape == (2, PARTS_PER_SIDE, PARTS_PER_SIDE)
    assert np.unravel_index(found[0].argmax(), found[0].shape) == (1, PARTS_PER_SIDE - 2)
    assert found[0].max() > 0.1
    assert np.abs(found[0][4:]).max() == np.abs(found[0][:, :4]).max() == 0
    assert np.allclose(found[0], -found[1], atol=1e-6)


def test_occlusion_maps_match_the_answer(predictor):
    result = predictor.predict_each([photo()])[0].get()
    answer = predictor.answer(result, AnswerOptions(explain="covered", top_k=1), photo())
    chosen = [predictor.taxonomy.index[Label(each["group"], each["name"])] for each in answer["attributes"]]
    maps = np.array([each["map"] for each in answer["attributes"]])
    assert np.allclose(maps, predictor.evidence(photo(), chosen), atol=1e-3)
    assert all(each["overlay"] for each in answer["attributes"])
    with pytest.raises(ValueError, match="need the photograph"):
        predictor.answer(result, AnswerOptions(explain="covered"))


def corner(spec: InputSpec, size: tuple[int, int]) -> np.ndarray:
    """The change of each pixel of a gray photograph by an overlay with evidence in the map's upper left."""
    evidence = np.full((8, 8), -1.0)
    evidence[:3, :3] = 2.0
    gray = Image.new("RGB", size, (128, 128, 128))
    picture = overlay(gray, evidence, spec)
    return np.abs(np.asarray(picture, dtype=int) - 128).sum(axis=2)


def test_color_is_where_the_evidence_is():
    changed = corner(SQUASH, (200, 100))
    assert changed.shape == (100, 200)
    assert changed[:25, :50].min() > 60
    assert changed[60:, 100:].max() == 0


def test_padding_is_cropped_from_overlays():
    # A photograph twice as wide as high covers rows 2 to 6 of the square map, so evidence ends in its first quarter.
    changed = corner(PAD, (200, 100))
    assert changed[:10, :50].min() > 60
    assert changed[60:].max() == 0


def test_without_evidence_there_is_no_color():
    gray = Image.new("RGB", (40, 40), (128, 128, 128))
    assert np.array_equal(np.asarray(overlay(gray, np.full((4, 4), -3.0), SQUASH)), np.asarray(gray))


def test_overlays_have_a_limit(bundle, monkeypatch):
    predictor = Predictor.from_bundle(bundle, engine="int8")
    result = predictor.predict_each([photo()], features=True)[0].get()
    monkeypatch.setattr("fashion.answers.MAX_OVERLAYS", 3)
    with pytest.raises(InvalidOption, match="10 overlays are more than the 3"):
        predictor.answer(result, AnswerOptions(explain="overlay", all=True), photo())
