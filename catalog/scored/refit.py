"""Calibration and thresholds refitted on corrections, as stored with the corrections."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from catalog.scored.correction_store import REFIT, Entry
from fashion.calibration import calibrated
from fashion.errors import DataError
from fashion.gates import Gates
from fashion.model_card import ModelCard
from fashion.taxonomy import Taxonomy


@dataclass(frozen=True)
class Refit:
    """Calibration and thresholds that replace those of the model card for one catalog.

    Attributes:
        weights: of the model that it applies to; it does not affect the answers of another.
        profile: the profile of the thresholds, which is that of the catalog.
        calibration: by group, as in a model card.
        thresholds: (A,), for calibrated probabilities multiplied by those of the gates.
        gates, gate_thresholds: of the model, as in its card; not refitted.
    """

    weights: str
    profile: str
    calibration: dict[str, dict[str, Any]]
    thresholds: list[float]
    gates: dict[str, Any]
    gate_thresholds: dict[str, Any]

    def probabilities(self, logits: np.ndarray, gates: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """Probabilities, float32 (N, A), from logits (N, A) and gate probabilities (N, K)."""
        own = calibrated(logits.astype(np.float32), taxonomy, self.calibration)
        return own * self.read_gates(taxonomy).factors(gates, taxonomy)

    def answered(self, probabilities: np.ndarray, gates: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """Which labels are answered, bool (N, A), from probabilities (N, A) and gate probabilities (N, K)."""
        own = self.read_gates(taxonomy)
        answerable = own.answerable(gates, own.threshold_row(self.gate_thresholds), taxonomy)
        return (probabilities >= np.asarray(self.thresholds, np.float32)) & answerable

    def read_gates(self, taxonomy: Taxonomy) -> Gates:
        """The gates of the model."""
        return Gates.from_json(self.gates, taxonomy.groups)

    def on_card(self, card: ModelCard) -> ModelCard:
        """The model card with this calibration and these thresholds; unchanged for another model."""
        if card.weights_id != self.weights:
            return card
        thresholds = card.thresholds | {self.profile: list(self.thresholds)}
        return replace(card, calibration=self.calibration, thresholds=thresholds)

    def to_json(self) -> str:
        """The refit as stored in an entry."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_entry(cls, entry: Entry) -> "Refit":
        """The inverse of `to_json`. Raises DataError for other content."""
        try:
            return cls(**json.loads(entry.content))
        except (ValueError, TypeError) as error:
            raise DataError(f"entry {entry.number} of the corrections holds no refit: {error!r}") from None


def refit_in_force(entries: Sequence[Entry], weights: str) -> Refit | None:
    """The last refit that was not undone, if it is for the model with these weights; otherwise None.

    Args:
        entries: those in force, see `catalog.scored.correction_store.in_force`.
        weights: of the catalog's model.
    """
    found = next((Refit.from_entry(entry) for entry in reversed(entries) if entry.verdict == REFIT), None)
    return found if found and found.weights == weights else None
