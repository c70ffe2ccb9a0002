"""Answer queued requests on worker threads, without waiting for a batch to fill."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from serving.protocol import IncomingRequest, Reply, error_reply
from serving.responder import BatchCounts, Responder

BATCH_SIZE = 8  # most requests in a batch, as in the archive for TorchServe
QUEUE_SIZE = 100  # most waiting requests; further ones are refused


_Entry = tuple[IncomingRequest, "Future[Reply]"]


class QueueFull(Exception):
    """The queue has no room for another request."""


class Batcher:
    """Worker threads that answer queued requests. Use it as a context manager.

    An engine that is faster in batches gets one worker, which takes all requests queued since its last batch. Any other
    gets a worker for each lane, each of which takes one request at a time: no request waits for the end of a batch.

    Args:
        responder: answers the batches.
        observe: called with the counts of each batch; by several threads.
    """

    def __init__(self, responder: Responder, observe: Callable[[BatchCounts], None]) -> None:
        self._responder = responder
        self._observe = observe
        self._waiting: queue.Queue[_Entry | None] = queue.Queue(QUEUE_SIZE)
        engine = responder.predictor.engine
        self._most, workers = (BATCH_SIZE, 1) if engine.in_batches else (1, engine.lanes)
        self._threads = [
            threading.Thread(target=self._work, name=f"requests_{number}", daemon=True) for number in range(workers)
        ]
        self._busy = 0  # threads that are answering
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the worker threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Answer all waiting requests and end the threads; nothing may be submitted afterwards."""
        for _ in self._threads:
            self._waiting.put(None)  # after all waiting requests; each thread takes one
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "Batcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether all worker threads are running."""
        return all(thread.is_alive() for thread in self._threads)

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
            with suppress(queue.Empty):
                while None not in entries and len(entries) < self._most:
                    entries.append(self._waiting.get_nowait())
            last = None in entries
            # Skip futures that were cancelled because the client disconnected.
            batch = [entry for entry in entries if entry is not None and entry[1].set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _answer(self, batch: "list[_Entry]") -> None:
        with self._lock:
            self._busy += 1
            # Waiting requests will be taken by the other threads at once, so they share the cores already.
            concurrency = min(len(self._threads), self._busy + self._waiting.qsize())
        try:
            replies, tally = self._responder.respond([call for call, _ in batch], concurrency)
            self._observe(tally)
        except Exception as error:  # unexpected, since the responder should not raise; the thread must survive it
            replies = [error_reply(error)] * len(batch)
        with self._lock:
            self._busy -= 1
        for (_, future), reply in zip(batch, replies, strict=True):
            future.set_result(reply)
