"""Column roles of a catalog: image, id, split, and attribute groups."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fashion.errors import DataError
from fashion.tables.columns import ID_COLUMNS, IMAGE_COLUMNS, STOCK_COLUMNS, is_usual, usual_name
from fashion.tables.missing_values import is_missing
from fashion.tables.reading import Table, require_columns
from training.sources.spelling import label_name

SPLIT_COLUMNS = ("split", "subset", "fold")
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
# Preferred over other ids: photographs of one product must stay in one split, even if they have ids of their own.
PRODUCT_COLUMNS = ("product_id", "item_id", "article_id")
OTHER_COLUMNS = ("url", "image_url", "link", "__index_level_0__")  # neither labels nor an image on this disk
NUMBER_COLUMNS = (
    *STOCK_COLUMNS,
    *("price", "sale_price", "selling_price", "regular_price", "list_price", "special_price", "original_price"),
    *("retail_price", "variant_price", "compare_at_price", "variant_compare_at_price", "msrp", "mrp", "cost", "preis"),
    *("discount", "discount_percent", "rating", "ratings", "average_rating", "avg_rating", "rating_count"),
    *("review_count", "reviews_count", "number_of_reviews", "bewertung"),
)

_DECIMAL = re.compile(r"[-+]?\d+\.\d+")
_FLOAT = re.compile(r"^(\d+)\.0$")  # pandas writes integers like this in a column with empty cells
SEPARATOR = "|"  # between the labels of one cell; a comma is part of a label
# A column of free text, such as titles, is not an attribute: it has very many values, or mostly unique ones.
MAX_NAMES = 1000
MAX_DIFFERENT = 0.5  # maximum ratio of different labels to all labels of a column
FEW_LABELS = 20  # a column with at most this many labels may have only unique ones


@dataclass(frozen=True)
class SplitTable:
    """A table and the split of its rows; None if a column of the table or a hash of the id decides."""

    table: Table
    split: str | None


@dataclass(frozen=True)
class ColumnLayout:
    """The columns by role."""

    image: str
    id: str | None
    split: str | None
    groups: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All columns to read."""
        return [name for name in (self.image, self.id, self.split, *self.groups) if name is not None]


@dataclass(frozen=True)
class Survey:
    """Statistics of a catalog's cells.

    Attributes:
        rows: number of rows.
        labels: by group, number of labels in all rows.
        names: by group, the different labels; incomplete above `MAX_NAMES`.
        nothing: by group, counts of cell texts that mean no label, such as N/A.
    """

    rows: int
    labels: dict[str, int]
    names: dict[str, set[str]]
    nothing: dict[str, Counter[str]]

    def is_text(self, group: str) -> bool:
        """Whether the values of a column are too many or too different to be labels."""
        labels, different = self.labels[group], len(self.names[group])
        return different > MAX_NAMES or (labels > FEW_LABELS and different > MAX_DIFFERENT * labels)

    def is_decimal(self, group: str) -> bool:
        """Whether all values of a column are decimal numbers, such as prices."""
        names = self.names[group]
        return bool(names) and all(map(_DECIMAL.fullmatch, names))


def find_layout(
    tables: Sequence[SplitTable],
    groups: Sequence[str] | None,
    image_column: str | None = None,
    id_column: str | None = None,
) -> ColumnLayout:
    """Assign roles to columns by their names; a column of splits must also hold one.

    Raises DataError for a missing column or no image column.
    """
    first = tables[0].table
    image = image_column or usual_name(first.columns, IMAGE_COLUMNS)
    if image is None:
        raise DataError(
            f"{first.path} has no column with a usual name for images, such as image, photo, file or path; "
            f"its columns are: {', '.join(first.columns)}; name it with --image-column of: "
            "python -m training.sources catalog SOURCE --out FOLDER, and train on FOLDER"
        )
    others = [column for column in first.columns if column != image]
    name = id_column or usual_name(others, PRODUCT_COLUMNS + ID_COLUMNS)
    split = _split_column(tables) if tables[0].split is None else None
    if groups is None:
        usual = IMAGE_COLUMNS + ID_COLUMNS + SPLIT_COLUMNS + NUMBER_COLUMNS + OTHER_COLUMNS
        groups = [
            column for column in first.label_columns if column not in (image, name) and not is_usual(column, usual)
        ]
    if not groups:
        raise DataError(f"{first.path} has no column of labels; its columns are: {', '.join(first.columns)}")
    layout = ColumnLayout(image, name, split if split not in groups else None, tuple(groups))
    for table in tables:
        require_columns(table.table, layout.columns)
    return layout


def split_of_cell(cell: Any) -> str | None:
    """The split that a cell names, None if it names none."""
    return SPLIT_NAMES.get(str(cell).strip().lower())


def _split_column(tables: Sequence[SplitTable]) -> str | None:
    """The first column with a usual name for splits that holds at least one; others have numbers of folds, say."""
    for name in SPLIT_COLUMNS:
        column = usual_name(tables[0].table.columns, (name,))
        having = [each.table for each in tables if each.split is None and column in each.table.columns]
        if column and any(split_of_cell(row[column]) for table in having for _, row in table.rows([column])):
            return column
    return None


