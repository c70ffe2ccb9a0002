"""Tables in JSON: a list of objects, or an object on each line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.tables.header import refuse_many


class JsonTable:
    """A row is an object, a column one of its members. Cells keep their types.

    Attributes:
        misfits: what is wrong with the lines that are no objects, by their numbers.
    """

    misfit_reason = "bad line"
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.misfits: dict[int, str] = {}
        self._rows: list[tuple[int, dict[str, Any]]] = []
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            byte = f"byte 0x{error.object[error.start]:02x} at {error.start:,}"
            raise DataError(f"{path} is not UTF-8 text ({byte}); save it as UTF-8") from None
        values = _whole(text)
        what = "object"
        if values is None:
            values, what = self._lines(text), "line"
        for number, value in values:
            if isinstance(value, dict):
                self._rows.append((number, value))
            else:
                self.misfits.setdefault(number, "is no JSON object")
        mend = "expected a list of objects, or an object on each line"
        refuse_many(path, self.misfits, len(self._rows), what, mend)
        names = dict.fromkeys(name for _, row in self._rows for name in row)
        nested = {name for _, row in self._rows for name, cell in row.items() if _is_nested(cell)}
        self.columns = tuple(names)
        self.label_columns = tuple(name for name in names if name not in nested)
        if not self.columns:
            raise DataError(f"{path} has no row; {mend}")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows with their places in the list, from 1, or the numbers of their lines."""
        for number, row in self._rows:
            yield number, {name: row.get(name) for name in columns}

    def _lines(self, text: str) -> list[tuple[int, Any]]:
        found = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    found.append((number, json.loads(line)))
                except ValueError as error:
                    self.misfits[number] = f"is not JSON ({error})"
        return found


def _whole(text: str) -> list[tuple[int, Any]] | None:
    """The objects of a list, or of the one list in an object, such as {"products": [...]}; None for another text."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, dict):
        lists = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
        value = lists[0] if len(lists) == 1 and len(value) == 1 else [value]
    return list(enumerate(value if isinstance(value, list) else [value], 1))


def _is_nested(cell: Any) -> bool:
    return isinstance(cell, dict) or (isinstance(cell, list) and any(isinstance(each, (dict, list)) for each in cell))
