"""The cells of a CSV file, which are text, as columns of flags, numbers or dates where they are such."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from fashion.tables.dates import Order, is_slashed, order_of, read_date

MOST = 0.95  # of a column's values, that make it what they are
EXACT = 2**53  # above it a float, as which filters compare numbers, is not every whole number

# Among flags, numbers and dates these say that there is no value; among texts they are texts.
NO_VALUES = frozenset(
    ("n/a", "na", "#n/a", "#na", "n.a.", "nan", "null", "nil", "none", "-", "--", "\N{EN DASH}", "\N{EM DASH}", r"\n")
)
FLAGS = {"true": True, "false": False}  # in any case of letters
CURRENCIES = (
    *("EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "UAH", "JPY"),
    *("CNY", "INR", "KRW", "HKD", "SGD", "TWD", "THB", "IDR", "VND", "AUD", "NZD", "CAD", "MXN", "BRL", "ZAR", "AED"),
    *("ILS", "RUB", "US$", "C$", "A$", "R$", "kr", "Kč", "zł", "Ft", "lei", "$", "€", "£", "¥", "₹", "₩", "₺", "₽"),
)
_CURRENCY = "|".join(map(re.escape, CURRENCIES))
_SPACES = " \u00a0\u202f"  # narrow and unbreakable ones stand between thousands
_NUMBER = re.compile(
    rf"(?P<sign>[-\u2212]?)(?:(?P<before>{_CURRENCY})[{_SPACES}]?)?(?P<inner>[-\u2212]?)"
    rf"(?P<digits>\d+(?:[.,'\u2019{_SPACES}]\d+)*)(?P<power>[eE][+-]?\d+)?(?:[{_SPACES}]?(?P<after>{_CURRENCY}))?"
)
_THOUSANDS = rf"['\u2019{_SPACES}]"
# 007, +49 and 12-A are names of things, which a number, or no value, would spoil: one of them makes a column text.
_NAME = re.compile(rf"0\d[\d{_SPACES}./-]*|\+\d.*|(?=.*\d)(?=.*[^\W\d_])\S+")

Sign = Literal[".", ","]


class Odd(NamedTuple):
    """Cells of a column that are not what most of them are, and so became null."""

    count: int
    first: int  # position of the first
    kind: str  # what they are not: "true or false", "numbers", "dates"


@dataclass(frozen=True)
class TypedColumn:
    """A column as `read_column` made it.

    Attributes:
        values: the cells.
        odd: those that became null although something stands in them.
        unclear: position of the first date of a column of dates that stays text, because none says what the day is.
    """

    values: pa.Array
    odd: Odd | None = None
    unclear: int | None = None

    def remark(self, column: str, cells: Sequence[str], rows: Sequence[str]) -> str | None:
        """What a person should know of it, in a line; `rows` says where each cell stands."""
        if self.odd:
            count, first, kind = self.odd
            what = (
                f"{count:,} cells of the column {column!r} are" if count > 1 else f"1 cell of the column {column!r} is"
            )
            return f"{what} no {kind} as the rest and count as empty, first {cells[first][:40]!r} in {rows[first]}"
        if self.unclear is not None:
            return (
                f"the column {column!r} stays text: {cells[self.unclear]!r} in {rows[self.unclear]} may be of two days, and no "
                "row tells which; write dates as 2026-05-01"
            )
        return None


def typed_column(cells: Sequence[str]) -> pa.Array:
    """The values of `read_column`."""
    return read_column(cells).values


def typed_columns(
    cells: Mapping[str, Sequence[str]], rows: Sequence[str]
) -> tuple[dict[str, pa.Array], tuple[str, ...]]:
    """Columns by name, and the remarks on them; `rows` says where each row stands, such as `products.csv:2`."""
    found = {column: read_column(values) for column, values in cells.items()}
    remarks = (typed.remark(column, cells[column], rows) for column, typed in found.items())
    return {column: typed.values for column, typed in found.items()}, tuple(filter(None, remarks))


def read_column(cells: Sequence[str]) -> TypedColumn:
    """Cells of one column as what at least 95 % of them are; the others become null and are counted.

    - bool: TRUE and false, in any case of letters.
    - int64 or double: 12, -1.5, 1.5e-3, 10,50, 1.299,00, 1'299.00, each with a currency before or behind it. Of a comma or
      point the column as a whole says which is the decimal sign. A column with a cell such as 007, +49, 12E3, 12-A, or with
      a whole number above 2^53, holds names: it is text.
    - date32, or timestamp where there are times, in UTC where there are zones: see `fashion.tables.dates`.
    - string: everything else, and a column of empty cells.

    Empty cells are null, and among flags, numbers and dates so are N/A, -, null and the like.
    """
    filled = [cell for cell in cells if cell and cell.lower() not in NO_VALUES]
    if filled:
        for read in (_flags, _numbers, _dates):
            if found := read(cells, filled):
                return found
    text = pa.array([cell or None for cell in cells], pa.string())
    return TypedColumn(text, unclear=_first_unclear(cells, filled))


def _flags(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    return _column(cells, filled, lambda cell: FLAGS.get(cell.lower()), "true or false", lambda _: pa.bool_())


def _numbers(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    written = {cell: match for cell in set(filled) if (match := _NUMBER.fullmatch(cell))}
    if len(written) < len(set(filled)) * MOST and not _are_most(sum(cell in written for cell in filled), filled):
        return None
    sign = _decimal_sign([match["digits"] for match in written.values()])
    numbers = {cell: number for cell, match in written.items() if (number := _number(match, sign)) is not None}
    if any(_NAME.fullmatch(cell) for cell in set(filled) - numbers.keys()):
        return None
    if any(abs(number) > EXACT and not written[cell]["power"] for cell, number in numbers.items()):
        return None
    whole = all(isinstance(number, int) for number in numbers.values())
    kind = pa.int64() if whole else pa.float64()
    if not whole:
        numbers = {cell: float(number) for cell, number in numbers.items()}
    return _column(cells, filled, numbers.get, "numbers", lambda _: kind)


def _dates(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    order = order_of(filled)
    dates = {cell: found for cell in set(filled) if (found := read_date(cell, order)) is not None}
    times = [found for found in dates.values() if isinstance(found, datetime)]
    if not times:
        return _column(cells, filled, dates.get, "dates", lambda _: pa.date32())
    zone = UTC if any(time.tzinfo for time in times) else None
    moments = {cell: _moment(found, zone) for cell, found in dates.items()}
    return _column(cells, filled, moments.get, "dates", lambda _: pa.timestamp("us", "UTC" if zone else None))


def _column(
    cells: Sequence[str],
    filled: Sequence[str],
    read: Callable[[str], Any],
    kind: str,
    type_of: Callable[[Sequence[Any]], pa.DataType],
) -> TypedColumn | None:
    """The column where most of its cells can be read so, or None."""
    values = [None if not cell or cell.lower() in NO_VALUES else read(cell) for cell in cells]
    known = sum(value is not None for value in values)
    if not known or not _are_most(known, filled):
        return None
    odd = None
    if known < len(filled):
        first = next(i for i, cell in enumerate(cells) if cell and values[i] is None and cell.lower() not in NO_VALUES)
        odd = Odd(len(filled) - known, first, kind)
    return TypedColumn(pa.array(values, type_of(values)), odd)


def _are_most(count: int, filled: Sequence[str]) -> bool:
    return count >= MOST * len(filled)


def _decimal_sign(numbers: Sequence[str]) -> Sign | None:
    """Which of comma and point is the decimal sign in all of these; None where cells contradict each other.

    A cell tells it that has both (the last one is), or one that is not followed by exactly three digits, or one of them
    more than once (the other is). Where none tells, the point is: 1.299 is a little more than 1, and 1,299 is not.
    """
    found: set[Sign] = set()
    for number in numbers:
        signs = re.findall(r"[.,]", number)
        if not signs:
            continue
        last: Sign = "," if signs[-1] == "," else "."
        other: Sign = "." if last == "," else ","
        if other in signs:
            found.add(last)
        elif len(signs) > 1:
            found.add(other)
        elif len(number) - 1 - number.index(last) != 3 or re.search(_THOUSANDS, number) or number.startswith("0"):
            found.add(last)
    if len(found) > 1:
        return None
    return found.pop() if found else "."


def _number(match: re.Match[str], sign: Sign | None) -> int | float | None:
    """A cell as a number, or None where it is none with this decimal sign."""
    digits, power, money = match["digits"], match["power"], match["before"] or match["after"]
    if sign is None or (match["sign"] and match["inner"]) or (match["inner"] and not match["before"]):
        return None
    whole, point, fraction = digits.rpartition(sign) if sign in digits else (digits, "", "")
    other = "," if sign == "." else "."
    if not re.fullmatch(rf"0|[1-9]\d*|[1-9]\d{{0,2}}(?:(?:{re.escape(other)}|{_THOUSANDS})\d{{3}})+", whole):
        return None
    if point and not fraction.isdigit():
        return None
    # Without a point or a sign of the exponent it is more likely an article number.
    if power and (money or not (point or power[1] in "+-")):
        return None
    negative = "-" if match["sign"] or match["inner"] else ""
    text = negative + re.sub(r"\D", "", whole)
    return float(f"{text}.{fraction or 0}{power or ''}") if point or power else int(text)


def _moment(found: date, zone: Any) -> datetime:
    """A datetime in this zone; a date is its first instant, and one without a zone is taken for UTC."""
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    if zone is None:
        return found
    return found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)


def _first_unclear(cells: Sequence[str], filled: Sequence[str]) -> int | None:
    """Where a column is one of dates, if only it were known what their days are."""
    as_if: Order = "month first"
    if not filled or not any(map(is_slashed, filled)):
        return None
    other: Order = "day first"
    readable = sum(read_date(cell, as_if) is not None or read_date(cell, other) is not None for cell in filled)
    return next(i for i, cell in enumerate(cells) if is_slashed(cell)) if _are_most(readable, filled) else None
