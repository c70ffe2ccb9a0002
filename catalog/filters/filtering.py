"""Filters on a scored catalog, without an index: its rows are read and asked one by one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.filters.columns import (
    ATTRIBUTE,
    ID,
    SOURCE,
    Column,
    Columns,
    Kind,
    group_column,
    kind_of,
    payload_value,
    source_column,
)
from catalog.filters.conditions import And, Between, Condition, Missing, Not, OneOf, Or
from catalog.filters.where import parse
from catalog.scored.table import ATTRIBUTE as ATTRIBUTE_COLUMN
from catalog.scored.table import Scored


def kinds(scored: Scored) -> dict[str, Kind | None]:
    """The kinds of the catalog's own columns; an empty catalog has none."""
    return {n: kind_of(scored.schema.field(n).type) for n in scored.manifest.columns if n in scored.schema.names}


def columns_of(scored: Scored) -> Columns:
    """What filters can name of a scored catalog, with or without an index."""
    taxonomy = scored.manifest.taxonomy
    groups = [group_column(group, taxonomy.names(group)) for group in taxonomy.groups]
    own = [source_column(name, kind) for name, kind in kinds(scored).items() if kind]
    return Columns([*groups, *own, Column(ID, "text", (ID,))])


class RowFilter:
    """A filter that is asked of batches of a scored catalog.

    Attributes:
        needed: columns that a batch must have.
    """

    def __init__(self, text: str, scored: Scored) -> None:
        """Read a filter. Raises `catalog.filters.where.FilterError` for one that cannot be read."""
        self._condition = parse(text, columns_of(scored))
        self._stored = {column: _stored_name(column) for column in _columns_in(self._condition)}
        self.needed = list(dict.fromkeys(self._stored.values()))

    def keeps(self, batch: pa.RecordBatch) -> np.ndarray:
        """Which rows of a batch the filter keeps, bool (rows,)."""
        cells = {name: batch.column(name).to_pylist() for name in self.needed}
        payload: dict[str, Any] = {ATTRIBUTE: {}, SOURCE: {}}
        kept = np.zeros(len(batch), bool)
        for row in range(len(batch)):
            for column, name in self._stored.items():
                place: Any = payload
                for key in column.place[:-1]:
                    place = place[key]
                place[column.place[-1]] = payload_value(cells[name][row])
            kept[row] = self._condition.matches(payload)
        return kept


def _columns_in(condition: Condition) -> Iterator[Column]:
    match condition:
        case OneOf() | Between() | Missing():
            yield condition.column
        case Not():
            yield from _columns_in(condition.condition)
        case And() | Or():
            for part in condition.conditions:
                yield from _columns_in(part)


def _stored_name(column: Column) -> str:
    """The column of the scored table that a filter's column is read from."""
    return ATTRIBUTE_COLUMN + column.name if column.place[0] == ATTRIBUTE else column.name
