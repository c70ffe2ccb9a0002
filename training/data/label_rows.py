"""Counts of training rows by label, read from the label columns only, without the photographs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fashion.errors import DataError, one_line
from training.data.catalogs import Catalog
from training.data.rules import Cells, Derived

SEPARATOR = "\x1f"  # joins the labels of a cell for grouping: ASCII unit separator, which no label contains
SPLIT = "train"


class AlikeRows(NamedTuple):
    """Rows that have the same labels in some groups.

    Attributes:
        cells: their labels by group.
        derived: what is derived for groups that they do not annotate.
        rows: number of rows.
        annotated: number of these rows that annotate each of some other groups.
    """

    cells: Cells
    derived: dict[str, Derived]
    rows: int
    annotated: dict[str, int]

    def labels(self, group: str) -> set[str]:
        """Their labels of a group, annotated or derived."""
        return labels_of(group, self.cells, self.derived)


def labels_of(group: str, cells: Cells, derived: dict[str, Derived]) -> set[str]:
    """A row's labels of a group, annotated or derived."""
    names = cells.get(group)
    if names is not None:
        return set(names)
    return set(derived[group].yes) if group in derived else set()


class LabelRows:
    """The label columns of a catalog's training rows; 50,000 rows of 20 columns are counted in about a second.

    Raises:
        DataError: a broken folder.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        files = sorted(catalog.folder.glob(f"{SPLIT}-*.parquet"))
        try:
            tables = [pq.read_table(file, columns=list(catalog.columns)) for file in files]
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{catalog.folder} cannot be read: {one_line(error)}; import the data again") from None
        self.table: dict[str, pa.ChunkedArray] = {}
        if tables:
            lists = pa.concat_tables(tables)
            self.table = {column: pc.binary_join(lists[column], SEPARATOR) for column in catalog.columns}

    def alike(self, groups: Iterable[str], annotated: Sequence[str] = ()) -> Iterator[AlikeRows]:
        """Group the rows by their labels in `groups` and in the groups these are derived from.

        Args:
            groups: the groups to compare.
            annotated: groups whose annotated rows are counted.
        """
        groups = set(groups)
        groups |= self.catalog.rules.sources_of(groups)
        keys = [column for column, group in self.catalog.columns.items() if group in groups]
        if not keys or not self.table:
            return
        counted = {f"annotated {group}": self._annotated(group) for group in annotated}
        table = pa.table({**{key: self.table[key] for key in keys}, **counted})
        found = table.group_by(keys).aggregate([([], "count_all"), *((name, "sum") for name in counted)])
        for row in found.to_pylist():
            cells = self.catalog.cells({key: _names(row[key]) for key in keys})
            numbers = {group: row[f"annotated {group}_sum"] for group in annotated}
            yield AlikeRows(cells, self.catalog.rules.derived(cells), row["count_all"], numbers)

    def _annotated(self, group: str) -> pa.ChunkedArray:
        """Whether each row annotates a group that the catalog has."""
        masks = [pc.is_valid(self.table[column]) for column, its in self.catalog.columns.items() if its == group]
        some = masks[0]
        for mask in masks[1:]:
            some = pc.or_(some, mask)
        return some


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return text.split(SEPARATOR) if text else []


def count_labels(rows: Sequence[LabelRows]) -> dict[str, Counter[str]]:
    """Training rows of each label by group, derived labels included; groups in the order of first appearance."""
    counts: dict[str, Counter[str]] = {}
    for each in rows:
        for group in dict.fromkeys([*each.catalog.columns.values(), *each.catalog.rules.derive]):
            for alike in each.alike([group]):
                counts.setdefault(group, Counter()).update(dict.fromkeys(alike.labels(group), alike.rows))
    return counts
