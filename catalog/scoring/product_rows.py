"""The value of a source column for a product that has several rows, such as one for each size."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from fashion.tables.columns import STOCK_COLUMNS, is_usual
from fashion.tables.stock_texts import IN_STOCK, spellings


def product_rows(column: str, values: pa.Array, ids: Sequence[str]) -> pa.Array:
    """For each row, the position of the row that has its product's value: the first that is not empty.

    In a column of stocks it is the best: a product is in stock if one of its sizes is. Numbers are not added up, since
    rows of further photographs repeat them.

    Args:
        column: its name.
        values: (N,), of each row.
        ids: (N,), of the row's product.
    """
    rank = _stock_rank(values.type) if is_usual(column, STOCK_COLUMNS) else None
    chosen: dict[str, int] = {}
    cells = values.to_pylist() if rank else []
    for row, (name, is_filled) in enumerate(zip(ids, values.is_valid().to_numpy(zero_copy_only=False), strict=True)):
        if is_filled and (name not in chosen or (rank and rank(cells[row]) > rank(cells[chosen[name]]))):
            chosen[name] = row
    return pa.array([chosen.get(name, row) for row, name in enumerate(ids)], pa.int64())


def _stock_rank(kind: pa.DataType) -> Callable[[object], float] | None:
    """How much a cell of this type says that a product is in stock; None for types that do not say it."""
    if pa.types.is_string(kind):
        texts = frozenset(spellings(IN_STOCK))
        return lambda cell: cell in texts
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return float if is_number else None  # type: ignore[return-value]
