"""Sums over the products of two portfolios, for labels, combinations of two groups, and covariances within groups."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalog.analysis.inference import Noise, Sums
from catalog.analysis.share_correction import STATES, CorrectionState, SelectionCorrection, verdicts_by_row
from catalog.analysis.tally import LabelSelection, Tally
from catalog.scored.verdicts import ProductVerdict
from fashion.taxonomy import Label

SIDES = (0, 1)


@dataclass(frozen=True)
class FamilySums:
    """Sums of labels, or of combinations of two.

    Attributes:
        names: one label each, or two.
        counted: sums by side of the counted measure; they may include additional classes that only the noise needs.
        other: sums by side of the other measure.
        columns: columns of `counted` that belong to `names`.
        noise: of the counted measure.
        states: state of the correction of each.
    """

    names: list[tuple[Label, ...]]
    counted: list[Sums]
    other: list[Sums]
    columns: np.ndarray
    noise: Noise
    states: list[CorrectionState]


class PairSums:
    """Sums of p x q for each label of one group combined with each label of another.

    The probability that a product has both labels is the product of its two probabilities: given a photograph, the
    model's answers for two groups are assumed independent, and so are its errors given the true labels.

    Args:
        groups: the labels of both groups.
        columns: columns of each group's values, (I,) and (J,), its labels first.
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
        """Their columns in the sums."""
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
    """Noise of combinations: that of each group among the products with a label of the other, added.

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
    """Second moments of the labels of each group, for covariances."""

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
        """Covariance (L, L) of a group's labels over the products of both sides, given the sums of both."""
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
        """Add products of a side: values of the counted measure, (rows, B), and of the other, (rows, A)."""
        self.counted.add(side, measures[0])
        self.other.add(side, measures[1])

    def family(self) -> FamilySums:
        """The sums of the combinations."""
        counted, other = ([part.sums(side) for side in SIDES] for part in (self.counted, self.other))
        noise = PairNoise(*map(self.correction.variances, self.correction.selection.groups))
        states = dict(zip(self.correction.selection.labels, self.correction.states, strict=True))
        labels = self.counted.labels
        worse: list[CorrectionState] = [max(states[one], states[other], key=STATES.index) for one, other in labels]
        return FamilySums(list(labels), counted, other, self.counted.places, noise, worse)


class PortfolioSums:
    """All sums of a comparison, of both measures.

    Args:
        correction: of the labels; without groups if nothing is corrected.
        of_combinations: of the two combined groups, or None.
        answers: whether answers are counted instead of probabilities.
        known: verdicts on the corrected products of each side, by id.

    Attributes:
        labels, other: sums of labels by side, of the counted and of the other measure.
        combinations: sums of combinations, or None.
        moments: of the counted measure.
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
        """The columns that a batch must have."""
        combined = self.combinations.correction.selection.columns if self.combinations else ()
        return [*self._correction.selection.columns, *combined]

    def add(self, side: int, batch: pa.RecordBatch) -> None:
        """Add a batch of products of a side."""
        verdicts = verdicts_by_row(batch, self._known[side])
        counted, other = self._measures(batch, self._correction, verdicts)
        sides = np.full(len(counted), side, np.int64)
        self.labels.add(sides, counted)
        self.other.add(sides, other)
        self.moments.add(side, counted)
        if self.combinations:
            self.combinations.add(side, self._measures(batch, self.combinations.correction, verdicts))

    def families(self) -> Iterator[FamilySums]:
        """The sums of labels, then those of combinations."""
        names: list[tuple[Label, ...]] = [(label,) for label in self._correction.selection.labels]
        counted, other = ([part.sums([side]) for side in SIDES] for part in (self.labels, self.other))
        places = np.arange(len(names))
        yield FamilySums(names, counted, other, places, self._correction.noise, self._correction.states)
        if self.combinations:
            yield self.combinations.family()

    def _measures(
        self, batch: pa.RecordBatch, correction: SelectionCorrection, verdicts: Mapping[int, ProductVerdict]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values of the counted measure and of the other one."""
        values = correction.selection.values(batch)
        if self._answers:
            return values.answered, values.expected
        return correction.values(values.expected, verdicts), values.answered
