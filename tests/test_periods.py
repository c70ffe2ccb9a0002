"""Assigning dates to periods, and the error for a column without dates."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored_catalog import products, write_catalog

from catalog.analysis.periods import NONE, UNITS, DateReader, check_span, date_column, name, numbers, start
from fashion.errors import DataError, SettingError

DAYS = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@given(DAYS, st.sampled_from(UNITS))
def test_a_day_lies_within_its_period(day: date, unit: Any) -> None:
    number = int(numbers(np.array([(day - date(1970, 1, 1)).days]), unit)[0])
    assert start(number, unit) <= day < start(number + 1, unit)


@pytest.mark.parametrize(
    ("unit", "expected"), [("week", "2026-W01"), ("month", "2025-12"), ("quarter", "2025-Q4"), ("year", "2025")]
)
def test_names_of_periods(unit: Any, expected: str) -> None:
    """29 December 2025 is the Monday of the first week of 2026 by ISO 8601."""
    days = np.array([(date(2025, 12, 29) - date(1970, 1, 1)).days])
    assert name(int(numbers(days, unit)[0]), unit) == expected


def months(cells: pa.Array, unit: Any = "month") -> tuple[list[str | None], DateReader]:
    reader = DateReader("added", unit)
    return [None if n == NONE else name(int(n), unit) for n in reader.read(cells)], reader


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([date(2026, 3, 31), None]),
        pa.array([datetime(2026, 3, 31, 23, 59), None], pa.timestamp("ns")),
        pa.array([datetime(2026, 3, 31, 23, 59), None], pa.timestamp("s", "Asia/Tokyo")),
        pa.array(["2026-03-31", None]),
        pa.array([" 2026-03-31T23:59:00Z", ""]),
        pa.array(["2026-04-01T01:00:00+02:00", " "]),
        pa.array(["2026-03-31 22:59:00 -0100", None]),
        pa.array(["31.03.2026", None]),
        pa.array(["31.3.2026 23:59", None]),
        pa.array(["2026-03", None]),
        pa.array([20260331, None]),
        pa.array(["2026-03-31", None]).dictionary_encode(),
    ],
    ids=lambda cells: str(cells.type) + str(cells[0]),
)
def test_cells_that_are_dates(cells: pa.Array) -> None:
    found, reader = months(cells)
    assert found == ["2026-03", None]
    assert (reader.empty, reader.unreadable) == (1, 0)


@pytest.mark.parametrize("cells", [pa.array([2016, None]), pa.array([2016.0, None]), pa.array(["2016", ""])])
def test_years_are_not_read_as_months(cells: pa.Array) -> None:
    assert months(cells, "year")[0] == ["2016", None]
    found, reader = months(cells)
    assert found == [None, None]
    with pytest.raises(
        DataError, match=r"'added' holds years such as '2016.*', which cannot be split into months; give --by year"
    ):
        reader.check(2)


@pytest.mark.parametrize(
    "cells",
    [
        pa.array(["1772051012345"]),
        pa.array([1772051012345]),
        pa.array([1772051012345.0]),
        pa.array(["17720510123"]),
    ],
)
def test_times_since_1970_are_not_read_as_dates_of_other_centuries(cells: pa.Array) -> None:
    assert months(cells)[0] == [None]


def test_unreadable_dates_are_counted_with_an_example() -> None:
    found, reader = months(pa.array(["soon", "2026-01-02", "31/12/2025", "soon", None, ""]))
    assert found == [None, "2026-01", None, None, None, None]
    assert (reader.empty, reader.unreadable, reader.example) == (2, 3, "soon")
    reader.check(6)


def test_a_column_of_flags_is_not_a_date_column(tmp_path: Path) -> None:
    columns = [pa.field("published", pa.bool_()), pa.field("date created", pa.date32())]
    rows = [row | {"published": True, "date created": row["added"]} for row in products(3)]
    scored = write_catalog(tmp_path, rows, columns=columns)
    assert date_column(scored) == "date created"
    assert date_column(scored, "published") == "published"  # used only if requested by name


def test_no_date_at_all_is_one_clear_error() -> None:
    _, reader = months(pa.array(["Summer", None]))
    with pytest.raises(DataError, match="'added' holds no dates such as 2026-05-01: its first cell is 'Summer'"):
        reader.check(2)
    _, reader = months(pa.array(["05/01/2026", None]))
    with pytest.raises(DataError, match="its first cell is '05/01/2026', in which day and month are ambiguous"):
        reader.check(2)
    _, reader = months(pa.array([None, None], pa.string()))
    with pytest.raises(DataError, match="'added' is empty"):
        reader.check(2)
    for cells in (pa.array([True]), pa.array([["2026-01-01"]]), pa.array([b"x"])):
        with pytest.raises(DataError, match="not dates; name another with --date"):
            months(cells)


def test_an_unknown_period_and_dates_too_far_apart() -> None:
    with pytest.raises(SettingError, match="unknown period 'day'; choose among: week, month, quarter, year"):
        DateReader("added", "day")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="span 1970-01-01 to 2170-01-01, 2,401 months; exclude wrong ones"):
        check_span(0, 2400, "month")
