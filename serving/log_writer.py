"""Non-blocking logging: lines that cannot be written in time are dropped and counted."""

import logging
import os
import queue
import threading
import time

MOST_LINES = 10_000  # queued lines
FLUSH_TIMEOUT = 1.0  # s


class LogWriter(logging.Handler):
    """Logging handler that writes from its own thread, because writing to a full pipe blocks.

    Args:
        descriptor: file descriptor to write to; 2 is stderr.
    """

    def __init__(self, descriptor: int = 2) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str] = queue.Queue(MOST_LINES)
        self._dropped = 0
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line for the thread."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Wait up to `FLUSH_TIMEOUT` for the thread to write the queued lines."""
        end = time.monotonic() + FLUSH_TIMEOUT
        while self._lines.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)

    def _write_all(self) -> None:
        while True:
            line = self._lines.get()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line = f"{dropped} log lines were dropped, as earlier ones had not been read\n{line}"
            try:
                self._write(f"{line}\n".encode(errors="backslashreplace"))
            except OSError:  # the reader has closed the pipe
                pass
            finally:
                self._lines.task_done()

    def _write(self, text: bytes) -> None:
        # Bypass sys.stderr: a thread blocked in it makes the interpreter fail at exit.
        while text:
            text = text[os.write(self._descriptor, text) :]


def start_log(level: int) -> None:
    """Write this program's log, including uvicorn's, to stderr as plain lines."""
    writer = LogWriter()
    writer.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[writer])


def flush_log() -> None:
    """Write the queued lines, before a signal ends the program."""
    for handler in logging.getLogger().handlers:
        handler.flush()
