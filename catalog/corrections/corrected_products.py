"""Training data of a refit: logits of the corrected products with the corrections as targets."""

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

LEAST = 30  # minimum number of products with a confirmed label; with fewer, folds are too small for cross-validation
# Queues whose cells are a representative sample of the catalog. `new` is not one: of each product it shows the least
# certain group, which has several times the errors of the others.
REPRESENTATIVE = (RANDOM,)
BLIND = (UNCERTAIN, BATCHES, NEW, *REPRESENTATIVE)  # queues whose choice depends only on the model's answers


@dataclass(frozen=True)
class CorrectedProducts:
    """Model outputs and corrections of N products.

    Attributes:
        taxonomy, gates, gate_thresholds: of the model.
        logits: float32 (N, A).
        gate_probabilities: float32 (N, K), the probabilities of the gates.
        targets: int8 (N, A): 1 yes, 0 no, -1 not annotated.
        representative_targets: `targets` from representative queues only; -1 elsewhere.
    """

    taxonomy: Taxonomy
    gates: Gates
    gate_thresholds: dict[str, Any]
    logits: np.ndarray
    gate_probabilities: np.ndarray
    targets: np.ndarray
    representative_targets: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "CorrectedProducts":
        """A subset of the products."""
        parts = (self.logits, self.gate_probabilities, self.targets, self.representative_targets)
        return CorrectedProducts(self.taxonomy, self.gates, self.gate_thresholds, *(part[rows] for part in parts))

    @property
    def representative_count(self) -> int:
        """Number of products from representative queues with a confirmed label."""
        return int((self.representative_targets == YES).any(axis=1).sum())

    def probabilities(self, calibration: Calibration) -> np.ndarray:
        """Calibrated probabilities times those of the gates, float32 (N, A); 0 for labels that a gate suppresses."""
        own = calibrated(self.logits, self.taxonomy, calibration) * self.gates.factors(
            self.gate_probabilities, self.taxonomy
        )
        thresholds = self.gates.threshold_row(self.gate_thresholds)
        return np.where(self.gates.answerable(self.gate_probabilities, thresholds, self.taxonomy), own, np.float32(0))


def corrected_products(scored: Scored, card: ModelCard) -> CorrectedProducts:
    """The corrected products of a catalog that a queue of `BLIND` led to.

    Args:
        scored: the catalog.
        card: of the model that scored it.

    Raises:
        DataError: there are fewer than `LEAST`.
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
            f"{count} of the {len(known)} corrected products of {scored.folder} have a confirmed label and came "
            f"from one of the queues {', '.join(BLIND)}; a refit needs {LEAST}, and does not use other products, "
            "because most of those were wrong"
        )
    ids = rows[ID].to_pylist()
    logits = vector_rows(rows[LOGITS].combine_chunks()).astype(np.float32)
    seen = stack_columns(
        [rows[name].combine_chunks().to_numpy(zero_copy_only=False) for name in gate_columns(card.gates)], count
    )
    latest = target_rows(known, ids, card.taxonomy)  # whatever led to these verdicts
    targets, representative = (
        np.where(target_rows(part, ids, card.taxonomy) != NOT_ANNOTATED, latest, np.int8(NOT_ANNOTATED))
        for part in (blind, like_the_rest)
    )
    return CorrectedProducts(card.taxonomy, card.gates, card.gate_thresholds, logits, seen, targets, representative)


def stack_columns(columns: list[np.ndarray], rows: int) -> np.ndarray:
    """Stack columns into an array (rows, K); K may be 0."""
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), np.float32)
