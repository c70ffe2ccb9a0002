"""The cells of a CSV file, which are text, as columns of numbers where they are numbers."""

import re
from collections.abc import Sequence

import pyarrow as pa

# As people write them in tables. 007 and +49 are no numbers but names that a number would spoil.
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def typed_column(cells: Sequence[str]) -> pa.Array:
    """Cells of one column as int64, double or, where one of them is no number, string; an empty cell is null.

    A column of empty cells is text.
    """
    filled = [cell for cell in cells if cell]
    if filled and all(map(_WHOLE.fullmatch, filled)):
        return pa.array([int(cell) if cell else None for cell in cells], pa.int64())
    if filled and all(map(_DECIMAL.fullmatch, filled)):
        return pa.array([float(cell) if cell else None for cell in cells], pa.float64())
    return pa.array([cell or None for cell in cells], pa.string())
