"""Interface of the vector engines that store an index, and the data that they exchange."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from catalog.filters.columns import Column
from catalog.filters.conditions import Builder
from fashion.errors import DataError

VECTOR = "product"  # full vector, see catalog.similar.spaces.point
COARSE = "coarse"  # reduced vector for approximate search, see catalog.similar.projection
EF = 320  # ef of a search in an HNSW graph, at least
CANDIDATES = 300  # beyond the limit: found by coarse vectors, rescored with full vectors
BATCH = 256  # points per write or read


class InUse(DataError):
    """The index cannot be changed now: another process has it open, or this user may only read it."""


@dataclass(frozen=True)
class Tuning:
    """How an index is built.

    Attributes:
        approximate: whether a search compares full vectors of candidates only, which coarse vectors
            (see `catalog.similar.projection`) find in an HNSW graph or in inverted lists; full vectors are then stored
            with fewer bytes. Otherwise every search compares all products.
        on_disk: whether a server reads full vectors and payloads from disk at each search. Fixed when the index is
            created.
        m, ef_construct: of an HNSW graph: links per product, and candidates considered while it is built.
        asked: whether the user chose `approximate`; otherwise it depends on the number of products.
    """

    approximate: bool = False
    on_disk: bool = field(default=False, compare=False)
    m: int = 16
    ef_construct: int = 100
    asked: bool = False


@dataclass(frozen=True)
class Point:
    """A product as written to an engine; `coarse` is set if the index is searched approximately.

    `text` is the payload as JSON.
    """

    id: str
    vector: np.ndarray
    coarse: np.ndarray | None
    payload: Mapping[str, Any]
    text: str

    @property
    def vectors(self) -> dict[str, Any]:
        """The vectors by name, as Qdrant takes them."""
        coarse = {} if self.coarse is None else {COARSE: self.coarse.tolist()}
        return {VECTOR: self.vector.tolist(), **coarse}


class Record(NamedTuple):
    """A product as read from an engine.

    Attributes:
        id: of the point.
        payload: see `catalog.filters.columns`.
        vector: float32, or None if it was not requested.
    """

    id: str
    payload: dict[str, Any]
    vector: np.ndarray | None


class Hit(NamedTuple):
    """A search result: the point's id, and its dot product with the query."""

    id: str
    score: float


class Query(NamedTuple):
    """Search for the points with the largest dot product with `vector`.

    Attributes:
        vector: (E + A,), or (n, E + A) for n queries at once.
        coarse: the reduced query; None compares all products.
    """

    vector: np.ndarray
    coarse: np.ndarray | None = None

    def split(self) -> Iterator["Query"]:
        """The n queries one by one."""
        for number, vector in enumerate(self.vector):
            yield Query(vector, None if self.coarse is None else self.coarse[number])


class Lists(NamedTuple):
    """Vectors of liked and disliked examples, as Qdrant takes them."""

    like: list[Any]
    unlike: list[Any]


class Examples(NamedTuple):
    """Products that the user likes and dislikes, as queries."""

    like: list[Query]
    unlike: list[Query]

    @property
    def vectors(self) -> Lists:
        """Their full vectors."""
        return Lists(*([query.vector.tolist() for query in queries] for queries in self))

    @property
    def coarse(self) -> Lists | None:
        """Their coarse vectors; None if no liked example has one."""
        found = Lists(*([q.coarse.tolist() for q in queries if q.coarse is not None] for queries in self))
        return found if found.like else None


class Store(Protocol):
    """One index in one engine.

    Attributes:
        place: name of the index in messages.
        flags: flags that name the index to `python -m catalog.index`.
        builder: builds the engine's filters.
        folder: of the index; None on a server.
    """

    place: str
    flags: str
    builder: Builder

    @property
    def folder(self) -> Path | None: ...

    def read_manifest(self) -> dict[str, Any] | None:
        """The manifest of the index; None if there is no index."""

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest atomically."""

    def open(self) -> None:
        """Open the existing points. Raises DataError if they are unusable, InUse while another process has them."""

    def create(self, size: int, coarse: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        """Delete all points and start an empty index with this manifest and these vector sizes.

        Raises:
            DataError: something other than an index is there, or another process has it open.
        """

    def index_columns(self, columns: Sequence[Column]) -> None:
        """Index columns for filters."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Add points, or replace those with the same id."""

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points."""

    def file_path(self, name: str) -> Path | None:
        """Local path of a file of the index, valid until `close`; None if the engine cannot store files."""

    def save_file(self, name: str) -> None:
        """Save what was written to `file_path(name)`."""

    def finish(self) -> None:
        """Build what searches and filters need after changes."""

    def close(self) -> None:
        """Release the engine."""

    def count(self, where: Any = None) -> int:
        """How many points pass a filter."""

    def scroll(self, where: Any = None, vector: bool = False, payload: Sequence[str] = ()) -> Iterator[Record]:
        """All points that pass a filter, ordered by id; `payload` restricts the payload to these keys."""

    def retrieve(self, ids: Sequence[str], vector: bool = False) -> list[Record]:
        """The points with these ids, in no particular order; unknown ids are skipped."""

    def nearest(self, queries: Query, limit: int, where: Any = None) -> list[list[Hit]]:
        """For each of n queries, the points with the largest dot product, largest first."""

    def recommend(self, examples: Examples, limit: int, where: Any = None) -> list[Hit]:
        """Qdrant's best-score recommendation: closest to any liked example, and closer to it than to any disliked."""
