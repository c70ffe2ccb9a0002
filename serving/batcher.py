"""Requests that come one by one -> batches for the responder, without waiting for any to fill."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from serving.protocol import Call, Reply, error_reply
from serving.responder import BatchCounts, Responder

BATCH_SIZE = 8  # requests of one batch, as many as the archive for TorchServe asks for
QUEUE_SIZE = 100  # requests that wait; one more is refused


class QueueFull(Exception):
    """More requests wait than the queue holds."""


class Batcher:
    """One thread that answers whatever has queued up since its last batch. Use it as a context manager.

    Args:
        responder: answers the batches.
        observe: called with each batch's tally.
    """

    def __init__(self, responder: Responder, observe: Callable[[BatchCounts], None]) -> None:
        self._responder = responder
        self._observe = observe
        self._waiting: queue.Queue[tuple[Call, Future[Reply]] | None] = queue.Queue(QUEUE_SIZE)
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer all that wait, and end; nothing is to be submitted any more."""
        self._waiting.put(None)  # behind all that wait
        self._thread.join()

    def __enter__(self) -> "Batcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many requests wait, about."""
        return self._waiting.qsize()

    def submit(self, call: Call) -> "Future[Reply]":
        """Queue a request.

        Raises:
            QueueFull: too many wait already.
        """
        future: Future[Reply] = Future()
        try:
            self._waiting.put_nowait((call, future))
        except queue.Full:
            raise QueueFull from None
        return future

    def _work(self) -> None:
        last = False
        while not last:
            entries = [self._waiting.get()]
            while len(entries) < BATCH_SIZE and not self._waiting.empty():
                entries.append(self._waiting.get_nowait())
            last = None in entries
            # A client that went away has cancelled its future; what is left is answered.
            batch = [entry for entry in entries if entry is not None and entry[1].set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _answer(self, batch: list[tuple[Call, "Future[Reply]"]]) -> None:
        try:
            replies, tally = self._responder.respond([call for call, _ in batch])
            self._observe(tally)
        except Exception as error:  # the responder raises nothing; should it ever, the thread must live on
            replies = [error_reply(error)] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            future.set_result(reply)
