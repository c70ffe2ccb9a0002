"""catalog.scoring.cells."""

import datetime
from collections.abc import Sequence
from datetime import UTC

import pyarrow as pa
import pytest

from catalog.scoring.cells import read_column, typed_columns
from catalog.scoring.row_ids import id_texts, rounded_ids
from fashion.tables.dates import read_date

DAYS = [datetime.date(2026, 5, 1), None, datetime.date(2026, 5, 25)]


def typed_column(cells: Sequence[str]) -> pa.Array:
    return read_column(cells).values


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "", "-20"], pa.int64(), [1, None, -20]),
        (["1", "2.5", "1e+3", "1.5E3"], pa.float64(), [1.0, 2.5, 1000.0, 1500.0]),
        (["007", "1"], pa.string(), ["007", "1"]),
        (["2026-05-01", "", "2024-02-29"], pa.date32(), [datetime.date(2026, 5, 1), None, datetime.date(2024, 2, 29)]),
        (["2026-05-01", "2026-02-30"], pa.string(), ["2026-05-01", "2026-02-30"]),
        (["2026-05", "2026-06"], pa.string(), ["2026-05", "2026-06"]),
        (["", ""], pa.string(), [None, None]),
        (["TRUE", "false", ""], pa.bool_(), [True, False, None]),
        (["true", "maybe"], pa.string(), ["true", "maybe"]),
        (["10.5", "N/A", "-", "null"], pa.float64(), [10.5, None, None, None]),
        (["N/A", "-"], pa.string(), ["N/A", "-"]),
        (["Acme", "N/A", "-"], pa.string(), ["Acme", "N/A", "-"]),
        (["12E3", "12E4"], pa.string(), ["12E3", "12E4"]),
        (["1", "2", "12e3"], pa.string(), ["1", "2", "12e3"]),
        (["9007199254740992", "-9007199254740992"], pa.int64(), [2**53, -(2**53)]),
        (["123456789012345671", "5"], pa.string(), ["123456789012345671", "5"]),
        (["12345678901234567890123", "5"], pa.string(), ["12345678901234567890123", "5"]),
        (["v1.2.3", "v1.2.4"], pa.string(), ["v1.2.3", "v1.2.4"]),
        (["1.2.3", "1.2.4"], pa.string(), ["1.2.3", "1.2.4"]),
        (["WAHR", "Falsch", "k.A."], pa.bool_(), [True, False, None]),
        (["#REF!", "#NV", "#DIV/0!", "#WERT!", "#N/A", "3"], pa.int64(), [None] * 5 + [3]),
        (["#FF0000", "3"], pa.string(), ["#FF0000", "3"]),
        (["<NA>", "NaT", "(null)", "3"], pa.int64(), [None, None, None, 3]),
    ],
)
def test_a_column_has_the_common_type_of_its_cells(cells: list[str], kind: pa.DataType, values: list[object]) -> None:
    column = typed_column(cells)
    assert column.type == kind
    assert column.to_pylist() == values


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["10,50", "7"], [10.5, 7.0]),
        (["10.50 EUR", "9 EUR"], [10.5, 9.0]),
        (["€ 1.299,00", "1.299"], [1299.0, 1299.0]),
        (["$1,299.00", "-$5", "usd 1,000"], [1299.0, -5.0, 1000.0]),
        (["1,299", "999"], [1299, 999]),
        (["1.299", "999"], [1.299, 999.0]),
        (["1.299.000", "1.500"], [1299000, 1500]),
        (["1 299,00 kr", "99,50 kr"], [1299.0, 99.5]),
        (["1'299.00 CHF", "0.105"], [1299.0, 0.105]),
        (["0,125", "2,250"], [0.125, 2.25]),
        (["12,- €", "15,50 €", "9,-- €"], [12.0, 15.5, 9.0]),
        (["CHF 12.-", "CHF 1'200.50"], [12.0, 1200.5]),
        (["1.299,- €", "899,- €"], [1299, 899]),
        (["1.299,-", "2.499"], [1299, 2499]),
        (["1.299 €", "899 €", "2.499 €"], [1299, 899, 2499]),
        (["€ 1,299", "€ 899"], [1299, 899]),
        (["Rs. 1,29,999.00", "Rs. 999.00"], [129999.0, 999.0]),
        (["5.00-", ".50"], [-5.0, 0.5]),
        (["US $19.99", "us$5"], [19.99, 5.0]),
        (["AU$ 1,299", "A$5.00"], [1299.0, 5.0]),
        (["3,000", "12,000", "1299,000"], [3.0, 12.0, 1299.0]),
    ],
)
def test_prices_are_numbers_however_they_are_written(cells: list[str], values: list[float]) -> None:
    assert typed_column(cells).to_pylist() == values


