"""Answer a batch of requests, for every server of this project."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import iadd
from typing import Any

import numpy as np

from fashion.answers import answered_mask, product_photographs
from fashion.errors import InvalidImage
from fashion.prediction import Outcome
from fashion.predictor import Predictor
from fashion.taxonomy import Label
from fashion.views import combine_predictions
from serving.protocol import IncomingRequest, InvalidRequest, Reply, error_answer, error_reply, json_bytes, outcome_of
from serving.request_parsing import ParsedRequest, Style, is_kserve_v2, read_request

# Bytes. TorchServe kills the worker if a response exceeds `max_response_size`, 64 MiB in the shipped configurations;
# the answers of a batch, up to eight, form one response.
MAX_ANSWER = 7_500_000

logger = logging.getLogger(__name__)


@dataclass
class BatchCounts:
    """Counts of a batch of requests, for metrics.

    Attributes:
        outcomes: number of requests by outcome, see `serving.protocol.RequestOutcome`.
        attributes: how often each label was predicted by the default profile, whatever the requests' options.
        request_seconds: for each request, the time from handing over its batch until the whole batch was answered.
        images: number of predicted images.
        decode_seconds, inference_seconds, postprocess_seconds: sums over the images; they overlap if images are
            processed concurrently.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    attributes: Counter[Label] = field(default_factory=Counter)
    request_seconds: list[float] = field(default_factory=list)
    images: int = 0
    decode_seconds: float = 0.0
    inference_seconds: float = 0.0
    postprocess_seconds: float = 0.0

    def add(self, other: "BatchCounts") -> None:
        """Add another batch's counts."""
        for name, value in vars(other).items():
            setattr(self, name, iadd(getattr(self, name), value))  # in place, at the cost of what is added


