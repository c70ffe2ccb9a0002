"""The points of an index in a folder without their vectors: ids, payloads and what filters need, in SQLite.

Each point has a row, its place in the file of vectors; rows of deleted points are used again. `index_rows` stores for
each column which rows have which value, so that a filter reads a few sorted arrays and no payloads.
"""

import json
import sqlite3
import threading
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from catalog.filters.columns import Column, key_parts
from fashion.errors import DataError

TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE points (row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, payload TEXT NOT NULL);
CREATE TABLE columns (key TEXT PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE filled (key TEXT PRIMARY KEY, bits BLOB NOT NULL);
CREATE TABLE equal (key TEXT NOT NULL, value TEXT NOT NULL, rows BLOB NOT NULL, UNIQUE (key, value));
CREATE TABLE ordered (key TEXT PRIMARY KEY, numbers BLOB NOT NULL, rows BLOB NOT NULL);
"""
ORDERED = ("number", "date")  # kinds of columns that are compared by size; the others are compared by equality
ALL = ""  # key in `filled` of the rows in use
INDEXED = "indexed"  # fact: whether `filled`, `equal` and `ordered` are up to date
ROW_TYPE = np.dtype("<u4")
AT_ONCE = 500  # values in a statement


class StoredPoint(NamedTuple):
    """A point as stored."""

    row: int
    id: str
    payload: dict[str, Any]


class PointTable:
    """The points of one index. It can be used from several threads.

    Args:
        path: of the database.
        facts: of a new index; None opens an existing one.

    Raises:
        sqlite3.Error: the file is no such database.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._lock = threading.RLock()
        self._masks: dict[str, np.ndarray] = {}
        # A run that was interrupted is repeated by `catalog.index`, so that no write has to wait for the disk.
        self._connection.execute("PRAGMA synchronous = OFF")
        if facts is not None:
            self._connection.executescript(TABLES)
            for name, content in {**facts, INDEXED: True}.items():
                self._set_fact(name, content)
            self._store_mask(ALL, np.zeros(0, np.int64), 0)
            self._connection.commit()
        self.slots = self._select("SELECT coalesce(max(row) + 1, 0) FROM points")[0][0]
        self._free: list[int] | None = None

    def close(self) -> None:
        self._connection.close()

    def fact(self, name: str) -> Any:
        """A fact about the index."""
        return json.loads(self._select("SELECT content FROM facts WHERE name = ?", name)[0][0])

    def set_columns(self, columns: Iterable[Column]) -> None:
        """Set the columns that filters can name."""
        wanted = sorted((column.key, column.kind) for column in columns)
        if wanted != self._select("SELECT key, kind FROM columns ORDER BY key"):
            with self._changing():
                self._connection.execute("DELETE FROM columns")
                self._connection.executemany("INSERT INTO columns VALUES (?, ?)", wanted)

    def rows_for(self, ids: Sequence[str]) -> np.ndarray:
        """The row of each point, int64 (n,); unknown ones are assigned a row, which `write` takes into use."""
        known = self._rows_of(ids)
        return np.array([known[id] if id in known else self._new_row() for id in ids], np.int64)

    def write(self, rows: np.ndarray, ids: Sequence[str], payloads: Iterable[Mapping[str, Any]]) -> None:
        """Write points at the rows that `rows_for` returned."""
        texts = (json.dumps(payload, ensure_ascii=False, separators=(",", ":")) for payload in payloads)
        values = zip(rows.tolist(), (UUID(id).bytes for id in ids), texts, strict=True)
        with self._changing():
            self._connection.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", values)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points; unknown ids are skipped."""
        with self._changing():
            self._connection.executemany("DELETE FROM points WHERE id = ?", ((UUID(id).bytes,) for id in ids))
        self._free = None

    def get(self, ids: Sequence[str]) -> list[StoredPoint]:
        """The points with these ids; unknown ids are skipped."""
        return self._points("id", [UUID(id).bytes for id in ids])

    def at(self, rows: Sequence[int]) -> list[StoredPoint]:
        """The points at these rows, in their order."""
        found = {point.row: point for point in self._points("row", rows)}
        return [found[row] for row in rows]

    def ids_at(self, rows: Sequence[int]) -> list[str]:
        """The ids of the points at these rows, in their order."""
        found = dict(self._selected_in("SELECT row, id FROM points WHERE row IN ({})", rows))
        return [str(UUID(bytes=found[row])) for row in rows]

    def rows_by_id(self) -> Iterator[int]:
        """The rows of all points, ordered by id."""
        last = b""
        while found := self._select("SELECT row, id FROM points WHERE id > ? ORDER BY id LIMIT ?", last, 100 * AT_ONCE):
            yield from (row for row, _ in found)
            last = found[-1][1]

    @property
    def indexed(self) -> bool:
        """Whether `index_rows` has run since the last change."""
        return self.fact(INDEXED)

    def index_rows(self) -> None:
        """Store for each column which rows have which value."""
        columns = [(key, kind, _value_reader(key)) for key, kind in self._select("SELECT key, kind FROM columns")]
        sets: dict[str, dict[Any, array[int]]] = {key: defaultdict(lambda: array("I")) for key, _, _ in columns}
        everything = array("I")
        cursor = self._connection.execute("SELECT row, payload FROM points ORDER BY row")
        for row, text in cursor:
            payload = json.loads(text)
            everything.append(row)
            for key, kind, read in columns:
                for value in _comparable(kind, read(payload)):
                    sets[key][value].append(row)
        with self._connection:
            for table in ("filled", "equal", "ordered"):
                self._connection.execute(f"DELETE FROM {table}")
            self._store_mask(ALL, np.array(everything, np.int64), self.slots)
            for key, kind, _ in columns:
                self._store_column(key, kind, sets.pop(key))
            self._set_fact(INDEXED, True)
        self._masks.clear()

    def mask(self, key: str = ALL) -> np.ndarray:
        """Whether a row has a value in a column, bool (slots,); by default, whether it is in use.

        Raises:
            DataError: the column is not indexed.
        """
        with self._lock:
            if key not in self._masks:
                found = self._select("SELECT bits FROM filled WHERE key = ?", key)
                if not found:
                    raise DataError(f"the index has no column {key}; index the catalog again")
                bits = np.frombuffer(found[0][0], np.uint8)
                self._masks[key] = np.unpackbits(bits, count=self.slots, bitorder="little").view(bool)
            return self._masks[key]

    def rows_with(self, key: str, value: str) -> np.ndarray:
        """The rows that have a value in a column, ascending."""
        found = self._select("SELECT rows FROM equal WHERE key = ? AND value = ?", key, value)
        return np.frombuffer(found[0][0], ROW_TYPE) if found else np.zeros(0, ROW_TYPE)

    def numbers(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of a column in ascending order, or its times in seconds since 1970, and their rows."""
        found = self._select("SELECT numbers, rows FROM ordered WHERE key = ?", key)
        numbers, rows = found[0] if found else (b"", b"")
        return np.frombuffer(numbers, "<f8"), np.frombuffer(rows, ROW_TYPE)

    def rows_of(self, ids: Sequence[str]) -> list[int]:
        """The rows of the points with these ids; unknown ids are skipped."""
        return list(self._rows_of(ids).values())

    def _store_column(self, key: str, kind: str, rows: Mapping[Any, "array[int]"]) -> None:
        every = [np.frombuffer(found, ROW_TYPE) for found in rows.values()]
        self._store_mask(key, np.concatenate(every) if every else np.zeros(0, ROW_TYPE), self.slots)
        if kind in ORDERED:
            numbers = np.repeat(np.array(list(rows), "<f8"), [len(found) for found in every])
            order = np.argsort(numbers, kind="stable")
            found = np.concatenate(every)[order] if every else np.zeros(0, ROW_TYPE)
            sizes = (key, numbers[order].tobytes(), found.tobytes())
            self._connection.execute("INSERT INTO ordered VALUES (?, ?, ?)", sizes)
        else:
            values = ((key, value, found.tobytes()) for value, found in zip(rows, every, strict=True))
            self._connection.executemany("INSERT INTO equal VALUES (?, ?, ?)", values)

    def _store_mask(self, key: str, rows: np.ndarray, size: int) -> None:
        mask = np.zeros(size, bool)
        mask[rows] = True
        content = (key, np.packbits(mask, bitorder="little").tobytes())
        self._connection.execute("INSERT OR REPLACE INTO filled VALUES (?, ?)", content)

    def _changing(self) -> sqlite3.Connection:
        """A transaction that makes `index_rows` necessary."""
        self._set_fact(INDEXED, False)
        self._masks.clear()
        return self._connection

    def _set_fact(self, name: str, content: Any) -> None:
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(content)))

    def _new_row(self) -> int:
        if self._free is None:
            used = {row for (row,) in self._select("SELECT row FROM points")}
            self._free = sorted(set(range(self.slots)) - used, reverse=True)
        if self._free:
            return self._free.pop()
        self.slots += 1
        return self.slots - 1

    def _rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        found = self._selected_in("SELECT id, row FROM points WHERE id IN ({})", [UUID(id).bytes for id in ids])
        return {str(UUID(bytes=id)): row for id, row in found}

    def _points(self, column: str, values: Sequence[Any]) -> list[StoredPoint]:
        found = self._selected_in(f"SELECT row, id, payload FROM points WHERE {column} IN ({{}})", values)
        return [StoredPoint(row, str(UUID(bytes=id)), json.loads(payload)) for row, id, payload in found]

    def _selected_in(self, statement: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The result of a statement with a list of values in place of {}."""
        for start in range(0, len(values), AT_ONCE):
            some = values[start : start + AT_ONCE]
            yield from self._select(statement.format(",".join("?" * len(some))), *some)

    def _select(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _value_reader(key: str) -> Any:
    """A function that returns the list of a column's values in a payload."""
    return Column(key, "text", key_parts(key)).values


def _comparable(kind: str, values: Iterable[Any]) -> Iterable[Any]:
    """The values as they are compared; those that are not of the column's kind are left out."""
    if kind == "number":
        return [float(value) for value in values if isinstance(value, (int, float))]
    if kind == "date":
        return [datetime.fromisoformat(value).timestamp() for value in values if isinstance(value, str)]
    return dict.fromkeys(value for value in values if isinstance(value, str))
