"""Sum values over the products of a scored catalog, batch by batch, for trends and comparisons.

Memory holds one batch, and a row of sums per cell (a period or a shop).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from catalog.analysis.inference import Sums
from catalog.filters.filtering import RowFilter
from catalog.scored.columns import ATTRIBUTE, ID, PROBABILITIES, answered_labels, vector_rows
from catalog.scored.table import Scored
from fashion.errors import SettingError
from fashion.taxonomy import Label, Taxonomy


class Values(NamedTuple):
    """Values of a batch: probabilities, and answers as 1 or 0, both float64 (rows, A)."""

    expected: np.ndarray
    answered: np.ndarray


@dataclass(frozen=True)
class LabelSelection:
    """The selected labels, in the order of their groups.

    Attributes:
        taxonomy: of the model.
        groups: the attribute groups.
    """

    taxonomy: Taxonomy
    groups: tuple[str, ...]

    @classmethod
    def from_groups(cls, scored: Scored, groups: Sequence[str] | None = None) -> "LabelSelection":
        """Select the labels of some groups, by default of all.

        Raises:
            SettingError: an unknown group, none in a list, or a text in place of a list.
        """
        taxonomy = scored.manifest.taxonomy
        if groups is not None and (isinstance(groups, str) or not groups):
            raise SettingError(
                f"{groups!r} is no list of attribute groups; the model has: {', '.join(taxonomy.groups)}"
            )
        taxonomy.check_groups(groups or ())
        return cls(taxonomy, tuple(dict.fromkeys(groups)) if groups else taxonomy.groups)

    @property
    def labels(self) -> list[Label]:
        """The labels, (A,)."""
        return [self.taxonomy.labels[i] for i in self.indices]

    @property
    def indices(self) -> np.ndarray:
        """Their indices in the model's outputs, (A,)."""
        return np.concatenate([self.taxonomy.indices(group) for group in self.groups])

    def places(self, group: str) -> slice:
        """The slice of a group's labels among the selected ones."""
        before = sum(len(self.taxonomy.indices(g)) for g in self.groups[: self.groups.index(group)])
        return slice(before, before + len(self.taxonomy.indices(group)))

    @property
    def columns(self) -> list[str]:
        """The columns that a batch must have."""
        return [ID, PROBABILITIES, *(ATTRIBUTE + group for group in self.groups)]

    def values(self, batch: pa.RecordBatch) -> Values:
        """Probabilities and answers of the products of a batch."""
        expected = vector_rows(batch.column(PROBABILITIES))[:, self.indices].astype(np.float64)
        answered = answered_labels(batch, self.taxonomy, self.groups)[:, self.indices]
        return Values(expected, answered.astype(np.float64))


def read(scored: Scored, columns: Sequence[str], where: RowFilter | None) -> Iterator[pa.RecordBatch]:
    """The products that pass a filter, in batches, with a progress bar."""
    needed = list(dict.fromkeys([*columns, *(where.needed if where else ())]))
    with tqdm(total=scored.rows, unit="product", desc=f"reading {scored.folder.name}", disable=None) as bar:
        for batch in scored.batches(needed):
            bar.update(len(batch))
            yield batch.filter(pa.array(where.keeps(batch))) if where else batch


class Tally:
    """Sums by cell; cells are added as they occur."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._cells: dict[int, tuple[int, np.ndarray]] = {}  # number of products, and sums (2, A) of values and squares

    def add(self, cells: np.ndarray, values: np.ndarray) -> None:
        """Add products: their cells, int64 (rows,), and values (rows, A)."""
        order = np.argsort(cells, kind="stable")
        found, starts, counts = np.unique(cells[order], return_index=True, return_counts=True)
        if not len(found):
            return
        ordered = values[order]
        sums = np.stack(
            [np.add.reduceat(ordered, starts), np.add.reduceat(ordered**2, starts)], axis=1
        )  # (cells, 2, A)
        for cell, count, add in zip(found.tolist(), counts.tolist(), sums, strict=True):
            before, total = self._cells.get(cell, (0, np.zeros((2, self._labels))))
            self._cells[cell] = before + count, total + add

    @property
    def cells(self) -> list[int]:
        """The cells that have products, ascending."""
        return sorted(self._cells)

    def sums(self, cells: Sequence[int]) -> Sums:
        """The sums of these cells; 0 for cells without products."""
        nothing = (0, np.zeros((2, self._labels)))
        found = [self._cells.get(cell, nothing) for cell in cells]
        sums = np.array([part[1] for part in found]).reshape(len(found), 2, self._labels)
        return Sums(np.array([[float(part[0])] for part in found]), sums[:, 0], sums[:, 1])
