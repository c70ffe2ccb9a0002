"""A bundle in, predictions out: the one inference path that evaluation, serving and the catalog share.

From the command line:  python -m fashion.predictor BUNDLE IMAGE...
"""

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from fashion.engines import ENGINES, Engine, open_engine
from fashion.errors import EXIT_USER_ERROR, InvalidImage, one_line, one_line_errors
from fashion.model_card import ModelCard
from fashion.preprocess import Source, pixels

BATCH_SIZE = 8  # images of one inference; larger batches are no faster on a CPU and cost memory


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        logits: float32 (A,).
        probabilities: float32 (A,), the sigmoid of the logits.
        embedding: float32 (E,), what similar products are found by.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embedding: np.ndarray


class Predictor:
    """A model that is ready to answer. Make one with `Predictor.from_bundle`.

    Attributes:
        card: the model card.
        engine: what runs the network.
    """

    def __init__(self, card: ModelCard, engine: Engine) -> None:
        self.card = card
        self.engine = engine
        self.taxonomy = card.taxonomy

    @classmethod
    def from_bundle(
        cls, folder: str | Path, engine: str = "auto", threads: int | None = None, device: str | None = None
    ) -> "Predictor":
        """Open a bundle: the folder that `python -m training.export` wrote.

        Args:
            folder: the bundle.
            engine, threads, device: see `fashion.engines.open_engine`.

        Raises:
            BundleError: the folder is not a bundle, or a file of it is missing or was changed.
            SettingError: an unknown engine.
        """
        folder = Path(folder)
        card = ModelCard.load(folder)
        return cls(card, open_engine(folder, card, engine, threads, device))

    @overload
    def predict(self, images: Source) -> Prediction: ...
    @overload
    def predict(self, images: list[Source]) -> list[Prediction]: ...
    def predict(self, images: Source | list[Source]) -> Prediction | list[Prediction]:
        """Predict one image, or each of a list: bytes of image files, paths or PIL images.

        Raises:
            InvalidImage: an image cannot be used; in a list the message starts with its position, from 0.
        """
        if isinstance(images, list):
            return list(self._predict_each(images))
        return self.predict_pixels(pixels(images, self.card.input)[None])[0]

    def predict_pixels(self, batch: np.ndarray) -> list[Prediction]:
        """Predict images that are decoded and resized already: uint8 of shape (B, S, S, 3).

        Raises:
            ValueError: another shape or type; the network would take other pixels for an image too.
        """
        size = self.card.input.size
        if batch.dtype != np.uint8 or batch.shape[1:] != (size, size, 3):
            raise ValueError(f"pixels are {batch.dtype} {batch.shape}; expected uint8 (B, {size}, {size}, 3)")
        outputs = self.engine.run(batch)
        probabilities = sigmoid(outputs.logits)
        return [Prediction(*rows) for rows in zip(outputs.logits, probabilities, outputs.embedding, strict=True)]

    def answer(self, prediction: Prediction, profile: str | None = None, all: bool = False) -> dict[str, Any]:
        """The response for one image, as every server of this project gives it.

        Args:
            prediction: of the image.
            profile: the thresholds to use; default is the card's default profile.
            all: give every label with its probability, not only those at or above their threshold.

        Returns:
            `attributes`, ordered by group and then by falling probability, and `model`, ready for JSON.

        Raises:
            SettingError: an unknown profile.
        """
        thresholds = self.card.threshold_row(profile)
        attributes = [
            {
                "group": group,
                "name": self.taxonomy.labels[i].name,
                "probability": round(float(prediction.probabilities[i]), 4),
                "threshold": round(float(thresholds[i]), 4),
            }
            for group in self.taxonomy.groups
            for i in _by_falling(prediction.probabilities, self.taxonomy.indices(group))
            if all or prediction.probabilities[i] >= thresholds[i]
        ]
        return {"attributes": attributes, "model": self.identity()}

    def identity(self) -> dict[str, str]:
        """Name, version and weights of the model, as answers carry them."""
        return {"name": self.card.name, "version": self.card.version, "weights": self.card.weights_id}

    def _predict_each(self, images: list[Source]) -> Iterator[Prediction]:
        for start in range(0, len(images), BATCH_SIZE):
            batch = [self._pixels_at(i, images[i]) for i in range(start, min(start + BATCH_SIZE, len(images)))]
            yield from self.predict_pixels(np.stack(batch))

    def _pixels_at(self, position: int, image: Source) -> np.ndarray:
        try:
            return pixels(image, self.card.input)
        except InvalidImage as error:
            raise InvalidImage(f"image {position}: {error}") from None


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), float32: the tanh form never overflows; its error is below 1e-7 everywhere."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)


def _by_falling(probabilities: np.ndarray, indices: np.ndarray) -> Iterable[int]:
    return (int(i) for i in indices[np.argsort(-probabilities[indices], kind="stable")])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON object a line for each image; returns the exit status, 2 if an image could not be used."""
    parser = argparse.ArgumentParser(
        prog="python -m fashion.predictor", description="Name the attributes of photographs."
    )
    parser.add_argument("bundle", help="folder written by python -m training.export")
    parser.add_argument("images", nargs="+", metavar="image", help="image files")
    parser.add_argument("--profile", help="thresholds to use, such as micro-f1 or 0.5 (default: the model card's)")
    parser.add_argument("--all", action="store_true", help="every label with its probability")
    parser.add_argument(
        "--engine", choices=ENGINES, default="auto", help="what runs the network (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold bytes that are no UTF-8
    with one_line_errors():
        predictor = Predictor.from_bundle(options.bundle, options.engine)
        predictor.card.threshold_row(options.profile)  # an unknown profile is told before any image is read
        status = 0
        for path in options.images:
            try:
                prediction = predictor.predict(Path(path))
            except InvalidImage as error:
                print(f"error: {path}: {one_line(error)}", file=sys.stderr)
                status = EXIT_USER_ERROR
                continue
            answer = predictor.answer(prediction, options.profile, options.all)
            print(json.dumps({"image": path} | answer, ensure_ascii=False), flush=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
