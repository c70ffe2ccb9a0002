"""The predictor for a bundle: the single inference path shared by evaluation, serving and the catalog.

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

from fashion.answers import Evidence, identity, make_answer, product_photographs, remarks
from fashion.engines import Engine, open_engine
from fashion.errors import EXIT_USER_ERROR, InvalidImage, one_line, one_line_errors
from fashion.explanation import OVERLAY_SIDE, activation_maps
from fashion.flags import add_engine_flag
from fashion.mirrored import MirroredEngine
from fashion.model_card import ModelCard
from fashion.occlusion import PARTS_PER_SIDE, occlusion_maps
from fashion.options import AnswerOptions, add_flags, flag_values, parse_options
from fashion.pipeline import Pipeline, first_error, predictions
from fashion.prediction import Outcome, Prediction
from fashion.preprocess import Source, decode, load_pixels
from fashion.views import combine_predictions

FLAGS = ("profile", "caution", "all", "top_k", "groups", "embedding", "applies", "product")
CHUNK = 32  # images of a long list that are in memory at once


class Predictor:
    """A loaded model. Create one with `Predictor.from_bundle`.

    Attributes:
        card: the model card.
        engine: runs the network, also on mirror images if the card says so.
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
            BundleError: the folder is not a bundle, or one of its files is missing or modified.
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
            return self.predict_pixels(load_pixels(images, self.card.input)[None])[0]
        found: list[Prediction] = []
        for start in range(0, len(images), CHUNK):
            outcomes = self.predict_each(images[start : start + CHUNK])
            fault = first_error(outcomes, start)
            if fault:
                raise fault
            found += [outcome.get() for outcome in outcomes]
        return found

    def predict_each(
        self, images: Sequence[Source], features: bool | Sequence[bool] = False, concurrency: int = 1
    ) -> list[Outcome]:
        """Predict images on all cores, with an outcome for each; a bad image does not affect the others.

        Args:
            images: bytes of image files, paths or PIL images. All are held in memory at once, so split long lists into
                parts of a few dozen.
            features: whether to return the feature map too; one value for all images or one for each.
            concurrency: number of concurrent calls that share the cores, this one included.
        """
        wanted = [features] * len(images) if isinstance(features, bool) else features
        return self._pipeline.run(images, wanted, concurrency) if images else []

    def predict_pixels(self, batch: np.ndarray) -> list[Prediction]:
        """Predict images that are already decoded and resized: uint8 of shape (B, S, S, 3).

        Raises:
            ValueError: another shape or type, which the network itself might silently accept.
        """
        size = self.card.input.size
        if batch.dtype != np.uint8 or batch.shape[1:] != (size, size, 3):
            raise ValueError(f"pixels are {batch.dtype} {batch.shape}; expected uint8 (B, {size}, {size}, 3)")
        return predictions(self.engine.run(batch), self.card)

    def warm_up(self, most: int = 1) -> None:
        """Run blank images, so that the first request is as fast as later ones.

        Args:
            most: maximum number of images to expect at once, for an engine that is faster in batches.
        """
        self._pipeline.warm_up(most)
        _ = self.engine.head

    def answer(
        self,
        prediction: Prediction,
        options: AnswerOptions | str | None = None,
        image: Source | None = None,
        concurrency: int = 1,
    ) -> dict[str, Any]:
        """The response for one image, identical in all servers of this project.

        Args:
            prediction: the prediction for the image; `maps` and `overlay` require one made with `features=True`.
            options: what to answer; a string is the name of a threshold profile.
            image: the photograph; required for `overlay` and `covered`.
            concurrency: number of concurrent calls that share the cores, this one included; matters for `covered`.

        Returns:
            The result of `fashion.answers.make_answer`: `attributes`, ordered by group and then by descending
            probability, and `model`, ready for JSON.

        Raises:
            SettingError: an unknown profile.
            ValueError: maps are requested, but features or photograph are missing.
        """
        if not isinstance(options, AnswerOptions):
            options = AnswerOptions(profile=options)
        evidence = self._evidence(prediction, options, image, concurrency) if options.wants_maps else None
        picture = decode(image, OVERLAY_SIDE) if options.wants_overlays and image is not None else None
        return make_answer(self.card, prediction, options, evidence, picture)

    def _evidence(
        self, prediction: Prediction, options: AnswerOptions, image: Source | None, concurrency: int
    ) -> Evidence:
        """The function that computes an answer's maps from label indices."""
        features, head = prediction.features, self.engine.head
        if options.explain != "covered":
            if features is None:
                raise ValueError("maps need a prediction made with features=True")
            return lambda labels: activation_maps(features, head[labels])
        if image is None:
            raise ValueError("covered maps need the photograph")
        return lambda labels: self.evidence(image, labels, concurrency)

    def evidence(self, image: Source, labels: Sequence[int], concurrency: int = 1) -> np.ndarray:
        """Occlusion maps of the evidence for labels, see `fashion.occlusion`, at the cost of 65 inferences.

        Args:
            image: the photograph.
            labels: indices of K labels; if there are none, nothing is computed.
            concurrency: number of concurrent calls that share the cores, this one included.

        Returns:
            float32 (K, 8, 8), in log-odds.

        Raises:
            InvalidImage: the photograph cannot be read.
        """
        chosen = list(labels)
        if not chosen:  # such as a photograph without a product
            return np.empty((0, PARTS_PER_SIDE, PARTS_PER_SIDE), np.float32)
        return occlusion_maps(
            load_pixels(image, self.card.input),
            lambda batch: self.card.probabilities(self.engine.run(batch, concurrency=concurrency).logits)[:, chosen],
        )

    def identity(self) -> dict[str, str]:
        """The model's name, version and weights id, as included in answers."""
        return identity(self.card)

    @cached_property
    def _pipeline(self) -> Pipeline:
        return Pipeline(self.engine, self.card)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line of JSON per image; return the exit status, 2 if an image could not be used."""
    parser = argparse.ArgumentParser(
        prog="python -m fashion.predictor", description="Name the attributes of photographs."
    )
    parser.add_argument("bundle", help="folder written by python -m training.export")
    parser.add_argument("images", nargs="+", metavar="image", help="image files")
    add_flags(parser, FLAGS)
    add_engine_flag(parser)
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain invalid UTF-8
    with one_line_errors():
        predictor = Predictor.from_bundle(options.bundle, options.engine)
        wanted = parse_options(flag_values(options, FLAGS), predictor.card)  # validated before any image is read
        status = 0
        of_product: list[Prediction] = []
        left_out = []
        for number, path in enumerate(options.images, 1):
            try:
                prediction = predictor.predict(Path(path))
            except InvalidImage as error:
                print(f"error: {path}: {one_line(error)}", file=sys.stderr)
                status = EXIT_USER_ERROR
                described = {"code": 400, "type": type(error).__name__, "message": one_line(error)}  # as of the servers
                left_out.append((number, path, {"error": described}))
                continue
            if options.product:
                of_product.append(prediction)
            else:
                _print(path, predictor.answer(prediction, wanted))
        if of_product:
            answer = predictor.answer(combine_predictions(of_product, predictor.card), wanted)
            _print(", ".join(options.images), answer | product_photographs(len(of_product), left_out))
    return status


def _print(path: str, answer: dict[str, Any]) -> None:
    print(json.dumps({"image": path} | answer, ensure_ascii=False), flush=True)
    for line in remarks(answer):
        print(f"note: {path}: {line}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
