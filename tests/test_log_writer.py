"""serving.log_writer."""

import logging
import os
import threading

import pytest

from serving import log_writer
from serving.log_writer import LogWriter


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("any", logging.INFO, __file__, 1, text, None, None)


def test_lines_are_written_in_order() -> None:
    reader, descriptor = os.pipe()
    writer = LogWriter(descriptor)
    for i in range(100):
        writer.emit(record(f"line {i} \ud800"))
    writer.flush()
    assert os.read(reader, 10_000).decode().splitlines() == [f"line {i} \\ud800" for i in range(100)]


def test_unread_lines_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "MOST_LINES", 10)
    monkeypatch.setattr(log_writer, "FLUSH_TIMEOUT", 0.2)
    reader, descriptor = os.pipe()
    writer = LogWriter(descriptor)
    for _ in range(40):
        writer.emit(record("x" * 10_000))
        writer.flush()  # it does not wait for long
    assert threading.active_count() > 1
    monkeypatch.setattr(log_writer, "FLUSH_TIMEOUT", 20.0)
    read = b""
    while b"were dropped" not in read:
        read += os.read(reader, 100_000)
        writer.emit(record("more"))
    assert b" log lines were dropped, as earlier ones had not been read\n" in read


def test_a_closed_reader_is_not_an_error() -> None:
    reader, descriptor = os.pipe()
    writer = LogWriter(descriptor)
    os.close(reader)
    for _ in range(3):
        writer.emit(record("line"))
    writer.flush()
    assert not writer._lines.unfinished_tasks
