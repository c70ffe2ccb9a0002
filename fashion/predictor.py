"""A bundle in, predictions out: the one inference path that evaluation, serving and the catalog share.

From the command line:  python -m fashion.predictor BUNDLE IMAGE...
"""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np

from fashion.answers import identity, make_answer, remarks
from fashion.engines import ENGINES, Engine, open_engine
from fashion.errors import EXIT_USER_ERROR, InvalidImage, one_line, one_line_errors
from fashion.explanation import OVERLAY_SIDE
from fashion.mirrored import MirroredEngine
from fashion.model_card import ModelCard
from fashion.options import AnswerOptions, parse_options
from fashion.pipeline import Pipeline, first_fault, predictions
from fashion.prediction import Outcome, Prediction
from fashion.preprocess import Source, decode, pixels

CHOICES = (
    "profile",
    "caution",
    "all",
    "top_k",
    "groups",
    "embedding",
    "applies",
)  # options of an answer that the command line takes
CHUNK = 32  # images of a long list that are in memory at the same time


class Predictor:
    """A model that is ready to answer. Make one with `Predictor.from_bundle`.

    Attributes:
        card: the model card.
        engine: what runs the network, on mirror images too where the card says so.
    """

    def __init__(self, card: ModelCard, engine: Engine) -> None:
        self.card = card
        self.engine = MirroredEngine(engine) if card.mirrored else engine
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
        if not isinstance(images, list):
            return self.predict_pixels(pixels(images, self.card.input)[None])[0]
        found: list[Prediction] = []
        for start in range(0, len(images), CHUNK):
            outcomes = self.predict_each(images[start : start + CHUNK])
            fault = first_fault(outcomes, start)
            if fault:
                raise fault
            found += [outcome.result for outcome in outcomes if isinstance(outcome.result, Prediction)]
        return found

    def predict_each(self, images: Sequence[Source], features: bool | Sequence[bool] = False) -> list[Outcome]:
        """Predict images with every core at work, each with an outcome of its own; a bad one costs the others nothing.

        Args:
            images: bytes of image files, paths or PIL images. All are in memory at the same time: give long lists in
                parts of some tens.
            features: whether the feature map is wanted too; for all of them or for each.
        """
        wanted = [features] * len(images) if isinstance(features, bool) else features
        return self._pipeline.run(images, wanted) if images else []

    def predict_pixels(self, batch: np.ndarray, features: bool = False) -> list[Prediction]:
        """Predict images that are decoded and resized already: uint8 of shape (B, S, S, 3).

        Raises:
            ValueError: another shape or type; the network would take other pixels for an image too.
        """
        size = self.card.input.size
        if batch.dtype != np.uint8 or batch.shape[1:] != (size, size, 3):
            raise ValueError(f"pixels are {batch.dtype} {batch.shape}; expected uint8 (B, {size}, {size}, 3)")
        return predictions(self.engine.run(batch, features), self.card)

    def warm_up(self, most: int = 1) -> None:
        """Set up all that answering takes, so that the first request is as quick as the next.

        Args:
            most: how many images will come at once.
        """
        self._pipeline.warm_up(most)
        _ = self.engine.head

    def answer(
        self, prediction: Prediction, options: AnswerOptions | str | None = None, image: Source | None = None
    ) -> dict[str, Any]:
        """The response for one image, as every server of this project gives it.

        Args:
            prediction: of the image; made with `features=True` where maps are wanted.
            options: what to answer; a text is the name of a threshold profile.
            image: the photograph, where overlays are wanted.

        Returns:
            What `fashion.answers.make_answer` gives: `attributes`, ordered by group and then by falling probability,
            and `model`, ready for JSON.

        Raises:
            SettingError: an unknown profile.
        """
        if not isinstance(options, AnswerOptions):
            options = AnswerOptions(profile=options)
        head = self.engine.head if options.wants_maps else None
        picture = None
        if options.explain == "overlay" and image is not None:
            picture = decode(image, OVERLAY_SIDE)
        return make_answer(self.card, prediction, options, head, picture)

    def identity(self) -> dict[str, str]:
        """Name, version and weights of the model, as answers carry them."""
        return identity(self.card)

    @cached_property
    def _pipeline(self) -> Pipeline:
        return Pipeline(self.engine, self.card)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON object a line for each image; returns the exit status, 2 if an image could not be used."""
    parser = argparse.ArgumentParser(
        prog="python -m fashion.predictor", description="Name the attributes of photographs."
    )
    parser.add_argument("bundle", help="folder written by python -m training.export")
    parser.add_argument("images", nargs="+", metavar="image", help="image files")
    parser.add_argument(
        "--profile",
        help="what to answer: micro-f1, macro-f1, precision, top-k, 0.5 or any other threshold for all labels "
        "(default: the model card's)",
    )
    parser.add_argument(
        "--caution", metavar="C", help="multiply the odds of every threshold; above 1 for fewer, surer attributes"
    )
    parser.add_argument("--all", action="store_true", help="every label with its probability")
    parser.add_argument("--top-k", metavar="K", help="the K most probable of each group, whatever their thresholds")
    parser.add_argument("--groups", metavar="A,B", help="only these groups")
    parser.add_argument("--embedding", action="store_true", help="the embedding as well")
    parser.add_argument(
        "--applies", action="store_true", help="the probability of each group that it applies, given a product, as well"
    )
    parser.add_argument(
        "--engine", choices=ENGINES, default="auto", help="what runs the network (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold bytes that are no UTF-8
    with one_line_errors():
        predictor = Predictor.from_bundle(options.bundle, options.engine)
        wanted = parse_options(  # before any image is read
            {name: value for name in CHOICES if (value := getattr(options, name))}, predictor.card
        )
        status = 0
        for path in options.images:
            try:
                prediction = predictor.predict(Path(path))
            except InvalidImage as error:
                print(f"error: {path}: {one_line(error)}", file=sys.stderr)
                status = EXIT_USER_ERROR
                continue
            answer = predictor.answer(prediction, wanted)
            print(json.dumps({"image": path} | answer, ensure_ascii=False), flush=True)
            for line in remarks(answer):
                print(f"note: {path}: {line}", file=sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
