"""Many images through decoding, resizing and the network with every core at work, each with an outcome of its own."""

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fashion.engines import Engine, Outputs, available_cores
from fashion.errors import InvalidImage
from fashion.model_card import ModelCard
from fashion.prediction import Outcome, Prediction
from fashion.preprocess import Source, pixels

if TYPE_CHECKING:  # one image needs no threads
    from concurrent.futures import ThreadPoolExecutor

BATCH_SIZE = 16  # images of one run in batches; a GPU's memory holds many more, a CPU's cache does not


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
            self._finish([(empty, 0.0)] * count, [True] * count)
        if self.engine.in_batches:
            self.engine.run(np.stack([empty] * min(most, BATCH_SIZE)))

    @cached_property
    def _lanes(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        threads = available_cores() if self.engine.in_batches else self.engine.lanes
        return ThreadPoolExecutor(threads, thread_name_prefix="lane")

    def _one(self, image: Source, features: bool, beside: int) -> Outcome:
        prepared, seconds = self._prepare(image)
        if isinstance(prepared, Exception):
            return Outcome(prepared, seconds)
        return self._infer(prepared, seconds, features, beside)

    def _finish(
        self, prepared: Sequence[tuple[np.ndarray | Exception, float]], features: Sequence[bool]
    ) -> list[Outcome]:
        """Run fewer images than there are lanes, the good ones side by side on equal shares of the cores."""
        good = sum(isinstance(image, np.ndarray) for image, _ in prepared)

        def run(entry: tuple[np.ndarray | Exception, float], wanted: bool) -> Outcome:
            image, seconds = entry
            return (
                Outcome(image, seconds) if isinstance(image, Exception) else self._infer(image, seconds, wanted, good)
            )

        if good <= 1:
            return [run(entry, wanted) for entry, wanted in zip(prepared, features, strict=True)]
        return list(self._lanes.map(run, prepared, features))

    def _prepare(self, image: Source) -> tuple[np.ndarray | Exception, float]:
        start = time.perf_counter()
        prepared: np.ndarray | Exception
        try:
            prepared = pixels(image, self._card.input)
        except Exception as error:  # an InvalidImage, or a fault of ours that must not cost the other images theirs
            prepared = error
        return prepared, time.perf_counter() - start

    def _infer(self, image: np.ndarray, decode_seconds: float, features: bool, beside: int) -> Outcome:
        start = time.perf_counter()
        try:
            result: Prediction | Exception = predictions(self.engine.run(image[None], features, beside), self._card)[0]
        except Exception as error:
            result = error
        return Outcome(result, decode_seconds, time.perf_counter() - start)

    def _in_batches(self, images: Sequence[Source], features: Sequence[bool]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(images), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            outcomes += self._as_batch(images[part], any(features[part]))
        return outcomes

    def _as_batch(self, images: Sequence[Source], features: bool) -> list[Outcome]:
        prepared = [self._prepare(images[0])] if len(images) == 1 else list(self._lanes.map(self._prepare, images))
        good = [image for image, _ in prepared if isinstance(image, np.ndarray)]
        begin = time.perf_counter()
        try:
            found: Sequence[Prediction | Exception] = (
                predictions(self.engine.run(np.stack(good), features), self._card) if good else []
            )
        except Exception as error:
            found = [error] * len(good)
        seconds = (time.perf_counter() - begin) / max(1, len(good))
        results = iter(found)
        return [
            Outcome(image, decoding) if isinstance(image, Exception) else Outcome(next(results), decoding, seconds)
            for image, decoding in prepared
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
        if isinstance(outcome.result, InvalidImage):
            return InvalidImage(f"image {position}: {outcome.result}")
        if isinstance(outcome.result, Exception):
            return outcome.result
    return None
