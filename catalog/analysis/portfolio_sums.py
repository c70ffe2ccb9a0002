"""Sums over the products of two portfolios: for labels, for combinations of two groups, and for groups as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalog.analysis.inference import Noise, Sums
from catalog.analysis.share_correction import STATES, CorrectionState, SelectionCorrection, said_of
from catalog.analysis.tally import LabelSelection, Tally
from catalog.scored.verdicts import ProductVerdict
from fashion.taxonomy import Label

SIDES = (0, 1)


@dataclass(frozen=True)
class FamilySums:
    """Labels, or combinations of two, and their sums.

    Attributes:
        names: what they are: one label each, or two.
        counted: sums by side, by the measure that counts; behind them may stand classes that only the noise needs.
        other: sums by side, by the other measure.
        columns: where they stand among what was counted.
        noise: of what was counted.
        states: how far each is corrected.
    """

    names: list[tuple[Label, ...]]
    counted: list[Sums]
    other: list[Sums]
    columns: np.ndarray
    noise: Noise
    states: list[CorrectionState]


class PairSums:
    """Sums of the products of two groups' values, for each label of one with each label of the other.

    The probability that a product has both is taken to be the product of its two probabilities: for one photograph, the
    model's answers for two groups count as independent. So are its errors, once the product's true labels are given.

    Args:
        groups: the labels of both.
        columns: where the values of each group stand, (I,) and (J,): its labels first.
    """

    def __init__(self, groups: LabelSelection, columns: Sequence[np.ndarray]) -> None:
        self._groups, self._columns = groups, columns
        self.shape = len(columns[0]), len(columns[1])
        self._count, self._total, self._squares = np.zeros(2), np.zeros((2, *self.shape)), np.zeros((2, *self.shape))

    @property
    def labels(self) -> list[tuple[Label, Label]]:
        """The combinations of labels."""
        names, (first, second) = self._groups.labels, map(self._groups.places, self._groups.groups)
        return [(one, other) for one in names[first] for other in names[second]]

    @property
    def places(self) -> np.ndarray:
        """Where they stand among the sums."""
        first, second = (len(self._groups.taxonomy.indices(group)) for group in self._groups.groups)
        return np.arange(self.shape[0] * self.shape[1]).reshape(self.shape)[:first, :second].reshape(-1)

    def add(self, side: int, values: np.ndarray) -> None:
        """Add products of a side: their values (rows, B)."""
        first, second = (values[:, columns] for columns in self._columns)
        self._count[side] += len(values)
        self._total[side] += first.T @ second
        self._squares[side] += (first**2).T @ second**2

    def sums(self, side: int) -> Sums:
        """The sums of one side, a single cell."""
        return Sums(self._count[[[side]]], self._total[side].reshape(1, -1), self._squares[side].reshape(1, -1))


class PairNoise:
    """The noise of combinations: that of one group among products with a label of the other, and the reverse.

    Args:
        first, second: variances of the groups' columns, (I, I) and (J, J), see `SelectionCorrection.variances`.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray) -> None:
        self._first, self._second = first, second

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """See `catalog.analysis.inference.Noise`; shares are (..., I * J)."""
        both = (one * other).reshape(*one.shape[:-1], len(self._first), len(self._second))
        found = np.einsum("...jl,jk->...kl", both, self._first) + both @ self._second
        return found.reshape(one.shape)


class GroupMoments:
    """What says how far labels of a group vary, and vary together: sums of their products over all products."""

    def __init__(self, selection: LabelSelection) -> None:
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


class CombinationSums:
    """Sums of combinations by both measures.

    Args:
        correction: of the two groups.
    """

    def __init__(self, correction: SelectionCorrection) -> None:
        self.correction = correction
        groups = correction.selection
        first, second = groups.groups
        self.counted = PairSums(groups, (correction.columns(first), correction.columns(second)))
        self.other = PairSums(groups, [np.r_[groups.places(group)] for group in groups.groups])

    def add(self, side: int, measures: tuple[np.ndarray, np.ndarray]) -> None:
        """Add products of a side: their values by the measure that counts, (rows, B), and by the other, (rows, A)."""
        self.counted.add(side, measures[0])
        self.other.add(side, measures[1])

    def family(self) -> FamilySums:
        """The combinations."""
        counted, other = ([part.sums(side) for side in SIDES] for part in (self.counted, self.other))
        noise = PairNoise(*map(self.correction.variances, self.correction.selection.groups))
        of = dict(zip(self.correction.selection.labels, self.correction.states, strict=True))
        labels = self.counted.labels
        worse: list[CorrectionState] = [max(of[one], of[other], key=STATES.index) for one, other in labels]
        return FamilySums(list(labels), counted, other, self.counted.places, noise, worse)


class PortfolioSums:
    """All sums of a comparison, by both measures.

    Args:
        correction: of the labels; without any group where values are not to be corrected.
        of_combinations: of the two groups that are combined; None without.
        answers: whether answers count.
        known: of each side, by id, what people said of its products.

    Attributes:
        labels, other: sums of labels by side, by the measure that counts and by the other one.
        combinations: likewise; None without.
        moments: of the measure that counts.
    """

    def __init__(
        self,
        correction: SelectionCorrection,
        of_combinations: SelectionCorrection | None,
        answers: bool,
        known: tuple[Mapping[str, ProductVerdict], Mapping[str, ProductVerdict]],
    ) -> None:
        self._correction, self._answers, self._known = correction, answers, known
        self.labels, self.other = Tally(correction.width), Tally(len(correction.selection.labels))
        self.combinations = CombinationSums(of_combinations) if of_combinations is not None else None
        self.moments = GroupMoments(correction.selection)

    @property
    def columns(self) -> list[str]:
        """What a batch must have."""
        combined = self.combinations.correction.selection.columns if self.combinations else ()
        return [*self._correction.selection.columns, *combined]

    def add(self, side: int, batch: pa.RecordBatch) -> None:
        """Add a batch of products of a side."""
        said = said_of(batch, self._known[side])
        counted, other = self._measures(batch, self._correction, said)
        sides = np.full(len(counted), side, np.int64)
        self.labels.add(sides, counted)
        self.other.add(sides, other)
        self.moments.add(side, counted)
        if self.combinations:
            self.combinations.add(side, self._measures(batch, self.combinations.correction, said))

    def families(self) -> Iterator[FamilySums]:
        """Labels, and then combinations."""
        names: list[tuple[Label, ...]] = [(label,) for label in self._correction.selection.labels]
        counted, other = ([part.sums([side]) for side in SIDES] for part in (self.labels, self.other))
        places = np.arange(len(names))
        yield FamilySums(names, counted, other, places, self._correction.noise, self._correction.states)
        if self.combinations:
            yield self.combinations.family()

    def _measures(
        self, batch: pa.RecordBatch, correction: SelectionCorrection, said: Mapping[int, ProductVerdict]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values by the measure that counts and by the other one."""
        values = correction.selection.values(batch)
        if self._answers:
            return values.answered, values.expected
        return correction.values(values.expected, said), values.answered
