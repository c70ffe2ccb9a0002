"""Test-time mirroring: a model averages each image and its mirror image if its card says so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import garments

from fashion.engines import open_engine
from fashion.mirrored import MirroredEngine
from fashion.model_card import ModelCard
from fashion.predictor import Predictor

SIZE, COUNT = 64, 3


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return garments(COUNT, SIZE, seed=4)


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_the_answer_is_the_mean_of_image_and_mirror_image(bundle: Path, images: np.ndarray, name: str) -> None:
    engine = open_engine(bundle, ModelCard.load(bundle), name)
    found = MirroredEngine(engine).run(images, features=True)
    plain, turned = engine.run(images, features=True), engine.run(images[:, :, ::-1], features=True)
    np.testing.assert_allclose(found.logits, (plain.logits + turned.logits) / 2, atol=1e-4)
    np.testing.assert_allclose(found.embedding, (plain.embedding + turned.embedding) / 2, atol=1e-4)
    assert found.features is not None
    assert plain.features is not None
    assert turned.features is not None
    np.testing.assert_allclose(found.features, (plain.features + turned.features[..., ::-1]) / 2, atol=1e-4)
    # so that evidence maps have the image's orientation and sum to the answer
    np.testing.assert_allclose(found.features.mean((2, 3)), found.embedding, atol=1e-4)
    assert np.abs(plain.logits - turned.logits).max() > 1e-3
    assert MirroredEngine(engine).run(images).features is None


def test_every_way_of_predicting_mirrors(bundle: Path, images: np.ndarray) -> None:
    card = replace(ModelCard.load(bundle), mirrored=True)
    predictor = Predictor(card, open_engine(bundle, card, "onnx"))
    pictures = [Image.fromarray(image) for image in images]
    wanted = [prediction.logits for prediction in predictor.predict_pixels(images)]
    each = [outcome.get() for outcome in predictor.predict_each(pictures)]
    listed = predictor.predict([Image.fromarray(image[:, ::-1]) for image in images])
    for found in (each, listed):
        np.testing.assert_allclose([prediction.logits for prediction in found], wanted, atol=1e-4)
    np.testing.assert_allclose(predictor.predict(pictures[0]).logits, wanted[0], atol=1e-4)
    assert predictor.engine.name.endswith(", mirrored")
    assert predictor.engine.head.shape == (len(card.labels), len(predictor.predict(pictures[0]).embedding))
