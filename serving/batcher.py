"""Group incoming requests into batches for the responder, without waiting for a batch to fill."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from serving.protocol import IncomingRequest, Reply, error_reply
from serving.responder import BatchCounts, Responder

BATCH_SIZE = 8  # most requests in a batch, as in the archive for TorchServe
QUEUE_SIZE = 100  # most waiting requests; further ones are refused


class QueueFull(Exception):
    """The queue has no room for another request."""


class Batcher:
    """A worker thread that answers the requests queued since its last batch. Use it as a context manager.

    Args:
        responder: answers the batches.
        observe: called with the counts of each batch.
    """

    def __init__(self, responder: Responder, observe: Callable[[BatchCounts], None]) -> None:
        self._responder = responder
        self._observe = observe
        self._waiting: queue.Queue[tuple[IncomingRequest, Future[Reply]] | None] = queue.Queue(QUEUE_SIZE)
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)

    def start(self) -> None:
        """Start the worker thread."""
        self._thread.start()

    def close(self) -> None:
        """Answer all waiting requests and end the thread; nothing may be submitted afterwards."""
        self._waiting.put(None)  # after all waiting requests
        self._thread.join()

    def __enter__(self) -> "Batcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the worker thread is running."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """The approximate number of waiting requests."""
        return self._waiting.qsize()

    def submit(self, call: IncomingRequest) -> "Future[Reply]":
        """Queue a request.

        Raises:
            QueueFull: too many requests are waiting.
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
            # Skip futures that were cancelled because the client disconnected.
            batch = [entry for entry in entries if entry is not None and entry[1].set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _answer(self, batch: list[tuple[IncomingRequest, "Future[Reply]"]]) -> None:
        try:
            replies, tally = self._responder.respond([call for call, _ in batch])
            self._observe(tally)
        except Exception as error:  # unexpected, since the responder should not raise; the thread must survive it
            replies = [error_reply(error)] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            future.set_result(reply)
