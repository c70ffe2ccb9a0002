"""Find labels of the source's own table that the photographs contradict, by confident learning.

Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", arXiv:1911.00068: a given
label is probably wrong if another label of the group is more probable and at least as probable as its mean over the
products for which the table gives it. Results are sorted by the normalized margin: the probability of the other label
minus that of the given one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.filters.filtering import RowFilter
from catalog.scored.columns import PROBABILITIES, vector_rows
from catalog.scored.source_columns import source_column
from catalog.scored.table import Scored
from fashion.taxonomy import Taxonomy

SEPARATOR = "|"  # between the labels of a cell, as in the training format


@dataclass(frozen=True)
class SourceLabels:
    """The source columns that correspond to groups of the model.

    Attributes:
        taxonomy: of the model.
        columns: source column by group, for groups that have one.
    """

    taxonomy: Taxonomy
    columns: Mapping[str, str]

    @classmethod
    def from_groups(cls, scored: Scored, groups: Sequence[str]) -> "SourceLabels":
        """Find the columns of some groups by their usual names, see `source_column`."""
        taxonomy = scored.manifest.taxonomy
        found = {group: source_column(scored.manifest.columns, group, taxonomy.groups) for group in groups}
        return cls(taxonomy, {group: column for group, column in found.items() if column})

    def batches(self, scored: Scored, where: str | None = None) -> Iterator[pa.RecordBatch]:
        """Products with probabilities and these columns, in the batches of `catalog.corrections.queues.read_cells`."""
        kept = RowFilter(where, scored) if where else None
        columns = list(dict.fromkeys([PROBABILITIES, *self.columns.values(), *(kept.needed if kept else ())]))
        for batch in scored.batches(columns) if scored.rows else ():
            yield batch.filter(pa.array(kept.keeps(batch))) if kept else batch

    def label_indices(self, batch: pa.RecordBatch) -> np.ndarray:
        """Index of the label that the table gives per group, int64 (N, G); -1 for none, several or an unknown one."""
        found = np.full((len(batch), len(self.columns)), -1)
        for column, (group, name) in enumerate(self.columns.items()):
            names, indices = self.taxonomy.names(group), self.taxonomy.indices(group)
            places = {each.casefold(): index for each, index in zip(names, indices.tolist(), strict=True)}
            found[:, column] = [places.get(_single(cell), -1) for cell in batch.column(name).to_pylist()]
        return found

    def usual_confidence(self, scored: Scored) -> np.ndarray:
        """Mean probability of each label over products for which the table gives it, (A,); infinite without any."""
        total, count = np.zeros(len(self.taxonomy)), np.zeros(len(self.taxonomy))
        for batch in self.batches(scored):
            given, probabilities = (
                self.label_indices(batch),
                vector_rows(batch.column(PROBABILITIES)).astype(np.float64),
            )
            rows, columns = np.nonzero(given >= 0)
            labels = given[rows, columns]
            np.add.at(total, labels, probabilities[rows, labels])
            np.add.at(count, labels, 1)
        return np.divide(total, count, out=np.full(len(total), np.inf), where=count > 0)

    def margins(
        self, batch: pa.RecordBatch, probabilities: np.ndarray, usual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compare the given labels with the photographs.

        Returns:
            Margins (N, G), minus infinity without a contradiction; the given labels and the more probable ones, int64
            (N, G), -1 for none.

        Args:
            batch: of `batches`.
            probabilities: (N, A).
            usual: (A,), see `usual_confidence`.
        """
        given = self.label_indices(batch)
        other = np.full_like(given, -1)
        margins = np.full(given.shape, -np.inf)
        for column, group in enumerate(self.columns):
            indices = self.taxonomy.indices(group)
            rows = np.flatnonzero(given[:, column] >= 0)
            own = probabilities[rows, given[rows, column]]
            sure = np.where(
                probabilities[np.ix_(rows, indices)] >= usual[indices], probabilities[np.ix_(rows, indices)], -1
            )
            best = indices[sure.argmax(axis=1)]
            denied = (sure.max(axis=1) > own) & (best != given[rows, column])
            margins[rows[denied], column] = (sure.max(axis=1) - own)[denied]
            other[rows[denied], column] = best[denied]
        return margins, given, other


def _single(cell: Any) -> str:
    """The only label of a cell, casefolded; empty for none and for several."""
    names = cell if isinstance(cell, list) else str("" if cell is None else cell).split(SEPARATOR)
    filled = [str(name).strip().casefold() for name in names if name]
    return filled[0] if len(filled) == 1 else ""
