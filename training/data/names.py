"""Renaming of labels and columns by a small YAML file, so that several catalogs share one name for the same thing.

tshirts: T-Shirts          # a label, whichever group it is in
garment:                   # labels of one group, by the name of its column
  Pants: Trousers
groups:                    # columns
  colour: color
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.spelling import did_you_mean
from training.data.yaml_files import read_yaml

GROUPS = "groups"  # the key whose entries rename columns


@dataclass(frozen=True)
class Names:
    """New names of columns and labels; empty by default.

    Attributes:
        groups: group name by column name.
        labels: new label names by old ones, for all groups.
        labels_of: the same by column; these take precedence over `labels`.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    labels_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str | None) -> "Names":
        """Read the file; None gives an empty mapping.

        Raises:
            DataError: it cannot be read or does not hold names.
        """
        if path is None:
            return cls()
        content = read_yaml(path, "names")
        if not isinstance(content, dict):
            raise DataError(f"{path} holds a {type(content).__name__}; expected lines such as: tshirts: T-Shirts")
        labels = {old: new for old, new in content.items() if not isinstance(new, dict)}
        nested = {old: new for old, new in content.items() if isinstance(new, dict)}
        groups = nested.pop(GROUPS, {})
        for column in nested:
            if not isinstance(column, str):
                raise DataError(f"{path} has the column {column!r}; quote names that YAML does not read as text")
        for table in (labels, groups, *nested.values()):
            _check(table, path)
        return cls(groups, labels, nested)

    def group(self, column: str) -> str:
        """The group name of a column."""
        return self.groups.get(column, column)

    def label(self, column: str, name: str) -> str:
        """The new name of a label of a column."""
        return self.labels_of.get(column, {}).get(name, self.labels.get(name, name))

    def unknown(self, names: Mapping[str, Iterable[str]]) -> list[str]:
        """Old names that are in none of the data (mostly misspelled), each with its closest match.

        Args:
            names: the labels of the data by column, under their old names.
        """
        columns = list(names)
        everywhere = sorted({name for column in names.values() for name in column})
        unknown = [repr(name) + did_you_mean(name, everywhere) for name in self.labels if name not in everywhere]
        unknown += [f"column {name!r}{did_you_mean(name, columns)}" for name in self.groups if name not in names]
        for column, table in self.labels_of.items():
            if column not in names:
                unknown.append(f"column {column!r}{did_you_mean(column, columns)}")
            else:
                there = list(names[column])
                unknown += [f"{name!r} of {column}{did_you_mean(name, there)}" for name in table if name not in there]
        return list(dict.fromkeys(unknown))  # a column may be in both `groups` and `labels_of`


def _check(table: Mapping[Any, Any], path: Path | str) -> None:
    for old, new in table.items():
        if not (isinstance(old, str) and isinstance(new, str) and new.strip()):
            raise DataError(
                f"{path}: {old!r}: {new!r} is not a pair of names; quote names that YAML does not read as text"
            )
