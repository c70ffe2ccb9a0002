"""Many images through decoding, resizing and the network with every core at work, each with an outcome of its own."""

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fashion.engines import Engine, Outputs, available_cores
from fashion.errors import InvalidImage
from fashion.model_card import ModelCard
from fashion.prediction import Outcome, Prediction
from fashion.preprocess import Source, pixels

if TYPE_CHECKING:  # one image needs no threads
    from concurrent.futures import ThreadPoolExecutor

BATCH_SIZE = 16  # images of one run in batches; a GPU's memory holds many more, a CPU's cache does not


class _Prepared(NamedTuple):
    """An image that is decoded and resized, uint8 (S, S, 3), or why it could not be."""

    pixels: np.ndarray | None
    error: Exception | None
    seconds: float


class Pipeline:
    """Runs images on an engine. Pillow, numpy and the engines release the GIL, so that threads suffice.

    onnxruntime on a CPU runs images side by side, each on its share of the cores: two images on one core each take
    less time than one after the other on both, because nothing waits for the other core between the layers, and the
    decoding of one goes on beside the inference of another. torch is faster in batches (`Engine.in_batches`): the
    images are decoded side by side and go through the network together.

    Args:
        engine: runs the network.
        card: of the model: its input and its calibration.
    """

    def __init__(self, engine: Engine, card: ModelCard) -> None:
        self.engine = engine
        self._card = card

    def run(self, images: Sequence[Source], features: Sequence[bool]) -> list[Outcome]:
        """An outcome for each image, in their order; a bad one costs the others nothing.

        Args:
            images: bytes of image files, paths or PIL images.
            features: for each whether its feature map is wanted.
        """
        if self.engine.in_batches:
            return self._in_batches(images, features)
        outcomes: list[Outcome] = []
        # As many images as there are lanes keep every core busy with one each; the rest divide the cores.
        rest = len(images) % self.engine.lanes
        full = len(images) - rest
        if full:
            lanes = [self._lanes.submit(self._one, images[i], features[i], self.engine.lanes) for i in range(full)]
            prepared = list(self._lanes.map(self._prepare, images[full:]))  # fills the cores that are done first
            outcomes = [lane.result() for lane in lanes]
        elif rest == 1:
            return [self._one(images[0], features[0], 1)]
        else:
            prepared = list(self._lanes.map(self._prepare, images))
        return outcomes + self._finish(prepared, features[full:])

    def warm_up(self, most: int) -> None:
        """Run blank images, so that no request waits for memory and threads to be set up.

        Args:
            most: how many images will come at once.
        """
        size = self._card.input.size
        empty = np.zeros((size, size, 3), np.uint8)
        for count in range(1, min(most, self.engine.lanes) + 1):
            self._finish([_Prepared(empty, None, 0.0)] * count, [True] * count)
        if self.engine.in_batches:
            self.engine.run(np.stack([empty] * min(most, BATCH_SIZE)))

    @cached_property
    def _lanes(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        threads = available_cores() if self.engine.in_batches else self.engine.lanes
        return ThreadPoolExecutor(threads, thread_name_prefix="lane")

    def _one(self, image: Source, features: bool, beside: int) -> Outcome:
        return self._infer(self._prepare(image), features, beside)

    def _finish(self, prepared: Sequence[_Prepared], features: Sequence[bool]) -> list[Outcome]:
        """Run fewer images than there are lanes, the good ones side by side on equal shares of the cores."""
        good = sum(image.pixels is not None for image in prepared)
        if good <= 1:
            return [self._infer(image, wanted, 1) for image, wanted in zip(prepared, features, strict=True)]
        return list(self._lanes.map(self._infer, prepared, features, [good] * len(prepared)))

    def _prepare(self, image: Source) -> _Prepared:
        start = time.perf_counter()
        found: np.ndarray | None = None
        fault: Exception | None = None
        try:
            found = pixels(image, self._card.input)
        except Exception as error:  # an InvalidImage, or a fault of ours that must not cost the other images theirs
            fault = error
        return _Prepared(found, fault, time.perf_counter() - start)

    def _infer(self, image: _Prepared, features: bool, beside: int) -> Outcome:
        if image.pixels is None:
            return Outcome(error=image.error, decode_seconds=image.seconds)
        start = time.perf_counter()
        prediction: Prediction | None = None
        fault: Exception | None = None
        try:
            prediction = predictions(self.engine.run(image.pixels[None], features, beside), self._card)[0]
        except Exception as error:
            fault = error
        return Outcome(prediction, fault, image.seconds, time.perf_counter() - start)

    def _in_batches(self, images: Sequence[Source], features: Sequence[bool]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(images), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            outcomes += self._as_batch(images[part], any(features[part]))
        return outcomes

    def _as_batch(self, images: Sequence[Source], features: bool) -> list[Outcome]:
        prepared = [self._prepare(images[0])] if len(images) == 1 else list(self._lanes.map(self._prepare, images))
        good = [image.pixels for image in prepared if image.pixels is not None]
        begin = time.perf_counter()
        found: Sequence[Prediction | None] = []
        fault: Exception | None = None
        try:
            if good:
                found = predictions(self.engine.run(np.stack(good), features), self._card)
        except Exception as error:
            found, fault = [None] * len(good), error
        seconds = (time.perf_counter() - begin) / max(1, len(good))
        answers = iter(found)
        return [
            Outcome(error=image.error, decode_seconds=image.seconds)
            if image.pixels is None
            else Outcome(next(answers), fault, image.seconds, seconds)
            for image in prepared
        ]


def predictions(outputs: Outputs, card: ModelCard) -> list[Prediction]:
    """The outputs of a batch as one prediction for each image. In inference, probabilities come from here alone."""
    probabilities = card.probabilities(outputs.logits)
    logits, gates = card.gates.split(outputs.logits)
    gates = card.gates.probabilities(gates)
    features = [None] * len(probabilities) if outputs.features is None else outputs.features
    applies = gates[:, : len(card.gates.applies)]
    product = gates[:, -1].tolist() if card.gates.product else [None] * len(gates)
    rows = zip(logits, probabilities, outputs.embedding, features, applies, product, strict=True)
    return [Prediction(*row) for row in rows]


def first_fault(outcomes: Sequence[Outcome], start: int = 0) -> Exception | None:
    """The first exception among outcomes; of a bad image with its position, counted from `start`, in front."""
    for position, outcome in enumerate(outcomes, start):
        if isinstance(outcome.error, InvalidImage):
            return InvalidImage(f"image {position}: {outcome.error}")
        if outcome.error:
            return outcome.error
    return None
