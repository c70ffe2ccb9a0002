"""Sums over the products of two portfolios: for labels, for combinations of two groups, and for groups as a whole."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from catalog.analysis.inference import Sums
from catalog.analysis.tally import Selection, Tally, Values
from fashion.taxonomy import Label

SIDES = (0, 1)


class PairSums:
    """Sums of the products of two groups' values, for each label of one with each label of the other.

    The probability that a product has both is taken to be the product of its two probabilities: for one photograph, the
    model's answers for two groups count as independent.
    """

    def __init__(self, groups: Selection) -> None:
        first, second = groups.groups
        self._groups = groups
        self._places = groups.places(first), groups.places(second)
        shape = len(groups.taxonomy.indices(first)), len(groups.taxonomy.indices(second))
        self._count, self._total, self._squares = np.zeros(2), np.zeros((2, *shape)), np.zeros((2, *shape))

    @property
    def labels(self) -> list[tuple[Label, Label]]:
        """The combinations, in the order of the sums."""
        names, (first, second) = self._groups.labels, self._places
        return [(one, other) for one in names[first] for other in names[second]]

    def add(self, side: int, values: np.ndarray) -> None:
        """Add products of a side: their values (rows, A) for the labels of both groups."""
        first, second = (values[:, places] for places in self._places)
        self._count[side] += len(values)
        self._total[side] += first.T @ second
        self._squares[side] += (first**2).T @ second**2

    def sums(self, side: int) -> Sums:
        """The sums of one side, a single cell."""
        return Sums(self._count[[[side]]], self._total[side].reshape(1, -1), self._squares[side].reshape(1, -1))


class GroupMoments:
    """What says how far labels of a group vary, and vary together: sums of their products over all products."""

    def __init__(self, selection: Selection) -> None:
        self._places = {group: selection.places(group) for group in selection.groups}
        self._products = {
            group: np.zeros((2, *2 * [place.stop - place.start])) for group, place in self._places.items()
        }

    def add(self, side: int, values: np.ndarray) -> None:
        """Add products of a side: their values (rows, A)."""
        for group, places in self._places.items():
            self._products[group][side] += values[:, places].T @ values[:, places]

    def covariance(self, group: str, sums: Sums) -> np.ndarray:
        """Covariance of a group's labels among the products of both sides, (L, L), from the sums of both."""
        n = sums.products.sum()
        mean = sums.total[:, self._places[group]].sum(0) / n
        return self._products[group].sum(0) / n - np.outer(mean, mean)


class PortfolioSums:
    """All sums of a comparison, by both measures.

    Attributes:
        labels, other: sums of labels by side, by the measure that counts and by the other one.
        pairs, other_pairs: likewise of combinations; None without.
        moments: of the measure that counts.
    """

    def __init__(self, selection: Selection, combined: Selection | None, answers: bool) -> None:
        self._selection, self._combined, self._answers = selection, combined, answers
        self.labels, self.other = Tally(len(selection.labels)), Tally(len(selection.labels))
        self.pairs = PairSums(combined) if combined else None
        self.other_pairs = PairSums(combined) if combined else None
        self.moments = GroupMoments(selection)

    @property
    def columns(self) -> list[str]:
        """What a batch must have."""
        return [*self._selection.columns, *(self._combined.columns if self._combined else ())]

    def add(self, side: int, batch: pa.RecordBatch) -> None:
        """Add a batch of products of a side."""
        counted, other = self._measures(self._selection.values(batch))
        sides = np.full(len(counted), side, np.int64)
        self.labels.add(sides, counted)
        self.other.add(sides, other)
        self.moments.add(side, counted)
        if self._combined and self.pairs and self.other_pairs:
            counted, other = self._measures(self._combined.values(batch))
            self.pairs.add(side, counted)
            self.other_pairs.add(side, other)

    def families(self) -> Iterator[tuple[list[tuple[Label, ...]], list[Sums], list[Sums]]]:
        """Labels and then combinations: what they are, and their sums by side, counted and by the other measure."""
        names: list[tuple[Label, ...]] = [(label,) for label in self._selection.labels]
        yield names, [self.labels.sums([side]) for side in SIDES], [self.other.sums([side]) for side in SIDES]
        if self.pairs and self.other_pairs:
            sums = [[part.sums(side) for side in SIDES] for part in (self.pairs, self.other_pairs)]
            yield list(self.pairs.labels), sums[0], sums[1]

    def _measures(self, values: Values) -> tuple[np.ndarray, np.ndarray]:
        return (values.answered, values.expected) if self._answers else (values.expected, values.answered)
