"""For each column of an index, the rows that have each of its values: what filters are evaluated with."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from catalog.filters.columns import Kind, key_parts

ORDERED = ("number", "date")  # kinds of columns that are compared by size; the others are compared by equality
ROW_TYPE = np.dtype("<u4")


class RowSets(NamedTuple):
    """The rows of one column, grouped by value.

    Attributes:
        values: the distinct values; numbers and times (seconds since 1970) in ascending order.
        ends: int64 (len(values),), where the rows of each value end in `rows`.
        rows: uint32, the rows with the first value, ascending, then those with the second, and so on.
    """

    values: list[Any]
    ends: np.ndarray
    rows: np.ndarray

    def sets(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Each value and its rows."""
        start = 0
        for value, end in zip(self.values, self.ends.tolist(), strict=True):
            yield value, self.rows[start:end]
            start = end

    @property
    def numbers(self) -> np.ndarray:
        """The value of each of `rows`, float64."""
        return np.repeat(np.array(self.values, "<f8"), np.diff(self.ends, prepend=0))


def row_sets(points: Iterable[tuple[int, str]], columns: Mapping[str, Kind]) -> dict[str, RowSets]:
    """Group rows by the values of columns.

    Args:
        points: row and payload as JSON, in ascending order of the rows.
        columns: key and kind.
    """
    codes: dict[str, dict[Any, int]] = {key: {} for key in columns}
    found = {key: (array("I"), array("I")) for key in columns}  # rows, and codes of their values
    readers = [(key_parts(key), kind, codes[key], *found[key]) for key, kind in columns.items()]
    for row, text in points:
        payload = json.loads(text)
        for place, kind, known, rows, numbers in readers:
            value = payload
            for part in place:
                value = value.get(part)
                if value is None:
                    break
            else:
                for each in _comparable(kind, value if isinstance(value, list) else (value,)):
                    rows.append(row)
                    numbers.append(known.setdefault(each, len(known)))
    return {key: _grouped(list(codes.pop(key)), *found.pop(key), kind in ORDERED) for key, kind in columns.items()}


def _grouped(values: list[Any], rows: "array[int]", codes: "array[int]", ordered: bool) -> RowSets:
    numbers = np.frombuffer(codes, ROW_TYPE) if codes else np.zeros(0, ROW_TYPE)
    if ordered:
        order = np.argsort(np.array(values, "<f8"), kind="stable")
        ranks = np.empty(len(order), ROW_TYPE)
        ranks[order] = np.arange(len(order))
        values, numbers = [values[place] for place in order], ranks[numbers]
    kept = np.frombuffer(rows, ROW_TYPE)[np.argsort(numbers, kind="stable")] if rows else np.zeros(0, ROW_TYPE)
    return RowSets(values, np.cumsum(np.bincount(numbers, minlength=len(values))), kept)


def _comparable(kind: Kind, values: Iterable[Any]) -> Iterable[Any]:
    """The distinct values as they are compared, without those that are not of the column's kind."""
    if kind == "number":
        return [float(value) for value in values if isinstance(value, (int, float))]
    if kind == "date":
        return [datetime.fromisoformat(value).timestamp() for value in values if isinstance(value, str)]
    texts = [value for value in values if isinstance(value, str)]
    return texts if len(texts) < 2 else dict.fromkeys(texts)
