"""What a source of products is to the scoring: ids in order, and pieces that are read where they are scored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.scored.columns import ID

# Columns of a piece besides `id` and the source's own.
ROW = "fashion.row"  # where it stands in its source, for left_out.csv
PLACE = "fashion.place"  # the photograph's path, or what its table says of it
CONTENT = "fashion.content"  # the image file itself, where the source holds it
FAULT = "fashion.fault"  # why the row cannot be read; null where it can
LAST = "fashion.last"  # whether it is the last photograph of its row of the source


class UnscoredRow(NamedTuple):
    """A row that cannot be scored: where it stands in its source, its id, a short reason to count by, the detail."""

    row: str
    id: str
    reason: str
    detail: str = ""


class Piece(Protocol):
    """Some rows of a source, small enough to be sent elsewhere."""

    def read(self) -> Iterator[pa.Table]:
        """The photographs, some at a time: `id`, ROW, PLACE, CONTENT, FAULT, LAST and the source's own columns."""


class ProductSource(Protocol):
    """Products with photographs. Rows of one id are photographs of one product, and a row may have several."""

    @property
    def name(self) -> str:
        """Absolute path or paths, by which the source is known again."""

    @property
    def folder(self) -> Path:
        """Where photographs lie whose place is no absolute path."""

    @property
    def columns(self) -> tuple[pa.Field, ...]:
        """Its own, which the scored catalog keeps."""

    @property
    def ids(self) -> Sequence[str]:
        """Of all rows in order."""

    @property
    def several(self) -> bool:
        """Whether a product may have several photographs."""

    @property
    def holds_photographs(self) -> bool:
        """Whether the photographs are in it; else it names them."""

    @property
    def left_out(self) -> Sequence[UnscoredRow]:
        """What it holds and is no row of it: lines and files that could not be read."""

    def own(self) -> pa.Table:
        """Of all rows in order PLACE, a list of what they name (or are called by, where they hold photographs), and the
        columns, which have the same values in all rows of a product.
        """

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """The rows at these positions, in pieces of about so many; in this order or, where it must be, in their own."""

    def row(self, position: int) -> str:
        """Where a row stands in its source."""


@dataclass(frozen=True)
class ListedSource:
    """A `ProductSource` that knows all about its rows but the photographs; `table` is what its pieces are made of.

    Each of its rows is one photograph.
    """

    name: str
    folder: Path
    columns: tuple[pa.Field, ...]
    table: pa.Table
    left_out: tuple[UnscoredRow, ...] = ()
    holds_photographs = False

    @property
    def ids(self) -> Sequence[str]:
        """See `ProductSource`."""
        return self.table.column(ID).to_pylist()

    @property
    def several(self) -> bool:
        """See `ProductSource`."""
        ids = self.table.column(ID)
        return len(pc.unique(ids)) < len(ids)

    def own(self) -> pa.Table:
        """See `ProductSource`."""
        places = [[place] if place else [] for place in self.table.column(PLACE).to_pylist()]
        own = {field.name: self.table[field.name] for field in self.columns}
        return pa.table({PLACE: pa.array(places, pa.list_(pa.string())), **own})

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """See `ProductSource`."""
        for start in range(0, len(positions), rows):
            # Taken, not sliced: a slice carries the whole table to where it is read.
            yield TablePiece(self.table.take(pa.array(positions[start : start + rows])))

    def row(self, position: int) -> str:
        """See `ProductSource`."""
        return self.table.column(ROW)[position].as_py()


@dataclass(frozen=True)
class TablePiece:
    """Rows that are in memory."""

    table: pa.Table

    def read(self) -> Iterator[pa.Table]:
        """See `Piece`."""
        yield self.table


def rows_table(
    ids: Sequence[str],
    rows: Sequence[str],
    places: pa.Array | Sequence[str | None],
    content: pa.Array | None = None,
    own: Mapping[str, pa.Array] | None = None,
    fault: str | None = None,
    last: Sequence[bool] | None = None,
) -> pa.Table:
    """Photographs as pieces give them; `fault` is that of all of them, and each is its row's last by default."""
    columns = {ID: pa.array(ids, pa.string()), ROW: pa.array(rows, pa.string()), PLACE: pa.array(places, pa.string())}
    columns[CONTENT] = pa.nulls(len(ids), pa.binary()) if content is None else content
    columns[FAULT] = pa.array([fault] * len(ids), pa.string())
    columns[LAST] = pa.array([True] * len(ids) if last is None else last, pa.bool_())
    return pa.table(columns | dict(own or {}))
