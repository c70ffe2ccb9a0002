"""Photographs that lie in a Parquet file: how one is named, and how it is read again."""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from fashion.errors import DataError
from fashion.tables.cells import photographs
from fashion.tables.parquet import ParquetTable

_STORED = re.compile(r"(?P<row>(?P<file>.+\.parquet)#(?P<column>.+):(?P<number>\d+)):(?P<photograph>\d+)", re.DOTALL)
OPEN_FILES = 4


def stored_row(file: Path, column: str, row: int) -> str:
    """The name of a row, from 0, that holds photographs; with `:0` behind it that of its first photograph."""
    return f"{file}#{column}:{row}"


def row_of_stored(name: str) -> str | None:
    """The row of which `name` is a photograph; None where it is the name of a file."""
    found = _STORED.fullmatch(name)
    return found["row"] if found else None


def read_stored(name: str) -> bytes | None:
    """The image file that lies in a Parquet file; None for another name, or where it is there no more."""
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
    """A table, kept open while its time of change is the same."""
    return ParquetTable(Path(file))


def _cell(table: ParquetTable, column: str, row: int) -> Any:
    """One cell, of which the row group's batches up to it are read. Raises IndexError where there is no such row."""
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
