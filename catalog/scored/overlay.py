"""Apply corrections to the batches of a scored catalog as they are read."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from catalog.scored.columns import (
    APPLIES_COLUMN,
    ATTRIBUTE,
    ID,
    LOGITS,
    PROBABILITIES,
    PRODUCT_COLUMN,
    gate_columns,
    vector_column,
    vector_rows,
)
from catalog.scored.correction_store import CorrectionStore, in_force
from catalog.scored.refit import Refit, refit_in_force
from catalog.scored.score_manifest import Manifest
from catalog.scored.verdicts import ProductVerdict, verdicts
from fashion.taxonomy import NO, YES


class Overlay:
    """Snapshot of a catalog's corrections.

    A corrected label gets the probability 1 or 0 and is answered accordingly. A label confirmed as right also implies
    that its group applies and that the photograph shows a product. If it shows no product, nothing is answered. Logits
    and embeddings stay the model's.

    Attributes:
        last: number of the last entry included.
        entries: entries in force.
        known: verdicts on the corrected products, by id.
        refit: the refit of calibration and thresholds in force; None if the model's own apply.
    """

    def __init__(self, store: CorrectionStore, manifest: Manifest) -> None:
        entries = store.entries()
        self.last = entries[-1].number if entries else 0
        self.entries = in_force(entries)
        self.taxonomy = manifest.taxonomy
        self.known: dict[str, ProductVerdict] = verdicts(self.entries, self.taxonomy)
        self.refit: Refit | None = refit_in_force(self.entries, manifest.model["weights"])

    def needs(self, columns: Sequence[str]) -> list[str]:
        """The columns that must be read to correct these columns."""
        ours = [name for name in columns if _is_changed(name)]
        if not ours:
            return list(columns)
        needed = [*columns, ID]
        if self.refit and any(name == PROBABILITIES or name.startswith(ATTRIBUTE) for name in ours):
            needed += [LOGITS, *gate_columns(self.refit.read_gates(self.taxonomy))]
        return list(dict.fromkeys(needed))

    def apply(self, batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        """The corrected columns of a batch that has the columns of `needs`."""
        changed = [name for name in columns if _is_changed(name)]
        if changed and (self.known or self.refit):
            batch = _CorrectedBatch(self, batch, changed).batch()
        return batch.select(list(columns))


class _CorrectedBatch:
    """Corrects one batch."""

    def __init__(self, overlay: Overlay, batch: pa.RecordBatch, changed: Sequence[str]) -> None:
        self.overlay, self.taxonomy, self.read, self.changed = overlay, overlay.taxonomy, batch, changed
        ids = batch.column(ID).to_pylist()
        self.found = {row: overlay.known[id] for row, id in enumerate(ids) if id in overlay.known}

    def batch(self) -> pa.RecordBatch:
        """The batch with corrected columns in place of the original ones."""
        if not self.found and not self.overlay.refit:
            return self.read
        made = {name: self._column(name) for name in self.changed}
        arrays = [made.get(name, self.read.column(name)) for name in self.read.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.read.schema)

    def _column(self, name: str) -> pa.Array:
        if name == PROBABILITIES:
            return vector_column(self._corrected_probabilities())
        if name.startswith(ATTRIBUTE):
            return self._attributes(name.removeprefix(ATTRIBUTE))
        return self._gate(name)

    @cached_property
    def _refitted(self) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and answers of all rows with the refit in force."""
        refit = self.overlay.refit
        assert refit is not None
        names = gate_columns(refit.read_gates(self.taxonomy))
        gates = np.stack([self._numbers(name) for name in names], axis=1) if names else np.empty((len(self.read), 0))
        probabilities = refit.probabilities(vector_rows(self.read.column(LOGITS)), gates, self.taxonomy)
        return probabilities, refit.answered(probabilities, gates, self.taxonomy)

    def _corrected_probabilities(self) -> np.ndarray:
        refitted = self.overlay.refit
        rows = self._refitted[0] if refitted else vector_rows(self.read.column(PROBABILITIES))
        rows = np.array(rows)
        for row, verdict in self.found.items():
            rows[row, verdict.targets == YES] = 1
            rows[row, verdict.targets == NO] = 0
            if verdict.not_product:
                rows[row] = 0
        return rows

    def _attributes(self, group: str) -> pa.Array:
        column = self.read.column(ATTRIBUTE + group)
        indices, names = self.taxonomy.indices(group), self.taxonomy.names(group)
        decided = {
            row: verdict for row, verdict in self.found.items()
            if verdict.not_product or (verdict.targets[indices] >= 0).any()
        }  # fmt: skip
        if not decided and not self.overlay.refit:
            return column
        cells = self._refitted_cells(indices, names) if self.overlay.refit else column.to_pylist()
        for row, verdict in decided.items():
            targets = dict(zip(names, verdict.targets[indices].tolist(), strict=True))
            right = [name for name, target in targets.items() if target == YES]
            kept = [name for name in cells[row] or () if targets.get(name, NO) not in (YES, NO)]
            cells[row] = [] if verdict.not_product else right + kept
        return pa.array(cells, column.type)

    def _refitted_cells(self, indices: np.ndarray, names: Sequence[str]) -> list[list[str]]:
        probabilities, answered = (values[:, indices] for values in self._refitted)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        return [[names[i] for i in falling if row[i]] for falling, row in zip(order, answered, strict=True)]

    def _gate(self, name: str) -> pa.Array:
        values = np.array(self._numbers(name))
        labels = slice(None) if name == PRODUCT_COLUMN else self.taxonomy.indices(name.removeprefix(APPLIES_COLUMN))
        for row, verdict in self.found.items():
            targets = verdict.targets[labels]
            if (targets == YES).any():
                values[row] = 1
            elif name != PRODUCT_COLUMN and (targets == NO).all():
                values[row] = 0
            if verdict.not_product and name == PRODUCT_COLUMN:
                values[row] = 0
        return pa.array(values, self.read.column(name).type)

    def _numbers(self, name: str) -> np.ndarray:
        return self.read.column(name).to_numpy(zero_copy_only=False)


def _is_changed(column: str) -> bool:
    """Whether corrections may change a column."""
    return column in (PROBABILITIES, PRODUCT_COLUMN) or column.startswith((ATTRIBUTE, APPLIES_COLUMN))
