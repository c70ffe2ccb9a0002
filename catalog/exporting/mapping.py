"""Map labels of a model to Shopify's taxonomy, by the shipped table or a user's CSV file."""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

from catalog.exporting.taxonomy_facts import FACTS, Category, Value, categories, values
from fashion.errors import DataError, one_line
from fashion.taxonomy import Label, Taxonomy

SHIPPED = FACTS / "labels.csv"
NEEDED = ("group", "label", "category", "values")


@dataclass(frozen=True)
class Target:
    """What a label maps to.

    Attributes:
        category: of the product, or None if the label does not determine it.
        kids_category: category of a product for children.
        values: of attributes.
    """

    category: Category | None
    kids_category: Category | None
    values: tuple[Value, ...]


class Mapping:
    """Targets by group and label.

    Attributes:
        targets: all targets; the order of their groups is the search order for a product's category.
        attributes: of the values of each group.
    """

    def __init__(self, targets: dict[tuple[str, str], Target]) -> None:
        self.targets = targets
        self.groups = tuple(dict.fromkeys(group for group, _ in targets))
        self.attributes: dict[str, set[str]] = {group: set() for group in self.groups}
        for (group, _), target in targets.items():
            self.attributes[group] |= {value.attribute for value in target.values}

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Mapping":
        """Read a CSV file with the columns `group,label,category,values` and optionally `kids_category`.

        `category` is an id such as `aa-1-4`, `values` are handles such as `neckline__v-neck`, separated by spaces.

        Raises:
            DataError: the file cannot be read, lacks a column, has a label twice, or names an unknown category or
                value.
        """
        try:
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
                if missing:
                    raise DataError(f"{path} has no column {missing[0]!r}; a mapping has {', '.join(NEEDED)}")
                targets: dict[tuple[str, str], Target] = {}
                for row in reader:
                    where, label = f"{path}, line {reader.line_num}", (_cell(row, "group"), _cell(row, "label"))
                    if label in targets:
                        raise DataError(f"{where}: {' '.join(label)} has a line already; give it one")
                    targets[label] = _target(row, where)
                return cls(targets)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"the mapping {path} cannot be read: {one_line(error)}") from None

    def foreign(self, taxonomy: Taxonomy) -> list[Label]:
        """The labels that a model does not have."""
        return [label for label in itertools.starmap(Label, self.targets) if label not in taxonomy.index]


def _cell(row: dict[str, str], name: str) -> str:
    return (row.get(name) or "").strip()  # None if the line is too short


def _target(row: dict[str, str], where: str) -> Target:
    handles = _cell(row, "values").split()
    for handle in handles:
        if handle not in values():
            raise DataError(f"{where}: there is no value {handle!r} in Shopify's taxonomy; see docs/export.md")
    return Target(
        _category(_cell(row, "category"), where),
        _category(_cell(row, "kids_category"), where),
        tuple(values()[handle] for handle in handles),
    )


def _category(id: str, where: str) -> Category | None:
    if not id:
        return None
    if id not in categories():
        raise DataError(f"{where}: there is no category {id!r} in Shopify's taxonomy; see docs/export.md")
    return categories()[id]
