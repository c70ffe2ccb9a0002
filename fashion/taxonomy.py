"""Attribute groups and their labels, and the conversion of a product's labels to training targets and back."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashion.errors import DataError, SettingError
from fashion.spelling import did_you_mean

YES, NO, NOT_ANNOTATED = 1, 0, -1

# Label id (1 to 228), group and name of the iMaterialist Challenge (Fashion) at FGVC5, 2018.
IMATERIALIST_FILE = Path(__file__).with_name("imaterialist_2018.csv")


class Label(NamedTuple):
    """One attribute: a name within a group, such as ("color", "Black")."""

    group: str
    name: str


@dataclass(frozen=True)
class Taxonomy:
    """The labels of a model, in the order of its outputs. The labels of a group need not be contiguous.

    Raises:
        DataError: there is no label, or a duplicate.
    """

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if not self.labels:
            raise DataError("the taxonomy has no label; at least one attribute group with one label is needed")
        if len(self.index) != len(self.labels):
            twice = next(label for i, label in enumerate(self.labels) if self.index[label] != i)
            raise DataError(f"label {twice.name!r} of group {twice.group!r} is in the taxonomy twice")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def index(self) -> dict[Label, int]:
        """Output index of each label."""
        return {label: i for i, label in enumerate(self.labels)}

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Group names, in order of first appearance."""
        return tuple(dict.fromkeys(label.group for label in self.labels))

    @cached_property
    def repeated_names(self) -> frozenset[str]:
        """Names of labels in more than one group, such as `Solid` in `pattern` and `print_type`."""
        groups = Counter(name for _, name in self.index)
        return frozenset(name for name, count in groups.items() if count > 1)

    @cached_property
    def _indices(self) -> dict[str, np.ndarray]:
        return {
            group: np.array([i for i, label in enumerate(self.labels) if label.group == group], dtype=np.int64)
            for group in self.groups
        }

    @cached_property
    def group_of(self) -> np.ndarray:
        """Position of each label's group in `groups`, int64 (A,)."""
        position = {group: i for i, group in enumerate(self.groups)}
        return np.array([position[label.group] for label in self.labels], dtype=np.int64)

    @cached_property
    def _group_by_group(self) -> tuple[np.ndarray, np.ndarray]:
        """The labels' indices, group by group, and where each group starts among them."""
        order = np.argsort(self.group_of, kind="stable")
        return order, np.searchsorted(self.group_of[order], np.arange(len(self.groups)))

    def group_sums(self, values: np.ndarray) -> np.ndarray:
        """For each label the sum of the values (..., A) of all labels of its group, (..., A)."""
        order, starts = self._group_by_group
        sums = np.add.reduceat(values.take(order, axis=-1), starts, axis=-1)  # (..., groups)
        return sums.take(self.group_of, axis=-1)

    def indices(self, group: str) -> np.ndarray:
        """Output indices of a group's labels, int64, ascending. Raises DataError for an unknown group."""
        if group not in self._indices:
            raise DataError(self._unknown_group(group))
        return self._indices[group]

    def names(self, group: str) -> tuple[str, ...]:
        """Label names of a group, in output order. Raises DataError for an unknown group."""
        return tuple(self.labels[i].name for i in self.indices(group))

    def check_groups(self, groups: Iterable[str]) -> None:
        """Raise SettingError for an unknown group."""
        for group in groups:
            if group not in self.groups:
                raise SettingError(self._unknown_group(group))

    def unknown_label(self, group: str, name: str) -> str:
        """The message for a name that is no label of a group of this taxonomy."""
        return f"unknown label {name!r}{did_you_mean(name, self.names(group))} in group {group!r}"

    def _unknown_group(self, group: str) -> str:
        hint = did_you_mean(group, self.groups)
        return f"unknown attribute group {group!r}{hint}; the model has: {', '.join(self.groups)}"

    def encode(self, cells: Mapping[str, Sequence[str] | None]) -> np.ndarray:
        """A product's labels by group -> targets, int8 of shape (A,): 1 yes, 0 no, -1 not annotated.

        A group that is missing from `cells` or None is not annotated; an empty list means that no label applies.

        Raises:
            DataError: an unknown label name.
        """
        targets = np.full(len(self), NOT_ANNOTATED, dtype=np.int8)
        for group in self.groups:
            names = cells.get(group)
            if names is None:
                continue
            targets[self._indices[group]] = NO
            for name in names:
                position = self.index.get(Label(group, name))
                if position is None:
                    raise DataError(self.unknown_label(group, name))
                targets[position] = YES
        return targets

    def decode(self, targets: np.ndarray) -> dict[str, list[str] | None]:
        """Targets of shape (A,) -> labels by group; None for a group without annotations."""
        return {
            group: None
            if (targets[indices] == NOT_ANNOTATED).all()
            else [self.labels[i].name for i in indices if targets[i] == YES]
            for group, indices in self._indices.items()
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, Iterable[str]]) -> "Taxonomy":
        """The taxonomy of a table: its columns are the groups, and a column's distinct values, sorted, the labels."""
        return cls(tuple(Label(group, name) for group, names in columns.items() for name in sorted(set(names))))

    def to_json(self) -> list[dict[str, str]]:
        """The labels in output order, as objects with `group` and `name`."""
        return [label._asdict() for label in self.labels]

    @classmethod
    def from_json(cls, labels: Iterable[Mapping[str, str]]) -> "Taxonomy":
        """The inverse of `to_json`. Raises DataError for anything else."""
        try:
            return cls(tuple(Label(str(label["group"]), str(label["name"])) for label in labels))
        except (TypeError, KeyError) as error:
            raise DataError(f"labels must be a list of objects with 'group' and 'name': {error!r}") from None


@cache
def imaterialist() -> Taxonomy:
    """The 228 labels of the iMaterialist Challenge (Fashion) 2018; a label's output index is its id - 1."""
    with IMATERIALIST_FILE.open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["label_id"]))
    return Taxonomy(tuple(Label(row["group"], row["name"]) for row in rows))
