"""Infer the types of a CSV file's text columns: booleans, numbers, dates or text."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Literal, NamedTuple

import pyarrow as pa

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
SYMBOLS = {
    "€": "eur",
    "$": "usd",
    "us$": "usd",
    "£": "gbp",
    "₹": "inr",
    "rs.": "inr",
    "rs": "inr",
    "₩": "krw",
    "₺": "try",
    "₽": "rub",
    "zł": "pln",
}
CURRENCIES = (
    *("eur", "usd", "gbp", "chf", "sek", "nok", "dkk", "isk", "pln", "czk", "huf", "ron", "bgn", "try", "uah", "jpy"),
    *("cny", "inr", "krw", "hkd", "sgd", "twd", "thb", "idr", "vnd", "aud", "nzd", "cad", "mxn", "brl", "zar", "aed"),
    *("ils", "rub", "c$", "a$", "r$", "kr", "kč", "zł", "¥", *SYMBOLS),
)
_CURRENCY = "|".join(map(re.escape, CURRENCIES))
_SPACES = " \u00a0\u202f"  # non-breaking and narrow spaces separate thousands
_NUMBER = re.compile(
    rf"(?P<sign>[-\u2212]?)(?:(?P<before>{_CURRENCY})[{_SPACES}]?(?P<inner>[-\u2212]?))?"
    rf"(?P<digits>\d+(?:[.,'\u2019{_SPACES}]\d+)*|[.,]\d+)(?P<power>e[+-]?\d+)?"
    # 12,- is a price without cents, and 12.50- a negative number as SAP writes it.
    rf"(?:[.,](?:--?|\u2013|\u2014)|(?P<minus>-))?(?:[{_SPACES}]?(?P<after>{_CURRENCY}))?",
    re.IGNORECASE,
)
_THOUSANDS = rf"['\u2019{_SPACES}]"
# Codes such as 007, +49, 12-A and 12E3, which conversion to a number would damage: one of them makes its column text.
_NAME = re.compile(rf"0\d[\d{_SPACES}./-]*|\+\d.*|(?=.*\d)(?=.*[^\W\d_])\S+")
_FLOAT_ID = re.compile(r"(\d+)[.,]0")
_ROUNDED_ID = re.compile(r"\d[.,]\d+E\+\d\d", re.IGNORECASE)  # as Excel shows and saves numbers of 12 digits or more

Sign = Literal[".", ","]


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
    """

    values: pa.Array
    odd: Odd | None = None
    unclear: int | None = None
    mixed: Odd | None = None

    def remark(self, column: str, cells: Sequence[str], rows: Sequence[str]) -> str | None:
        """A one-line note for the user on cells that could not be converted; `rows` gives the place of each cell."""
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
                f"most; the first is {cells[first][:40]!r} in {rows[first]}"
            )
        return None


def typed_columns(cells: Mapping[str, Sequence[str]], rows: Sequence[str]) -> tuple[dict[str, pa.Array], list[str]]:
    """Convert columns with `read_column`; returns them by name, and notes for the user.

    Args:
        cells: of each column; in a column of ids 123.0 becomes 123, see `id_texts`.
        rows: the place of each row, such as `products.csv:2`.
    """
    columns, notes = {}, []
    for name, texts in cells.items():
        texts = id_texts(texts) if is_usual(name, ID_COLUMNS) else texts
        typed = read_column(texts)
        columns[name] = typed.values
        if remark := typed.remark(name, texts, rows):
            notes.append(remark)
    return columns, notes


def id_texts(cells: Sequence[Any]) -> list[str]:
    """Ids as text, "" for missing ones.

    If all are like 123.0, as pandas writes integers in a column with gaps, they become 123. Bytes are decoded, since
    old Parquet writers store text as bytes.
    """
    texts = [_id_text(cell) for cell in cells]
    found = [_FLOAT_ID.fullmatch(text) for text in texts]
    if not all(match or not text for match, text in zip(found, texts, strict=True)):
        return texts
    return [match[1] if match else "" for match in found]


def rounded_ids(column: str, cells: Sequence[str], rows: Sequence[str]) -> str | None:
    """A note if a spreadsheet has rounded ids, as in 4.01235E+12, so that different ones coincide; otherwise None."""
    rounded = [i for i, cell in enumerate(cells) if _ROUNDED_ID.fullmatch(cell)]
    if not rounded:
        return None
    return (
        f"note   {len(rounded):,} of {len(cells):,} ids in the column {column!r} have lost digits in a spreadsheet, "
        f"and different products may have become one; the first is {cells[rounded[0]]!r} in {rows[rounded[0]]}; save "
        "them as text, or name another column with --id"
    )


