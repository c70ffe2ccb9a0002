"""Tables of products as sources, whose rows name their photographs or (Parquet) hold them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.scored.table import ID
from catalog.scoring.cells import id_texts, typed_columns
from catalog.scoring.source import PLACE, ListedSource, Piece, UnscoredRow, rows_table
from fashion.errors import DataError
from fashion.tables.cells import first_photograph, text_cell
from fashion.tables.columns import ID_COLUMNS, IMAGE_COLUMNS, usual_name
from fashion.tables.parquet import (
    ParquetTable,
    check_photographs,
    first_of_lists,
    is_list,
    is_text,
    plain_array,
    read_fault,
)
from fashion.tables.reading import Table, require_columns

READ_ROWS = 64  # photographs in memory at once while a Parquet file of them is read


def text_source(table: Table, name: str, id_column: str | None = None, image_column: str | None = None) -> ListedSource:
    """A table with a column of paths. Columns of numbers become numbers, see `catalog.scoring.cells`.

    Raises:
        DataError: it cannot be read, has no row, or lacks a column.
    """
    path = table.path
    image, key = _layout(table, id_column, image_column)
    _show(table.notes)
    rows: list[str] = []
    cells: dict[str, list[str]] = {column: [] for column in table.columns}
    for number, values in table.rows(table.columns):
        rows.append(f"{path.name}:{number}")
        for column, value in values.items():
            cells[column].append(text_cell(first_photograph(value) if column == image else value))
    _check_rows(path, rows)
    ours = _ours(image, key)
    own, notes = typed_columns({column: texts for column, texts in cells.items() if column not in ours}, rows)
    _show(notes)
    fields = tuple(pa.field(column, values.type) for column, values in own.items())
    content = rows_table(_ids(cells[key or image], rows), rows, cells[image], None, own)
    misfits = table.misfits.items()
    left_out = tuple(UnscoredRow(f"{path.name}:{number}", "", table.misfit_reason, fault) for number, fault in misfits)
    return ListedSource(name, path.absolute().parent, fields, content, left_out)


@dataclass(frozen=True)
class ParquetSource:
    """Parquet files of one layout, with a column of paths, of image files' bytes, or as `datasets` stores images.

    Only the ids are in memory. See `catalog.scoring.source.ProductSource`.
    """

    name: str
    folder: Path
    columns: tuple[pa.Field, ...]
    ids: Sequence[str]
    files: tuple[Path, ...]
    starts: tuple[int, ...]  # position of each file's first row
    image: str
    left_out: tuple[UnscoredRow, ...] = ()  # rows of a broken row group have ids, and a fault when they are read

    def own(self) -> pa.Table:
        """See `Source`."""
        columns = [field.name for field in self.columns]
        tables = []
        for file in self.files:
            part = ParquetTable(file)
            names = _names_photographs(part.schema.field(self.image).type)
            table = _read(part, [*columns, *([self.image] if names else [])])
            place = _image_cells(table[self.image])[0] if names else pa.nulls(part.count, pa.string())
            tables.append(pa.table({PLACE: place} | {name: table[name] for name in columns}))
        return pa.concat_tables(tables)

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """A piece for each row group: in smaller ones it would be read again for each."""
        columns = [field.name for field in self.columns]
        for file, start in zip(self.files, self.starts, strict=True):
            metadata = pq.read_metadata(file)
            for group in range(metadata.num_row_groups):
                end = start + metadata.row_group(group).num_rows
                low, high = np.searchsorted(positions, [start, end])
                if high > low:
                    wanted = positions[low:high]
                    ids = [self.ids[position] for position in wanted]
                    places = [self.row(int(position)) for position in wanted]
                    yield ParquetPiece(file, group, self.image, columns, wanted - start, ids, places)
                start = end

    def row(self, position: int) -> str:
        """See `Source`."""
        file = int(np.searchsorted(self.starts, position, side="right")) - 1
        return f"{self.files[file].name}:{position - self.starts[file] + 1}"


def parquet_source(
    files: Sequence[Path], name: str, id_column: str | None = None, image_column: str | None = None
) -> ParquetSource:
    """Open Parquet files and read their ids.

    Raises:
        DataError: one cannot be read or lacks a column, or all are empty.
    """
    tables = [ParquetTable(file.absolute()) for file in files]
    first = tables[0]
    image, key = _layout(first, id_column, image_column)
    kind = first.schema.field(image).type
    _show([check_photographs(first.path, image, kind)])
    names = key or (image if _names_photographs(kind) else None)
    ids: list[str] = []
    starts: list[int] = []
    for table in tables:
        _check_types(table, first)
        starts.append(len(ids))
        rows = [f"{table.path.name}:{number}" for number in range(1, table.count + 1)]
        ids += _ids(_column(table, names), rows) if names else rows
    _check_rows(files[0], ids)
    fields = tuple(field for field in first.schema if field.name not in _ours(image, key))
    paths = tuple(table.path for table in tables)
    return ParquetSource(name, paths[0].parent, fields, ids, paths, tuple(starts), image)


@dataclass(frozen=True)
class ParquetPiece:
    """Rows of one row group.

    Attributes:
        wanted: their rising positions in the row group.
        ids, places: of each; `places` are for left_out.csv.
    """

    file: Path
    group: int
    image: str
    columns: Sequence[str]
    wanted: np.ndarray
    ids: Sequence[str]
    places: Sequence[str]

    def read(self) -> Iterator[pa.Table]:
        """See `Piece`. From where the row group is broken its rows have a fault."""
        start = given = 0
        table = ParquetTable(self.file)
        batches = table.file.iter_batches(READ_ROWS, [self.group], [*self.columns, self.image])
        while given < len(self.wanted):
            try:
                batch = next(batches)
            except (pa.ArrowException, OSError, StopIteration) as error:
                fault = read_fault(self.file, error) or "it ends too soon"
                yield self._faulty(table, given, f"row group {self.group} is broken: {fault}")
                return
            end = int(np.searchsorted(self.wanted, start + len(batch)))
            if end > given:
                positions = pa.array(self.wanted[given:end] - start)
                own = {name: plain_array(batch.column(name)).take(positions) for name in self.columns}
                place, content = _image_cells(plain_array(batch.column(self.image)).take(positions))
                yield rows_table(self.ids[given:end], self.places[given:end], place, content, own)
            start, given = start + len(batch), end

    def _faulty(self, table: ParquetTable, first: int, fault: str) -> pa.Table:
        """The rows from the first of them on, without cells."""
        ids, places = self.ids[first:], self.places[first:]
        own = {name: pa.nulls(len(ids), table.schema.field(name).type) for name in self.columns}
        return rows_table(ids, places, pa.nulls(len(ids), pa.string()), None, own, fault)


def _layout(table: Table, id_column: str | None, image_column: str | None) -> tuple[str, str | None]:
    """The columns of the photographs and of the ids, or None for these."""
    image = image_column or usual_name(table.columns, IMAGE_COLUMNS)
    if image is None:
        raise DataError(
            f"{table.path} has no column with a usual name for images, such as image, photo, file or path; "
            f"its columns are: {', '.join(table.columns)}; name it with --image"
        )
    key = id_column or usual_name([column for column in table.columns if column != image], ID_COLUMNS)
    require_columns(table, [image] if key is None else [image, key])
    return image, key


def _ours(image: str, key: str | None) -> set[str]:
    """Columns that the scored catalog holds in its own way."""
    return {image, ID} if key == ID else {image}


def _ids(cells: Sequence[Any], rows: Sequence[str]) -> list[str]:
    """The cells as text; an empty one becomes the row's place."""
    return [text or row for text, row in zip(id_texts(cells), rows, strict=True)]


