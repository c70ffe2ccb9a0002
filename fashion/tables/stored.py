"""Name and read photographs stored in a Parquet file."""

import os
import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from fashion.errors import DataError
from fashion.tables.cells import photographs
from fashion.tables.parquet import ParquetTable

_STORED = re.compile(
    r"(?P<row>(?P<file>.+\.(?i:parquet))#(?P<column>.+):(?P<number>\d+)):(?P<photograph>\d+)", re.DOTALL
)
OPEN_COLUMNS = 4
READ_ROWS = 16
_LOCK = Lock()  # a Parquet file must not be read by two threads at once


def stored_row(file: Path, column: str, row: int) -> str:
    """The name of a row, from 0, with photographs; append `:0` for the name of its first photograph."""
    return f"{file}#{column}:{row}"


def row_of_stored(name: str) -> str | None:
    """The name of the row of a stored photograph; None if `name` is that of a file."""
    found = _STORED.fullmatch(name)
    return found["row"] if found else None


def file_of_photograph(name: str) -> str:
    """The file that holds a photograph: the Parquet file of a stored one, or the photograph itself."""
    found = _STORED.fullmatch(name)
    return found["file"] if found else name


def photograph_source(name: str) -> bytes | Path:
    """The bytes of a stored photograph; for any other name, or if it no longer exists, the name as a path."""
    return read_stored(name) or Path(name)


def read_stored(name: str) -> bytes | None:
    """The bytes of a stored photograph; None for any other name, or if it no longer exists."""
    found = _STORED.fullmatch(name)
    if found is None:
        return None
    try:
        changed = os.stat(found["file"]).st_mtime_ns
        with _LOCK:
            cell = _open(found["file"], found["column"], changed).cell(int(found["number"]))
        content = photographs(cell)[int(found["photograph"])]
    except (DataError, pa.ArrowException, OSError, KeyError, IndexError, ValueError):
        return None
    return content if isinstance(content, bytes) else None


class _StoredColumn:
    """A column of a Parquet file. Rows that are read one after another are read from the file once."""

    def __init__(self, file: str, column: str) -> None:
        self._file, self._column = ParquetTable(Path(file)).file, column
        self._batches: Iterator[tuple[int, pa.Array]] = iter(())
        self._recent = deque[tuple[int, pa.Array]](maxlen=2)  # threads that read in order are a little out of order
        self._next = self._end = 0  # of the row group that is being read

    def cell(self, row: int) -> Any:
        """Read one cell, by reading its row group up to it. Raises IndexError if there is no such row."""
        if not self._next <= row < self._end:
            for start, cells in self._recent:
                if start <= row < start + len(cells):
                    return cells[row - start].as_py()
            self._batches, self._next, self._end = self._read(row), 0, 0
        for start, cells in self._batches:
            self._recent.append((start, cells))
            self._next = start + len(cells)
            if row < self._next:
                return cells[row - start].as_py()
        raise IndexError(row)

    def _read(self, row: int) -> Iterator[tuple[int, pa.Array]]:
        """The batches of a row's group, with the first row of each."""
        start, metadata = 0, self._file.metadata
        for group in range(metadata.num_row_groups):
            end = start + metadata.row_group(group).num_rows
            if row < end:
                self._end = end
                for batch in self._file.iter_batches(READ_ROWS, [group], [self._column]):
                    yield start, batch.column(0)
                    start += len(batch)
                return
            start = end


@lru_cache(OPEN_COLUMNS)
def _open(file: str, column: str, changed: int) -> _StoredColumn:
    """A column, cached until the file's modification time changes."""
    return _StoredColumn(file, column)
