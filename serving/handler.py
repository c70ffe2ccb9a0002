"""TorchServe's hooks around the Predictor.

TorchServe imports this file by itself from the folder it unpacked the .mar into, where the packages `fashion` and
`serving` lie beside it.
"""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if (HERE / "fashion").is_dir():
    # Before anything on PYTHONPATH: the code that was packed with the weights runs them.
    sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402

from fashion.engines import available_cores  # noqa: E402
from fashion.errors import InvalidImage  # noqa: E402
from fashion.predictor import Prediction, Predictor  # noqa: E402
from fashion.preprocess import pixels  # noqa: E402
from serving.protocol import INTERNAL_ERROR, JSON_TYPE, REASONS, error_answer, image_bytes, json_bytes  # noqa: E402

logger = logging.getLogger(__name__)


# The only class in this file, because TorchServe takes the first of exactly one. It is no BaseHandler: TorchServe
# asks for `initialize` and `handle` alone, and BaseHandler's load and inference, with the profilers, compilers and
# accelerators it imports, would all be overridden.
class FashionHandler:
    """Answers batches of requests; a bad one costs the others nothing."""

    predictor: Predictor

    def initialize(self, context: Any) -> None:
        """Open the model and run it once, so that the worker is quick from the moment it is ready.

        Args:
            context: TorchServe's `ts.context.Context`.

        Raises:
            BundleError: the archive's weights do not fit its model card; the worker ends and the log says so.
        """
        properties = context.system_properties
        config = context.model_yaml_config or {}
        gpu = properties.get("gpu_id")
        threads = threads_of_a_worker(config)
        device = "cpu" if gpu is None else f"cuda:{gpu}"
        self.predictor = Predictor.from_bundle(properties["model_dir"], threads=threads, device=device)
        size = self.predictor.card.input.size
        self.predictor.predict_pixels(np.zeros((int(properties["batch_size"]), size, size, 3), np.uint8))
        model, engine = self.predictor.identity(), self.predictor.engine.name
        logger.info("%(name)s %(version)s (%(weights)s) is ready", model)
        logger.info("engine: %s; threads, on a CPU: %d", engine, threads)

    def handle(self, data: list[Mapping[str, Any]], context: Any) -> list[bytes]:
        """Answer a batch.

        Args:
            data: for each request the parts of its body by name.
            context: TorchServe's `ts.context.Context`; each request's status and content type are set in it.

        Returns:
            One JSON answer for each request, in the order of `data`.
        """
        outcomes = self._outcomes(data)
        return [self._answer(outcome, i, context) for i, outcome in enumerate(outcomes)]

    def _outcomes(self, data: list[Mapping[str, Any]]) -> list[Prediction | Exception]:
        """A prediction or what went wrong, for each request; the good images go through the network together."""
        images = [self._pixels(request) for request in data]
        good = [image for image in images if isinstance(image, np.ndarray)]
        try:
            predictions = iter(self.predictor.predict_pixels(np.stack(good)) if good else [])
        except Exception as error:
            logger.exception("inference of %d images failed", len(good))
            return [image if isinstance(image, Exception) else error for image in images]
        return [image if isinstance(image, Exception) else next(predictions) for image in images]

    def _pixels(self, request: Mapping[str, Any]) -> np.ndarray | Exception:
        try:
            return pixels(image_bytes(request), self.predictor.card.input)
        except InvalidImage as error:
            return error
        except Exception as error:  # a fault of ours must not fail the batch: TorchServe would refuse all of it
            logger.exception("an image could not be prepared")
            return error

    def _answer(self, outcome: Prediction | Exception, i: int, context: Any) -> bytes:
        code = 200
        try:
            answer = self.predictor.answer(outcome) if isinstance(outcome, Prediction) else None
        except Exception as error:
            logger.exception("an answer could not be made")
            outcome, answer = error, None
        if answer is None:
            assert isinstance(outcome, Exception)
            code, answer = error_answer(outcome)
            context.set_response_status(code=code, phrase=REASONS.get(code, REASONS[INTERNAL_ERROR]), idx=i)
        context.set_response_content_type(i, JSON_TYPE)
        return json_bytes(answer)


def threads_of_a_worker(config: Mapping[str, Any]) -> int:
    """Threads of one inference, so that all workers together use each core once.

    Args:
        config: the archive's model-config.yaml; `maxWorkers` is how many workers share the cores.
    """
    return max(1, available_cores() // max(1, int(config.get("maxWorkers") or 1)))
