"""Parse dates in the formats common in tables."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

Order = Literal["day first", "month first"]

_SPACE = r"[ \u00a0\u202f]"  # narrow and non-breaking spaces occur before AM
_TIME = (
    rf"(?:(?:T|,?{_SPACE}+)(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{{1,9}}))?)?"
    rf"(?:{_SPACE}?(?P<half>[AaPp])\.?[Mm]\.?)?(?: Uhr)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?"
)
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GERMAN = {"mär": 3, "mrz": 3, "mai": 5, "okt": 10, "dez": 12}  # the others begin as in English
_MONTHS = {name: number for number, name in enumerate(_ENGLISH, 1)} | _GERMAN
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
# A two-digit year requires a two-digit day and month: 1.5.26 may as well be a version.
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
        rf"(?:[a-z]{{3}}, )?(?P<day>\d\d?)\.?(?P<sign>[ -]){_MONTH}(?P=sign)(?P<year>\d{{4}}|\d\d)",
        rf"{_MONTH} (?P<day>\d\d?), (?P<year>\d{{4}})",
    )
)
_SLASHED = re.compile(rf"(?P<first>\d\d?)([/-])(?P<last>\d\d?)\2(?P<year>\d{{4}}|(?<=/)\d\d){_TIME}")
_AMERICAN = re.compile(rf"\d\d?/\d\d?/\d\d, \d\d?:\d\d{_SPACE}[AP]M")  # "M/d/yy, h:mm a" in Unicode's CLDR for en-US
PIVOT = 70  # two-digit years mean 1970 to 2069
_UTC_NAMES = ("Z", "UTC", "GMT")


def read_date(text: str, order: Order | None = None) -> date | datetime | None:
    """Parse a date, or a datetime if there is a time, with a time zone if given; None for any other text.

    Accepted are 2026-05-01, 2026/5/1, 01.05.2026, 01.05.26, 1 May 2026, 1. Mai 2026, 01-May-26 and May 1, 2026; if
    `order` is given, also 05/01/2026, 5/1/26 and 05-01-2026. A time (`T10:00`, ` 10:00:00.5`, `, 1:05 PM`) and a zone
    (`Z`, ` UTC`, `+02:00`, ` -0400`) may follow.
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
        day, month = int(found["day"]), _MONTHS[found["month"].lower()]
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


def is_ambiguous_date(text: str) -> bool:
    """Whether a text is a date such as 05/01/2026, whose order of day and month is ambiguous."""
    return _SLASHED.fullmatch(text) is not None


def infer_date_order(texts: Iterable[str]) -> Order | None:
    """Infer whether day or month comes first in a column's ambiguous dates; None if undetermined or contradictory.

    A number above 12 decides. So does a form such as 5/1/26, 10:15 AM, written by American English programs such as
    Magento: month first.
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
