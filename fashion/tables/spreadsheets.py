"""Read tables in spreadsheet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from fashion.errors import DataError, one_line
from fashion.tables.cells import text_cell
from fashion.tables.header import Header, filled_length, find_header, has_image_name


class SpreadsheetTable:
    """The first sheet of a spreadsheet with a photograph column, else the first non-empty sheet.

    All cells are text, as in a CSV file.

    Attributes:
        notes: a note on the other sheets, which are ignored, if any.
    """

    misfit_reason = "bad line"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.misfits: dict[int, str] = {}  # always empty: rows of a sheet cannot have shifted cells
        try:
            lines, name, others = _sheet_of_products(path)
        except (CalamineError, OSError, ValueError) as error:
            raise DataError(
                f"{path} is not a spreadsheet, or a broken or protected one ({one_line(error)[:120]}); save it as "
                ".xlsx or .csv"
            ) from None
        self.notes = (f"note   of {path} the sheet {name!r} is read, not: {', '.join(others)}",) if others else ()
        if not lines:
            raise DataError(f"{path} has no row; its first must name the columns")
        place = find_header([cells for _, cells in lines])
        self._rows = lines[place + 1 :]
        self._header = Header(tuple(lines[place][1]))
        self.columns = self._header.names
        self.label_columns = self.columns

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows with their row numbers in the spreadsheet."""
        for number, cells in self._rows:
            yield number, self._header.row(cells, columns)


def _sheet_of_products(path: Path) -> tuple[list[tuple[int, list[str]]], str, list[str]]:
    """The chosen sheet's non-empty rows with their numbers, its name, and the names of the other visible sheets."""
    book = CalamineWorkbook.from_path(path)
    shown = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]
    first: tuple[list[tuple[int, list[str]]], str] = [], ""
    for name in shown:
        lines = _lines(book, name)
        cells = [row for _, row in lines]
        if lines and has_image_name(cells[find_header(cells)]):
            first = lines, name
            break
        first = first if first[0] else (lines, name)
    return *first, [other for other in shown if other != first[1]]


def _lines(book: CalamineWorkbook, name: str) -> list[tuple[int, list[str]]]:
    """The non-empty rows of a sheet, with their numbers."""
    rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    cells = ((number, [text_cell(value) for value in row]) for number, row in enumerate(rows, 1))
    return [(number, row) for number, row in cells if filled_length(row)]
