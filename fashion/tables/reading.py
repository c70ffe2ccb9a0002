"""Open product tables of all supported formats, with one clear error if a file cannot be read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fashion.errors import DataError, one_line
from fashion.spelling import did_you_mean
from fashion.tables.delimited import CsvTable
from fashion.tables.first_bytes import check_first_bytes, is_spreadsheet
from fashion.tables.json_rows import JsonTable
from fashion.tables.parquet import ParquetTable
from fashion.tables.spreadsheets import SpreadsheetTable

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt")
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
SPREADSHEET_ENDINGS = (".xls", ".xlsx", ".xlsm", ".ods")
PARQUET_ENDING = ".parquet"
TABLE_ENDINGS = (*TEXT_ENDINGS, *JSON_ENDINGS, *SPREADSHEET_ENDINGS, PARQUET_ENDING)


class Table(Protocol):
    """Interface of a table: a file of rows with named columns.

    Attributes:
        label_columns: columns whose cells can be labels: text, numbers, lists of text.
        number_columns: columns of a text table with numbers that are no text, so that their decimal sign is the point.
        misfits: position -> reason, for the rows that `rows` skipped; complete when its iteration has ended.
        misfit_reason: the short reason under which skipped rows are counted.
        notes: lines for the user.
    """

    path: Path
    columns: tuple[str, ...]
    label_columns: tuple[str, ...]
    number_columns: frozenset[str]

    @property
    def misfits(self) -> Mapping[int, str]: ...

    @property
    def misfit_reason(self) -> str: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each row's position in the file, from 1 (a CSV's header is line 1), and its cells in these columns."""


def open_table(path: Path) -> Table:
    """Open a table. Raises DataError if it is missing, empty, broken or not one of `TABLE_ENDINGS`."""
    ending = path.suffix.lower()
    if ending not in TABLE_ENDINGS:
        raise DataError(f"{path} is not a table; expected one of: {', '.join(TABLE_ENDINGS)}")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes)")
        check_first_bytes(path)
        if ending == PARQUET_ENDING:
            return ParquetTable(path)
        # Many .xls files of shops are actually text, which Excel opens too.
        if is_spreadsheet(path) or ending in SPREADSHEET_ENDINGS[1:]:
            return SpreadsheetTable(path)
        return JsonTable(path) if ending in JSON_ENDINGS else CsvTable(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or one_line(error)}") from None


def require_columns(table: Table, names: Sequence[str]) -> None:
    """Raise DataError, listing the table's columns, for the first name that is not among them."""
    for name in names:
        if name not in table.columns:
            hint = did_you_mean(name, table.columns)
            raise DataError(f"{table.path} has no column {name!r}{hint}; its columns are: {', '.join(table.columns)}")