def _id_text(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode(errors="backslashreplace")
    return "" if cell is None or cell != cell else str(cell)


def read_column(cells: Sequence[str]) -> TypedColumn:
    """Convert a column to the type of at least 95 % of its cells, or of all but one; the others become null.

    - bool: TRUE and FALSE in any letter case, and Excel's words for them in other languages.
    - int64 or double: 12, -1.5, 1.5e-3, 10,50, 12,-, 1.299,00, 1'299.00, optionally with a currency before or after,
      the same in all cells. The decimal sign, comma or point, is inferred from the whole column. A column with a cell
      like 007, +49, 12E3 or 12-A, or with an integer above 2^53, holds codes and stays text.
    - date32, or timestamp if there are times, in UTC if there are time zones: see `fashion.tables.dates`.
    - string: everything else, and a column of empty cells.

    Empty cells are null. Placeholders in `fashion.tables.missing_values` are null in columns of booleans, numbers and
    dates, and stay in columns of text.
    """
    filled = [cell for cell in cells if not is_missing(cell)]
    if filled:
        for read in (_flags, _numbers, _dates):
            if found := read(cells, filled):
                return found
    texts = pa.array([cell or None for cell in cells], pa.string())
    return TypedColumn(texts, unclear=_first_unclear(cells, filled), mixed=_mixed(cells, filled))


def _flags(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    return _column(cells, filled, lambda cell: FLAGS.get(cell.lower()), "true or false", pa.bool_())


def _numbers(cells: Sequence[str], filled: Sequence[str]) -> TypedColumn | None:
    distinct = Counter(filled)
    written = {cell: match for cell in distinct if (match := _NUMBER.fullmatch(cell))}
    if not _are_most(sum(distinct[cell] for cell in written), filled) or len(_currencies(written.values())) > 1:
        return None
    sign = _decimal_sign({match["digits"]: distinct[cell] for cell, match in written.items()})
    numbers = {cell: number for cell, match in written.items() if (number := _number(match, sign)) is not None}
    if any(map(_NAME.fullmatch, distinct.keys() - numbers.keys())):
        return None
    if any(abs(number) > EXACT and not written[cell]["power"] for cell, number in numbers.items()):
        return None
    if all(isinstance(number, int) for number in numbers.values()):
        return _column(cells, filled, numbers.get, "number", pa.int64())
    return _column(cells, filled, {cell: float(number) for cell, number in numbers.items()}.get, "number", pa.float64())


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


def _currencies(written: Iterable[re.Match[str]]) -> set[str]:
    """The currencies of these numbers; a number may have two, as in $ 10 USD."""
    found = {sign.lower() for match in written for sign in (match["before"], match["after"]) if sign}
    return {SYMBOLS.get(sign, sign) for sign in found}


def _decimal_sign(numbers: Mapping[str, int]) -> Sign | None:
    """Infer the decimal sign, comma or point, from numbers and their frequencies; None if they contradict each other.

    A number is evidence if it has both signs (the last is the decimal sign), one sign more than once (the other is), or
    one sign not followed by exactly three digits (it is). Without evidence it is the point: 1.299 is a little more
    than 1, and 1,299 is over a thousand.
    """
    votes: Counter[Sign] = Counter()
    for number, times in numbers.items():
        signs = re.findall(r"[.,]", number)
        if not signs:
            continue
        last: Sign = "," if signs[-1] == "," else "."
        other: Sign = "." if last == "," else ","
        if other in signs:
            votes[last] += times
        elif len(signs) > 1:
            votes[other] += times
        elif len(number) - 1 - number.index(last) != 3 or re.search(_THOUSANDS, number) or number[0] in "0.,":
            votes[last] += times
    if not votes:
        return "."
    sign, count = votes.most_common(1)[0]
    return sign if count >= MOST * votes.total() else None


def _number(match: re.Match[str], sign: Sign | None) -> int | float | None:
    """A cell as a number, or None if it is not one with this decimal sign."""
    digits, power, money = match["digits"], match["power"], match["before"] or match["after"]
    minuses = [name for name in ("sign", "inner", "minus") if match[name]]
    if sign is None or len(minuses) > 1:
        return None
    whole, point, fraction = digits.rpartition(sign) if sign in digits else (digits, "", "")
    whole = whole or "0"  # of .50
    other = "," if sign == "." else "."
    grouped = rf"[1-9]\d{{0,2}}(?:(?:{re.escape(other)}|{_THOUSANDS})\d{{3}})+"
    # In Indian grouping, digits above the thousands come in pairs.
    if not re.fullmatch(rf"0|[1-9]\d*|{grouped}|[1-9]\d?(?:,\d\d)*,\d{{3}}", whole):
        return None
    if point and not fraction.isdigit():
        return None
    # An exponent without a sign, in a number without a decimal point, is more likely part of an article number.
    if power and (money or not (point or power[1] in "+-")):
        return None
    text = ("-" if minuses else "") + re.sub(r"\D", "", whole)
    return float(f"{text}.{fraction or 0}{power or ''}") if point or power else int(text)


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


def _mixed(cells: Sequence[str], filled: Sequence[str]) -> Odd | None:
    """The cells that make a column text although more than half are numbers or dates; None if one of them is a code."""
    for kind, is_one in (("number", lambda cell: _NUMBER.fullmatch(cell) is not None), ("date", _is_date)):
        count = sum(map(is_one, filled))
        if len(filled) > count > len(filled) / 2:
            others = [i for i, cell in enumerate(cells) if not is_missing(cell) and not is_one(cell)]
            if not any(_NAME.fullmatch(cells[i]) for i in others):
                return Odd(len(others), others[0], kind)
    return None


def _is_date(cell: str) -> bool:
    return is_ambiguous_date(cell) or read_date(cell) is not None
