"""Name and read photographs stored in a Parquet file."""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from fashion.errors import DataError
from fashion.tables.cells import photographs
from fashion.tables.parquet import ParquetTable

_STORED = re.compile(
    r"(?P<row>(?P<file>.+\.(?i:parquet))#(?P<column>.+):(?P<number>\d+)):(?P<photograph>\d+)", re.DOTALL
)
OPEN_FILES = 4


def stored_row(file: Path, column: str, row: int) -> str:
    """The name of a row, from 0, with photographs; append `:0` for the name of its first photograph."""
    return f"{file}#{column}:{row}"


def row_of_stored(name: str) -> str | None:
    """The name of the row of a stored photograph; None if `name` is that of a file."""
    found = _STORED.fullmatch(name)
    return found["row"] if found else None


def read_stored(name: str) -> bytes | None:
    """The bytes of a stored photograph; None for any other name, or if it no longer exists."""
    found = _STORED.fullmatch(name)
    if found is None:
        return None
    try:
        table = _open(found["file"], os.stat(found["file"]).st_mtime_ns)
        cell = _cell(table, found["column"], int(found["number"]))
        content = photographs(cell)[int(found["photograph"])]
    except (DataError, pa.ArrowException, OSError, KeyError, IndexError, ValueError):
        return None
    return content if isinstance(content, bytes) else None


@lru_cache(OPEN_FILES)
def _open(file: str, changed: int) -> ParquetTable:
    """A table, cached until its modification time changes."""
    return ParquetTable(Path(file))


def _cell(table: ParquetTable, column: str, row: int) -> Any:
    """Read one cell, by reading its row group up to it. Raises IndexError if there is no such row."""
    metadata = table.file.metadata
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < count:
            for batch in table.file.iter_batches(64, [group], [column]):
                if row < len(batch):
                    return batch.column(0)[row].as_py()
                row -= len(batch)
        row -= count
    raise IndexError(row)
