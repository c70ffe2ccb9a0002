"""Calibration and thresholds that were fitted anew on corrections, as the store of corrections keeps them."""

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
    """What takes the place of the model card's calibration and thresholds in one catalog.

    Attributes:
        weights: of the model that it is for; another model's answers are not changed by it.
        profile: whose thresholds they are: the one that the catalog was scored with.
        calibration: by group, as a model card holds it.
        thresholds: (A,), for calibrated probabilities times those of gates.
        gates, gate_thresholds: of the model, as its card holds them; they are not fitted anew.
    """

    weights: str
    profile: str
    calibration: dict[str, dict[str, Any]]
    thresholds: list[float]
    gates: dict[str, Any]
    gate_thresholds: dict[str, Any]

    def probabilities(self, logits: np.ndarray, gates: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """Probabilities, float32 (N, A), of logits (N, A) and the probabilities of the gates (N, K)."""
        own = calibrated(logits.astype(np.float32), taxonomy, self.calibration)
        return own * self.read_gates(taxonomy).factors(gates, taxonomy)

    def answered(self, probabilities: np.ndarray, gates: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """What is answered of probabilities (N, A), where the gates have (N, K): bool (N, A)."""
        own = self.read_gates(taxonomy)
        answerable = own.answerable(gates, own.threshold_row(self.gate_thresholds), taxonomy)
        return (probabilities >= np.asarray(self.thresholds, np.float32)) & answerable

    def read_gates(self, taxonomy: Taxonomy) -> Gates:
        """The gates of the model."""
        return Gates.from_json(self.gates, taxonomy.groups)

    def on_card(self, card: ModelCard) -> ModelCard:
        """A model card with what was fitted; one of another model stays as it is."""
        if card.weights_id != self.weights:
            return card
        thresholds = card.thresholds | {self.profile: list(self.thresholds)}
        return replace(card, calibration=self.calibration, thresholds=thresholds)

    def to_json(self) -> str:
        """As an entry of the store holds it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_entry(cls, entry: Entry) -> "Refit":
        """The inverse of `to_json`. Raises DataError for anything else."""
        try:
            return cls(**json.loads(entry.content))
        except (ValueError, TypeError) as error:
            raise DataError(f"entry {entry.number} of the corrections holds no refit: {error!r}") from None


def refit_in_force(entries: Sequence[Entry], weights: str) -> Refit | None:
    """The last refit that nobody took back, of the model with these weights; None where there is none.

    Args:
        entries: those in force, see `catalog.scored.correction_store.in_force`.
        weights: of the catalog's model.
    """
    found = next((Refit.from_entry(entry) for entry in reversed(entries) if entry.verdict == REFIT), None)
    return found if found and found.weights == weights else None