class Responder:
    """Answers batches of requests. An invalid request does not affect the others and raises no exception.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def respond(self, calls: Sequence[IncomingRequest], concurrency: int = 1) -> tuple[list[Reply], BatchCounts]:
        """Answer requests; return a reply for each, in order, and the counts of the batch.

        The images of all requests are predicted together.

        Args:
            calls: the requests.
            concurrency: number of concurrent calls that share the cores, this one included.
        """
        start = time.perf_counter()
        read = [self._read(call) for call in calls]
        images = [image for request in read if isinstance(request, ParsedRequest) for _, image in request.images]
        maps = [
            request.options.wants_features
            for request in read
            if isinstance(request, ParsedRequest)
            for _ in request.images
        ]
        outcomes = iter(self._predict(images, maps, concurrency))
        replies, tally = [], BatchCounts()
        for call, request in zip(calls, read, strict=True):
            if isinstance(request, ParsedRequest):
                own = [next(outcomes) for _ in request.images]
                reply = self._reply(request, own, tally, call, concurrency)
            else:
                reply = error_reply(request, is_kserve_v2(call))
            tally.outcomes[reply.outcome] += 1
            replies.append(reply)
        tally.request_seconds = [time.perf_counter() - start] * len(calls)
        return replies, tally

    def _read(self, call: IncomingRequest) -> ParsedRequest | Exception:
        try:
            return read_request(call, self.predictor.card)
        except Exception as error:
            _log_fault(error, "a request could not be read")
            return error

    def _predict(self, images: Sequence[bytes | InvalidImage], maps: Sequence[bool], concurrency: int) -> list[Outcome]:
        good = [(image, wanted) for image, wanted in zip(images, maps, strict=True) if isinstance(image, bytes)]
        try:
            found = self.predictor.predict_each(
                [image for image, _ in good], [wanted for _, wanted in good], concurrency
            )
            predicted = iter(found)
            return [next(predicted) if isinstance(image, bytes) else Outcome(error=image) for image in images]
        except Exception as error:
            logger.exception("inference of %d images failed", len(good))
            return [Outcome(error=error if isinstance(image, bytes) else image) for image in images]

    def _reply(
        self,
        request: ParsedRequest,
        outcomes: Sequence[Outcome],
        tally: BatchCounts,
        call: IncomingRequest,
        concurrency: int,
    ) -> Reply:
        start = time.perf_counter()
        # For a parsed request, the style tells the protocol if the route does not.
        kserve_v2 = request.style is Style.KSERVE_V2 if call.kserve_v2 is None else call.kserve_v2
        try:
            answer = self._product if request.options.product else self._each
            answers = answer(request, outcomes, concurrency)
            faults = [error for error, _ in answers if error is not None]
            if len(faults) == len(answers) and (kserve_v2 or request.style is Style.ONE or len(answers) == 1):
                reply = error_reply(faults[0], kserve_v2)
            else:
                status = error_answer(faults[0])[0] if len(faults) == len(answers) else 200
                wrapped = wrap([answer for _, answer in answers], request, self.predictor.identity())
                reply = Reply(status, json_bytes(wrapped), outcome_of(faults[0]) if faults else "ok")
                if len(reply.body) > MAX_ANSWER:
                    raise InvalidRequest(
                        f"the answer would be {len(reply.body) / 1e6:.0f} MB, more than {MAX_ANSWER / 1e6:.0f}; "
                        "ask for fewer images, labels or overlays at a time"
                    )
        except Exception as error:
            _log_fault(error, "an answer could not be made")
            reply = error_reply(error, kserve_v2)
        self._count(outcomes, time.perf_counter() - start, tally)
        return replace(
            reply,
            images=len(outcomes),
            decode_seconds=sum(outcome.decode_seconds for outcome in outcomes),
            inference_seconds=sum(outcome.inference_seconds for outcome in outcomes),
        )

    def _each(
        self, request: ParsedRequest, outcomes: Sequence[Outcome], concurrency: int
    ) -> list[tuple[Exception | None, dict[str, Any]]]:
        return [
            self._answer(request, image, name, outcome, concurrency)
            for (name, image), outcome in zip(request.images, outcomes, strict=True)
        ]

    def _product(
        self, request: ParsedRequest, outcomes: Sequence[Outcome], concurrency: int
    ) -> list[tuple[Exception | None, dict[str, Any]]]:
        """One answer for all photographs of a request, or the first photograph's error if none can be used."""
        good = [outcome.prediction for outcome in outcomes if outcome.prediction]
        left_out = []
        for number, ((name, _), outcome) in enumerate(zip(request.images, outcomes, strict=True), 1):
            if outcome.error:
                _log_fault(outcome.error, "an image could not be answered")
                left_out.append((number, name, error_answer(outcome.error)[1]))
        if not good:
            first = next(outcome.error for outcome in outcomes if outcome.error)
            return [(first, error_answer(first)[1])]
        image = next((image for _, image in request.images if isinstance(image, bytes)), None)
        combined = combine_predictions(good, self.predictor.card)
        answer = self.predictor.answer(combined, request.options, image, concurrency)
        return [(None, answer | product_photographs(len(good), left_out))]

    def _answer(
        self, request: ParsedRequest, image: bytes | InvalidImage, name: str, outcome: Outcome, concurrency: int
    ) -> tuple[Exception | None, dict[str, Any]]:
        """The error of one image, if any, and its answer or error object."""
        named = {"image": name} if name else {}
        try:
            picture = image if isinstance(image, bytes) else None
            return None, named | self.predictor.answer(outcome.get(), request.options, picture, concurrency)
        except Exception as error:
            _log_fault(error, "an image could not be answered")
            return error, named | error_answer(error)[1]

    def _count(self, outcomes: Sequence[Outcome], seconds: float, tally: BatchCounts) -> None:
        card = self.predictor.card
        tally.postprocess_seconds += seconds
        for outcome in outcomes:
            tally.decode_seconds += outcome.decode_seconds
            tally.inference_seconds += outcome.inference_seconds
            if found := outcome.prediction:
                tally.images += 1
                answered = answered_mask(card, found.probabilities, gates=found.gates)
                tally.attributes.update(card.labels[i] for i in np.flatnonzero(answered))


def wrap(answers: list[dict[str, Any]], request: ParsedRequest, model: dict[str, str]) -> dict[str, Any]:
    """Wrap the answers for a request's images in the format of its style."""
    if request.style is Style.ONE:
        return answers[0]
    if request.style is not Style.KSERVE_V2:
        return {"predictions": answers}
    tensor = {
        "name": "answers",
        "shape": [len(answers)],
        "datatype": "BYTES",
        "data": [json_bytes(answer).decode() for answer in answers],
    }
    wrapped: dict[str, Any] = {"model_name": model["name"], "model_version": model["version"], "outputs": [tensor]}
    return wrapped if request.id is None else wrapped | {"id": request.id}


def _log_fault(error: Exception, what: str) -> None:
    """Log an internal error with its traceback; errors of the client are not logged here."""
    if outcome_of(error) == "error":
        logger.error("%s", what, exc_info=error)
