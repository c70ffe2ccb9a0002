"""The models that a server answers with; they can be replaced without refusing a request."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

from fashion.errors import SettingError
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from serving.batcher import BATCH_SIZE, Batcher
from serving.protocol import IncomingRequest, Reply
from serving.responder import BatchCounts, Responder

Observe = Callable[[BatchCounts, str], None]  # (counts of a batch, version of the model that answered it)


class UnknownVersion(Exception):
    """The requested model version is not served."""


class LiveModel:
    """A model that answers requests, and that `replace` can swap for another at run time.

    Args:
        predictor: the initial model.
        reopen: opens the model to use after a reload; None if reloads are not supported.

    Attributes:
        predictor: the current model.
    """

    def __init__(self, predictor: Predictor, reopen: Callable[[], Predictor] | None = None) -> None:
        self.predictor = predictor
        self._reopen = reopen
        self._batcher: Batcher | None = None
        self._swapping = threading.Lock()

    @property
    def version(self) -> str:
        """Version of the current model."""
        return self.predictor.card.version

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._batcher is not None and self._batcher.alive

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return 0 if self._batcher is None else self._batcher.waiting

    def submit(self, call: IncomingRequest, version: str | None = None) -> "Future[Reply]":
        """Queue a request.

        Args:
            call: the request.
            version: the version to answer with; None for the current one.

        Raises:
            UnknownVersion: the model has been replaced by another version.
            QueueFull: too many requests are waiting.
        """
        with self._swapping:  # else it could be queued in a batcher that has been closed
            if version not in (None, self.version):
                raise UnknownVersion
            assert self._batcher is not None, "the application has not started"
            return self._batcher.submit(call)

    def reopened(self) -> Predictor:
        """Open the bundle's current files as a new, warmed-up predictor; the current model is unaffected.

        Raises:
            FashionError: the bundle cannot be opened.
        """
        if self._reopen is None:
            raise SettingError("this server was not started from a bundle's folder; restart it to change the model")
        predictor = self._reopen()
        predictor.warm_up(BATCH_SIZE)
        return predictor

    def start(self, observe: Observe) -> None:
        """Warm up and start to answer."""
        self._observe = observe
        self.predictor.warm_up(BATCH_SIZE)
        self._batcher = self._batcher_of(self.predictor)

    def replace(self, predictor: Predictor) -> None:
        """Switch to another predictor; returns when the previous one has answered its queued requests."""
        if self._batcher is None:  # not started
            self.predictor = predictor
            return
        started = self._batcher_of(predictor)
        with self._swapping:
            before, self._batcher, self.predictor = self._batcher, started, predictor
        before.close()

    def close(self) -> None:
        """Answer all waiting requests, and stop."""
        if self._batcher is not None:
            self._batcher.close()

    def _batcher_of(self, predictor: Predictor) -> Batcher:
        batcher = Batcher(Responder(predictor), lambda tally: self._observe(tally, predictor.card.version))
        batcher.start()
        return batcher


class Traffic:
    """Routes requests to one live model, or splits them between a model and a canary.

    Args:
        model: answers all requests except the canary's share.
        canary: answers a randomly chosen share of the requests.
        share: the canary's share, from 0 to 1.

    Attributes:
        models: the model and, if any, the canary.

    Raises:
        SettingError: the share is out of range, or the canary is another bundle of the model's version.
    """

    def __init__(self, model: LiveModel, canary: LiveModel | None = None, share: float = 0.0) -> None:
        if not 0 <= share <= 1:
            raise SettingError(f"--share {share} must be from 0 to 1, such as 0.1 for a tenth of the requests")
        self.models: Sequence[LiveModel] = [model] if canary is None else [model, canary]
        _check_versions([each.predictor.card for each in self.models])
        self._share = share
        self._reloading = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether every model answers requests."""
        return all(model.alive for model in self.models)

    @property
    def waiting(self) -> int:
        """The number of waiting requests, over all models."""
        return sum(model.waiting for model in self.models)

    @property
    def versions(self) -> list[str]:
        """The versions that are served, without duplicates."""
        return list(dict.fromkeys(model.version for model in self.models))

    def submit(self, call: IncomingRequest, version: str | None = None) -> "Future[Reply]":
        """Queue a request with the model of the given version, or with one chosen by the canary's share.

        Raises:
            UnknownVersion: the version is not served.
            QueueFull: too many requests are waiting.
        """
        if version is None:
            return self.models[-1 if random.random() < self._share else 0].submit(call)
        for model in self.models:
            if model.version == version:
                return model.submit(call, version)
        raise UnknownVersion

    def reload(self) -> None:
        """Reopen all bundles, then switch to them; after an error nothing has changed.

        Raises:
            FashionError: a bundle cannot be opened.
            SettingError: the canary has become another bundle of the model's version.
        """
        with self._reloading:
            opened = [model.reopened() for model in self.models]
            _check_versions([predictor.card for predictor in opened])
            for model, predictor in zip(self.models, opened, strict=True):
                model.replace(predictor)

    @contextmanager
    def answering(self, observe: Observe) -> Iterator[None]:
        """Context manager: answer requests within the block; requests waiting at its end are still answered."""
        with ExitStack() as stack:
            for model in self.models:
                model.start(observe)
                stack.callback(model.close)
            try:
                yield
            finally:
                with self._reloading:  # wait for a running reload, whose new batchers must be closed too
                    stack.close()


def _check_versions(cards: Sequence[ModelCard]) -> None:
    """Raise SettingError if two different bundles have one version: no answer or count would tell which it is of."""
    first, *others = cards
    if any(card.version == first.version and card != first for card in others):
        raise SettingError(
            f"the model and its canary are different bundles of version {first.version!r}; "
            "export one of them with another --model-version"
        )
