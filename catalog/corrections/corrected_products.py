"""What the model says of a catalog's corrected products, beside what people say: what a refit learns from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.corrections.queues import BATCHES, NEW, RANDOM, UNCERTAIN
from catalog.scored.columns import ID, LOGITS, gate_columns, vector_rows
from catalog.scored.table import Scored
from catalog.scored.verdicts import target_rows, verdicts
from fashion.calibration import Calibration, calibrated
from fashion.errors import DataError
from fashion.gates import Gates
from fashion.model_card import ModelCard
from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

LEAST = 30  # corrected products with a label that is right; of fewer, folds hold too few to judge anything
REPRESENTATIVE = (NEW, RANDOM)  # queues whose products are like the rest
BLIND = (UNCERTAIN, BATCHES, *REPRESENTATIVE)  # and those that choose by what the model says alone


@dataclass(frozen=True)
class Corrected:
    """What the model says of N corrected products, and what people say.

    Attributes:
        taxonomy, gates, gate_thresholds: of the model.
        logits: float32 (N, A).
        seen: float32 (N, K), the probabilities of the gates.
        targets: int8 (N, A), 1 yes, 0 no, -1 nobody said.
        representative: the same of what stands for the whole catalog, -1 elsewhere.
    """

    taxonomy: Taxonomy
    gates: Gates
    gate_thresholds: dict[str, Any]
    logits: np.ndarray
    seen: np.ndarray
    targets: np.ndarray
    representative: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "Corrected":
        """Those of some products."""
        parts = (self.logits, self.seen, self.targets, self.representative)
        return Corrected(self.taxonomy, self.gates, self.gate_thresholds, *(part[rows] for part in parts))

    @property
    def represents(self) -> int:
        """How many products stand for the whole catalog."""
        return int((self.representative == YES).any(axis=1).sum())

    def probabilities(self, calibration: Calibration) -> np.ndarray:
        """Calibrated and with gates, float32 (N, A), 0 for labels that gates keep from being answered."""
        own = calibrated(self.logits, self.taxonomy, calibration) * self.gates.factors(self.seen, self.taxonomy)
        thresholds = self.gates.threshold_row(self.gate_thresholds)
        return np.where(self.gates.answerable(self.seen, thresholds, self.taxonomy), own, np.float32(0))


def corrected_products(scored: Scored, card: ModelCard) -> Corrected:
    """The products of a catalog that people said something of, found by a queue of `BLIND`.

    Args:
        scored: the catalog.
        card: of the model that scored it.

    Raises:
        DataError: they are too few.
    """
    overlay = scored.overlay()
    entries = overlay.entries if overlay else []
    known = overlay.known if overlay else {}
    blind, like_the_rest = (
        verdicts([entry for entry in entries if entry.found_by in queues], card.taxonomy)
        for queues in (BLIND, REPRESENTATIVE)
    )
    useful = [id for id in blind if not known[id].not_product and (known[id].targets == YES).any()]
    rows = scored.rows_of(useful, [ID, LOGITS, *gate_columns(card.gates)], corrected=False) if useful else None
    count = rows.num_rows if rows else 0
    if rows is None or count < LEAST:
        raise DataError(
            f"{count} of the {len(known)} corrected products of {scored.folder} have a label that is right and came "
            f"from one of the queues {', '.join(BLIND)}; a refit needs {LEAST}, and learns nothing from what somebody "
            "came across, which is mostly what is wrong"
        )
    ids = rows[ID].to_pylist()
    logits = vector_rows(rows[LOGITS].combine_chunks()).astype(np.float32)
    seen = side_by_side(
        [rows[name].combine_chunks().to_numpy(zero_copy_only=False) for name in gate_columns(card.gates)], count
    )
    said = target_rows(known, ids, card.taxonomy)  # by the last word, whatever led to it
    targets, representative = (
        np.where(target_rows(part, ids, card.taxonomy) != NOT_ANNOTATED, said, np.int8(NOT_ANNOTATED))
        for part in (blind, like_the_rest)
    )
    return Corrected(card.taxonomy, card.gates, card.gate_thresholds, logits, seen, targets, representative)


def side_by_side(columns: list[np.ndarray], rows: int) -> np.ndarray:
    """Columns beside each other, (rows, K), also where there are none."""
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), np.float32)
