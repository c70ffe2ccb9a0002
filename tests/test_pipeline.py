"""Concurrent images: each gets its own outcome, for any engine, number of cores and batch."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_files import encoded
from photos import bad_photos, photo
from PIL import Image

from fashion.engines import open_engine
from fashion.errors import InvalidImage
from fashion.model_card import ModelCard
from fashion.pipeline import BATCH_SIZE, Pipeline
from fashion.predictor import Predictor


@pytest.fixture(scope="module", params=[("int8", 1), ("int8", 2), ("int8", 3), ("torch", 1)], ids=str)
def predictor(request, bundle):
    engine, threads = request.param
    return Predictor.from_bundle(bundle, engine=engine, threads=threads)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, BATCH_SIZE + 1])
def test_every_image_gets_its_own_answer(predictor, count):
    images = [photo(i) for i in range(count)]
    outcomes = predictor.predict_each(images)
    assert len(outcomes) == count
    for image, outcome in zip(images, outcomes, strict=True):
        np.testing.assert_allclose(outcome.get().logits, predictor.predict(image).logits, atol=2e-4)
        assert outcome.decode_seconds > 0
        assert outcome.inference_seconds > 0


def test_bad_images_do_not_affect_good_ones(predictor):
    mixed = [body for i, bad in enumerate(bad_photos().values()) for body in (photo(i), bad)]
    outcomes = predictor.predict_each(mixed)
    for i, outcome in enumerate(outcomes):
        if i % 2:
            assert isinstance(outcome.error, InvalidImage)
            assert outcome.inference_seconds == 0
        else:
            np.testing.assert_allclose(outcome.get().logits, predictor.predict(mixed[i]).logits, atol=2e-4)


def test_bad_images_alone(predictor):
    assert all(isinstance(outcome.error, InvalidImage) for outcome in predictor.predict_each([b"", b"x", b"y"]))


def test_features_are_returned_on_request(bundle):
    predictor = Predictor.from_bundle(bundle, engine="int8", threads=2)
    wanted = [True, False, False, True, True]
    outcomes = predictor.predict_each([photo(i) for i in range(5)], wanted)
    assert [outcome.get().features is not None for outcome in outcomes] == wanted


@pytest.mark.parametrize("engine", ["int8", "torch"])
def test_an_engine_error_is_reported_for_each_image(bundle, engine, monkeypatch):
    card = ModelCard.load(bundle)
    pipeline = Pipeline(open_engine(bundle, card, engine, threads=2), card)

    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(pipeline.engine, "run", fail)
    outcomes = pipeline.run([photo(), b"", photo()], [False] * 3)
    assert [type(outcome.error) for outcome in outcomes] == [RuntimeError, InvalidImage, RuntimeError]


@pytest.mark.parametrize(("lanes", "count"), [(2, 2), (2, 3), (4, 2)])
def test_a_few_images_do_not_wait_for_a_long_list(bundle, lanes, count):
    card = ModelCard.load(bundle)
    engine = open_engine(bundle, card, "int8", threads=lanes)
    all_at_work, released = threading.Barrier(lanes + 1, timeout=60), threading.Event()

    class Held(type(engine)):
        """Holds the lanes when it is given black images, until `released`."""

        def run(self, pixels, features=False, concurrency=1):
            if not pixels.any() and not released.is_set():
                all_at_work.wait()
                released.wait(60)
            return super().run(pixels, features, concurrency)

    engine.__class__ = Held
    pipeline = Pipeline(engine, card)
    black = encoded(Image.new("RGB", (64, 64)), "PNG")
    with ThreadPoolExecutor(2) as requests:
        long = requests.submit(pipeline.run, [black] * 2 * lanes, [False] * 2 * lanes)
        all_at_work.wait()
        short = requests.submit(pipeline.run, [photo(i) for i in range(count)], [False] * count, 2)
        try:
            outcomes = short.result(20)
        finally:
            released.set()
        assert [outcome.error for outcome in outcomes + long.result(60)] == [None] * (count + 2 * lanes)


@pytest.mark.parametrize(("threads", "most"), [(4, 1), (4, 2), (4, 8), (6, 8), (16, 8)])
def test_warm_up_opens_all_resources(bundle, threads, most):
    predictor = Predictor.from_bundle(bundle, engine="int8", threads=threads)
    predictor.warm_up(most)
    sessions = set(predictor.engine._sessions)
    predictor.predict_each([photo(i) for i in range(threads + most)])
    for concurrency in range(1, threads + 1):
        predictor.predict_each([photo()], concurrency=concurrency)
    assert set(predictor.engine._sessions) == sessions
