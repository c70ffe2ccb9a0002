"""Convert predictions to the model's columns of a scored catalog."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from catalog.scored.columns import ATTRIBUTE, EMBEDDING, LOGITS, PROBABILITIES, gate_columns, vector_column
from fashion.answers import answered_mask
from fashion.model_card import ModelCard
from fashion.prediction import Prediction


def answer_columns(
    card: ModelCard, results: Sequence[Prediction | None], embedding: int, profile: str | None = None
) -> dict[str, pa.Array]:
    """The model's columns of a scored catalog, by name.

    Args:
        card: of the model.
        results: the prediction of each row; the vectors of a row without one are zeros.
        embedding: length of an embedding.
        profile: name of the thresholds that choose the answered attributes; None is the card's default.
    """
    stacked = {PROBABILITIES: len(card.labels), LOGITS: len(card.labels), EMBEDDING: embedding}
    values = {name: np.zeros((len(results), size), np.float32) for name, size in stacked.items()}
    for i, result in enumerate(results):
        if result is not None:
            for name, rows in values.items():
                rows[i] = getattr(result, name)
    columns = {name: vector_column(rows) for name, rows in values.items()}
    none = np.zeros(len(card.gates), np.float32)
    gates = np.stack([none if result is None else result.gates for result in results])
    columns |= {name: pa.array(gates[:, i]) for i, name in enumerate(gate_columns(card.gates))}
    probabilities = values[PROBABILITIES]
    chosen = answered_mask(card, probabilities, profile, gates)
    for group in card.taxonomy.groups:
        indices = card.taxonomy.indices(group)
        cells = []
        for row, picked in zip(probabilities, chosen, strict=True):
            falling = indices[np.argsort(-row[indices], kind="stable")]
            cells.append([card.labels[i].name for i in falling if picked[i]])
        columns[ATTRIBUTE + group] = pa.array(cells, pa.list_(pa.string()))
    return columns
