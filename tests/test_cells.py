"""catalog.scoring.cells."""

import datetime

import pyarrow as pa
import pytest

from catalog.scoring.cells import typed_column


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "", "-20"], pa.int64(), [1, None, -20]),
        (["1", "2.5", "1e3"], pa.float64(), [1.0, 2.5, 1000.0]),
        (["007", "1"], pa.string(), ["007", "1"]),
        (["2026-05-01", "", "2024-02-29"], pa.date32(), [datetime.date(2026, 5, 1), None, datetime.date(2024, 2, 29)]),
        (["2026-05-01", "2026-02-30"], pa.string(), ["2026-05-01", "2026-02-30"]),
        (["2026-05", "2026-06"], pa.string(), ["2026-05", "2026-06"]),
        (["", ""], pa.string(), [None, None]),
    ],
)
def test_cells_are_what_all_of_them_are(cells: list[str], kind: pa.DataType, values: list[object]) -> None:
    column = typed_column(cells)
    assert column.type == kind
    assert column.to_pylist() == values
