"""The points of an index in a folder without their vectors: ids, payloads and what filters need, in SQLite.

Each point has a row, its place in the file of vectors; rows of deleted points are used again. `index_rows` stores for
each column which rows have which value, so that a filter reads a few sorted arrays and no payloads. Points that were
changed since are few, and compared by their payloads.
"""

import json
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from catalog.engines.database import AT_ONCE, Database
from catalog.engines.row_sets import ORDERED, ROW_TYPE, RowSets, row_sets
from catalog.filters.columns import Column
from fashion.errors import DataError

TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE points (row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, payload BLOB NOT NULL);
CREATE TABLE changed (row INTEGER PRIMARY KEY);
CREATE TABLE columns (key TEXT PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE filled (key TEXT PRIMARY KEY, bits BLOB NOT NULL);
CREATE TABLE equal (key TEXT NOT NULL, value TEXT NOT NULL, rows BLOB NOT NULL, PRIMARY KEY (key, value)) WITHOUT ROWID;
CREATE TABLE ordered (key TEXT PRIMARY KEY, numbers BLOB NOT NULL, rows BLOB NOT NULL);
"""
ALL = ""  # key in `filled` of the rows in use
SLOTS, STALE = "slots", "stale"  # facts: number of rows when they were indexed; whether the columns are others since
SAMPLE = "sample"  # fact: a payload, whose texts others are compressed with: a quarter of the size
MOST_CHANGED = 1000  # points that are compared by their payloads
MOST_KEPT = 2 * 10**8  # bytes of arrays that filters have read, kept for the next ones
WINDOW = 12  # binary logarithm of the bytes that a compressed payload can refer to


class StoredPoint(NamedTuple):
    """A point as stored."""

    row: int
    id: str
    payload: dict[str, Any]


class PointTable:
    """The points of one index. Several threads may read it.

    Attributes:
        slots: number of rows, in use or not.

    Args:
        path: of the database.
        facts: of a new index; None opens an existing one.

    Raises:
        DataError: in all methods, if the file cannot be read or written.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.RLock()  # guards what is kept in memory
        self._masks: dict[str, np.ndarray] = {}
        self._changed: tuple[np.ndarray, dict[str, RowSets]] | None = None
        self._free: list[int] | None = None
        self._arrays: dict[tuple[Any, ...], tuple[np.ndarray, ...]] = {}
        self._kept = 0
        self._database = Database(path)
        self._select, self._select_in = self._database.select, self._database.select_in
        self._connection = self._database.connection  # for statements within `_writing`
        try:
            if facts is not None:
                self._create(facts)
            # Rows that were deleted since the last `index_rows` may be beyond all others.
            asked = (
                "SELECT max((SELECT coalesce(max(row), -1) FROM points), (SELECT coalesce(max(row), -1) FROM changed))"
            )
            self.slots = max(self._select(asked)[0][0] + 1, self.fact(SLOTS))
            self._sample: bytes = self.fact(SAMPLE).encode()
        except BaseException:
            self.close()
            raise

    def _create(self, facts: Mapping[str, Any]) -> None:
        with self._writing():
            for statement in TABLES.split(";"):
                self._connection.execute(statement)
            for name, content in {**facts, SLOTS: 0, STALE: False, SAMPLE: ""}.items():
                self._set_fact(name, content)
            self._connection.execute("INSERT INTO filled VALUES (?, ?)", (ALL, b""))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def fact(self, name: str) -> Any:
        """A fact about the index."""
        ((content,),) = self._select("SELECT content FROM facts WHERE name = ?", name)
        return json.loads(content)

    def set_columns(self, columns: Iterable[Column]) -> None:
        """Set the columns that filters can name."""
        wanted = sorted({column.key: column.kind for column in columns}.items())
        if wanted != self._select("SELECT key, kind FROM columns ORDER BY key"):
            with self._writing():
                self._connection.execute("DELETE FROM columns")
                self._connection.executemany("INSERT INTO columns VALUES (?, ?)", wanted)
                self._set_fact(STALE, True)

    def rows_for(self, ids: Sequence[str]) -> np.ndarray:
        """The row of each point, int64 (n,); unknown ones are assigned a row, which `write` takes into use."""
        known = self._rows_by_id(ids)
        return np.array([known[id] if id in known else self._new_row() for id in ids], np.int64)

    def write(self, rows: np.ndarray, ids: Sequence[str], payloads: Sequence[str]) -> None:
        """Write points, their payloads as JSON, at the rows that `rows_for` returned."""
        if not self._sample:
            with self._writing():
                self._set_fact(SAMPLE, payloads[0])
            self._sample = payloads[0].encode()
        with self._writing():
            values = zip(rows.tolist(), map(_key, ids), map(self._packed, payloads), strict=True)
            self._connection.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", values)
            self._connection.executemany("INSERT OR IGNORE INTO changed VALUES (?)", ((row,) for row in rows.tolist()))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points; unknown ids are skipped."""
        rows = [(row,) for row in self.rows_of(ids)]
        with self._writing():
            self._connection.executemany("DELETE FROM points WHERE row = ?", rows)
            self._connection.executemany("INSERT OR IGNORE INTO changed VALUES (?)", rows)
        self._free = None

    def get(self, ids: Sequence[str]) -> list[StoredPoint]:
        """The points with these ids; unknown ids are skipped."""
        return self._points("id", list(map(_key, ids)))

    def at(self, rows: Sequence[int]) -> list[StoredPoint]:
        """The points at these rows, in their order."""
        found = {point.row: point for point in self._points("row", rows)}
        return [found[row] for row in rows]

    def ids_at(self, rows: Sequence[int]) -> list[str]:
        """The ids of the points at these rows, in their order."""
        found = dict(self._select_in("SELECT row, id FROM points WHERE row IN ({})", rows))
        return [str(UUID(bytes=found[row])) for row in rows]

    def rows_of(self, ids: Sequence[str]) -> list[int]:
        """The rows of the points with these ids; unknown ids are skipped."""
        return list(self._rows_by_id(ids).values())

    def rows_by_id(self) -> Iterator[int]:
        """The rows of all points, ordered by id."""
        last = b""
        while found := self._select("SELECT row, id FROM points WHERE id > ? ORDER BY id LIMIT ?", last, 100 * AT_ONCE):
            yield from (row for row, _ in found)
            last = found[-1][1]

    def finish(self) -> None:
        """Make filters fast again after changes."""
        ((changed,),) = self._select("SELECT count(*) FROM changed")
        if changed > MOST_CHANGED or self.fact(STALE):
            self.index_rows()

    def index_rows(self) -> None:
        """Store for each column which rows have which value."""
        columns = dict(self._select("SELECT key, kind FROM columns"))
        with self._writing():
            for table in ("filled", "equal", "ordered", "changed"):
                self._connection.execute(f"DELETE FROM {table}")
            stored = self._connection.execute("SELECT row, payload FROM points ORDER BY row")
            found = row_sets(((row, self._unpacked(packed)) for row, packed in stored), columns)
            ((last,),) = self._select("SELECT coalesce(max(row) + 1, 0) FROM points")
            self.slots = last
            self._set_fact(SLOTS, self.slots)
            self._set_fact(STALE, False)
            used = np.array([row for (row,) in self._select("SELECT row FROM points")], np.int64)
            self._store_mask(ALL, used)
            for key, kind in columns.items():
                self._store_sets(key, kind, found.pop(key))
        self._free = None

    def mask(self, key: str = ALL) -> np.ndarray:
        """Whether a row has a value in a column, bool (slots,); by default, whether it is in use.

        Raises:
            DataError: the column is not indexed.
        """
        with self._lock:
            if key not in self._masks:
                changed, added = self._changed_sets(key)
                ((content,),) = self._select("SELECT bits FROM filled WHERE key = ?", key)
                bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")[: self.slots]
                mask = np.zeros(self.slots, bool)
                mask[: len(bits)] = bits
                mask[changed] = False
                mask[added.rows] = True
                self._masks[key] = mask
            return self._masks[key]

    def rows_with(self, key: str, values: Sequence[str]) -> np.ndarray:
        """The rows that have one of some values in a column; those with several may occur several times."""
        changed, added = self._changed_sets(key)
        rows = np.concatenate([np.zeros(0, ROW_TYPE), *(self._indexed_rows(key, value) for value in values)])
        if not len(changed):
            return rows
        later = dict(added.sets())
        kept = rows[np.isin(rows, changed, invert=True)]
        return np.concatenate([kept, *(later[value] for value in values if value in later)])

    def _indexed_rows(self, key: str, value: str) -> np.ndarray:
        """The rows with a value when they were indexed."""
        try:
            (rows,) = self._cached("SELECT rows FROM equal WHERE key = ? AND value = ?", key, value, kinds=(ROW_TYPE,))
        except UnicodeEncodeError:  # a lone surrogate, which no stored value has
            return np.zeros(0, ROW_TYPE)
        return rows

    def numbers(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of a column in ascending order, or its times in seconds since 1970, and their rows."""
        changed, added = self._changed_sets(key)
        numbers, rows = self._cached("SELECT numbers, rows FROM ordered WHERE key = ?", key, kinds=("<f8", ROW_TYPE))
        if not len(changed):
            return numbers, rows
        kept = np.isin(rows, changed, invert=True)
        before = np.searchsorted(numbers[kept], added.numbers)
        return np.insert(numbers[kept], before, added.numbers), np.insert(rows[kept], before, added.rows)

    def _cached(self, statement: str, *values: Any, kinds: Sequence[Any]) -> tuple[np.ndarray, ...]:
        """The arrays in the row that a statement selects, empty ones if there is none; kept for the next filter."""
        with self._lock:
            if values not in self._arrays:
                content = next(iter(self._select(statement, *values)), [b""] * len(kinds))
                found = tuple(np.frombuffer(each, kind) for each, kind in zip(content, kinds, strict=True))
                self._kept += sum(each.nbytes for each in found)
                if self._kept > MOST_KEPT:
                    self._arrays.clear()
                    self._kept = sum(each.nbytes for each in found)
                self._arrays[values] = found
            return self._arrays[values]

    def _changed_sets(self, key: str) -> tuple[np.ndarray, RowSets]:
        """The rows changed since they were indexed, and what filters need of those in use."""
        with self._lock:
            if self._changed is None:
                rows = [row for (row,) in self._select("SELECT row FROM changed ORDER BY row")]
                asked = "SELECT row, payload FROM points WHERE row IN ({}) ORDER BY row"
                points = [(row, self._unpacked(packed)) for row, packed in self._select_in(asked, rows)]
                sets = row_sets(points, dict(self._select("SELECT key, kind FROM columns")))
                used = np.array([row for row, _ in points], ROW_TYPE)
                sets[ALL] = RowSets([None], np.array([len(used)]), used)
                self._changed = np.array(rows, ROW_TYPE), sets
            changed, sets = self._changed
            if key not in sets:
                raise DataError(f"the index has no column {key}; index the catalog again")
            return changed, sets[key]

    def _store_sets(self, key: str, kind: str, sets: RowSets) -> None:
        self._store_mask(key, sets.rows)
        if kind in ORDERED:
            content = (key, sets.numbers.tobytes(), sets.rows.tobytes())
            self._connection.execute("INSERT INTO ordered VALUES (?, ?, ?)", content)
        else:
            values = ((key, value, rows.tobytes()) for value, rows in sorted(sets.sets(), key=lambda each: each[0]))
            self._connection.executemany("INSERT INTO equal VALUES (?, ?, ?)", values)

    def _store_mask(self, key: str, rows: np.ndarray) -> None:
        mask = np.zeros(self.slots, bool)
        mask[rows] = True
        content = (key, np.packbits(mask, bitorder="little").tobytes())
        self._connection.execute("INSERT INTO filled VALUES (?, ?)", content)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; what was kept of the tables is forgotten."""
        with self._lock, self._database.writing():
            self._masks.clear()
            self._arrays.clear()
            self._changed, self._kept = None, 0
            yield

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

    def _rows_by_id(self, ids: Sequence[str]) -> dict[str, int]:
        found = self._select_in("SELECT id, row FROM points WHERE id IN ({})", list(map(_key, ids)))
        return {str(UUID(bytes=id)): row for id, row in found}

    def _points(self, column: str, values: Sequence[Any]) -> list[StoredPoint]:
        found = self._select_in(f"SELECT row, id, payload FROM points WHERE {column} IN ({{}})", values)
        return [StoredPoint(row, str(UUID(bytes=id)), json.loads(self._unpacked(packed))) for row, id, packed in found]

    def _packed(self, payload: str) -> bytes:
        packing = zlib.compressobj(1, wbits=-WINDOW, memLevel=5, zdict=self._sample[-(2**WINDOW) :])
        return packing.compress(payload.encode()) + packing.flush()

    def _unpacked(self, packed: bytes) -> str:
        return zlib.decompressobj(-WINDOW, zdict=self._sample[-(2**WINDOW) :]).decompress(packed).decode()


def _key(id: str) -> bytes:
    return bytes.fromhex(id.replace("-", ""))
