"""Points of an index in a folder, and searches among them. See `catalog.engines.folder_store` for the files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.engines.point_table import PointTable, StoredPoint
from catalog.engines.row_filters import RowTest
from catalog.engines.store import CANDIDATES, Examples, Hit, Point, Query, Record
from catalog.engines.vector_file import VectorFile
from fashion.errors import DataError

if TYPE_CHECKING:
    from catalog.engines.inverted_lists import InvertedLists

TABLE, VECTORS, LISTS, ADDED = "points.sqlite", "vectors.bin", "lists.faiss", "added.bin"
SIZE, EMBEDDING, COARSE_SIZE = "size", "embedding", "coarse size"  # facts in the table
COMPARED = 8192  # vectors that are compared at once where all are


class FolderContent:
    """The points of one index.

    Args:
        folder: of the files.
        facts: of a new index: lengths of a vector, of its embedding (None to keep vectors as float32) and of a coarse
            vector (0 without inverted lists). None opens an existing index.

    Raises:
        DataError: files are missing or cut off.
        OSError, RuntimeError, sqlite3.Error: a file cannot be read.
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
        except BaseException:
            self.close()
            raise
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
                file.write(added.tobytes())
        self.table.write(rows, ids, [point.payload for point in points])

    def finish(self) -> None:
        """Bring filters and inverted lists up to date."""
        if not self.table.indexed:
            self.table.index_rows()
        path = self._folder / ADDED
        if self._lists and path.exists():
            added = np.memmap(path, self._added_type, "r", shape=path.stat().st_size // self._added_type.itemsize)
            live = self.table.mask()
            rows, places = np.unique(added["row"][::-1], return_index=True)  # the last of each row counts
            places = (len(added) - 1 - places)[live[rows]]
            rows = rows[live[rows]]
            self._lists.update(live, rows, lambda some: added["vector"][places[some]].astype(np.float32))
            path.unlink()

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

    def nearest(self, query: Query, limit: int, where: RowTest | None) -> list[Hit]:
        """See `catalog.engines.store.Store.nearest`."""
        rows = self._candidates([query], limit, where)
        if rows is None:
            (found,) = self._nearest_of_all(query.vector[None], limit, self.passing(where))
            return found
        alike = self._vectors.read(rows) @ query.vector
        return self._hits(rows, alike, _largest(alike, limit))

    def nearest_each(self, queries: Query, limit: int, where: RowTest | None) -> list[list[Hit]]:
        """See `catalog.engines.store.Store.nearest_each`."""
        if queries.coarse is not None and self._lists:
            return [self.nearest(query, limit, where) for query in queries.split()]
        return self._nearest_of_all(queries.vector, limit, self.passing(where))

    def recommend(self, examples: Examples, limit: int, where: RowTest | None) -> list[Hit]:
        """See `catalog.engines.store.Store.recommend`."""
        like = np.stack([query.vector for query in examples.like])
        unlike = np.stack([query.vector for query in examples.unlike]) if examples.unlike else like[:0]
        rows = self._candidates(examples.like, limit, where)
        if rows is not None:
            near, far = _closeness(self._vectors.read(rows), like, unlike)
            if (near > far).sum() >= limit:
                return self._hits(rows, near, _by_preference(near, far)[:limit])
        passing = self.passing(where)
        parts = [(rows, *_closeness(vectors, like, unlike)) for rows, vectors in self._blocks(passing)]
        if not parts:
            return []
        rows, near, far = (np.concatenate(part) for part in zip(*parts, strict=True))
        return self._hits(rows, near, _by_preference(near, far)[:limit])

    def _candidates(self, queries: Sequence[Query], limit: int, where: RowTest | None) -> np.ndarray | None:
        """The rows to compare by full vectors; None for all that pass the filter."""
        coarse = [query.coarse for query in queries if query.coarse is not None]
        if not self._lists or not coarse:
            return None
        wanted, live = limit + CANDIDATES, self.table.mask()
        passing = None if where is None else self.passing(where)
        if passing is not None and passing.sum() <= wanted:
            return None
        found = [self._lists.nearest(vector, wanted, passing, int(live.sum())) for vector in coarse]
        return np.unique(np.concatenate(found))

    def _nearest_of_all(self, vectors: np.ndarray, limit: int, passing: np.ndarray) -> list[list[Hit]]:
        """The nearest of all rows that pass a filter, for each of the query vectors (n, size)."""
        best = [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in vectors]
        for rows, block in self._blocks(passing):
            for number, alike in enumerate(vectors @ block.T):
                found = np.concatenate([best[number][0], rows]), np.concatenate([best[number][1], alike])
                kept = _largest(found[1], limit)
                best[number] = found[0][kept], found[1][kept]
        return [self._hits(rows, alike, _largest(alike, limit)) for rows, alike in best]

    def _blocks(self, passing: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows that pass a filter and their vectors, block by block."""
        rows = np.flatnonzero(passing)
        for start in range(0, len(rows), COMPARED):
            some = rows[start : start + COMPARED]
            whole = some[-1] - some[0] + 1 == len(some)  # a slice is not copied
            yield some, self._vectors.read(slice(some[0], some[-1] + 1) if whole else some)

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


def _closeness(vectors: np.ndarray, like: np.ndarray, unlike: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest dot product of each vector with any liked and any disliked example; -inf without any."""
    far = (vectors @ unlike.T).max(axis=1) if len(unlike) else np.full(len(vectors), -np.inf)
    return (vectors @ like.T).max(axis=1), far


def _by_preference(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The order of points: first those closer to a liked than to a disliked example."""
    liked = near > far
    return np.lexsort((-np.where(liked, near, -far), ~liked))
