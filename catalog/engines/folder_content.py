"""Points of an index in a folder, and searches among them. See `catalog.engines.folder_store` for the files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from catalog.engines.point_table import PointTable, StoredPoint
from catalog.engines.row_filters import RowTest
from catalog.engines.store import CANDIDATES, Examples, Hit, Point, Query, Record
from catalog.engines.vector_file import VectorFile
from fashion.errors import DataError

if TYPE_CHECKING:
    from catalog.engines.inverted_lists import InvertedLists

T = TypeVar("T")

TABLE, VECTORS, LISTS, ADDED = "points.sqlite", "vectors.bin", "lists.faiss", "added.bin"
SIZE, EMBEDDING, COARSE_SIZE = "size", "embedding", "coarse size"  # facts in the table
FEW = 1500  # rows that pass a filter: comparing them all is faster than a search of the lists
MOST_ADDED = 500  # points outside the lists, which every search compares
COMPARED = 1024  # vectors that are compared at once where all are; their memory is small enough to be used again


class FolderContent:
    """The points of one index.

    Args:
        folder: of the files.
        facts: of a new index: lengths of a vector, of its embedding (None to keep vectors as float32) and of a coarse
            vector (0 without inverted lists). None opens an existing index.

    Raises:
        DataError: files are missing, cut off or no database.
        OSError, RuntimeError: a file cannot be read.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any] | None = None) -> None:
        if facts is None and not (folder / TABLE).exists():
            raise DataError(f"{folder / TABLE} is missing")
        self._folder = folder
        self.table = PointTable(folder / TABLE, facts)
        self._vectors = VectorFile(folder / VECTORS, self.table.fact(SIZE), self.table.fact(EMBEDDING))
        try:
            if len(self._vectors) < self.table.slots:
                raise DataError(f"{folder / VECTORS} is cut off")
            coarse = self.table.fact(COARSE_SIZE)
            self._lists = _inverted_lists(folder / LISTS, coarse) if coarse else None
            if coarse and self.table.slots and not (folder / LISTS).exists() and not (folder / ADDED).exists():
                raise DataError(f"{folder / LISTS} is missing")
        except BaseException:
            self.close()
            raise
        self._added_rows: np.ndarray | None = None
        self._added_type = np.dtype([("row", "<i8"), ("vector", "<f2", (coarse,))])

    def close(self) -> None:
        """Close the database."""
        self.table.close()

    def upsert(self, points: Sequence[Point]) -> None:
        """Add points with different ids, or replace those with the same id."""
        ids = [point.id for point in points]
        rows = self.table.rows_for(ids)
        self._vectors.write(rows, np.stack([point.vector for point in points]))
        if self._lists:
            added = np.zeros(len(rows), self._added_type)
            added["row"], added["vector"] = rows, np.stack([point.coarse for point in points])  # type: ignore[misc]
            with open(self._folder / ADDED, "ab") as file:
                # Drops the part of a record that an interrupted write left.
                file.truncate(file.tell() // added.itemsize * added.itemsize)
                file.write(added.tobytes())
            self._added_rows = None
        self.table.write(rows, ids, [point.text for point in points])

    def finish(self) -> None:
        """Make filters and searches fast again after changes."""
        self.table.finish()
        added = self._added()
        if self._lists and (len(added) > MOST_ADDED or not (self._folder / LISTS).exists()):
            live = self.table.mask()
            rows, places = np.unique(added["row"][::-1], return_index=True)  # the last of each row counts
            kept = rows < len(live)
            kept[kept] = live[rows[kept]]
            rows, places = rows[kept], len(added) - 1 - places[kept]
            self._lists.update(live, rows, lambda some: added["vector"][places[some]].astype(np.float32))
            (self._folder / ADDED).unlink(missing_ok=True)
            self._added_rows = None

    def passing(self, where: RowTest | None) -> np.ndarray:
        """The rows in use that pass a filter, bool (slots,)."""
        live = self.table.mask()
        return live if where is None else live & where(self.table)

    def records(self, points: Sequence[StoredPoint], vector: bool, payload: Sequence[str] = ()) -> list[Record]:
        """Points with their vectors if wanted; `payload` restricts the payload to these keys."""
        vectors = self._vectors.read(np.array([point.row for point in points], np.int64)) if vector and points else None
        return [
            Record(
                point.id,
                {key: point.payload[key] for key in payload if key in point.payload} if payload else point.payload,
                None if vectors is None else vectors[number],
            )
            for number, point in enumerate(points)
        ]

    def nearest(self, queries: Query, limit: int, where: RowTest | None) -> list[list[Hit]]:
        """See `catalog.engines.store.Store.nearest`."""
        passing = self.passing(where)
        if queries.coarse is None or not self._lists:
            return self._nearest_of_all(queries.vector, limit, passing)
        return [self._nearest_of_candidates(query, limit, passing) for query in queries.split()]

    def recommend(self, examples: Examples, limit: int, where: RowTest | None) -> list[Hit]:
        """See `catalog.engines.store.Store.recommend`."""
        like = np.stack([query.vector for query in examples.like])
        unlike = np.stack([query.vector for query in examples.unlike]) if examples.unlike else like[:0]
        passing = self.passing(where)
        rows = self._candidates(examples.like, limit, passing)
        if rows is not None:
            near, far = self._closeness(rows, like, unlike)
            if (near > far).sum() >= limit:
                return self._hits(rows, near, _by_preference(near, far)[:limit])
        rows = np.flatnonzero(passing)
        parts = list(self._of_blocks(rows, lambda some: self._closeness(some, like, unlike)))
        if not parts:
            return []
        near, far = (np.concatenate(part) for part in zip(*parts, strict=True))
        return self._hits(rows, near, _by_preference(near, far)[:limit])

    def _nearest_of_candidates(self, query: Query, limit: int, passing: np.ndarray) -> list[Hit]:
        rows = self._candidates([query], limit, passing)
        if rows is None:
            return self._nearest_of_all(query.vector[None], limit, passing)[0]
        (alike,) = self._vectors.products(rows, query.vector[None])
        return self._hits(rows, alike, _largest(alike, limit))

    def _candidates(self, queries: Sequence[Query], limit: int, passing: np.ndarray) -> np.ndarray | None:
        """The rows to compare by full vectors; None for all that pass the filter."""
        coarse = [query.coarse for query in queries if query.coarse is not None]
        wanted = limit + CANDIDATES
        if not self._lists or not coarse or np.count_nonzero(passing) <= max(wanted, FEW):
            return None
        added = self._rows_added()
        found = [self._lists.nearest(vector, wanted, passing) for vector in coarse]
        return np.unique(np.concatenate([*found, added[passing[added]]]))

    def _rows_added(self) -> np.ndarray:
        """The rows whose coarse vectors are not in the lists yet."""
        if self._added_rows is None:
            rows = np.array(self._added()["row"])
            self._added_rows = rows[rows < self.table.slots]
        return self._added_rows

    def _added(self) -> np.ndarray:
        """The coarse vectors that are not in the lists yet, and their rows."""
        path = self._folder / ADDED
        count = path.stat().st_size // self._added_type.itemsize if path.exists() else 0
        return np.memmap(path, self._added_type, "r", shape=count) if count else np.zeros(0, self._added_type)

    def _nearest_of_all(self, vectors: np.ndarray, limit: int, passing: np.ndarray) -> list[list[Hit]]:
        """The nearest of all rows that pass a filter, for each of the query vectors (n, size)."""
        rows = np.flatnonzero(passing)
        best = [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in vectors]
        start = 0
        for block in self._of_blocks(rows, lambda those: self._vectors.products(those, vectors)):
            some = rows[start : start + COMPARED]
            start += COMPARED
            for number, alike in enumerate(block):
                found = np.concatenate([best[number][0], some]), np.concatenate([best[number][1], alike])
                kept = _largest(found[1], limit)
                best[number] = found[0][kept], found[1][kept]
        return [self._hits(rows, alike, _largest(alike, limit)) for rows, alike in best]

    def _closeness(
        self, rows: np.ndarray | slice, like: np.ndarray, unlike: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The largest dot product of each row with any liked and any disliked example; -inf without any."""
        near = self._vectors.products(rows, like).max(axis=0)
        return near, self._vectors.products(rows, unlike).max(axis=0) if len(unlike) else np.full(len(near), -np.inf)

    def _of_blocks(self, rows: np.ndarray, compare: Callable[[np.ndarray | slice], T]) -> Iterator[T]:
        """The result of a function for each `COMPARED` rows, in order."""
        for start in range(0, len(rows), COMPARED):
            some = rows[start : start + COMPARED]
            whole = some[-1] - some[0] + 1 == len(some)  # a slice is not copied
            yield compare(slice(some[0], some[-1] + 1) if whole else some)

    def _hits(self, rows: np.ndarray, alike: np.ndarray, kept: np.ndarray) -> list[Hit]:
        """The rows at the places `kept`, with their similarities."""
        ids = self.table.ids_at(rows[kept].tolist())
        return [Hit(id, float(score)) for id, score in zip(ids, alike[kept], strict=True)]


def _inverted_lists(path: Path, size: int) -> "InvertedLists":
    from catalog.engines.inverted_lists import InvertedLists  # imports FAISS, a quarter of a second

    return InvertedLists(path, size)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """The places of the largest values, largest first."""
    if count < len(values):
        best = np.argpartition(-values, count - 1)[:count]
        return best[np.argsort(-values[best], kind="stable")]
    return np.argsort(-values, kind="stable")


def _by_preference(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The order of points: first those closer to a liked than to a disliked example."""
    liked = near > far
    return np.lexsort((-np.where(liked, near, -far), ~liked))