@pytest.mark.parametrize(
    "cells", [["10 EUR", "10 USD"], ["10,50", "10.50"], ["1.299 €", "899.50 €"], ["12 Stück", "13 Stück"]]
)
def test_mixed_cells_stay_text(cells: list[str]) -> None:
    assert typed_column(cells).to_pylist() == cells


@pytest.mark.parametrize(
    "cells",
    [
        ["01.05.2026", "", "25.5.2026"],
        ["05/01/2026", "", "05/25/2026"],
        ["01/05/2026", "-", "25/05/2026"],
        ["2026/05/01", "", "2026/05/25"],
        ["2026-5-1", "0000-00-00", "2026.05.25"],
        ["01.05.26", "", "25.05.26"],
        ["5/1/26", "", "5/25/26"],
        ["01-05-2026", "", "25-05-2026"],
        ["1 May 2026", "", "25-May-26"],
        ["May 1, 2026", "", "May 25, 2026"],
        ["1. Mai 2026", "", "25. Mai 2026"],
    ],
)
def test_days_are_dates(cells: list[str]) -> None:
    column = typed_column(cells)
    assert column.type == pa.date32()
    assert column.to_pylist() == DAYS


def test_months_by_their_german_names() -> None:
    cells = ["7. März 2026", "07. Mrz. 2026", "3 Okt 2026", "31. Dezember 2026 10:30 Uhr", "1. Januar 2026"]
    months = [found and (found.month, found.day) for found in map(read_date, cells)]
    assert months == [(3, 7), (3, 7), (10, 3), (12, 31), (1, 1)]


def test_dates_with_times_are_moments() -> None:
    zoned = typed_column(["2026-05-01 10:00:00 -0400", "2026-05-01T10:00Z", "2026-05-01"])
    assert zoned.type == pa.timestamp("us", "UTC")
    assert zoned.to_pylist() == [datetime.datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in (14, 10, 0)]
    plain = typed_column(["2026-05-01T10:00:00.5", "01.05.2026 10:00"])
    assert plain.type == pa.timestamp("us")
    assert plain.to_pylist() == [datetime.datetime(2026, 5, 1, 10, 0, 0, half) for half in (500_000, 0)]


@pytest.mark.parametrize(
    "cells",
    [
        ["5/1/26, 10:30 AM", "5/25/26, 1:05\u202fPM"],
        ["05/01/2026 10:30:00 am", "05/25/2026 1:05:00 p.m."],
        ["01.05.2026 10:30 Uhr", "25.05.2026 13:05"],
        ["01.05.26 10:30", "25.05.26 13:05"],
    ],
)
def test_local_dates_with_times(cells: list[str]) -> None:
    moments = [datetime.datetime(2026, 5, 1, 10, 30), datetime.datetime(2026, 5, 25, 13, 5)]
    assert typed_column(cells).to_pylist() == moments
    assert typed_column(["5/1/26, 10:30 AM", "5/2/26, 1:05 PM"])[0].as_py() == moments[0]
    assert typed_column(["5/1/26, 10:30 AM", "25/2/26, 1:05 PM"]).type == pa.string(), "contradictory formats"
    assert typed_column(["5/1/26 10:30", "5/2/26 13:05"]).type == pa.string(), "ambiguous"
    assert typed_column(["13:00 PM", "5/1/26, 13:05 PM"]).type == pa.string()


@pytest.mark.parametrize(("cell", "value"), [("1.299", "1.299"), ("1,299", "1299")])
def test_a_guessed_decimal_sign_is_noted(cell: str, value: str) -> None:
    rows = ["p.csv:2", "p.csv:3"]
    _, (note,) = typed_columns({"price": ["999", cell]}, rows)
    assert f"comma or point is the decimal sign: {cell!r} in p.csv:3 is read as {value};" in note
    for clear in (["999", f"{cell} €"], ["9.50", "1.299"], ["999", "1299"]):
        assert typed_columns({"price": clear}, rows)[1] == []


