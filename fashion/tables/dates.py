"""Dates as people and programs write them in tables, as text."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

Order = Literal["day first", "month first"]

_SPACE = r"[ \u00a0\u202f]"  # narrow and unbreakable ones stand before AM
_TIME = (
    rf"(?:(?:T|,?{_SPACE}+)(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{{1,9}}))?)?"
    rf"(?:{_SPACE}?(?P<half>[AaPp])\.?[Mm]\.?)?(?: Uhr)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
# Two digits of a year beside one of a day may as well be a version.
_NUMBERED = tuple(
    re.compile(form + _TIME)
    for form in (
        r"(?P<year>\d{4})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)",
        r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})",
        r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d\d)",
    )
)
_NAMED = tuple(
    re.compile(form + _TIME, re.IGNORECASE)
    for form in (
        rf"(?:[a-z]{{3}}, )?(?P<day>\d\d?)(?P<sign>[ -]){_MONTH}(?P=sign)(?P<year>\d{{4}}|\d\d)",
        rf"{_MONTH} (?P<day>\d\d?), (?P<year>\d{{4}})",
    )
)
_SLASHED = re.compile(rf"(?P<first>\d\d?)([/-])(?P<last>\d\d?)\2(?P<year>\d{{4}}|(?<=/)\d\d){_TIME}")
_AMERICAN = re.compile(rf"\d\d?/\d\d?/\d\d, \d\d?:\d\d{_SPACE}[AP]M")  # "M/d/yy, h:mm a" of Unicode's CLDR for en-US
PIVOT = 70  # a year of two digits is one of 1970 to 2069
_UTC_NAMES = ("Z", "UTC", "GMT")


def read_date(text: str, order: Order | None = None) -> date | datetime | None:
    """A date, or with its time a datetime, which has a zone where one is written; None for anything else.

    Read are 2026-05-01, 2026/5/1, 01.05.2026, 01.05.26, 1 May 2026, 01-May-26 and May 1, 2026, and 05/01/2026, 5/1/26
    and 05-01-2026 where `order` says what stands first; alone or with a time (`T10:00`, ` 10:00:00.5`, `, 1:05 PM`) and
    a zone (`Z`, ` UTC`, `+02:00`, ` -0400`).
    """
    if not text[:1].isalnum() or not any(map(str.isdigit, text)):
        return None
    found = next((match for form in _NUMBERED if (match := form.fullmatch(text))), None)
    if found:
        day, month = int(found["day"]), int(found["month"])
    elif order and (found := _SLASHED.fullmatch(text)):
        first, last = int(found["first"]), int(found["last"])
        month, day = (first, last) if order == "month first" else (last, first)
    elif found := next((match for form in _NAMED if (match := form.fullmatch(text))), None):
        day, month = int(found["day"]), _MONTHS.index(found["month"].lower()) + 1
    else:
        return None
    year = int(found["year"])
    year += 0 if len(found["year"]) > 2 else 2000 if year < PIVOT else 1900
    try:
        if found["hour"] is None:
            return date(year, month, day)
        return datetime(year, month, day, *_clock(found), _zone(found["zone"]))
    except ValueError:  # such as February 30
        return None


def _clock(found: re.Match[str]) -> tuple[int, int, int, int]:
    """Hour, minute, second and microsecond. Raises ValueError for 13:00 PM."""
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half == "p" else 0)
    microseconds = int((found["part"] or "0").ljust(6, "0")[:6])
    return hour, int(found["minute"]), int(found["second"] or 0), microseconds


def is_slashed(text: str) -> bool:
    """Whether this is a date such as 05/01/2026, of which the text alone does not say what the day is."""
    return _SLASHED.fullmatch(text) is not None


def order_of(texts: Iterable[str]) -> Order | None:
    """What stands first in all dates such as 05/25/2026 of a column; None where no date tells, or they differ.

    5/1/26, 10:15 AM is how programs in American English write a date, Magento among them: there the month does.
    """
    found = [match for match in map(_SLASHED.fullmatch, texts) if match]
    day_first = any(int(match["first"]) > 12 for match in found)
    month_first = any(int(match["last"]) > 12 or _AMERICAN.fullmatch(match.string) for match in found)
    if day_first == month_first:
        return None
    return "day first" if day_first else "month first"


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in _UTC_NAMES:
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
