"""Answer queued requests on worker threads, without waiting for a batch to fill."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from serving.protocol import IncomingRequest, Reply, error_reply
from serving.responder import BatchCounts, Responder

BATCH_SIZE = 8  # most requests in a batch, as in the archive for TorchServe
QUEUE_SIZE = 100  # most waiting requests; further ones are refused


_Entry = tuple[IncomingRequest, "Future[Reply]"]


class QueueFull(Exception):
    """The queue has no room for another request."""


class Batcher:
    """Worker threads that answer queued requests, from `start` to `close`.

    An engine that is faster in batches gets one worker, which takes all requests queued since its last batch. Any other
    gets a worker for each lane, each of which takes one request at a time: no request waits for the end of a batch.

    Args:
        responder: answers the batches.
        observe: called with the counts of each batch; by several threads.
    """

    def __init__(self, responder: Responder, observe: Callable[[BatchCounts], None]) -> None:
        self._responder = responder
        self._observe = observe
        self._waiting: OrderedDict[Future[Reply], IncomingRequest] = OrderedDict()  # in order of arrival
        self._is_closing = False
        self._busy = 0  # threads that are answering
        self._changed = threading.Condition()  # guards the three above; notified when a request arrives, or at the end
        engine = responder.predictor.engine
        self._most, workers = (BATCH_SIZE, 1) if engine.in_batches else (1, engine.lanes)
        self._threads = [
            threading.Thread(target=self._work, name=f"requests_{number}", daemon=True) for number in range(workers)
        ]

    def start(self) -> None:
        """Start the worker threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Answer all waiting requests and end the threads; nothing may be submitted afterwards."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def alive(self) -> bool:
        """Whether all worker threads are running."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return len(self._waiting)

    def submit(self, call: IncomingRequest) -> "Future[Reply]":
        """Queue a request; cancel the future to remove it.

        Raises:
            QueueFull: too many requests are waiting.
        """
        future: Future[Reply] = Future()
        with self._changed:
            if len(self._waiting) >= QUEUE_SIZE:
                raise QueueFull
            self._waiting[future] = call
            self._changed.notify()
        future.add_done_callback(self._remove)  # with its body, up to 20 MB
        return future

    def _remove(self, future: "Future[Reply]") -> None:
        with self._changed:
            self._waiting.pop(future, None)

    def _work(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def _next_batch(self) -> "list[_Entry]":
        """Wait for requests and take the first; none are left when it returns an empty list."""
        batch: list[_Entry] = []
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                if not self._waiting:
                    break
                while self._waiting and len(batch) < self._most:
                    future, call = self._waiting.popitem(last=False)
                    if future.set_running_or_notify_cancel():  # else it was cancelled just now
                        batch.append((call, future))
        return batch

    def _answer(self, batch: "list[_Entry]") -> None:
        with self._changed:
            self._busy += 1
            # Waiting requests will be taken by the other threads at once, so they share the cores already.
            concurrency = min(len(self._threads), self._busy + len(self._waiting))
        try:
            replies, tally = self._responder.respond([call for call, _ in batch], concurrency)
            self._observe(tally)
        except Exception as error:  # unexpected, since the responder should not raise; the thread must survive it
            replies = [error_reply(error)] * len(batch)
        with self._changed:
            self._busy -= 1
        for (_, future), reply in zip(batch, replies, strict=True):
            future.set_result(reply)
