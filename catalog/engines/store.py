"""Where an index lives: what a vector engine must do for it, whichever engine that is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from catalog.filters.columns import Column
from catalog.filters.conditions import Builder
from fashion.errors import DataError

VECTOR = "product"  # see catalog.spaces.point
COARSE = "coarse"  # see catalog.projection; only where there are graphs
EF = 320  # places that a walk through a graph keeps in mind, at least
CANDIDATES = 300  # beyond those wanted: found by the graph and int8 copies, compared by the whole vectors
BATCH = 256  # points of one write or read


class InUse(DataError):
    """Another process has the index open."""


@dataclass(frozen=True)
class Tuning:
    """How an index is built.

    Attributes:
        graphs: whether it is built for approximate search: a graph over shorter products, see
            `catalog.similar.projection`, with int8 copies of those in memory, and the whole ones as float16. Otherwise
            every search compares with all products.
        on_disk: whether whole products and what is known of them are read from disk at each search; otherwise they
            take as much memory as the system can spare. An index keeps what it was made with.
        m, ef_construct: links of a product in the graph, and candidates looked at while it is built.
        asked: whether somebody asked for it; otherwise it follows the number of products.
    """

    graphs: bool = False
    on_disk: bool = field(default=False, compare=False)
    m: int = 16
    ef_construct: int = 100
    asked: bool = False


@dataclass(frozen=True)
class Point:
    """A product as an engine keeps it; `coarse` where there are graphs."""

    id: str
    vector: np.ndarray
    coarse: np.ndarray | None
    payload: Mapping[str, Any]

    @property
    def vectors(self) -> dict[str, Any]:
        """What there is of it, as engines take it."""
        coarse = {} if self.coarse is None else {COARSE: self.coarse.tolist()}
        return {VECTOR: self.vector.tolist(), **coarse}


class Record(NamedTuple):
    """A product as an engine gives it back.

    Attributes:
        id: of the point.
        payload: see `catalog.filters.columns`.
        vector: float32, or None where it was not asked for.
    """

    id: str
    payload: dict[str, Any]
    vector: np.ndarray | None


class Hit(NamedTuple):
    """A product that an engine found: the point's id, and its scalar product with what was asked for."""

    id: str
    score: float


class Query(NamedTuple):
    """What products are asked for: those of the largest scalar product with `vector`.

    Attributes:
        vector: (E + A,), or (n, E + A) for n questions at once.
        coarse: the same for a graph, which is walked through then; None compares with all products.
    """

    vector: np.ndarray
    coarse: np.ndarray | None = None

    def each(self) -> Iterator["Query"]:
        """The questions one by one."""
        for number, vector in enumerate(self.vector):
            yield Query(vector, None if self.coarse is None else self.coarse[number])


class Lists(NamedTuple):
    """Vectors of examples, as engines take them."""

    like: list[Any]
    unlike: list[Any]


class Examples(NamedTuple):
    """Products that somebody likes and does not like."""

    like: list[Query]
    unlike: list[Query]

    @property
    def vectors(self) -> Lists:
        """Those of both."""
        return Lists(*([query.vector.tolist() for query in queries] for queries in self))

    @property
    def coarse(self) -> Lists | None:
        """The same for a graph."""
        found = Lists(*([q.coarse.tolist() for q in queries if q.coarse is not None] for queries in self))
        return found if found.like else None


class Store(Protocol):
    """One index in one engine.

    Attributes:
        place: how a message names it.
        flags: how `python -m catalog.index` is told of it.
        builder: makes the engine's filters.
    """

    place: str
    flags: str
    builder: Builder

    def read_manifest(self) -> dict[str, Any] | None:
        """What the index says of itself; None where there is no index."""

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace it, wholly or not at all."""

    def open(self) -> None:
        """Open the points that are there. Raises DataError where that cannot be, InUse for a while."""

    def create(self, size: int, coarse: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        """Begin anew with that manifest and vectors of these sizes: whatever points were there are deleted.

        Raises:
            DataError: something else is there, or another process has it open.
        """

    def index_columns(self, columns: Sequence[Column]) -> None:
        """Prepare columns for filters."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Add points, or replace those with the same id."""

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points."""

    def file(self, name: str) -> Path | None:
        """Where a file that belongs to the index is read and written, until `close`; None where none can be kept."""

    def keep(self, name: str) -> None:
        """Keep what was written to `file(name)`."""

    def finish(self) -> None:
        """Build what `Tuning` asks for, and see that everything is on disk."""

    def close(self) -> None:
        """Let go of the engine."""

    def count(self, where: Any = None) -> int:
        """How many points pass a filter."""

    def scroll(self, where: Any = None, vector: bool = False, payload: Sequence[str] = ()) -> Iterator[Record]:
        """All points that pass a filter, in the order of their ids; of the payload only some keys, where given."""

    def retrieve(self, ids: Sequence[str], vector: bool = False) -> list[Record]:
        """The points with these ids, in no order; those that do not exist are left out."""

    def nearest(self, query: Query, limit: int, where: Any = None) -> list[Hit]:
        """The points whose scalar product with a vector is largest, that first."""

    def nearest_each(self, queries: Query, limit: int, where: Any = None) -> list[list[Hit]]:
        """The same for each of several questions."""

    def recommend(self, examples: Examples, limit: int, where: Any = None) -> list[Hit]:
        """Qdrant's recommendation by best score: near one of the examples liked, and nearer than to any disliked."""
