"""A log that keeps nobody waiting: what is not read in time is dropped and counted."""

import logging
import os
import queue
import threading
import time

MOST_LINES = 10_000  # that wait to be written
FLUSH_TIMEOUT = 1.0  # s


class LogWriter(logging.Handler):
    """Writes lines from a thread of its own, because a pipe that nobody reads is soon full, and then blocks who writes.

    Args:
        descriptor: of the file or pipe to write to; 2 is stderr.
    """

    def __init__(self, descriptor: int = 2) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str] = queue.Queue(MOST_LINES)
        self._dropped = 0
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line to the thread."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Give the thread a moment to write what waits."""
        end = time.monotonic() + FLUSH_TIMEOUT
        while self._lines.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)

    def _write_all(self) -> None:
        while True:
            line = self._lines.get()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line = f"{dropped} lines of the log were dropped, as nobody had read those before them\n{line}"
            try:
                self._write(f"{line}\n".encode(errors="backslashreplace"))
            except OSError:  # who read them has gone
                pass
            finally:
                self._lines.task_done()

    def _write(self, text: bytes) -> None:
        # Past Python's own stream: a thread that is blocked there ends the program with an error.
        while text:
            text = text[os.write(self._descriptor, text) :]


def start_log(level: int) -> None:
    """Let this program's log, uvicorn's among it, go to stderr as bare lines from now on."""
    writer = LogWriter()
    writer.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[writer])


def flush_log() -> None:
    """Write what waits, before a program ends by a signal."""
    for handler in logging.getLogger().handlers:
        handler.flush()
