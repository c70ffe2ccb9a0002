"""One name for what catalogs call by different names: a small YAML file of theirs and ours.

tshirts: T-Shirts          # a label, whichever group it is in
garment:                   # labels of one group, by the name of its column
  Pants: Trousers
groups:                    # columns
  colour: color
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.tables.reading import closest
from training.data.yaml_files import read_yaml

GROUPS = "groups"  # the key whose entries rename columns


@dataclass(frozen=True)
class Names:
    """What columns and labels are called instead. The empty one changes nothing.

    Attributes:
        groups: new name of a group, by that of its column.
        labels: new names by old ones, for labels of every group.
        labels_of: the same for the labels of one column; they go before those of every group.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    labels_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str | None) -> "Names":
        """Read the file; None gives the empty one.

        Raises:
            DataError: it cannot be read, or holds something else than names.
        """
        if path is None:
            return cls()
        content = read_yaml(path, "names")
        if not isinstance(content, dict):
            raise DataError(f"{path} holds a {type(content).__name__}; expected lines such as: tshirts: T-Shirts")
        labels = {old: new for old, new in content.items() if not isinstance(new, dict)}
        nested = {old: new for old, new in content.items() if isinstance(new, dict)}
        groups = nested.pop(GROUPS, {})
        for table in (labels, groups, *nested.values()):
            _check(table, path)
        return cls(groups, labels, nested)

    def group(self, column: str) -> str:
        """The group that a column is."""
        return self.groups.get(column, column)

    def label(self, column: str, name: str) -> str:
        """What a label of a column is called."""
        return self.labels_of.get(column, {}).get(name, self.labels.get(name, name))

    def unknown(self, names: Mapping[str, Iterable[str]]) -> list[str]:
        """The old names that stand in none of the data: misspelled, mostly, so each with the name that is most like it.

        Args:
            names: the labels of the data by column, under their old names.
        """
        columns = list(names)
        everywhere = sorted({name for column in names.values() for name in column})
        unknown = [repr(name) + _hint(name, everywhere) for name in self.labels if name not in everywhere]
        unknown += [f"column {name!r}{_hint(name, columns)}" for name in self.groups if name not in names]
        for column, table in self.labels_of.items():
            if column not in names:
                unknown.append(f"column {column!r}{_hint(column, columns)}")
            else:
                there = list(names[column])
                unknown += [f"{name!r} of {column}{_hint(name, there)}" for name in table if name not in there]
        return list(dict.fromkeys(unknown))  # a column may stand among the groups and have labels


def _hint(name: str, choices: Sequence[str]) -> str:
    close = closest(name, choices)
    return f" (did you mean {close!r}?)" if close else ""


def _check(table: Mapping[Any, Any], path: Path | str) -> None:
    for old, new in table.items():
        if not (isinstance(old, str) and isinstance(new, str) and new.strip()):
            raise DataError(f"{path}: {old!r}: {new!r} is no pair of names; put what YAML takes for more into quotes")
