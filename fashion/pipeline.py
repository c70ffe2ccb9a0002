"""Decode, resize and classify many images on all cores, with a separate outcome for each."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from fashion.engines import Engine, Outputs, available_cores
from fashion.errors import InvalidImage
from fashion.model_card import ModelCard
from fashion.prediction import Outcome, Prediction
from fashion.preprocess import Source, load_pixels

if TYPE_CHECKING:  # imported on demand: a single image needs no threads
    from concurrent.futures import ThreadPoolExecutor

BATCH_SIZE = 16  # images in one batched run; a GPU's memory would hold many more, a CPU's cache would not


Item = TypeVar("Item")
Result = TypeVar("Result")


class _Prepared(NamedTuple):
    """A decoded and resized image, uint8 (S, S, 3), or the error that prevented it."""

    pixels: np.ndarray | None
    error: Exception | None
    seconds: float


class Pipeline:
    """Runs images on an engine. Pillow, numpy and the engines release the GIL, so threads suffice.

    onnxruntime on a CPU runs images concurrently, each on its share of the cores: two images on one core each are
    faster than one after the other on both cores, because layers need no synchronization between cores, and decoding
    overlaps with inference. torch is faster in batches (`Engine.in_batches`): images are decoded concurrently and run
    through the network together.

    Args:
        engine: runs the network.
        card: the model card, for the input and the calibration.
    """

    def __init__(self, engine: Engine, card: ModelCard) -> None:
        self.engine = engine
        self._card = card

    def run(self, images: Sequence[Source], features: Sequence[bool], concurrency: int = 1) -> list[Outcome]:
        """Run images; return an outcome for each, in order. A bad image does not affect the others.

        Args:
            images: bytes of image files, paths or PIL images.
            features: for each image, whether to return its feature map.
            concurrency: number of concurrent calls that share the cores, this one included.
        """
        if self.engine.in_batches:
            return self._in_batches(images, features)
        # Full rounds of one image per lane use one core per image; the remaining images share all cores.
        full = len(images) - len(images) % self.engine.lanes

        def work(i: int) -> Outcome | _Prepared:
            if i < full:
                return self._one(images[i], features[i], self.engine.lanes)
            return self._prepare(images[i])  # on a core that becomes free

        done = self._concurrently(work, range(len(images)))
        outcomes = [each for each in done if isinstance(each, Outcome)]
        prepared = [each for each in done if isinstance(each, _Prepared)]
        return outcomes + self._finish(prepared, features[full:], concurrency)

    def warm_up(self, most: int) -> None:
        """Run blank images, so that no request waits for memory and threads to be set up.

        Args:
            most: maximum number of images to expect at once, for an engine that is faster in batches.
        """
        size = self._card.input.size
        empty = np.zeros((size, size, 3), np.uint8)
        # Powers of two give every share of the cores that any number of images and requests can get.
        for count in (1 << power for power in range(self.engine.lanes.bit_length())):
            self._finish([_Prepared(empty, None, 0.0)] * count, [True] * count)
        if self.engine.in_batches:
            self.engine.run(np.stack([empty] * min(most, BATCH_SIZE)))

    @cached_property
    def _threads(self) -> int:
        return available_cores() if self.engine.in_batches else self.engine.lanes

    @cached_property
    def _lanes(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self._threads, thread_name_prefix="lane")

    def _concurrently(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Call `work` for each item; return the results in order.

        The calling thread works too and the lanes only help, so a few images never wait for all those of a long list
        that another thread has on the lanes.
        """
        results: dict[int, Result] = {}
        rest = deque(range(len(items)))

        def help_out() -> None:
            while True:
                try:
                    position = rest.popleft()
                except IndexError:  # none left
                    return
                results[position] = work(items[position])

        helpers = [self._lanes.submit(help_out) for _ in range(min(len(items), self._threads) - 1)]
        help_out()
        for helper in helpers:
            if not helper.cancel():  # it has started
                helper.result()
        return [results[position] for position in range(len(items))]

    def _one(self, image: Source, features: bool, concurrency: int) -> Outcome:
        return self._infer(self._prepare(image), features, concurrency)

    def _finish(self, prepared: Sequence[_Prepared], features: Sequence[bool], concurrency: int = 1) -> list[Outcome]:
        """Run fewer images than there are lanes: the valid ones concurrently, on equal shares of the cores."""
        good = sum(image.pixels is not None for image in prepared)
        if good <= 1:
            return [self._infer(image, wanted, concurrency) for image, wanted in zip(prepared, features, strict=True)]
        pairs = list(zip(prepared, features, strict=True))
        return self._concurrently(lambda pair: self._infer(*pair, good * concurrency), pairs)

    def _prepare(self, image: Source) -> _Prepared:
        start = time.perf_counter()
        found: np.ndarray | None = None
        fault: Exception | None = None
        try:
            found = load_pixels(image, self._card.input)
        except Exception as error:  # InvalidImage or a bug; neither may affect the other images
            fault = error
        return _Prepared(found, fault, time.perf_counter() - start)

    def _infer(self, image: _Prepared, features: bool, concurrency: int) -> Outcome:
        if image.pixels is None:
            return Outcome(error=image.error, decode_seconds=image.seconds)
        start = time.perf_counter()
        prediction: Prediction | None = None
        fault: Exception | None = None
        try:
            prediction = predictions(self.engine.run(image.pixels[None], features, concurrency), self._card)[0]
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
        prepared = self._concurrently(self._prepare, images)
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
    """Convert a batch's outputs to one prediction per image. At inference, all probabilities are computed here."""
    probabilities = card.probabilities(outputs.logits)
    logits, gates = card.gates.split(outputs.logits)
    gates = card.gates.probabilities(gates)
    features = [None] * len(probabilities) if outputs.features is None else outputs.features
    applies = gates[:, : len(card.gates.applies)]
    product = gates[:, -1].tolist() if card.gates.product else [None] * len(gates)
    rows = zip(logits, probabilities, outputs.embedding, features, applies, product, strict=True)
    return [Prediction(*row) for row in rows]


def first_error(outcomes: Sequence[Outcome], start: int = 0) -> Exception | None:
    """The first exception among outcomes, or None; an InvalidImage is prefixed with its position, from `start`."""
    for position, outcome in enumerate(outcomes, start):
        if isinstance(outcome.error, InvalidImage):
            return InvalidImage(f"image {position}: {outcome.error}")
        if outcome.error:
            return outcome.error
    return None
