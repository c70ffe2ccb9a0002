"""Values of products whose means are shares without the model's errors, for the labels that are looked at.

`fashion.share_correction` says how they are corrected, and where that is learned. Here the groups of a selection stand
side by side: first its A labels, then the classes behind them that shares of labels depend on (a group's labels that
are too rare to be corrected, and none of its labels).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from catalog.analysis.tally import LabelSelection
from catalog.scored.columns import ID
from catalog.scored.score_manifest import MANIFEST_FILE
from catalog.scored.table import Scored
from catalog.scored.verdicts import ProductVerdict
from fashion.share_correction import TRUSTED, GroupCorrection
from fashion.taxonomy import NO, YES, Label

# Whether a label's share is corrected; doubtful where intervals of its group were seen to hold the truth too seldom.
CorrectionState = Literal["corrected", "doubtful", "none"]
STATES: tuple[CorrectionState, ...] = get_args(CorrectionState)
NOTHING_SAID: Mapping[int, ProductVerdict] = MappingProxyType({})
MARK = "*"  # behind the name of a group that is not simply corrected


@dataclass(frozen=True)
class CorrectedGroup:
    """How far shares of a group's labels are corrected.

    Attributes:
        group: its name.
        photographs: validation photographs that its correction was learned from; 0 where there is none.
        coverage: share of 95 % intervals that held the truth in catalogs drawn to try it, see
            `fashion.share_correction.GroupCorrection`.
        trusted: whether that is often enough.
        left: names of the labels that are not corrected, because too few validation photographs have them.
    """

    group: str
    photographs: int
    coverage: float | None
    trusted: bool
    left: tuple[str, ...]


class SelectionCorrection:
    """The corrections of the groups of a selection.

    Args:
        selection: the A labels.
        groups: the corrections that there are.

    Attributes:
        selection: see above.
        width: B, the labels and the classes behind them.
    """

    def __init__(self, selection: LabelSelection, groups: Mapping[str, GroupCorrection]) -> None:
        self.selection = selection
        self._groups = {group: groups[group] for group in selection.groups if group in groups}
        self.width = len(selection.labels)
        self._columns: dict[str, np.ndarray] = {}  # of a group's classes, among the B
        for group, correction in self._groups.items():
            own = list(selection.taxonomy.names(group))
            start = selection.places(group).start
            behind = correction.rest + correction.none
            labels = [start + own.index(name) for name in correction.labels]
            self._columns[group] = np.array([*labels, *range(self.width, self.width + behind)])
            self.width += behind

    def __bool__(self) -> bool:
        return bool(self._groups)

    def values(self, expected: np.ndarray, said: Mapping[int, ProductVerdict] = NOTHING_SAID) -> np.ndarray:
        """Probabilities (rows, A) -> corrected values (rows, B); those of other labels stay what they are.

        Args:
            expected: with what people said laid over.
            said: by row what they said: of what they know the model's errors are no matter.
        """
        found = np.zeros((len(expected), self.width))
        found[:, : expected.shape[1]] = expected
        for group, correction in self._groups.items():
            names = self.selection.taxonomy.names(group)
            found[:, self._columns[group]] = correction.estimates(expected[:, self.selection.places(group)], names)
            for row, verdict in said.items():
                self._take(found[row], group, verdict)
        return found

    def _take(self, values: np.ndarray, group: str, verdict: ProductVerdict) -> None:
        """Put what people said of a product's group in the place of its values (B,), where that is a single class."""
        correction, columns = self._groups[group], self._columns[group]
        taxonomy, labels = self.selection.taxonomy, list(correction.labels)
        indices = taxonomy.indices(group)
        targets = np.full(len(indices), NO) if verdict.not_product else verdict.targets[indices]
        right = [name for name, target in zip(taxonomy.names(group), targets, strict=True) if target == YES]
        if len(right) > 1 or (not right and (targets != NO).any()):
            return
        values[columns] = 0
        if right and right[0] in labels:
            values[columns[labels.index(right[0])]] = 1
        elif right and correction.rest:
            values[columns[len(labels)]] = 1
        elif not right and correction.none:
            values[columns[-1]] = 1

    def noise(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """See `catalog.analysis.inference.Noise`; shares and what is found are (..., B)."""
        found = np.zeros(np.broadcast_shapes(one.shape, other.shape))
        for group, correction in self._groups.items():
            columns = self._columns[group]
            found[..., columns] = one[..., columns] * other[..., columns] @ correction.variances
        return found

    def columns(self, group: str) -> np.ndarray:
        """Where a group's labels and the classes behind them stand among the B."""
        places = self.selection.places(group)
        behind = self._columns.get(group, np.empty(0, np.int64))
        return np.concatenate([np.arange(places.start, places.stop), behind[behind >= len(self.selection.labels)]])

    def variances(self, group: str) -> np.ndarray:
        """What is added to the variances of these columns by the square of the share of each of them, (I, I)."""
        own = self.columns(group)
        found = np.zeros((len(own), len(own)))
        if group in self._groups:
            at = np.searchsorted(own, self._columns[group])
            found[np.ix_(at, at)] = self._groups[group].variances
        return found

    @property
    def states(self) -> list[CorrectionState]:
        """How far each of the A labels is corrected."""
        return [self._state(label) for label in self.selection.labels]

    def _state(self, label: Label) -> CorrectionState:
        correction = self._groups.get(label.group)
        if correction is None or label.name not in correction.labels:
            return "none"
        return "corrected" if correction.trusted else "doubtful"

    @cached_property
    def groups(self) -> list[CorrectedGroup]:
        """How far each group of the selection is corrected; empty where none is."""
        return [self._corrected_group(group) for group in self.selection.groups] if self._groups else []

    def _corrected_group(self, group: str) -> CorrectedGroup:
        names, correction = self.selection.taxonomy.names(group), self._groups.get(group)
        if correction is None:
            return CorrectedGroup(group, 0, None, False, names)
        left = tuple(name for name in names if name not in correction.labels)
        return CorrectedGroup(group, sum(correction.photographs), correction.coverage, correction.trusted, left)


def known_products(scored: Scored) -> Mapping[str, ProductVerdict]:
    """By id what people said of a catalog's products."""
    overlay = scored.overlay()
    return overlay.known if overlay else {}


def said_of(batch: pa.RecordBatch, known: Mapping[str, ProductVerdict]) -> Mapping[int, ProductVerdict]:
    """By row of a batch what people said of its product."""
    if not known:
        return NOTHING_SAID
    return {row: known[id] for row, id in enumerate(batch.column(ID).to_pylist()) if id in known}


def marked(group: str, groups: Sequence[CorrectedGroup]) -> str:
    """A group's name, with a mark where shares are corrected, but its own are not, or are to be doubted."""
    return f"{group}{MARK}" if any(each.group == group and not each.trusted for each in groups) else group


def correction_notes(groups: Sequence[CorrectedGroup], wanted: bool) -> list[str]:
    """What a reader must know of corrections, a sentence each.

    Args:
        groups: how far each is corrected; empty where none is.
        wanted: whether shares were to be corrected.
    """
    if not wanted:
        return []
    if not groups:
        return [
            "Shares are not corrected for the model's errors, and move less than the truth does: the catalog keeps no "
            f"corrections beside {MANIFEST_FILE}, or has a calibration of its own. Where the model has them (python -m "
            "training.correct), run python -m catalog.score again, which copies them and scores nothing twice."
        ]
    notes = []
    for group in groups:
        if not group.photographs:
            notes.append(f"{MARK} {group.group}: not corrected for the model's errors, it had too few photographs.")
        elif not group.trusted:
            seen = "was not measured" if group.coverage is None else f"was {group.coverage:.0%}"
            notes.append(
                f"{MARK} {group.group}: corrected, but to be doubted: the coverage of its 95 % intervals {seen} in "
                f"trials, less than {TRUSTED:.0%}."
            )
    left = sum(len(group.left) for group in groups if group.photographs)
    if left:
        notes.append(f"{left:,} labels of these groups are not corrected: too few validation photographs have them.")
    return notes
