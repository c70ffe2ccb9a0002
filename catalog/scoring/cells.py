"""The cells of a CSV file, which are text, as columns of numbers or dates where they are such."""

import re
from collections.abc import Sequence
from datetime import date

import pyarrow as pa

# As people write them in tables. 007 and +49 are no numbers but names that a number would spoil.
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def typed_column(cells: Sequence[str]) -> pa.Array:
    """Cells of one column as int64, double, date32 (of 2026-05-01) or, where one of them is none, string.

    An empty cell is null.

    A column of empty cells is text.
    """
    filled = [cell for cell in cells if cell]
    if filled and all(map(_WHOLE.fullmatch, filled)):
        return pa.array([int(cell) if cell else None for cell in cells], pa.int64())
    if filled and all(map(_DECIMAL.fullmatch, filled)):
        return pa.array([float(cell) if cell else None for cell in cells], pa.float64())
    if filled and all(map(_is_date, filled)):
        return pa.array([date.fromisoformat(cell) if cell else None for cell in cells], pa.date32())
    return pa.array([cell or None for cell in cells], pa.string())


def _is_date(cell: str) -> bool:
    if not _DATE.fullmatch(cell):
        return False
    try:
        date.fromisoformat(cell)
    except ValueError:  # such as February 30
        return False
    return True
