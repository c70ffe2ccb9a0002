"""Interface of product sources: ids in order, and pieces that are read where they are scored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.scored.columns import ID

# Columns of a piece besides `id` and the source's own.
ROW = "fashion.row"  # position of the row in its source, for left_out.csv
PLACE = "fashion.place"  # the photograph's path or URL, or its position in the table that holds it
CONTENT = "fashion.content"  # the image file's bytes, if the source holds them
FAULT = "fashion.fault"  # why the row cannot be read; null if it can
LAST = "fashion.last"  # whether this is the last photograph of its source row


class UnscoredRow(NamedTuple):
    """A row that cannot be scored: its position in the source, its id, a short reason for counting, and details."""

    row: str
    id: str
    reason: str
    detail: str = ""


class Piece(Protocol):
    """Some rows of a source, small enough to be sent to a worker."""

    def read(self) -> Iterator[pa.Table]:
        """The photographs in batches: `id`, ROW, PLACE, CONTENT, FAULT, LAST and the source's own columns."""


class ProductSource(Protocol):
    """Products with photographs. Rows with the same id belong to one product; a row may have several photographs."""

    @property
    def name(self) -> str:
        """Absolute path or paths, which identify the source."""

    @property
    def folder(self) -> Path:
        """Base of relative photograph paths."""

    @property
    def columns(self) -> tuple[pa.Field, ...]:
        """The source's own columns, which the scored catalog keeps."""

    @property
    def ids(self) -> Sequence[str]:
        """Ids of all rows, in order."""

    @property
    def several(self) -> bool:
        """Whether a product may have several photographs."""

    @property
    def holds_photographs(self) -> bool:
        """Whether the source contains the photographs; otherwise it names them."""

    @property
    def left_out(self) -> Sequence[UnscoredRow]:
        """Lines and files that could not be read and so are no rows."""

    def source_columns(self) -> pa.Table:
        """PLACE and the source's own columns of all rows, in order.

        PLACE is a list of the photographs that a row names, or their positions if the source contains them. The other
        columns have the same values in all rows of a product.
        """

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """The rows at these positions, in pieces of about `rows` rows; in this order, or in that of the source."""

    def row(self, position: int) -> str:
        """Description of a row's position, such as `products.csv:2`."""


@dataclass(frozen=True)
class ListedSource:
    """A `ProductSource` held in memory except for the photographs; `table` has one row per photograph."""

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

    def source_columns(self) -> pa.Table:
        """See `ProductSource`."""
        places = [[place] if place else [] for place in self.table.column(PLACE).to_pylist()]
        own = {field.name: self.table[field.name] for field in self.columns}
        return pa.table({PLACE: pa.array(places, pa.list_(pa.string())), **own})

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """See `ProductSource`."""
        for start in range(0, len(positions), rows):
            # `take` instead of `slice`: pickling a slice would send the whole table.
            yield TablePiece(self.table.take(pa.array(positions[start : start + rows])))

    def row(self, position: int) -> str:
        """See `ProductSource`."""
        return self.table.column(ROW)[position].as_py()


@dataclass(frozen=True)
class TablePiece:
    """Rows held in memory."""

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
    """Build the table of a piece; `fault` applies to all rows, and by default each is its source row's last."""
    columns = {ID: pa.array(ids, pa.string()), ROW: pa.array(rows, pa.string()), PLACE: pa.array(places, pa.string())}
    columns[CONTENT] = pa.nulls(len(ids), pa.binary()) if content is None else content
    columns[FAULT] = pa.array([fault] * len(ids), pa.string())
    columns[LAST] = pa.array([True] * len(ids) if last is None else last, pa.bool_())
    return pa.table(columns | dict(own or {}))
