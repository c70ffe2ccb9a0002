"""Photographs that are scored -> products: a product's row is written when the last of its photographs is scored."""

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
from fashion.views import joined


@dataclass
class _Waiting:
    """A product some of whose rows are still to come."""

    rows: int
    photographs: list[pa.Table] = field(default_factory=list)


class ProductJoiner:
    """Joins the photographs of each product, see `fashion.views`.

    Args:
        card: of the model that scores.
        profile: what the answered attributes reach; None is the card's default.
        rows: by id how many rows of the source are to come of a product, where they are more than one.
        several: whether any product may have several photographs; otherwise what comes goes on as it is.
    """

    def __init__(self, card: ModelCard, profile: str | None, rows: Mapping[str, int], several: bool) -> None:
        self._card, self._profile = card, profile
        self._rows, self._several = rows, several
        self._waiting: dict[str, _Waiting] = {}

    def take(self, table: pa.Table) -> pa.Table:
        """The products that scored photographs complete, in the columns of `catalog.scored.table.table_schema`.

        Those that were left out (see `catalog.scoring.scorer.Scorer`) only count; a product of none but such is none.
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
        """A row for each list of photographs."""
        firsts = [photographs[0] for photographs in products]
        rows = pa.concat_tables(firsts).combine_chunks() if firsts else like.slice(0, 0)
        several = [i for i, photographs in enumerate(products) if len(photographs) > 1]
        views: list[pa.Table | None] = [None] * len(products)
        for i in several:
            views[i] = pa.concat_tables(products[i]).combine_chunks()
        images = [None if of is None else of[IMAGE].to_pylist() for of in views]
        embeddings = [None if of is None else list(_vectors(of, EMBEDDING)) for of in views]
        size = like.schema.field(EMBEDDING).type.list_size
        rows = rows.append_column(PHOTOGRAPHS, pa.array(images, pa.list_(pa.string())))
        rows = rows.append_column(VIEWS, pa.array(embeddings, pa.list_(pa.list_(pa.float16(), size))))
        if not several:
            return rows
        joint = [joined(predictions_of(of, self._card), self._card) for of in views if of is not None]
        answers = answer_columns(self._card, joint, size, self._profile)
        # Rows of several photographs come from the joint answers, behind all others, and go to their places.
        order = np.arange(len(products))
        order[several] = len(products) + np.arange(len(several))
        for name, column in answers.items():
            both = pa.chunked_array([*rows[name].chunks, column.cast(rows[name].type)])
            rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), both.take(order))
        return rows


def predictions_of(rows: pa.Table, card: ModelCard) -> list[Prediction]:
    """What the model says of scored photographs, from their columns."""
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
