"""Facets: the values of each column to filter by, with their number of products."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.filters.columns import SOURCE, Column
from catalog.scored.columns import ATTRIBUTE
from page.browsing.selection import ListSelection, can_name, filter_name, is_group
from page.shop import Shop

MOST_VALUES = 40  # a text column with more values is no facet, unless some are chosen: then it has these and the first


@dataclass(frozen=True)
class Choice:
    """One value, and how many products have it, given the choices in the other columns."""

    value: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    """One column.

    Attributes:
        name: as in filters.
        kind: see `catalog.filters.columns.Column`.
        choices: for labels, texts and flags, the most frequent first.
        least, most: for numbers and dates, the chosen limits.
        lowest, highest: for numbers and dates, the limits of the data.
    """

    name: str
    kind: str
    choices: tuple[Choice, ...] = ()
    least: str = ""
    most: str = ""
    lowest: str = ""
    highest: str = ""

    @property
    def is_used(self) -> bool:
        """Whether something is chosen."""
        return bool(self.least or self.most or any(choice.is_chosen for choice in self.choices))


def facets(shop: Shop, selection: ListSelection, kept: np.ndarray, among: np.ndarray) -> list[Facet]:
    """The facets of a selection.

    Args:
        shop: the catalog.
        selection: the current choices.
        kept: bool (rows,), the products that pass the selection.
        among: bool (rows,), the products before filtering: all, or the results of a search.

    Raises:
        FilterError: the selection's filter is invalid.
    """
    return [facet for column in shop.columns.columns for facet in _facet(shop, column, selection, kept, among)]


def _facet(
    shop: Shop, column: Column, selection: ListSelection, kept: np.ndarray, among: np.ndarray
) -> Iterator[Facet]:
    if column.kind in ("number", "date") and column.place[0] == SOURCE:
        yield _range(shop, column, selection)
    elif is_group(column) or column.place[0] == SOURCE:
        name = filter_name(column, shop.columns)
        chosen = selection.chosen.get(name, ())
        rows = shop.filter_mask(selection.filter(without=name)) & among if chosen else kept
        counts = _counts(shop, column, rows)
        counts |= {value: 0 for value in chosen if value not in counts}
        most = len(counts) if is_group(column) else MOST_VALUES
        if counts and (chosen or len(counts) <= most):
            falling = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
            offered = [each for place, each in enumerate(falling) if place < most or each[0] in chosen]
            choices = tuple(Choice(value, count, value in chosen) for value, count in offered if can_name(value))
            yield Facet(name, column.kind, choices)


def _counts(shop: Shop, column: Column, rows: np.ndarray) -> dict[str, int]:
    values = shop.values(ATTRIBUTE + column.name if is_group(column) else column.name).filter(pa.array(rows))
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        values = pc.list_flatten(values)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    counted = pc.value_counts(values.cast(pa.string()))
    return {each["values"]: each["counts"] for each in counted.to_pylist() if each["values"]}


def _range(shop: Shop, column: Column, selection: ListSelection) -> Facet:
    name = filter_name(column, shop.columns)
    limits = pc.min_max(shop.values(column.name)).as_py()
    lowest, highest = (_format_limit(limits[end], column.kind) for end in ("min", "max"))
    least, most = selection.least.get(name, ""), selection.most.get(name, "")
    return Facet(name, column.kind, (), least, most, lowest, highest)


def _format_limit(value: object, kind: str) -> str:
    if value is None:
        return ""
    return str(value)[:10] if kind == "date" else f"{value:.15g}"
