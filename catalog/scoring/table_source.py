"""Tables of products as sources: CSV and Parquet files whose rows name their photographs or hold them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.scored.table import ID
from catalog.scoring.cells import typed_column
from catalog.scoring.source import PLACE, ListedSource, Piece, UnscoredRow, rows_table
from fashion.errors import DataError, one_line
from fashion.tables.columns import ID_COLUMNS, IMAGE_COLUMNS, usual_name
from fashion.tables.reading import CsvTable, ParquetTable, Table, require_columns

READ_ROWS = 64  # photographs in memory at once while a Parquet file of them is read


def csv_source(path: Path, name: str, id_column: str | None = None, image_column: str | None = None) -> ListedSource:
    """A CSV file with a column of paths. Columns of numbers become numbers, see `catalog.scoring.cells`.

    Raises:
        DataError: it cannot be read, has no row, or lacks a column.
    """
    table = CsvTable(path)
    image, key = _layout(table, id_column, image_column)
    rows: list[str] = []
    cells: dict[str, list[str]] = {column: [] for column in table.columns}
    for number, values in table.rows(table.columns):
        rows.append(f"{path.name}:{number}")
        for column, value in values.items():
            cells[column].append(value)
    _check_rows(path, rows)
    own = {column: typed_column(values) for column, values in cells.items() if column not in _ours(image, key)}
    fields = tuple(pa.field(column, values.type) for column, values in own.items())
    content = rows_table(_ids(cells[key or image], rows), rows, cells[image], None, own)
    return ListedSource(name, path.absolute().parent, fields, content)


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
    unscored: tuple[UnscoredRow, ...] = ()

    def own(self) -> pa.Table:
        """See `Source`."""
        columns = [field.name for field in self.columns]
        tables = []
        for file in self.files:
            part = ParquetTable(file).file
            names = _is_text(part.schema_arrow.field(self.image).type)
            try:
                table = part.read([*columns, *([self.image] if names else [])])
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{file} is broken: {one_line(error)}") from None
            place = table[self.image].cast(pa.string()) if names else pa.nulls(len(table), pa.string())
            plain = {name: _plain_column(table[name].combine_chunks()) for name in columns}
            tables.append(pa.table({PLACE: place} | plain))
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
    schema = first.file.schema_arrow
    names = key or (image if _is_text(schema.field(image).type) else None)
    ids: list[str] = []
    starts: list[int] = []
    for table in tables:
        _check_types(table, first)
        starts.append(len(ids))
        rows = [f"{table.path.name}:{number}" for number in range(1, table.count + 1)]
        ids += _ids(_column(table, names), rows) if names else rows
    _check_rows(files[0], ids)
    own = [field for field in schema if field.name not in _ours(image, key)]
    fields = tuple(pa.field(field.name, _plain_type(field.type)) for field in own)
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
        """See `Piece`. Raises DataError where the file is broken."""
        start = 0
        try:
            for batch in pq.ParquetFile(self.file).iter_batches(READ_ROWS, [self.group], [*self.columns, self.image]):
                low, high = np.searchsorted(self.wanted, [start, start + len(batch)])
                if high > low:
                    chosen = batch.take(pa.array(self.wanted[low:high] - start))
                    own = {name: _plain_column(chosen.column(name)) for name in self.columns}
                    place, content = _image_cells(chosen.column(self.image))
                    yield rows_table(self.ids[low:high], self.places[low:high], place, content, own)
                start += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.file} is broken in row group {self.group}: {one_line(error)}") from None


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
    return [row if cell in (None, "") else str(cell) for cell, row in zip(cells, rows, strict=True)]


def _check_types(table: ParquetTable, first: ParquetTable) -> None:
    """Shards of one table have the same columns."""
    require_columns(table, first.columns)
    for field in first.file.schema_arrow:
        found = table.file.schema_arrow.field(field.name).type
        if _plain_type(found) != _plain_type(field.type):
            raise DataError(
                f"column {field.name!r} is {found} in {table.path} and {field.type} in {first.path}; make them the same"
            )


def _column(table: ParquetTable, name: str) -> list[Any]:
    try:
        return table.file.read(columns=[name]).column(0).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{table.path} is broken: {one_line(error)}") from None


def _check_rows(path: Path, rows: Sequence[str]) -> None:
    if not rows:
        raise DataError(f"{path} has no row; nothing to score")


def _image_cells(column: pa.Array) -> tuple[pa.Array | None, pa.Array | None]:
    """Paths and contents of photographs; one of them stands in each row, if anything does."""
    nothing = pa.nulls(len(column), pa.string())
    if pa.types.is_struct(column.type):  # as `datasets` stores an image
        fields = {column.type.field(i).name: column.field(i) for i in range(column.type.num_fields)}
        path = fields["path"].cast(pa.string()) if "path" in fields else nothing
        return path, fields["bytes"].cast(pa.binary()) if "bytes" in fields else None
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return nothing, column.cast(pa.binary())
    return column.cast(pa.string()), None


def _plain_column(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
