"""Join scored photographs to products: a product's row is complete when its last photograph is scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from catalog.scored.columns import (
    EMBEDDING,
    ID,
    IMAGE,
    LOGITS,
    PHOTOGRAPHS,
    PROBABILITIES,
    VIEWS,
    gate_columns,
    vector_rows,
)
from catalog.scoring.answer_columns import answer_columns
from catalog.scoring.scorer import REASON
from catalog.scoring.source import LAST
from fashion.model_card import ModelCard
from fashion.prediction import Prediction
from fashion.views import combine_predictions


@dataclass
class _Waiting:
    """A product with outstanding rows."""

    rows: int  # outstanding
    photographs: list[pa.Table] = field(default_factory=list)


class ProductJoiner:
    """Join the photographs of each product, see `fashion.views`.

    Args:
        card: of the model.
        profile: name of the thresholds that choose the answered attributes; None is the card's default.
        rows: by id, the number of source rows of each product that has more than one.
        several: whether products may have several photographs; if not, photographs pass through unchanged.
    """

    def __init__(self, card: ModelCard, profile: str | None, rows: Mapping[str, int], several: bool) -> None:
        self._card, self._profile = card, profile
        self._rows, self._several = rows, several
        self._waiting: dict[str, _Waiting] = {}

    def take(self, table: pa.Table) -> pa.Table:
        """Add scored photographs; return the products that they complete, with the columns of `table_schema`.

        Photographs that were left out (see `catalog.scoring.scorer.Scorer`) are only counted. A product whose
        photographs were all left out is dropped.
        """
        good = pa.array([reason is None for reason in table[REASON].to_pylist()], pa.bool_())
        if not self._several:
            return table.filter(good)
        complete = []
        marks = zip(table[ID].to_pylist(), table[LAST].to_pylist(), good.to_pylist(), strict=True)
        for position, (name, last, scored) in enumerate(marks):
            product = self._waiting.setdefault(name, _Waiting(self._rows.get(name, 1)))
            if scored:
                product.photographs.append(table.slice(position, 1))
            product.rows -= last
            if not product.rows:
                del self._waiting[name]
                if product.photographs:
                    complete.append(product.photographs)
        return self._products(complete, table)

    def _products(self, products: list[list[pa.Table]], like: pa.Table) -> pa.Table:
        """One row per product, from the list of its photographs."""
        firsts = [photographs[0] for photographs in products]
        rows = pa.concat_tables(firsts).combine_chunks() if firsts else like.slice(0, 0)
        several = [i for i, photographs in enumerate(products) if len(photographs) > 1]
        views: list[pa.Table | None] = [None] * len(products)
        for i in several:
            views[i] = pa.concat_tables(products[i]).combine_chunks()
        images = [None if view is None else view[IMAGE].to_pylist() for view in views]
        embeddings = [None if view is None else list(_vectors(view, EMBEDDING)) for view in views]
        size = like.schema.field(EMBEDDING).type.list_size
        rows = rows.append_column(PHOTOGRAPHS, pa.array(images, pa.list_(pa.string())))
        rows = rows.append_column(VIEWS, pa.array(embeddings, pa.list_(pa.list_(pa.float16(), size))))
        if not several:
            return rows
        joint = [
            combine_predictions(predictions_of(view, self._card), self._card) for view in views if view is not None
        ]
        answers = answer_columns(self._card, joint, size, self._profile)
        # Append the joint answers to each column, then take the rows of products with several photographs from them.
        order = np.arange(len(products))
        order[several] = len(products) + np.arange(len(several))
        for name, column in answers.items():
            both = pa.chunked_array([*rows[name].chunks, column.cast(rows[name].type)])
            rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), both.take(order))
        return rows


def predictions_of(rows: pa.Table, card: ModelCard) -> list[Prediction]:
    """Rebuild the predictions of scored photographs from their columns."""
    gates = [rows[name].to_numpy() for name in gate_columns(card.gates)]
    vectors = zip(
        *(_vectors(rows, name).astype(np.float32) for name in (LOGITS, PROBABILITIES, EMBEDDING)), strict=True
    )
    found = []
    for i, (logits, probabilities, embedding) in enumerate(vectors):
        applies = np.array([gate[i] for gate in gates[: len(card.gates.applies)]], np.float32)
        product = float(gates[-1][i]) if card.gates.product else None
        found.append(Prediction(logits, probabilities, embedding, applies=applies, product=product))
    return found


def _vectors(rows: pa.Table, name: str) -> np.ndarray:
    return vector_rows(rows[name].combine_chunks())
