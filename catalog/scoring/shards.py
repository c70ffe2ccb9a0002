"""Parquet files that are shards of one table: their common columns and types."""

from collections.abc import Sequence

import pyarrow as pa

from fashion.errors import DataError
from fashion.tables.parquet import ParquetTable
from fashion.tables.reading import require_columns


def shared_schema(tables: Sequence[ParquetTable]) -> pa.Schema:
    """The columns of the first shard, with types that hold the cells of all.

    pandas writes a column that is empty in a shard as one of nulls, and integers with a gap as floats.

    Raises:
        DataError: a shard lacks a column, or has another type of cells.
    """
    first = tables[0]
    schema = first.schema
    for table in tables[1:]:
        require_columns(table, first.columns)
        for place, field in enumerate(schema):
            found = table.schema.field(field.name).type
            kind = _joint(field.type, found)
            if kind is None:
                raise DataError(
                    f"column {field.name!r} is {found} in {table.path} and {field.type} in {first.path}; make them the "
                    "same"
                )
            schema = schema.set(place, field.with_type(kind))
    return schema


def shaped(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cells of a shard with the type of `shared_schema`."""
    return cells if cells.type == kind else cells.cast(kind, safe=False)


def _joint(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """A type for the cells of both; None if there is none."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if not all(pa.types.is_integer(kind) or kind == pa.float64() for kind in (one, other)):
        return None
    return pa.float64() if pa.float64() in (one, other) else pa.int64()
