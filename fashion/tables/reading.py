"""Tables of products: CSV and Parquet files read row by row, with one clear error where a file cannot be read."""

import csv
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from fashion.errors import DataError, one_line
from fashion.tables.class_labels import class_names, named

DELIMITERS = ",;\t"  # a spreadsheet saves with a semicolon where the comma is the decimal sign
BATCH_ROWS = 100


class Table(Protocol):
    """A file of rows with named columns."""

    path: Path
    columns: tuple[str, ...]
    label_columns: tuple[str, ...]  # those whose cells can be labels: text, numbers, lists of them

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """The cells of these columns, with the row's place in the file, from 1 (in a CSV, the header is line 1)."""


def open_table(path: Path) -> Table:
    """Open a `.csv` or `.parquet` file. Raises DataError for a file that is missing, empty or something else."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"{path} is neither a .csv nor a .parquet file")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes)")
        return CsvTable(path) if path.suffix.lower() == ".csv" else ParquetTable(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or one_line(error)}") from None


def require_columns(table: Table, names: Sequence[str]) -> None:
    """Raises DataError, with the columns there are, for the first name that is no column of the table."""
    for name in names:
        if name not in table.columns:
            close = closest(name, table.columns)
            hint = f" (did you mean {close!r}?)" if close else ""
            raise DataError(f"{table.path} has no column {name!r}{hint}; its columns are: {', '.join(table.columns)}")


def closest(name: str, choices: Sequence[str]) -> str | None:
    """The choice that is spelled most like `name`, in any case of letters."""
    lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(name.lower(), list(lower), n=1)
    return lower[close[0]] if close else None


class CsvTable:
    """A CSV file: UTF-8, a header line, the same number of values in every line. All cells are text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        header = next(self._lines(), None)
        if header is None:
            raise DataError(f"{path} is empty; its first line must name the columns")
        self.columns = tuple(name.strip() for name in header[1])
        self.label_columns = self.columns
        if len(set(self.columns)) < len(self.columns):
            twice = next(name for name in self.columns if self.columns.count(name) > 1)
            raise DataError(f"{path} has two columns named {twice!r}; rename one of them")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Raises DataError for a line that is not UTF-8, not CSV, or has too many or too few values."""
        positions = {name: self.columns.index(name) for name in columns}
        lines = self._lines()
        next(lines)
        for number, values in lines:
            if len(values) != len(self.columns):
                raise DataError(
                    f"line {number} of {self.path} has {len(values)} values, but its header names "
                    f'{len(self.columns)} columns; put a value that holds the separator between "quotes"'
                )
            yield number, {name: values[position].strip() for name, position in positions.items()}

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        with self.path.open(newline="", encoding="utf-8-sig") as file:
            reader = None
            try:
                header = file.readline()
                file.seek(0)
                reader = csv.reader(file, delimiter=max(DELIMITERS, key=header.count), strict=True)
                for values in reader:
                    if values:  # not a blank line
                        yield reader.line_num, values
            except UnicodeDecodeError as error:
                near = reader.line_num + 1 if reader else 1
                raise DataError(
                    f"{self.path} is not UTF-8 text (byte 0x{error.object[error.start]:02x}, in line {near} or "
                    "after it); save it as UTF-8"
                ) from None
            except csv.Error as error:
                raise DataError(
                    f"{self.path} is not a CSV file: {error}, line {reader.line_num if reader else 1}"
                ) from None


class ParquetTable:
    """A Parquet file. Cells keep their types, but for the class labels of `datasets`, which become their names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file = pq.ParquetFile(path)
        except pa.ArrowInvalid:
            raise DataError(f"{path} is not a Parquet file, or a broken one") from None
        schema = self.file.schema_arrow
        self.columns = tuple(schema.names)
        self.class_names = class_names(schema)
        self.label_columns = tuple(
            field.name for field in schema if field.name in self.class_names or _holds_labels(field.type)
        )

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Raises DataError where the file is broken."""
        number = 0
        try:
            for batch in self.file.iter_batches(BATCH_ROWS, columns=list(columns)):
                for row in batch.to_pylist():
                    number += 1
                    for name in self.class_names.keys() & row.keys():
                        row[name] = named(row[name], self.class_names[name])
                    yield number, row
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.path} is broken after row {number}: {one_line(error)}") from None

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.file.metadata.num_rows


def _holds_labels(kind: pa.DataType) -> bool:
    if _is_list(kind):
        return _is_text(kind.value_type)
    return _is_text(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return (
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
