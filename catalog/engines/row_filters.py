"""Build filters for an index in a folder: functions that say for each row of its table whether it passes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np

from catalog.engines.point_table import PointTable
from catalog.filters.columns import Column
from catalog.filters.conditions import Bound

RowTest = Callable[[PointTable], np.ndarray]  # -> bool (slots,); rows that are not in use may be true


class RowTests:
    """See `catalog.filters.conditions.Builder`. A comparison with a missing value is false."""

    def all_of(self, conditions: Sequence[RowTest]) -> RowTest:
        return lambda table: _joined(np.logical_and, conditions, table, True)

    def any_of(self, conditions: Sequence[RowTest]) -> RowTest:
        return lambda table: _joined(np.logical_or, conditions, table, False)

    def none_of(self, conditions: Sequence[RowTest]) -> RowTest:
        return lambda table: ~_joined(np.logical_or, conditions, table, False)

    def has_value(self, column: Column, values: Sequence[str]) -> RowTest:
        return lambda table: _mask(table, table.rows_with(column.key, values))

    def between(self, column: Column, bounds: Mapping[str, Bound]) -> RowTest:
        limits = {name: bound.timestamp() if isinstance(bound, datetime) else bound for name, bound in bounds.items()}

        def test(table: PointTable) -> np.ndarray:
            numbers, rows = table.numbers(column.key)
            start, end = 0, len(numbers)
            for name, bound in limits.items():
                place = int(np.searchsorted(numbers, bound, "right" if name in ("gt", "lte") else "left"))
                if name in ("gt", "gte"):
                    start = max(start, place)
                else:
                    end = min(end, place)
            return _mask(table, rows[start:end])

        return test

    def missing(self, column: Column) -> RowTest:
        return lambda table: ~table.mask(column.key)

    def with_ids(self, ids: Sequence[str]) -> RowTest:
        return lambda table: _mask(table, table.rows_of(ids))


def _mask(table: PointTable, rows: np.ndarray | Sequence[int]) -> np.ndarray:
    mask = np.zeros(table.slots, bool)
    mask[rows] = True
    return mask


def _joined(join: np.ufunc, conditions: Sequence[RowTest], table: PointTable, start: bool) -> np.ndarray:
    mask = np.full(table.slots, start)
    for condition in conditions:
        join(mask, condition(table), out=mask)
    return mask
