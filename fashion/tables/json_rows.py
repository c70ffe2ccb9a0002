"""Read tables in JSON: a list of objects, or one object per line."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.tables.cells import is_fraction
from fashion.tables.columns import ID_COLUMNS, IMAGE_COLUMNS, usual_name
from fashion.tables.encodings import text_encoding
from fashion.tables.header import check_misfits

# An escaped surrogate, possibly unpaired and thus not a character; or a typed value of MongoDB.
_UNUSUAL = re.compile(r'\\u[dD][89a-fA-F]|"\$(?:oid|date|number\w*)"')
_SPACE = re.compile(r"\s*")


class JsonTable:
    """A JSON table: objects are rows, their members columns. Cells keep their types.

    Attributes:
        misfits: line number -> reason, for the lines that are not objects.
        notes: notes for the user about the encoding.
    """

    misfit_reason = "bad line"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.misfits: dict[int, str] = {}
        self._rows: list[tuple[int, dict[str, Any]]] = []
        encoding = text_encoding(path)
        self.notes = tuple(filter(None, [encoding.note]))
        try:
            with encoding.open(path) as file:
                text = file.read()
        except UnicodeError:
            raise DataError(f"{path} is not UTF-16 text; save it as UTF-8") from None
        values = _whole(text)
        what = "object"
        if values is None:
            values, what = self._lines(text), "line"
            if len(self.misfits) > len(values) and (several := _concatenated_objects(text)):
                values, what, self.misfits = several, "object", {}
        for number, value in values:
            if isinstance(value, dict):
                self._rows.append((number, value))
            else:
                self.misfits.setdefault(number, "is not a JSON object")
        hint = "expected a list of objects, or an object on each line"
        check_misfits(path, self.misfits, len(self._rows), what, hint)
        if _UNUSUAL.search(text):
            self._rows = [(number, _normalized(row)) for number, row in self._rows]
        names = dict.fromkeys(name for _, row in self._rows for name in row)
        nested = {name for _, row in self._rows for name, cell in row.items() if _is_nested(cell)}
        self.columns = tuple(names)
        self.number_columns = frozenset(
            name for _, row in self._rows for name, cell in row.items() if is_fraction(cell)
        )
        self.label_columns = tuple(name for name in names if name not in nested)
        if not self.columns:
            raise DataError(f"{path} has no row; {hint}")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows with their position in the list, from 1, or their line number."""
        for number, row in self._rows:
            yield number, {name: row.get(name) for name in columns}

    def _lines(self, text: str) -> list[tuple[int, Any]]:
        found = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip() and line.strip() not in ("[", "]"):  # brackets of a list with one row per line
                try:
                    found.append((number, json.loads(line.rstrip().removesuffix(","))))
                except (ValueError, RecursionError) as error:
                    self.misfits[number] = f"is not JSON ({error})"
        return found


def _whole(text: str) -> list[tuple[int, Any]] | None:
    """The rows of a text that is one JSON document; None for any other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = _rows_within(value)
    return list(enumerate(value if isinstance(value, list) else [value], 1))


def _concatenated_objects(text: str) -> list[tuple[int, Any]] | None:
    """The rows of a text of concatenated JSON objects, as written by jq; None for any other text."""
    decoder, found = json.JSONDecoder(), []
    at = _after_space(text, 0)
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found.append(value)
            at = _after_space(text, at)
    except (ValueError, RecursionError):
        return None
    return list(enumerate(found, 1))


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()


def _rows_within(value: dict[str, Any]) -> list[Any]:
    """The rows in an object: in a list such as {"products": [...]}, in a pandas layout, or the object itself."""
    inner = list(value.values())
    if value and all(isinstance(each, dict) for each in inner):
        if usual_name(list(value), IMAGE_COLUMNS) and len({tuple(each) for each in inner}) == 1:
            # Column-oriented: column -> row -> value.
            return [{name: column[row] for name, column in value.items()} for row in inner[0]]
        if all(usual_name(list(each), IMAGE_COLUMNS) for each in inner):  # row-oriented: id -> row
            have_ids = usual_name(list(inner[0]), ID_COLUMNS)
            return inner if have_ids else [{"id": name} | row for name, row in value.items()]
    names, lines = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(lines, list) and all(isinstance(line, list) for line in lines):
        return [dict(zip(map(str, names), line, strict=False)) for line in lines]
    if usual_name(list(value), IMAGE_COLUMNS):
        return [value]
    lists = [each for each in inner if isinstance(each, list) and each and isinstance(each[0], dict)]
    named = [each for each in lists if usual_name(list(each[0]), IMAGE_COLUMNS)]
    return next((each for each in (named, lists) if len(each) == 1), [[value]])[0]


def _normalized(value: Any) -> Any:
    """Replace unpaired surrogates by the replacement character, and unwrap typed values of MongoDB."""
    if isinstance(value, str):
        return value.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
    if isinstance(value, list):
        return [_normalized(each) for each in value]
    if isinstance(value, dict):
        if len(value) == 1 and (name := next(iter(value))).startswith("$"):
            return _normalized(value[name])
        return {_normalized(name): _normalized(each) for name, each in value.items()}
    return value


def _is_nested(cell: Any) -> bool:
    return isinstance(cell, dict) or (isinstance(cell, list) and any(isinstance(each, (dict, list)) for each in cell))
