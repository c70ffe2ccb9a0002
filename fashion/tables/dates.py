"""Dates as people and programs write them in tables, as text."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

Order = Literal["day first", "month first"]

_TIME = r"(?:(?:T| +)(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
_ZONE = r" ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?"
_ISO = re.compile(rf"(?P<year>\d{{4}})([-/])(?P<month>\d\d)\2(?P<day>\d\d){_TIME}{_ZONE}")
_DOTTED = re.compile(rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}}){_TIME}{_ZONE}")
_SLASHED = re.compile(rf"(?P<first>\d\d?)/(?P<last>\d\d?)/(?P<year>\d{{4}}){_TIME}{_ZONE}")
_UTC_NAMES = ("Z", "UTC", "GMT")


def read_date(text: str, order: Order | None = None) -> date | datetime | None:
    """A date, or with its time a datetime, which has a zone where one is written; None for anything else.

    Read are 2026-05-01, 2026/05/01 and 01.05.2026, and 05/01/2026 where `order` says what stands first; alone or with
    a time (`T10:00`, ` 10:00:00.5`) and a zone (`Z`, ` UTC`, `+02:00`, ` -0400`).
    """
    found = _ISO.fullmatch(text) or _DOTTED.fullmatch(text)
    if found:
        month, day = found["month"], found["day"]
    elif order and (found := _SLASHED.fullmatch(text)):
        first, last = found["first"], found["last"]
        month, day = (first, last) if order == "month first" else (last, first)
    else:
        return None
    try:
        if found["hour"] is None:
            return date(int(found["year"]), int(month), int(day))
        microseconds = int((found["part"] or "0").ljust(6, "0")[:6])
        clock = int(found["hour"]), int(found["minute"]), int(found["second"] or 0), microseconds
        return datetime(int(found["year"]), int(month), int(day), *clock, _zone(found["zone"]))
    except ValueError:  # such as February 30
        return None


def is_slashed(text: str) -> bool:
    """Whether this is a date such as 05/01/2026, of which the text alone does not say what the day is."""
    return _SLASHED.fullmatch(text) is not None


def order_of(texts: Iterable[str]) -> Order | None:
    """What stands first in all dates such as 05/25/2026 of a column; None where no date tells, or they differ."""
    found = [match for match in map(_SLASHED.fullmatch, texts) if match]
    day_first = any(int(match["first"]) > 12 for match in found)
    month_first = any(int(match["last"]) > 12 for match in found)
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
