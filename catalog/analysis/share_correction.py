"""Correct the values of products for the model's errors, so that their means are unbiased shares.

`fashion.share_correction` defines the correction. Arrays here have the A labels of a selection as their first columns,
followed by additional classes that the correction needs: per group, its labels that are too rare to be corrected
(`rest`), and no label (`none`).
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
from fashion.share_correction import LEAST_TRUSTED_COVERAGE, GroupCorrection
from fashion.taxonomy import NO, YES, Label

# State of a label's correction; doubtful if the measured coverage of its group's intervals is too low.
CorrectionState = Literal["corrected", "doubtful", "none"]
STATES: tuple[CorrectionState, ...] = get_args(CorrectionState)
NO_VERDICTS: Mapping[int, ProductVerdict] = MappingProxyType({})
MARK = "*"  # after the name of a group whose correction is missing or doubtful


@dataclass(frozen=True)
class CorrectedGroup:
    """State of the correction of a group.

    Attributes:
        group: its name.
        photographs: number of validation photographs that the correction was learned from; 0 without a correction.
        coverage: measured coverage of 95 % intervals, see `fashion.share_correction.GroupCorrection`.
        trusted: whether the coverage is high enough.
        left: names of labels that are not corrected, because too few validation photographs have them.
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
        groups: the corrections by group.

    Attributes:
        selection: see above.
        width: B, the number of labels and additional classes.
    """

    def __init__(self, selection: LabelSelection, groups: Mapping[str, GroupCorrection]) -> None:
        self.selection = selection
        self._groups = {group: groups[group] for group in selection.groups if group in groups}
        self.width = len(selection.labels)
        self._columns: dict[str, np.ndarray] = {}  # columns of each group's classes among the B
        for group, correction in self._groups.items():
            own = list(selection.taxonomy.names(group))
            start = selection.places(group).start
            behind = correction.rest + correction.none
            labels = [start + own.index(name) for name in correction.labels]
            self._columns[group] = np.array([*labels, *range(self.width, self.width + behind)])
            self.width += behind

    def __bool__(self) -> bool:
        return bool(self._groups)

    def values(self, expected: np.ndarray, verdicts: Mapping[int, ProductVerdict] = NO_VERDICTS) -> np.ndarray:
        """Convert probabilities (rows, A) to corrected values (rows, B); labels without a correction stay unchanged.

        Args:
            expected: probabilities with corrections by people applied.
            verdicts: the corrections by row; they are certain, so the model's error rates do not apply to them.
        """
        found = np.zeros((len(expected), self.width))
        found[:, : expected.shape[1]] = expected
        for group, correction in self._groups.items():
            names = self.selection.taxonomy.names(group)
            found[:, self._columns[group]] = correction.estimates(expected[:, self.selection.places(group)], names)
            for row, verdict in verdicts.items():
                self._take(found[row], group, verdict)
        return found

    def _take(self, values: np.ndarray, group: str, verdict: ProductVerdict) -> None:
        """Replace a product's values (B,) in a group by the verdict of people, if that is a single class."""
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
        """See `catalog.analysis.inference.Noise`; arguments and result are (..., B)."""
        found = np.zeros(np.broadcast_shapes(one.shape, other.shape))
        for group, correction in self._groups.items():
            columns = self._columns[group]
            found[..., columns] = one[..., columns] * other[..., columns] @ correction.variances
        return found

    def columns(self, group: str) -> np.ndarray:
        """Columns of a group's labels and additional classes among the B."""
        places = self.selection.places(group)
        behind = self._columns.get(group, np.empty(0, np.int64))
        return np.concatenate([np.arange(places.start, places.stop), behind[behind >= len(self.selection.labels)]])

    def variances(self, group: str) -> np.ndarray:
        """Variances (I, I) of the noise: row j times the squared share of column j adds to the variances of all."""
        own = self.columns(group)
        found = np.zeros((len(own), len(own)))
        if group in self._groups:
            at = np.searchsorted(own, self._columns[group])
            found[np.ix_(at, at)] = self._groups[group].variances
        return found

    @property
    def states(self) -> list[CorrectionState]:
        """State of the correction of each of the A labels."""
        return [self._state(label) for label in self.selection.labels]

    def _state(self, label: Label) -> CorrectionState:
        correction = self._groups.get(label.group)
        if correction is None or label.name not in correction.labels:
            return "none"
        return "corrected" if correction.trusted else "doubtful"

    @cached_property
    def groups(self) -> list[CorrectedGroup]:
        """State of the correction of each group; empty if none is corrected."""
        return [self._corrected_group(group) for group in self.selection.groups] if self._groups else []

    def _corrected_group(self, group: str) -> CorrectedGroup:
        names, correction = self.selection.taxonomy.names(group), self._groups.get(group)
        if correction is None:
            return CorrectedGroup(group, 0, None, False, names)
        left = tuple(name for name in names if name not in correction.labels)
        return CorrectedGroup(group, sum(correction.photographs), correction.coverage, correction.trusted, left)


def verdicts_by_id(scored: Scored) -> Mapping[str, ProductVerdict]:
    """Verdicts on the corrected products of a catalog, by id."""
    overlay = scored.overlay()
    return overlay.known if overlay else {}


def verdicts_by_row(batch: pa.RecordBatch, known: Mapping[str, ProductVerdict]) -> Mapping[int, ProductVerdict]:
    """Verdicts on the corrected products of a batch, by row."""
    if not known:
        return NO_VERDICTS
    return {row: known[id] for row, id in enumerate(batch.column(ID).to_pylist()) if id in known}


def marked(group: str, groups: Sequence[CorrectedGroup]) -> str:
    """A group's name, marked if other groups are corrected and its own correction is missing or doubtful."""
    return f"{group}{MARK}" if any(each.group == group and not each.trusted for each in groups) else group


def correction_notes(groups: Sequence[CorrectedGroup], wanted: bool) -> list[str]:
    """Caveats about the correction for the reader, one sentence each.

    Args:
        groups: state of the correction by group; empty if none is corrected.
        wanted: whether correction was requested.
    """
    if not wanted:
        return []
    if not groups:
        return [
            "Shares are not corrected for the model's errors, and change less than the true shares do: the catalog has "
            f"no corrections next to {MANIFEST_FILE}, or its calibration was refitted. If the model has them (python "
            "-m training.correct), run python -m catalog.score again, which copies them and scores nothing twice."
        ]
    notes = []
    for group in groups:
        if not group.photographs:
            notes.append(
                f"{MARK} {group.group}: not corrected for the model's errors, because it had too few photographs."
            )
        elif not group.trusted:
            seen = "was not measured" if group.coverage is None else f"was {group.coverage:.0%}"
            notes.append(
                f"{MARK} {group.group}: corrected, but unreliable: the coverage of its 95 % intervals {seen} in "
                f"trials, expected at least {LEAST_TRUSTED_COVERAGE:.0%}."
            )
    left = sum(len(group.left) for group in groups if group.photographs)
    if left:
        notes.append(f"{left:,} labels of these groups are not corrected: too few validation photographs have them.")
    return notes
