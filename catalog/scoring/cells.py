"""Infer the types of a CSV file's text columns: booleans, numbers, dates or text."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from catalog.scoring.row_ids import id_texts
from catalog.scoring.written_numbers import (
    SPACES,
    WRITTEN_NUMBER,
    Sign,
    currencies,
    decimal_sign,
    decimal_vote,
    has_sign,
    number,
)
from fashion.tables.columns import ID_COLUMNS, is_usual
from fashion.tables.dates import infer_date_order, is_ambiguous_date, read_date
from fashion.tables.missing_values import is_missing

MOST = 0.95  # minimum share of a column's values of one type for the column to have that type
FEW = 4  # with at least this many values of one type, a single other value is tolerated
EXACT = 2**53  # above it float64, in which filters compare numbers, cannot represent every integer

# As Excel writes them in English, German, French, Spanish, Italian, Portuguese, Dutch and Polish; case is ignored.
FLAGS = {
    **dict.fromkeys(("true", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "prawda"), True),
    **dict.fromkeys(("false", "falsch", "faux", "falso", "onwaar", "fałsz"), False),
}
# Codes such as 007, +49, 12-A and 12E3, which conversion to a number would damage: one of them makes its column text.
_NAME = re.compile(rf"0\d[\d{SPACES}./-]*|\+\d.*|(?=.*\d)(?=.*[^\W\d_])\S+")


class Odd(NamedTuple):
    """Cells that do not have the type of most cells of their column."""

    cells: int  # how many
    first: int  # position of the first
    kind: str  # the type of the others: "true or false", "number", "date"


@dataclass(frozen=True)
class TypedColumn:
    """Result of `read_column`.

    Attributes:
        values: the converted cells.
        odd: cells that are not empty but became null.
        unclear: position of the first date of a column that stays text because no date shows whether the day or the
            month comes first.
        mixed: cells that prevent a column, which stays text, from being one of numbers or dates.
        guessed: position of the first number with a comma or point, if no cell shows which is the decimal sign.
        shown: the decimal sign that the cells show, if any.
    """

    values: pa.Array
    odd: Odd | None = None
    unclear: int | None = None
    mixed: Odd | None = None
    guessed: int | None = None
    shown: Sign | None = None

    def remark(self, column: str, cells: Sequence[str], rows: Sequence[str]) -> str | None:
        """A one-line note for the user on cells that are in doubt; `rows` gives the place of each cell."""
        if self.guessed is not None:
            return (
                f"note   in the column {column!r} no cell shows whether comma or point is the decimal sign: "
                f"{cells[self.guessed]!r} in {rows[self.guessed]} is read as {self.values[self.guessed]}; if that is "
                "wrong, write 1299 or 1299.00, or add a currency"
            )
        if self.odd:
            odd, first, kind = self.odd
            return (
                f"note   {odd:,} of {len(cells):,} cells of the column {column!r} are no {kind}, unlike the others, "
                f"and count as empty; the first is {cells[first][:40]!r} in {rows[first]}"
            )
        if self.unclear is not None:
            return (
                f"note   the column {column!r} stays text: {cells[self.unclear]!r} in {rows[self.unclear]} is "
                "ambiguous: day and month may be swapped; write dates as 2026-05-01"
            )
        if self.mixed:
            others, first, kind = self.mixed
            return (
                f"note   the column {column!r} stays text: {others:,} of {len(cells):,} cells are no {kind}, unlike "
                f"others; the first is {cells[first][:40]!r} in {rows[first]}"
            )
        return None


def typed_columns(
    cells: Mapping[str, Sequence[str]], rows: Sequence[str], numbers: Collection[str] = ()
) -> tuple[dict[str, pa.Array], list[str]]:
    """Convert columns with `read_column`; returns them by name, and notes for the user.

    Args:
        cells: of each column; in a column of ids 123.0 becomes 123, see `catalog.scoring.row_ids`.
        rows: the place of each row, such as `products.csv:2`.
        numbers: names of columns of numbers that were no text, see `fashion.tables.reading.Table.number_columns`.
    """
    texts = {name: id_texts(each) if is_usual(name, ID_COLUMNS) else each for name, each in cells.items()}
    typed = {name: read_column(each) for name, each in texts.items()}
    typed |= {name: replace(typed[name], guessed=None, shown=None) for name in numbers if name in typed}
    if {column.shown for column in typed.values()} - {None} == {","}:  # a German table: 1.000 is a thousand there
        doubtful = [name for name, column in typed.items() if column.guessed is not None]
        typed |= {name: read_column(texts[name], ",") for name in doubtful}
    remarks = (column.remark(name, texts[name], rows) for name, column in typed.items())
    return {name: column.values for name, column in typed.items()}, list(filter(None, remarks))


def written_texts(cells: Sequence[str], values: pa.Array) -> pa.Array | None:
    """The cells that cannot be written again from their values, such as `10,90 €` and `TRUE`; null for the others.

    None if there are none. An export of the table needs them to leave the shop's own cells unchanged.
    """
    if pa.types.is_string(values.type):
        return None
    texts = ["" if value is None else str(value) for value in values.to_pylist()]
    written = [cell if cell != text else None for cell, text in zip(cells, texts, strict=True)]
    return pa.array(written, pa.string()) if any(cell is not None for cell in written) else None


def read_column(cells: Sequence[str], sign: Sign | None = None) -> TypedColumn:
    """Convert a column to the type of at least 95 % of its cells, or of all but one; the others become null.

    - bool: TRUE and FALSE in any letter case, and Excel's words for them in other languages.
    - int64 or double: 12, -1.5, 1.5e-3, 10,50, 12,-, 1.299,00, 1'299.00, optionally with a currency before or after,
      the same in all cells. The decimal sign, comma or point, is inferred from the whole column, see
      `catalog.scoring.written_numbers`; if no cell shows it, it is `sign`, by default the point. A column with a cell
      like 007, +49, 12E3 or 12-A, or with an integer above 2^53, holds codes and stays text.
    - date32, or timestamp if there are times, in UTC if there are time zones: see `fashion.tables.dates`.
    - string: everything else, and a column of empty cells.

    Empty cells are null. Placeholders in `fashion.tables.missing_values` are null in columns of booleans, numbers and
    dates, and stay in columns of text.
    """
    filled = [cell for cell in cells if not is_missing(cell)]
    if filled:
        for read in (_flags, partial(_numbers, default=sign), _dates):
            if found := read(cells, filled):
                return found
    texts = pa.array([cell or None for cell in cells], pa.string())
    mixed = _clash(cells, filled) or _mixed(cells, filled)
    return TypedColumn(texts, unclear=_first_unclear(cells, filled), mixed=mixed)


def _flags(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    return _column(cells, filled, lambda cell: FLAGS.get(cell.lower()), "true or false", pa.bool_())


def _numbers(cells: Sequence[str], filled: Sequence[str], default: Sign | None = None) -> TypedColumn | None:
    distinct = Counter(filled)
    written = {cell: match for cell in distinct if (match := WRITTEN_NUMBER.fullmatch(cell))}
    if not _are_most(sum(distinct[cell] for cell in written), filled) or len(currencies(written.values())) > 1:
        return None
    sign, is_clear = decimal_sign([(match, distinct[cell]) for cell, match in written.items()])
    sign = sign if is_clear else default or sign
    numbers = {cell: found for cell, match in written.items() if (found := number(match, sign)) is not None}
    if any(map(_NAME.fullmatch, distinct.keys() - numbers.keys())):
        return None
    if any(abs(found) > EXACT and not written[cell]["power"] for cell, found in numbers.items()):
        return None
    whole = all(isinstance(found, int) for found in numbers.values())
    kind, stored = (int, pa.int64()) if whole else (float, pa.float64())
    typed = _column(cells, filled, {cell: kind(found) for cell, found in numbers.items()}.get, "number", stored)
    if typed is None:
        return None
    if is_clear:
        return replace(typed, shown=sign) if any(map(decimal_vote, written.values())) else typed
    guessed = next(i for i, cell in enumerate(cells) if cell in numbers and has_sign(written[cell]))
    return replace(typed, guessed=guessed)


def _dates(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    order = infer_date_order(filled)
    dates = {cell: found for cell in set(filled) if (found := read_date(cell, order)) is not None}
    times = [found for found in dates.values() if isinstance(found, datetime)]
    if not times:
        return _column(cells, filled, dates.get, "date", pa.date32())
    zone = UTC if any(time.tzinfo for time in times) else None
    moments = {cell: _moment(found, zone) for cell, found in dates.items()}
    return _column(cells, filled, moments.get, "date", pa.timestamp("us", "UTC" if zone else None))


def _column(
    cells: Sequence[str], filled: Sequence[str], read: Callable[[str], Any], kind: str, stored: pa.DataType
) -> TypedColumn | None:
    """The converted column if `read` converts most of its cells, otherwise None."""
    values = [None if is_missing(cell) else read(cell) for cell in cells]
    odd = [i for i, value in enumerate(values) if value is None and not is_missing(cells[i])]
    if not _are_most(len(filled) - len(odd), filled):
        return None
    return TypedColumn(pa.array(values, stored), Odd(len(odd), odd[0], kind) if odd else None)


def _are_most(count: int, filled: Sequence[str]) -> bool:
    return count >= MOST * len(filled) or count == len(filled) - 1 >= FEW


def _moment(found: date, zone: tzinfo | None) -> datetime:
    """A datetime in this zone; a date becomes midnight, and a time without a zone is taken as UTC."""
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    if zone is None:
        return found
    return found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)


def _first_unclear(cells: Sequence[str], filled: Sequence[str]) -> int | None:
    """Position of the first ambiguous date, such as 05/01/2026, in a column that would otherwise hold dates."""
    slashed = sum(map(is_ambiguous_date, filled))
    if not slashed or not _are_most(slashed + sum(read_date(cell) is not None for cell in filled), filled):
        return None
    return next(i for i, cell in enumerate(cells) if is_ambiguous_date(cell))


def _clash(cells: Sequence[str], filled: Sequence[str]) -> Odd | None:
    """The numbers that make a column text, by another currency or decimal sign than most; None if there are none."""
    written = {cell: match for cell in set(filled) if (match := WRITTEN_NUMBER.fullmatch(cell))}
    bare = (cell for cell, match in written.items() if not currencies([match]))
    if not _are_most(sum(cell in written for cell in filled), filled) or any(map(_NAME.fullmatch, bare)):
        return None
    money = {cell: frozenset(currencies([match])) for cell, match in written.items()}
    signs = {cell: decimal_vote(match) for cell, match in written.items()}
    for marks, what in (
        (money, lambda mark: f"number in {'/'.join(sorted(mark)).upper()}"),
        (signs, lambda mark: f"number with {mark!r}"),
    ):
        counts = Counter(marks[cell] for cell in filled if marks.get(cell))
        if len(counts) > 1:
            most = counts.most_common(1)[0][0]
            others = [i for i, cell in enumerate(cells) if marks.get(cell) not in (most, None, frozenset())]
            return Odd(len(others), others[0], what(most))
    return None


def _mixed(cells: Sequence[str], filled: Sequence[str]) -> Odd | None:
    """The cells that make a column text although more than half are numbers or dates; None if one of them is a code."""
    for kind, is_one in (("number", lambda cell: WRITTEN_NUMBER.fullmatch(cell) is not None), ("date", _is_date)):
        count = sum(map(is_one, filled))
        if len(filled) > count > len(filled) / 2:
            others = [i for i, cell in enumerate(cells) if not is_missing(cell) and not is_one(cell)]
            if not any(_NAME.fullmatch(cells[i]) for i in others):
                return Odd(len(others), others[0], kind)
    return None


def _is_date(cell: str) -> bool:
    return is_ambiguous_date(cell) or read_date(cell) is not None
