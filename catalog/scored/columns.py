"""The columns of a scored catalog's parts: their names, and vectors in them."""

import numpy as np
import pyarrow as pa

from fashion.gates import Gates

ID, IMAGE = "id", "image"
PROBABILITIES, LOGITS, EMBEDDING = "probabilities", "logits", "embedding"
ATTRIBUTE = "attribute."  # and the name of a group: the column of its answered attributes
APPLIES_COLUMN = "applies."  # and the name of a group that has a gate: the column of the probability that it applies
PRODUCT_COLUMN = "product.probability"  # not "product": shops have columns of that name
# Of catalogs in which products have several photographs, null for those that have one: where they are, in the order of
# the source, and the embedding of each.
PHOTOGRAPHS, VIEWS = "photographs.image", "photographs.embedding"


def gate_columns(gates: Gates) -> list[str]:
    """The columns of the gates' probabilities, in the order of the gates."""
    return [APPLIES_COLUMN + group for group in gates.applies] + [PRODUCT_COLUMN] * gates.product


def vector_rows(column: pa.Array) -> np.ndarray:
    """A column of vectors, fixed_size_list<halffloat>, as float16 (rows, length)."""
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)


def vector_column(rows: np.ndarray) -> pa.Array:
    """The inverse of `vector_rows`: float (rows, length), rounded to float16."""
    flat = np.ascontiguousarray(rows, dtype=np.float16).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), rows.shape[1])


def views_of(cell: pa.Scalar) -> np.ndarray | None:
    """The embeddings of a product's photographs, a cell of `VIEWS`, as float16 (V, E); None of a single one."""
    return vector_rows(cell.values) if cell.is_valid else None
