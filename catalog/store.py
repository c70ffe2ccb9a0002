"""Where an index lives: what a vector engine must do for it, whichever engine that is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from catalog.columns import Column
from catalog.conditions import Builder
from fashion.errors import DataError

VECTOR = "product"  # see catalog.spaces.point
EF = 128  # candidates that a search in a graph keeps
BATCH = 256  # points of one write or read
OVERSAMPLING = 5.0  # times as many are found by int8 copies as are then compared by the vectors themselves


class InUse(DataError):
    """Another process has the index open."""


@dataclass(frozen=True)
class Tuning:
    """How an index is built.

    Attributes:
        graphs: whether it is built for approximate search: graphs, int8 copies of the points in memory, the points
            themselves as float16, and embeddings reduced, see `catalog.projection`. Otherwise every search compares
            with all products.
        m, ef_construct: links of a product in the graph, and candidates looked at while it is built.
        asked: whether somebody asked for it; otherwise it follows the number of products.
    """

    graphs: bool = False
    m: int = 16
    ef_construct: int = 100
    asked: bool = False


@dataclass(frozen=True)
class Point:
    """A product as an engine keeps it."""

    id: str
    vector: np.ndarray
    payload: Mapping[str, Any]


class Record(NamedTuple):
    """A product as an engine gives it back.

    Attributes:
        id: of the point.
        payload: see `catalog.columns`.
        vector: float32, or None where it was not asked for.
    """

    id: str
    payload: dict[str, Any]
    vector: np.ndarray | None


class Hit(NamedTuple):
    """A product that an engine found: the point's id, and its scalar product with what was asked for."""

    id: str
    score: float


class Examples(NamedTuple):
    """Vectors of products that somebody likes and does not like."""

    like: list[np.ndarray]
    unlike: list[np.ndarray]


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

    def create(self, size: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        """Begin anew with vectors of that size and that manifest: whatever points were there are deleted.

        Raises:
            DataError: something else is there, or another process has it open.
        """

    def index_columns(self, columns: Sequence[Column]) -> None:
        """Prepare columns for filters."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Add points, or replace those with the same id."""

    def delete(self, ids: Sequence[str]) -> None:
        """Delete points."""

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

    def nearest(self, vector: np.ndarray, limit: int, where: Any = None, exact: bool = True) -> list[Hit]:
        """The points whose scalar product with `vector` is largest, that first."""

    def nearest_each(self, vectors: np.ndarray, limit: int, exact: bool = True) -> list[list[Hit]]:
        """The same for each row of `vectors`."""

    def recommend(self, examples: Examples, limit: int, where: Any = None, exact: bool = True) -> list[Hit]:
        """Qdrant's recommendation by best score: near one of the examples liked, and nearer than to any disliked."""