def _check_types(table: ParquetTable, first: ParquetTable) -> None:
    """Shards of one table have the same columns."""
    require_columns(table, first.columns)
    for field in first.schema:
        found = table.schema.field(field.name).type
        if found != field.type:
            raise DataError(
                f"column {field.name!r} is {found} in {table.path} and {field.type} in {first.path}; make them the same"
            )


def _column(table: ParquetTable, name: str) -> list[Any]:
    """The cells of a column, the first of each list."""
    array = _read(table, [name])[name]
    return (first_of_lists(array) if is_list(array.type) else array).to_pylist()


def _read(table: ParquetTable, names: Sequence[str]) -> dict[str, pa.Array]:
    """These columns as plain arrays. Raises DataError where one is broken: a row cannot be told without them."""
    try:
        read = table.file.read(list(names))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{table.path} is broken: {read_fault(table.path, error)}") from None
    nothing = {name: pa.nulls(0, table.schema.field(name).type) for name in names}
    return {name: pa.concat_arrays([nothing[name], *map(plain_array, read[name].chunks)]) for name in names}


def _check_rows(path: Path, rows: Sequence[str]) -> None:
    if not rows:
        raise DataError(f"{path} has no row; nothing to score")


def _image_cells(column: pa.Array) -> tuple[pa.Array | None, pa.Array | None]:
    """Paths and contents of photographs; one of them stands in each row, if anything does."""
    if is_list(column.type):
        column = first_of_lists(column)
    nothing = pa.nulls(len(column), pa.string())
    if pa.types.is_struct(column.type):  # as `datasets` stores an image
        fields = {column.type.field(i).name: column.field(i) for i in range(column.type.num_fields)}
        path = fields["path"].cast(pa.string()) if "path" in fields else nothing
        return path, fields["bytes"].cast(pa.binary()) if "bytes" in fields else None
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return nothing, column.cast(pa.binary())
    return column.cast(pa.string()), None


def _names_photographs(kind: pa.DataType) -> bool:
    """Whether cells of this plain type are paths, or lists of them."""
    return is_text(kind.value_type if is_list(kind) else kind)


def _show(notes: Sequence[str]) -> None:
    for note in filter(None, notes):
        print(note, file=sys.stderr)
