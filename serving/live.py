"""The bundles that a server answers from; another takes the place of one without a request being refused."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

from fashion.errors import SettingError
from fashion.predictor import Predictor
from serving.batcher import BATCH_SIZE, Batcher
from serving.protocol import Call, Reply
from serving.responder import BatchCounts, Responder

Observe = Callable[[BatchCounts, str], None]  # what a batch came to, and the version of the model that answered it


class UnknownVersion(Exception):
    """A version that was asked for and is not here."""


class LiveModel:
    """One bundle that answers, until `replace` puts another in its place.

    Args:
        predictor: what answers first.
        reopen: opens what is to answer after a reload; None where there is nothing to open.

    Attributes:
        predictor: what answers now.
    """

    def __init__(self, predictor: Predictor, reopen: Callable[[], Predictor] | None = None) -> None:
        self.predictor = predictor
        self._reopen = reopen
        self._batcher: Batcher | None = None
        self._swapping = threading.Lock()

    @property
    def version(self) -> str:
        """Of the model that answers now."""
        return self.predictor.card.version

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._batcher is not None and self._batcher.alive

    @property
    def waiting(self) -> int:
        """How many requests wait, about."""
        return 0 if self._batcher is None else self._batcher.waiting

    def submit(self, call: Call, version: str | None = None) -> "Future[Reply]":
        """Queue a request.

        Args:
            call: the request.
            version: that is to answer; None is whichever does.

        Raises:
            UnknownVersion: another version answers by now.
            QueueFull: too many wait already.
        """
        with self._swapping:  # or it might be queued behind the end of a batcher
            if version not in (None, self.version):
                raise UnknownVersion
            assert self._batcher is not None, "the application has not begun"
            return self._batcher.submit(call)

    def reopened(self) -> Predictor:
        """The bundle as it lies in its folder now, warmed up; the one that answers knows nothing of it.

        Raises:
            FashionError: it cannot be opened.
        """
        if self._reopen is None:
            raise SettingError("this server was not started from a bundle's folder; start it again to change the model")
        predictor = self._reopen()
        predictor.warm_up(BATCH_SIZE)
        return predictor

    def start(self, observe: Observe) -> None:
        """Begin to answer."""
        self._observe = observe
        self.predictor.warm_up(BATCH_SIZE)
        self._batcher = self._batcher_of(self.predictor)

    def replace(self, predictor: Predictor) -> None:
        """Let another predictor answer from now on; returns when the one before has answered all that it had."""
        if self._batcher is None:  # it has not begun
            self.predictor = predictor
            return
        started = self._batcher_of(predictor)
        with self._swapping:
            before, self._batcher, self.predictor = self._batcher, started, predictor
        before.close()

    def close(self) -> None:
        """Answer all that waits, and end."""
        if self._batcher is not None:
            self._batcher.close()

    def _batcher_of(self, predictor: Predictor) -> Batcher:
        batcher = Batcher(Responder(predictor), lambda tally: self._observe(tally, predictor.card.version))
        batcher.start()
        return batcher


class Traffic:
    """Requests on their way to one live model, or divided between two.

    Args:
        model: answers all requests, or all but the canary's share.
        canary: answers a share of them, chosen at random.
        share: that goes to the canary, from 0 to 1.

    Attributes:
        models: all of them.

    Raises:
        SettingError: a share that is none.
    """

    def __init__(self, model: LiveModel, canary: LiveModel | None = None, share: float = 0.0) -> None:
        if not 0 <= share <= 1:
            raise SettingError(f"--share {share} must be from 0 to 1, such as 0.1 for a tenth of the requests")
        self.models: Sequence[LiveModel] = [model] if canary is None else [model, canary]
        self._share = share
        self._reloading = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether requests are answered, by every model."""
        return all(model.alive for model in self.models)

    @property
    def waiting(self) -> int:
        """How many requests wait, about, for any model."""
        return sum(model.waiting for model in self.models)

    @property
    def versions(self) -> list[str]:
        """Those that answer, without repetition."""
        return list(dict.fromkeys(model.version for model in self.models))

    def submit(self, call: Call, version: str | None = None) -> "Future[Reply]":
        """Queue a request with one of the models: with that of a version, or by the canary's share.

        Raises:
            UnknownVersion: a version that is not here.
            QueueFull: too many wait already.
        """
        if version is None:
            return self.models[-1 if random.random() < self._share else 0].submit(call)
        for model in self.models:
            if model.version == version:
                return model.submit(call, version)
        raise UnknownVersion

    def reload(self) -> None:
        """Open every bundle anew, and let it answer once it is ready; where one cannot be opened all stay as they are.

        Raises:
            FashionError: a bundle cannot be opened.
        """
        with self._reloading:
            opened = [model.reopened() for model in self.models]
            for model, predictor in zip(self.models, opened, strict=True):
                model.replace(predictor)

    @contextmanager
    def answering(self, observe: Observe) -> Iterator[None]:
        """Answer within the `with` block; what waits at its end is answered still."""
        with ExitStack() as stack:
            for model in self.models:
                model.start(observe)
                stack.callback(model.close)
            try:
                yield
            finally:
                with self._reloading:  # what a reload is about to start is to be ended too
                    stack.close()
