"""Which groups of labels apply to which products, as the training rows show: a shoe's neck is never annotated."""

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
    """For each label of the deciding groups, whether each group with a gate applies.

    Attributes:
        by: the deciding groups; the first that has a row's label decides.
        table: 1 yes, 0 no, -1 unknown of each group with a gate, by deciding label. Labels of too few rows have none.
    """

    by: tuple[str, ...] = ()
    table: Mapping[Label, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def learn(cls, rule: AppliesRule, gates: Gates, data: Sequence[LabelRows]) -> "Applicability":
        """Count the training rows that annotate each group.

        Only catalogs that have a group say something of it: where no row could annotate it, it is not absent.
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
        """Targets of the gates of a photograph of a product, int8 (K,): 1 yes, 0 no, -1 unknown.

        What is annotated applies, whatever the table says, and so does what is derived; a group of which all labels are
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
    """Targets of a photograph without a product, int8 (A + K,): it is not said which groups would apply.

    Args:
        gates: the outputs that follow the labels.
        labels: number of labels, A.
        label_target: of each of them: 0 where absent labels are to be learned, -1 where they are not to be counted.
    """
    return np.array([label_target] * labels + [NOT_ANNOTATED] * len(gates.applies) + [NO] * gates.product, np.int8)
