"""Joins two tables of products: adds the labels of one to the photographs of the other."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fashion.errors import DataError
from fashion.folders import atomic_folder
from fashion.preprocess import ENDINGS
from fashion.tables.cells import text_cell
from fashion.tables.parquet import BATCH_ROWS, ParquetTable
from fashion.tables.reading import Table, require_columns
from training.sources.catalog import find_tables
from training.sources.columns import SEPARATOR, read_labels
from training.sources.opening import is_training_format


@dataclass(frozen=True)
class JoinSummary:
    """Summary of a join: the folder, its rows, how many were found in the other table, and the added columns.

    `left_out` counts the lines of the catalog that could not be read.
    """

    folder: Path
    rows: int
    matched: int
    columns: tuple[str, ...]
    left_out: int = 0

    def __str__(self) -> str:
        text = f"{self.folder}: {self.matched:,} of {self.rows:,} rows found, added {', '.join(self.columns)}"
        return f"{text}; {self.left_out:,} unreadable lines left out" if self.left_out else text


def join(source: Path, other: Path, on: str, out: Path, columns: Sequence[str] | None = None) -> JoinSummary:
    """Write a catalog with further columns from another table; they are empty for rows missing there.

    Keys are compared as text without an image file extension: `1163.jpg`, `1163` and the number 1163 are equal. Rows
    without a key are never found.

    Args:
        source: the catalog with the photographs, see `training.sources.catalog.import_catalog`.
        other: a table, or a folder of tables; its splits do not matter.
        on: the key column of both, or `column=column of the other`.
        out: the folder to create. Photographs in files are linked, not copied.
        columns: of the other table; None takes all that the catalog lacks. Columns that both have are not changed.

    Raises:
        DataError: a table cannot be used, a column is missing, rows with the same key differ, no key is in both
            tables, or `out` exists.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} exists already; remove it or choose another folder to write to")
    if is_training_format(source):
        raise DataError(f"{source} is imported already; join the catalog that it was imported from")
    mine, _, theirs = on.partition("=")
    tables, others = ([each.table for each in find_tables(path)] for path in (source, other))
    for table in tables:
        require_columns(table, [mine])
    for table in others:
        require_columns(table, [theirs or mine, *(columns or ())])
    added = _added(columns or others[0].columns, tables[0], theirs or mine)
    if not added:
        if columns:
            raise DataError(f"{source} has all columns of --columns already, or they are the key: {', '.join(columns)}")
        raise DataError(f"{source} has all columns of {other} already: {', '.join(others[0].columns)}")
    cells = _read(others, theirs or mine, added)
    root = source if source.is_dir() else source.parent
    rows = found = left_out = 0
    with atomic_folder(out) as folder:
        for table in tables:
            write, ending = (_join_parquet, "") if isinstance(table, ParquetTable) else (_join_csv, ".csv")
            path = folder / table.path.relative_to(root)  # as in the source, where photographs are found from
            path.parent.mkdir(exist_ok=True)
            for has in write(table, mine, cells, added, path.with_suffix(ending) if ending else path):
                rows, found = rows + 1, found + has
            left_out += len(table.misfits)
        if not found:
            raise DataError(
                f"no value of {mine} in {source} occurs as {theirs or mine} in {other}; name the key columns with --on"
            )
        for place in dict.fromkeys([root, *(table.path.parent for table in tables)]):
            _link_photographs(place, folder, out, place.relative_to(root))
    return JoinSummary(out, rows, found, tuple(added), left_out)


def _added(columns: Sequence[str], table: Table, key: str) -> list[str]:
    return [column for column in columns if column != key and column not in table.columns]


def _read(tables: Sequence[Table], key: str, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """The cells of the other table by key, as text for a CSV file; rows with an empty key are skipped."""
    found: dict[str, dict[str, str]] = {}
    for table in tables:
        require_columns(table, columns)
        for number, row in table.rows([key, *columns]):
            if not (value := _key(row[key])):
                continue
            cells = {column: SEPARATOR.join(read_labels(column, row[column]) or ()) for column in columns}
            if found.setdefault(value, cells) != cells:
                raise DataError(
                    f"row {number} of {table.path} has the {key} {row[key]!r} of an earlier row, but other values"
                )
    return found


def _key(cell: Any) -> str:
    text = SEPARATOR.join(read_labels("", cell) or ())
    ending = Path(text).suffix
    return text.removesuffix(ending) if ending.lower() in ENDINGS else text


def _join_csv(
    table: Table, key: str, cells: Mapping[str, dict[str, str]], columns: Sequence[str], path: Path
) -> Iterator[bool]:
    """Write the table with its new columns; yield for each row whether the other table has it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*table.columns, *columns], restval="")
        writer.writeheader()
        for _, row in table.rows(table.columns):
            other = cells.get(_key(row[key]))
            writer.writerow({name: text_cell(cell) for name, cell in row.items()} | (other or {}))
            yield other is not None


def _join_parquet(
    table: Table, key: str, cells: Mapping[str, dict[str, str]], columns: Sequence[str], path: Path
) -> Iterator[bool]:
    """Like `_join_csv`, for Parquet; embedded photographs are copied."""
    assert isinstance(table, ParquetTable)
    schema = table.file.schema_arrow
    new = pa.schema([*schema, *(pa.field(column, pa.string()) for column in columns)], _with_features(schema, columns))
    with pq.ParquetWriter(path, new) as writer:
        for batch in table.file.iter_batches(BATCH_ROWS):
            others = [cells.get(_key(each)) for each in batch.column(key).to_pylist()]
            values = [pa.array([(other or {}).get(name) or None for other in others], pa.string()) for name in columns]
            writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *values], schema=new))
            yield from (other is not None for other in others)


def _with_features(schema: pa.Schema, columns: Sequence[str]) -> dict[bytes, bytes]:
    """The schema metadata by which `datasets` knows the columns, extended by the new ones."""
    metadata = dict(schema.metadata or {})
    description = json.loads(metadata.get(b"huggingface", b"{}"))
    features = description.get("info", {}).get("features")
    if features is not None:
        features |= {column: {"dtype": "string", "_type": "Value"} for column in columns}
        metadata[b"huggingface"] = json.dumps(description).encode()
    return metadata


def _link_photographs(source: Path, folder: Path, out: Path, within: Path) -> None:
    """Create symlinks to the folders and photographs in `source`, in the folder `within` of the catalog.

    Args:
        source: a folder with tables of the catalog.
        folder: the catalog's temporary folder. What is there is not linked: a table, or a folder that holds tables.
        out: where it will be; the links are relative to it.
        within: relative to both.
    """
    target = out.resolve() / within
    for path in source.iterdir():
        link = folder / within / path.name
        if path.name.startswith(".") or path.resolve() in (folder, out.resolve()) or link.exists():
            continue
        if path.is_dir() or path.suffix.lower() in ENDINGS:
            link.symlink_to(os.path.relpath(path.resolve(), target))
