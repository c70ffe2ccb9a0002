"""Read the dates of products, and assign them to weeks, months, quarters or years.

A period is a number counted from 1970, so neighbors differ by one and gaps keep their length.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
from pyarrow import types

from catalog.scored.table import Scored
from fashion.errors import DataError, SettingError
from fashion.spelling import did_you_mean
from fashion.tables.columns import DATE_COLUMNS, usual_name
from fashion.tables.dates import is_ambiguous_date, read_date

Unit = Literal["week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = get_args(Unit)
NONE = np.iinfo(np.int64).min  # the period of a product without a date
MOST = 1000  # maximum number of periods; more result from a wrong date

_EPOCH = date(1970, 1, 1)
_MONDAY = 3  # 1970 began on a Thursday
_COARSE = re.compile(r"((?:19|20|21)\d\d)(?:[-/](0[1-9]|1[0-2]))?(?:\.0)?")  # a year or a month; 2016.0 is a year too
_TOO_LONG = re.compile(r"\d{9}")  # a number such as milliseconds since 1970, whose end `fromisoformat` takes for a time
_NEEDS = {"year": ("year",), "month": ("month", "quarter", "year")}  # period lengths that a year or month suffices for


def numbers(days: np.ndarray, unit: Unit) -> np.ndarray:
    """Convert days since 1970, int64, to numbers of periods, int64. Weeks begin on Monday."""
    if unit == "week":
        return (days + _MONDAY) // 7
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months // {"month": 1, "quarter": 3, "year": 12}[unit]


def start(number: int, unit: Unit) -> date:
    """The first day of a period."""
    if unit == "week":
        return _EPOCH + timedelta(days=7 * number - _MONDAY)
    months = number * {"month": 1, "quarter": 3, "year": 12}[unit]
    return date(1970 + months // 12, 1 + months % 12, 1)


def name(number: int, unit: Unit) -> str:
    """Name of a period: 2026-W07 (ISO 8601), 2026-02, 2026-Q1 or 2026."""
    first = start(number, unit)
    if unit == "week":
        year, week, _ = first.isocalendar()
        return f"{year}-W{week:02}"
    if unit == "month":
        return f"{first:%Y-%m}"
    return f"{first.year}-Q{first.month // 3 + 1}" if unit == "quarter" else str(first.year)


def date_column(scored: Scored, wanted: str | None = None) -> str:
    """The column of the products' dates.

    Args:
        scored: the catalog.
        wanted: its name; None takes the first column with a usual name (`fashion.tables.columns.DATE_COLUMNS`) that can
            hold dates, otherwise the only column of dates.

    Raises:
        SettingError: there is no column of that name.
        DataError: there is no column of dates, or several without a usual name.
    """
    own = scored.manifest.columns
    if wanted is not None:
        if wanted not in own:
            listed = ", ".join(own) or "none but the model's answers"
            raise SettingError(f"{scored.folder} has no column {wanted!r}{did_you_mean(wanted, own)}; it has: {listed}")
        return wanted
    # A column with a usual name, such as `published`, may hold booleans.
    if usual := usual_name([c for c in own if not _holds_no_dates(scored.schema.field(c).type)], DATE_COLUMNS):
        return usual
    dates = [column for column in own if _is_date(scored.schema.field(column).type)]
    if len(dates) == 1:
        return dates[0]
    found = f"several columns of dates: {', '.join(dates)}" if dates else f"no date among its columns: {', '.join(own)}"
    raise DataError(
        f"{scored.folder} has {found if own else 'no columns of its own, so no dates'}; name one with --date"
    )


class DateReader:
    """Reads the cells of a column of dates.

    Attributes:
        empty, unreadable: number of cells without a value, and with one that is no date.
        example: the first unreadable cell.
    """

    def __init__(self, column: str, unit: Unit) -> None:
        if unit not in UNITS:
            raise SettingError(f"unknown period {unit!r}; choose among: {', '.join(UNITS)}")
        self.column, self.unit = column, unit
        self.empty = self.unreadable = 0
        self.example = ""
        self._coarse = ""

    def read(self, cells: pa.Array) -> np.ndarray:
        """The periods of cells, int64; `NONE` for those without a date."""
        kind = cells.type
        if _is_date(kind):
            self.empty += cells.null_count
            if types.is_timestamp(kind) and kind.tz:
                cells = cells.cast(pa.timestamp(kind.unit, "UTC"))  # a cast to days would use the column's time zone
            days = cells.cast(pa.date32(), safe=False).cast(pa.int32())
            known = days.is_valid().to_numpy(zero_copy_only=False)
            return np.where(known, numbers(days.fill_null(0).to_numpy().astype(np.int64), self.unit), NONE)
        if _holds_no_dates(kind):
            raise DataError(f"the column {self.column!r} holds {kind}, not dates; name another with --date")
        coded = cells if types.is_dictionary(kind) else cells.dictionary_encode()
        found = np.array([*map(self._period, coded.dictionary.to_pylist()), NONE], np.int64)
        places = coded.indices.fill_null(len(found) - 1).to_numpy().astype(np.int64)
        self._count(places, coded.dictionary.to_pylist(), found)
        return found[places]

    def check(self, read: int) -> None:
        """Raise DataError if none of the `read` cells was a date."""
        if self.empty + self.unreadable < read or not read:
            return
        if not self.unreadable:
            raise DataError(f"the column {self.column!r} is empty: no product has a date; name another with --date")
        if self._coarse:
            raise DataError(
                f"the column {self.column!r} holds {self._coarse}s such as {self.example!r}, which cannot be split "
                f"into {self.unit}s; give --by {self._coarse}"
            )
        unclear = is_ambiguous_date(self.example)
        fix = ", in which day and month are ambiguous; write dates so" if unclear else "; name another with --date"
        raise DataError(
            f"the column {self.column!r} holds no dates such as 2026-05-01: its first cell is {self.example!r}{fix}"
        )

    def _count(self, places: np.ndarray, values: Sequence[object], found: np.ndarray) -> None:
        used = np.bincount(places, minlength=len(found))
        self.empty += int(used[-1])
        for value, count, period in zip(values, used[:-1], found[:-1], strict=True):
            if period == NONE and count:
                if _text(value):
                    self.unreadable += int(count)
                    self.example = self.example or _text(value)[:40]
                else:
                    self.empty += int(count)

    def _period(self, value: object) -> int:
        day = self._day(_text(value))
        return NONE if day is None else int(numbers(np.array([(day - _EPOCH).days]), self.unit)[0])

    def _day(self, text: str) -> date | None:
        if coarse := _COARSE.fullmatch(text):
            unit = "month" if coarse[2] else "year"
            if self.unit not in _NEEDS[unit]:
                self._coarse = unit
                return None
            return date(int(coarse[1]), int(coarse[2] or 1), 1)
        if _TOO_LONG.match(text):
            return None
        try:
            time = read_date(text) or datetime.fromisoformat(text)  # also reads 20260501 and 2026-W18-5
            if not isinstance(time, datetime):
                return time
            return (time if time.tzinfo is None else time.astimezone(UTC)).date()
        except (ValueError, OverflowError):
            return None


def check_span(first: int, last: int, unit: Unit) -> None:
    """Raise DataError if dates span so many periods that one of them must be wrong."""
    if last - first >= MOST:
        raise DataError(
            f"the dates span {start(first, unit)} to {start(last, unit)}, {last - first + 1:,} {unit}s; exclude "
            "wrong ones with --where, or take longer periods with --by"
        )


def _is_date(kind: pa.DataType) -> bool:
    return types.is_date(kind) or types.is_timestamp(kind)


def _holds_no_dates(kind: pa.DataType) -> bool:
    return types.is_boolean(kind) or types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()
