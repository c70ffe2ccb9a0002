"""Find the header line of a table, and match the lines below it to its columns."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fashion.errors import DataError
from fashion.tables.cells import SEPARATOR
from fashion.tables.columns import DATE_COLUMNS, FURTHER_IMAGE_COLUMNS, ID_COLUMNS, IMAGE_COLUMNS, is_usual

TITLE_LINES = 10  # most lines above the header
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"  # characters that str.strip() does not remove
MOST_MISFITS = 0.5  # of all lines; with more the table is rejected


@dataclass(frozen=True)
class Header:
    """A table's header line.

    Columns without a name are ignored. If several columns have the same name, a row uses the first non-empty value; for
    photographs, whose columns feeds repeat, it uses all of them.

    Attributes:
        cells: the cells of the header line.
    """

    cells: tuple[str, ...]

    @cached_property
    def positions(self) -> dict[str, tuple[int, ...]]:
        """The positions of each column's values in a line."""
        found: dict[str, tuple[int, ...]] = {}
        for position, cell in enumerate(self.cells):
            name = header_name(cell)
            if name:
                found[name] = (*found.get(name, ()), position)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The column names without duplicates, in order."""
        return tuple(self.positions)

    def misfit(self, values: Sequence[str]) -> str | None:
        """The error if a line has too many values, or None; missing or extra empty values at its end are allowed."""
        if filled_length(values) <= len(self.cells):
            return None
        return f"has {len(values)} values, but its header names {len(self.cells)} columns"

    def row(self, values: Sequence[str], columns: Iterable[str]) -> dict[str, str]:
        """A line's cells in these columns; cells missing at its end are empty."""
        return {name: self._cell(values, name) for name in columns}

    def _cell(self, values: Sequence[str], name: str) -> str:
        positions = self.positions[name]
        cells = filter(None, (values[position].strip() for position in positions if position < len(values)))
        if len(positions) > 1 and is_usual(name, IMAGE_COLUMNS + FURTHER_IMAGE_COLUMNS):
            return SEPARATOR.join(dict.fromkeys(cells))
        return next(cells, "")


def header_name(cell: str) -> str:
    """A header cell without surrounding whitespace and invisible characters."""
    return cell.strip().strip(INVISIBLE).strip()


def filled_length(values: Sequence[str]) -> int:
    """The number of values of a line, not counting empty ones at its end."""
    count = len(values)
    while count and not values[count - 1].strip():
        count -= 1
    return count


def find_header(lines: Sequence[Sequence[str]]) -> int:
    """The index of the header among a table's first lines: the first line that is neither title nor comment."""
    widths = [filled_length(line) for line in lines]
    counts = Counter(widths)
    typical = max(counts, key=lambda width: (counts[width], -width))
    leading = lines[:TITLE_LINES]
    for place, line in enumerate(leading):
        if has_image_name(line) and count_usual_names(line) > 1:
            return place
    for place, line in enumerate(leading):
        comment = line[0].lstrip().startswith("#") and place + 1 < len(lines) and count_usual_names(lines[place + 1])
        short = widths[place] < typical and (widths[place] == 1 or 2 * widths[place] < typical)
        if count_usual_names(line) or not (comment or short):
            return place
    return 0


def count_usual_names(line: Sequence[str]) -> int:
    """The number of cells that are usual column names."""
    return sum(is_usual(header_name(cell), IMAGE_COLUMNS + ID_COLUMNS + DATE_COLUMNS) for cell in line)


def has_image_name(line: Sequence[str]) -> bool:
    """Whether any cell is a usual name of a photograph column."""
    return any(is_usual(header_name(cell), IMAGE_COLUMNS) for cell in line)


def check_misfits(path: Path, misfits: dict[int, str], good: int, what: str, hint: str) -> None:
    """Raise DataError about the first misfit if more than half of all lines (called `what`) are misfits."""
    total = len(misfits) + good
    if len(misfits) > MOST_MISFITS * total:
        number, fault = next(iter(misfits.items()))
        raise DataError(
            f"{what} {number} of {path} {fault}, and {len(misfits):,} of {total:,} {what}s do not fit; {hint}"
        )
