"""Evaluate filters on a scored catalog without an index, on batches of rows."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.filters.columns import (
    ATTRIBUTE,
    ID,
    ID_COLUMN,
    Column,
    Columns,
    Kind,
    group_column,
    kind_of,
    point_id,
    source_column,
)
from catalog.filters.conditions import Bound
from catalog.filters.where import FilterParser
from catalog.scored.columns import ATTRIBUTE as ATTRIBUTE_COLUMN
from catalog.scored.table import Scored

MOMENT = pa.timestamp("us", "UTC")
COMPARE = {"gt": pc.greater, "gte": pc.greater_equal, "lt": pc.less, "lte": pc.less_equal}


def kinds(scored: Scored) -> dict[str, Kind | None]:
    """The kinds of the source columns; empty for an empty catalog."""
    return {n: kind_of(scored.schema.field(n).type) for n in scored.manifest.columns if n in scored.schema.names}


def columns_of(scored: Scored) -> Columns:
    """The columns of a scored catalog that filters can name, with or without an index."""
    taxonomy = scored.manifest.taxonomy
    groups = [group_column(group, taxonomy.names(group)) for group in taxonomy.groups]
    own = [source_column(name, kind) for name, kind in kinds(scored).items() if kind]
    return Columns([*groups, *own, ID_COLUMN])


class RowFilter:
    """A filter on batches of a scored catalog.

    Attributes:
        needed: columns that a batch must have.
    """

    def __init__(self, text: str, scored: Scored) -> None:
        """Parse a filter. Raises `catalog.filters.where.FilterError` if it is invalid."""
        parser = FilterParser(text, columns_of(scored))
        self._condition = parser.parse()
        self.needed = list(dict.fromkeys(map(_stored_name, parser.named)))

    def keeps(self, batch: pa.RecordBatch) -> np.ndarray:
        """Which rows of a batch pass the filter, bool (rows,)."""
        return self._condition.build(ArrowBuilder(batch))


class ArrowBuilder:
    """A `catalog.filters.conditions.Builder` that evaluates conditions on a batch: bool (rows,) each.

    Missing values are the same as in payloads (see `catalog.filters.columns.payload_value`): null, empty text, a list
    of empty values, and a number that is not finite.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch

    def all_of(self, conditions: Sequence[np.ndarray]) -> np.ndarray:
        return reduce(np.logical_and, conditions, np.ones(len(self._batch), bool))

    def any_of(self, conditions: Sequence[np.ndarray]) -> np.ndarray:
        return reduce(np.logical_or, conditions, np.zeros(len(self._batch), bool))

    def none_of(self, conditions: Sequence[np.ndarray]) -> np.ndarray:
        return ~self.any_of(conditions)

    def has_value(self, column: Column, values: Sequence[str]) -> np.ndarray:
        texts, rows = self._texts(column)
        return self._any(rows[_mask(pc.is_in(texts, pa.array(values, texts.type)))])

    def between(self, column: Column, bounds: Mapping[str, Bound]) -> np.ndarray:
        kept = ~self.missing(column)
        values = self._times(column) if column.kind == "date" else self._numbers(column)
        return self.all_of([kept, *(_mask(COMPARE[name](values, bound)) for name, bound in bounds.items())])

    def missing(self, column: Column) -> np.ndarray:
        if column.kind in ("label", "text"):
            texts, rows = self._texts(column)
            return ~self._any(rows[_mask(pc.not_equal(texts, pa.scalar("", texts.type)))])
        if column.kind == "number":
            return ~_mask(pc.is_finite(self._numbers(column)))
        return ~_mask(self._column(column).is_valid())

    def with_ids(self, ids: Sequence[str]) -> np.ndarray:
        return np.array([point_id(id) in ids for id in self._batch.column(ID).to_pylist()], bool)

    def _column(self, column: Column) -> pa.Array:
        return _decoded(self._batch.column(_stored_name(column)))

    def _numbers(self, column: Column) -> pa.Array:
        return self._column(column).cast(pa.float64(), safe=False)

    def _times(self, column: Column) -> pa.Array:
        times = self._column(column)
        if not (pa.types.is_timestamp(times.type) and times.type.tz):
            times = pc.assume_timezone(times.cast(pa.timestamp("us"), safe=False), "UTC")
        return times.cast(MOMENT, safe=False)

    def _texts(self, column: Column) -> tuple[pa.Array, np.ndarray]:
        """The texts of a column, lists flattened, and the row of each."""
        texts = self._column(column)
        rows = np.arange(len(texts))
        if pa.types.is_list(texts.type) or pa.types.is_large_list(texts.type):
            rows = pc.list_parent_indices(texts).to_numpy()
            texts = _decoded(pc.list_flatten(texts))
        return texts.cast(pa.large_string()), rows

    def _any(self, rows: np.ndarray) -> np.ndarray:
        """A mask, bool (rows of the batch,), of the rows that occur."""
        found = np.zeros(len(self._batch), bool)
        found[rows] = True
        return found


def _decoded(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _mask(found: Any) -> np.ndarray:
    """Convert Arrow booleans to numpy; null becomes false."""
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)


def _stored_name(column: Column) -> str:
    """The scored table's name of a filter column."""
    return ATTRIBUTE_COLUMN + column.name if column.place[0] == ATTRIBUTE else column.name
