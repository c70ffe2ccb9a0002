"""Write rows to a file of a format, atomically."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import clear_frames
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from catalog.exporting.formats import FORMATS
from catalog.exporting.merging import Difference
from fashion.errors import DataError
from fashion.files import refuse_folder, write_atomically

# Limits of an Excel sheet.
MAX_ROWS = 1_048_576
MAX_CHARACTERS = 32_767


def write(path: Path, kind: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a file of the format `kind` atomically; returns the number of rows.

    Raises:
        DataError: the rows or a cell exceed the limits of Excel.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    refuse_folder(path)
    counted = _Counted(rows)
    if kind == "xlsx":
        try:
            content = _excel(columns, counted)
        except FileCreateError as error:
            wrapped: OSError = error.args[0]
            clear_frames(wrapped.__traceback__)  # close xlsxwriter's archive now: later its file is closed already
            raise wrapped from None
        write_atomically(path, content)
        return counted.count
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if kind == "jsonl":
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in counted)
        else:
            _write_text(temporary, columns, counted, FORMATS[kind].separator or ",")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return counted.count


class _Counted:
    """Counts the rows that pass."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for row in self.rows:
            self.count += 1
            yield row


def write_differences(path: Path, differences: Sequence[Difference]) -> None:
    """Write the source cells that the photographs contradict, the most probable contradiction first."""
    rows = [
        {
            "id": each.id,
            "column": each.column,
            "table": each.table,
            "photograph": each.photograph,
            "probability": f"{each.probability:.4f}",
        }
        for each in sorted(differences, key=lambda each: -each.probability)
    ]
    write(path, "csv", ["id", "column", "table", "photograph", "probability"], rows)


def _write_text(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], separator: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=separator, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _excel(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A workbook with text in all cells: Excel would turn ids such as 007 into numbers and sizes like 1-2 into dates.

    It is made in memory: an archive on a full disk could not be closed, and would print a traceback.
    """
    file = io.BytesIO()
    with (
        TemporaryDirectory() as folder,  # xlsxwriter leaves its own files there if it fails
        xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "tmpdir": folder}) as book,
    ):
        sheet = book.add_worksheet("products")
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name)
        for number, row in enumerate(rows, 1):
            if number >= MAX_ROWS:
                raise DataError(f"a sheet of Excel has {MAX_ROWS - 1:,} rows and a header, the export more; use csv")
            for place, name in enumerate(columns):
                cell = str(row.get(name, ""))
                if len(cell) > MAX_CHARACTERS:
                    raise DataError(
                        f"column {name!r} of row {number:,} has {len(cell):,} characters, a cell of Excel "
                        f"{MAX_CHARACTERS:,} at most; use csv"
                    )
                sheet.write_string(number, place, cell)
    return file.getvalue()