@pytest.mark.parametrize(
    ("cells", "values"),
    [(["1.000", "2.500"], [1000, 2500]), (["1,000", "12,000"], [1.0, 12.0]), (["1,000", "2.500"], [1.0, 2500.0])],
)
def test_the_decimal_comma_of_other_columns_decides(cells: list[str], values: list[float]) -> None:
    rows = ["p.csv:2", "p.csv:3"]
    columns, (note,) = typed_columns({"stock": cells, "price": ["19,90", "5"]}, rows)
    assert columns["stock"].to_pylist() == values
    assert f"{cells[0]!r} in p.csv:2 is read as {values[0]};" in note
    two = {"stock": cells, "price": ["19,90", "5"], "rating": ["4.5", "3"]}
    assert typed_columns(two, rows)[0]["stock"].to_pylist() == typed_column(cells).to_pylist()


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["10.00 EUR", "11.00 EUR", "12.00 USD"], "1 of 3 cells are no number in EUR, unlike others; the first is '12"),
        (["10,50", "11,50", "1.299", "12.99"], "1 of 4 cells are no number with ',', unlike others; the first is '12."),
        (["007", "10,50", "12.99"], None),
        (["12E3", "10 EUR", "12 USD"], None),
        (["1.2.3", "1.2.4"], None),
    ],
)
def test_prices_of_two_kinds_stay_text_and_are_noted(cells: list[str], said: str | None) -> None:
    columns, notes = typed_columns({"price": cells}, [f"p.csv:{line}" for line in range(len(cells))])
    assert columns["price"].to_pylist() == cells
    assert [said in note for note in notes if said] == [True] * (said is not None)
    assert len(notes) == (said is not None)


def test_ambiguous_dates_stay_text() -> None:
    columns, (note,) = typed_columns(
        {"added": ["05/01/2026", "2026-05-01", "05/02/2026"]}, ["c.csv:2", "c.csv:3", "c:4"]
    )
    assert columns["added"].type == pa.string()
    assert "'added' stays text: '05/01/2026' in c.csv:2 is ambiguous: day and month may be swapped" in note
    assert read_column(["05/01/2026", "25/05/2026", "05/25/2026"]).values.type == pa.string()  # they are contradictory


def test_a_column_has_the_type_of_most_cells_and_others_are_counted() -> None:
    rows = [f"c.csv:{line}" for line in range(2, 42)]
    prices = ["9,50"] * 38 + ["on request", "n/a"]
    days = ["2026-05-01"] * 39 + ["soon"]
    columns, notes = typed_columns({"price": prices, "added": days, "code": ["12"] * 39 + ["12-A"]}, rows)
    assert columns["price"].to_pylist() == [9.5] * 38 + [None] * 2
    assert columns["added"].null_count == 1
    assert columns["code"].to_pylist()[-1] == "12-A"  # a number column would lose it
    assert notes == [
        f"note   1 of 40 cells of the column {name!r} are no {kind}, unlike the others, and count as empty; "
        f"the first is {cell!r} in {row}"
        for name, kind, cell, row in (("price", "number", "on request", rows[38]), ("added", "date", "soon", rows[39]))
    ]
    assert typed_column(["9.50"] * 4 + ["on request"]).to_pylist() == [9.5] * 4 + [None]
    assert typed_column(["9.50"] * 3 + ["on request"]).type == pa.string()


def test_a_column_kept_as_text_by_a_few_cells_is_noted() -> None:
    cells = {"price": ["9.50"] * 7 + ["on request"] * 3, "code": ["12"] * 7 + ["12-A"] * 3, "brand": ["Acme"] * 10}
    columns, notes = typed_columns(cells, [f"c.csv:{line}" for line in range(2, 12)])
    assert columns["price"].to_pylist() == cells["price"]
    assert notes == [
        "note   the column 'price' stays text: 3 of 10 cells are no number, unlike others; "
        "the first is 'on request' in c.csv:9"
    ]


def test_ids_converted_to_floats_by_pandas_become_integers_again() -> None:
    assert id_texts(["1500.0", "", "7.0"]) == ["1500", "", "7"]
    assert id_texts([1500.0, float("nan"), None]) == ["1500", "", ""]
    assert id_texts(["1.0", "1.1"]) == ["1.0", "1.1"]
    assert id_texts(["1500,0", "7,0"]) == ["1500", "7"]
    assert id_texts([b"A1", b"A2"]) == ["A1", "A2"]
    columns, _ = typed_columns({"Product ID": ["1500.0", ""], "stock": ["5.0", ""]}, ["a", "b"])
    assert columns["Product ID"].to_pylist() == [1500, None]
    assert columns["stock"].type == pa.float64()


def test_ids_rounded_by_a_spreadsheet_are_reported() -> None:
    note = rounded_ids("ean", ["4012345678901", "4,01235E+12", "4,01235E+12"], ["c.csv:2", "c.csv:3", "c.csv:4"])
    assert note is not None
    assert note.startswith("note   2 of 3 ids in the column 'ean' have lost digits")
    assert "'4,01235E+12' in c.csv:3" in note
    assert rounded_ids("ean", ["12E3", "7"], ["c.csv:2", "c.csv:3"]) is None
