"""Column names of a scored catalog's parts, and conversion of vector columns."""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fashion.gates import Gates
from fashion.taxonomy import Taxonomy

ID, IMAGE = "id", "image"
PROBABILITIES, LOGITS, EMBEDDING = "probabilities", "logits", "embedding"
ATTRIBUTE = "attribute."  # prefix of a group's name: its answered attributes
APPLIES_COLUMN = "applies."  # prefix of the name of a group with a gate: the probability that it applies
PRODUCT_COLUMN = "product.probability"  # not "product", which is a usual column of shops
# Places and embeddings of a product's photographs, in source order; null for products with one photograph. Only in
# catalogs in which products may have several.
PHOTOGRAPHS, VIEWS = "photographs.image", "photographs.embedding"

# Prefix of a source column's name: the cells of its table that a conversion has changed, such as `10,90 €`; null for
# others. The parts have it beside the converted column, or in place of the column of photographs, whose cells `IMAGE`
# replaces by places. The manifest does not list it.
WRITTEN = "fashion.written."


def gate_columns(gates: Gates) -> list[str]:
    """The columns of the gates' probabilities, in the order of the gates."""
    return [APPLIES_COLUMN + group for group in gates.applies] + [PRODUCT_COLUMN] * gates.product


def vector_rows(column: pa.Array) -> np.ndarray:
    """Convert a column of vectors, fixed_size_list<halffloat>, to float16 (rows, length)."""
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)


def answered_labels(batch: pa.RecordBatch, taxonomy: Taxonomy, groups: Sequence[str]) -> np.ndarray:
    """Which labels are answered, bool (rows, A); those of other groups than `groups` count as not answered."""
    answered = np.zeros((len(batch), len(taxonomy)), bool)
    for group in groups:
        cells = batch.column(ATTRIBUTE + group)
        places = pc.index_in(cells.flatten(), pa.array(taxonomy.names(group), pa.string()))
        known = places.is_valid().to_numpy(zero_copy_only=False)
        rows = pc.list_parent_indices(cells).to_numpy()[known]
        answered[rows, taxonomy.indices(group)[places.drop_null().to_numpy()]] = True
    return answered


def vector_column(rows: np.ndarray) -> pa.Array:
    """The inverse of `vector_rows`: float (rows, length), rounded to float16."""
    flat = np.ascontiguousarray(rows, dtype=np.float16).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), rows.shape[1])


def with_decimals(rows: pa.RecordBatch, names: Collection[str]) -> pa.RecordBatch:
    """Convert the short floats among some columns to float64, as they are written: 19.99, not 19.989999771118164."""
    arrays = [
        _decimals(column) if name in names else column for name, column in zip(rows.schema.names, rows, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=decimal_schema(rows.schema, names))


def decimal_schema(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """The schema after `with_decimals`."""
    for place, field in enumerate(schema):
        if field.name in names and _is_short(field.type):
            schema = schema.set(place, field.with_type(pa.float64()))
    return schema


def _decimals(column: pa.Array) -> pa.Array:
    if not _is_short(column.type):
        return column
    texts = column.to_numpy(zero_copy_only=False).astype(str)  # the shortest decimal that is rounded to the number
    return pa.array(texts, mask=column.is_null().to_numpy(zero_copy_only=False)).cast(pa.float64())


def _is_short(kind: pa.DataType) -> bool:
    return pa.types.is_float32(kind) or pa.types.is_float16(kind)


def views_of(cell: pa.Scalar) -> np.ndarray | None:
    """Convert a cell of `VIEWS` to float16 (V, E); None for a product with one photograph."""
    return vector_rows(cell.values) if cell.is_valid else None