def survey_cells(tables: Sequence[SplitTable], groups: Sequence[str], separators: Sequence[str] = ()) -> Survey:
    """Read all labels once, so that a broken line is found before any photograph is read.

    Different labels are collected up to about `MAX_NAMES`. Raises DataError for a broken table or no row.
    """
    names: dict[str, set[str]] = {group: set() for group in groups}
    labels: Counter[str] = Counter()
    nothing: dict[str, Counter[str]] = {group: Counter() for group in groups}
    rows = 0
    for table in tables:
        for _, row in table.table.rows(groups):
            rows += 1
            for group, seen in names.items():
                cell = read_labels(group, row[group], separators) or ()
                labels[group] += len(cell)
                if isinstance(row[group], str) and row[group] and _is_no_label(row[group]):
                    nothing[group][row[group]] += 1
                if len(seen) <= MAX_NAMES:
                    seen.update(cell)
    if rows == 0:
        raise DataError(f"{tables[0].table.path} has no row below its header")
    return Survey(rows, {group: labels[group] for group in groups}, names, nothing)


def without_text(tables: Sequence[SplitTable], layout: ColumnLayout, survey: Survey) -> ColumnLayout:
    """Leave out the groups that are free text or decimal numbers. Raises DataError if all are."""
    groups = tuple(group for group in layout.groups if not (survey.is_text(group) or survey.is_decimal(group)))
    if not groups:
        raise DataError(
            f"all columns of {tables[0].table.path} hold text with hardly a repeated value, or decimals: "
            f"{', '.join(layout.groups)}; if some are attributes, name them with --data.groups (or --groups)"
        )
    return replace(layout, groups=groups)


def text_note(layout: ColumnLayout, survey: Survey) -> str:
    """A note on the groups that `without_text` leaves out, and how to keep them; empty if there are none."""
    text = [group for group in layout.groups if survey.is_text(group)]
    decimals = [group for group in layout.groups if survey.is_decimal(group) and group not in text]
    left_out = text + decimals
    if not left_out:
        return ""
    kinds = (("text", text), ("decimal numbers", decimals))
    counts = "; ".join(
        f"left out as {kind}, not attributes: {_value_counts(groups, survey)}" for kind, groups in kinds if groups
    )
    wanted = ",".join([*(group for group in layout.groups if group not in left_out), left_out[0]])
    return f"{counts}; to use one, name all groups: --data.groups '[{wanted}]'"


def _value_counts(groups: Sequence[str], survey: Survey) -> str:
    return ", ".join(
        f"{group} ({'over ' if len(survey.names[group]) > MAX_NAMES else ''}"
        f"{min(len(survey.names[group]), MAX_NAMES):,} different values in {survey.labels[group]:,})"
        for group in groups
    )


def split_note(tables: Sequence[SplitTable], layout: ColumnLayout) -> str:
    """A note on a column with a usual name for splits that holds none; empty if there is no such column."""
    column = usual_name(tables[0].table.columns, SPLIT_COLUMNS)
    if column is None or column in layout.columns or all(table.split for table in tables):
        return ""
    return f"column {column!r} holds none of train, val and test, so a hash of the ids decides the split"


def nothing_note(layout: ColumnLayout, survey: Survey) -> str:
    """A note on cells whose text means no label; empty if there are none."""
    said = {group: survey.nothing[group] for group in layout.groups if survey.nothing[group]}
    if not said:
        return ""
    counts = ", ".join(f"{group} ({words.total():,}, such as {next(iter(words))!r})" for group, words in said.items())
    return f"cells that say that there is no value count as not annotated: {counts}"


def unread_note(tables: Sequence[SplitTable], layout: ColumnLayout) -> str:
    """A note on the columns that `find_layout` does not use; empty if there are none.

    Args:
        tables: all tables of a catalog.
        layout: found by `find_layout` without given groups.
    """
    there = dict.fromkeys(column for table in tables for column in table.table.columns)
    unread = [column for column in there if column not in layout.columns]
    if not unread:
        return ""
    return (
        f"{len(unread)} of the columns left out: {', '.join(unread)}; their names or types are not those of attributes "
        "(ids, addresses, dates, prices, lists of numbers and the like), or the first table lacks them"
    )


def read_labels(group: str, cell: Any, separators: Sequence[str] = ()) -> list[str] | None:
    """The labels of a catalog's cell, in their normal form; None if it is empty, or a list of empty values.

    Args:
        group: not used; part of the `ReadCell` interface for other sources.
        cell: text with `|` between labels, a number, or a list.
        separators: further separators between labels of a text.
    """
    if cell is None or cell != cell:  # NaN: pandas' empty number
        return None
    if isinstance(cell, list):
        names = [label_name(str(each)) for each in cell if each is not None]
        return [name for name in names if not _is_no_label(name)] or (None if cell else [])
    if isinstance(cell, float) and cell.is_integer():  # such as 2012.0: pandas' integers in a column with empty cells
        cell = int(cell)
    text = _FLOAT.sub(r"\1", str(cell))
    for separator in separators:
        text = text.replace(separator, SEPARATOR)
    return [name for name in map(label_name, text.split(SEPARATOR)) if not _is_no_label(name)] or None


def _is_no_label(text: str) -> bool:
    """Whether a text means no label; `none` may be a label, for example of a closure or a pattern."""
    return is_missing(text) and text.lower() != "none"
