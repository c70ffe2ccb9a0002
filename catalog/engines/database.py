"""An SQLite database that several threads use: transactions, and errors as one line."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fashion.errors import DataError

AT_ONCE = 500  # values in a statement


class Database:
    """An open database. `connection` is for statements within `writing`.

    Raises:
        DataError: in all methods, if the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.RLock()
        with self._translated():
            self.connection = sqlite3.connect(path, check_same_thread=False)
            # An index that was cut off is completed or built again by `catalog.index`: no write waits for the disk.
            self.connection.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction, which is rolled back after an exception."""
        with self._lock, self._translated(), self.connection:
            yield

    def select(self, statement: str, *values: Any) -> list[Any]:
        """The rows of a SELECT."""
        with self._lock, self._translated():
            return self.connection.execute(statement, values).fetchall()

    def select_in(self, statement: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT with a list of values in place of {}."""
        for start in range(0, len(values), AT_ONCE):
            some = values[start : start + AT_ONCE]
            yield from self.select(statement.format(",".join("?" * len(some))), *some)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(
                f"{self._path}: {error}; if the disk is full, free space and run the same command again"
            ) from None
