"""Which label groups apply to which products, learned from the training rows: shoes never have a neck annotated."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fashion.gates import Gates
from fashion.taxonomy import NO, NOT_ANNOTATED, YES, Label
from training.data.label_rows import LabelRows, labels_of
from training.data.rules import AppliesRule, Cells, Derived


@dataclass(frozen=True)
class Applicability:
    """Table of whether each group with a gate applies, by label of the deciding groups.

    Attributes:
        by: the deciding groups; the first in which a row has labels decides.
        table: by deciding label and group with a gate: 1 yes, 0 no, -1 unknown. Labels of too few rows are missing.
    """

    by: tuple[str, ...] = ()
    table: Mapping[Label, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def learn(cls, rule: AppliesRule, gates: Gates, data: Sequence[LabelRows]) -> "Applicability":
        """Learn the table from the share of training rows that annotate each group.

        For each group only catalogs with a column for it are counted: elsewhere a missing annotation means nothing.
        """
        rows: Counter[tuple[Label, str]] = Counter()
        annotated: Counter[tuple[Label, str]] = Counter()
        for each in data:
            there = [group for group in gates.applies if group in each.catalog.columns.values()]
            if not there:
                continue
            for alike in each.alike(rule.by, there):
                for label in (Label(by, name) for by in rule.by for name in alike.labels(by)):
                    for group in there:
                        rows[label, group] += alike.rows
                        annotated[label, group] += alike.annotated[group]
        table: dict[Label, dict[str, int]] = {}
        for (label, group), count in rows.items():
            if count >= rule.rows:
                table.setdefault(label, {})[group] = _verdict(annotated[label, group] / count, rule)
        for by in rule.by:
            for name, verdicts in rule.exceptions.items():
                there_now = {group: verdict for group, verdict in verdicts.items() if group in gates.applies}
                table.setdefault(Label(by, name), {}).update(there_now)
        return cls(rule.by, table)

    def targets(self, gates: Gates, cells: Cells, derived: Mapping[str, Derived]) -> np.ndarray:
        """Gate targets of a photograph of a product, int8 (K,): 1 yes, 0 no, -1 unknown.

        A group that is annotated or has derived labels applies, whatever the table says; a group whose labels are all
        derived to be absent does not.
        """
        targets = [self._target(group, cells, derived) for group in gates.applies]
        return np.array(targets + [YES] * gates.product, np.int8)

    def _target(self, group: str, cells: Cells, derived: Mapping[str, Derived]) -> int:
        if cells.get(group) is not None or labels_of(group, cells, dict(derived)):
            return YES
        if group in derived and derived[group].nothing:
            return NO
        for by in self.by:
            labels = [Label(by, name) for name in labels_of(by, cells, dict(derived))]
            verdicts = {self.table.get(label, {}).get(group) for label in labels} - {None}
            if verdicts:
                return _agreed(verdicts)
        return NOT_ANNOTATED


def _verdict(share: float, rule: AppliesRule) -> int:
    if share >= rule.yes:
        return YES
    return NO if share <= rule.no else NOT_ANNOTATED


def _agreed(verdicts: Iterable[int | None]) -> int:
    first, *others = verdicts
    return NOT_ANNOTATED if others or first is None else first


def no_product(gates: Gates, labels: int, label_target: int) -> np.ndarray:
    """Targets of a photograph without a product, int8 (A + K,); whether groups apply is unknown.

    Args:
        gates: the outputs that follow the labels.
        labels: number of labels, A.
        label_target: target of every label: 0 to learn that it is absent, -1 to ignore it.
    """
    return np.array([label_target] * labels + [NOT_ANNOTATED] * len(gates.applies) + [NO] * gates.product, np.int8)
