"""Read tables in spreadsheet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from fashion.errors import DataError, one_line
from fashion.tables.cells import is_fraction, text_cell
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
            (lines, fractions), name, others = _sheet_of_products(path)
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
        positions = self._header.positions.items()
        self.number_columns = frozenset(name for name, places in positions if not fractions.isdisjoint(places))

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows with their row numbers in the spreadsheet."""
        for number, cells in self._rows:
            yield number, self._header.row(cells, columns)


class SheetRows(NamedTuple):
    """The non-empty rows of a sheet with their numbers, and which columns have numbers that are not whole."""

    lines: list[tuple[int, list[str]]]
    fractions: set[int]


def _sheet_of_products(path: Path) -> tuple[SheetRows, str, list[str]]:
    """The chosen sheet's rows, its name, and the names of the other visible sheets."""
    book = CalamineWorkbook.from_path(path)
    shown = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]
    first = SheetRows([], set()), ""
    for name in shown:
        rows = _rows(book, name)
        cells = [row for _, row in rows.lines]
        if cells and has_image_name(cells[find_header(cells)]):
            first = rows, name
            break
        first = first if first[0].lines else (rows, name)
    return *first, [other for other in shown if other != first[1]]


def _rows(book: CalamineWorkbook, name: str) -> SheetRows:
    rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    cells = ((number, [text_cell(value) for value in row]) for number, row in enumerate(rows, 1))
    lines = [(number, row) for number, row in cells if filled_length(row)]
    fractions = {place for row in rows for place, cell in enumerate(row) if is_fraction(cell)}
    return SheetRows(lines, fractions)
