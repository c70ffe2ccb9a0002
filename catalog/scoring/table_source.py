"""Tables as product sources: rows name their photographs or, in Parquet files, contain them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.scored.columns import ID, WRITTEN
from catalog.scoring.cells import typed_columns, written_texts
from catalog.scoring.product_rows import product_rows
from catalog.scoring.row_ids import missing_ids, rounded_ids, row_ids
from catalog.scoring.source import PLACE, ListedSource, Piece, UnscoredRow, rows_table
from fashion.errors import DataError
from fashion.tables.cells import first_photograph, photographs, text_cell
from fashion.tables.columns import ID_COLUMNS, IMAGE_COLUMNS, further_images, usual_name
from fashion.tables.image_paths import listed_photographs, named_photographs
from fashion.tables.parquet import (
    ParquetTable,
    check_photographs,
    first_of_lists,
    is_list,
    names_photographs,
    plain_array,
    read_fault,
)
from fashion.tables.reading import Table, require_columns
from fashion.tables.stored import stored_row

READ_ROWS = 64  # photographs in memory at once while a Parquet file is read


def text_source(
    table: Table, name: str, id_column: str | None = None, image_columns: Sequence[str] = ()
) -> ListedSource:
    """A text table or spreadsheet with columns of paths. Column types are inferred, see `catalog.scoring.cells`.

    Rows with the same id are one product, with one value in each source column, see `catalog.scoring.product_rows`.

    Raises:
        DataError: the table cannot be read, has no row, or lacks a column.
    """
    path = table.path
    images, key = _layout(table, id_column, image_columns)
    _show(table.notes)
    rows: list[str] = []
    named: list[list[str]] = []  # the photographs of each row
    cells: dict[str, list[str]] = {column: [] for column in table.columns}
    folder = path.absolute().parent
    for number, values in table.rows(table.columns):
        rows.append(f"{path.name}:{number}")
        named.append(_named(folder, [values[image] for image in images]))
        for column, value in values.items():
            cells[column].append(text_cell(first_photograph(value) if column == images[0] else value))
    _check_rows(path, rows)
    shown = cells[images[0]]
    ids = row_ids(cells[key or images[0]], shown, rows)
    ours = _ours(images[0], key)
    own, notes = typed_columns({column: texts for column, texts in cells.items() if column not in ours}, rows)
    if key:
        notes += [missing_ids(key, cells[key], shown, rows) or "", rounded_ids(key, cells[key], rows) or ""]
    _show(notes)
    filled: dict[str, pa.Array] = {}
    for column, values in own.items():
        chosen = product_rows(column, values, ids)
        filled[column] = values.take(chosen)
        if (written := written_texts(cells[column], values)) is not None:
            filled[WRITTEN + column] = written.take(chosen)
    fields = tuple(pa.field(column, values.type) for column, values in filled.items())
    nothing: list[str | None] = [None]
    each = [(row, place) for row, places in enumerate(named) for place in places or nothing]
    content = rows_table(ids, rows, [None] * len(rows), None, filled).take(pa.array([row for row, _ in each]))
    place = content.schema.get_field_index(PLACE)
    content = content.set_column(place, PLACE, pa.array([place for _, place in each], pa.string()))
    misfits = table.misfits.items()
    left_out = tuple(UnscoredRow(f"{path.name}:{number}", "", table.misfit_reason, fault) for number, fault in misfits)
    return ListedSource(name, folder, fields, content, left_out)


def _named(folder: Path, cells: Sequence[Any]) -> list[str]:
    """The photographs that the cells of a row name, without repetition."""
    named: dict[str, None] = {}
    for cell in cells:
        for photograph in photographs(cell):
            named |= dict.fromkeys(named_photographs(folder, text_cell(photograph)))
    return list(named)


@dataclass(frozen=True)
class ParquetSource:
    """Parquet files of one schema, whose image column has paths, bytes, or images as `datasets` stores them.

    Only the ids are in memory. See `catalog.scoring.source.ProductSource`.
    """

    name: str
    folder: Path
    columns: tuple[pa.Field, ...]
    ids: Sequence[str]
    files: tuple[Path, ...]
    starts: tuple[int, ...]  # position of each file's first row
    images: tuple[str, ...]  # image columns; only one if they contain the photographs
    several: bool
    holds_photographs: bool
    left_out: tuple[UnscoredRow, ...] = ()  # rows of a broken row group are not here: they get a FAULT when read

    def source_columns(self) -> pa.Table:
        """See `ProductSource`."""
        columns = [field.name for field in self.columns]
        tables = []
        for file in self.files:
            part = ParquetTable(file)
            table = _read(part, list(dict.fromkeys([*columns, *(() if self.holds_photographs else self.images)])))
            if self.holds_photographs:
                places = [[stored_row(file, self.images[0], row)] for row in range(part.count)]
            else:
                cells = zip(*(table[image].to_pylist() for image in self.images), strict=True)
                places = [_named(self.folder, row) for row in cells]
            tables.append(
                pa.table({PLACE: pa.array(places, pa.list_(pa.string()))} | {name: table[name] for name in columns})
            )
        whole = pa.concat_tables(tables)
        if not self.several:
            return whole
        first = {name: row for row, name in reversed(list(enumerate(self.ids)))}
        rows = pa.array([first[name] for name in self.ids])
        return pa.table({PLACE: whole[PLACE]} | {name: whole[name].take(rows) for name in columns})

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """One piece per row group, in order; with smaller pieces a row group would be read several times."""
        columns = [field.name for field in self.columns]
        positions = np.sort(positions)
        for file, first in zip(self.files, self.starts, strict=True):
            metadata, start = pq.read_metadata(file), first
            for group in range(metadata.num_row_groups):
                end = start + metadata.row_group(group).num_rows
                low, high = np.searchsorted(positions, [start, end])
                if high > low:
                    wanted = positions[low:high]
                    ids = [self.ids[position] for position in wanted]
                    places = [self.row(int(position)) for position in wanted]
                    yield ParquetPiece(
                        file, group, start - first, self.folder, self.images, columns, wanted - start, ids, places
                    )
                start = end

    def row(self, position: int) -> str:
        """See `ProductSource`."""
        file = int(np.searchsorted(self.starts, position, side="right")) - 1
        return f"{self.files[file].name}:{position - self.starts[file] + 1}"


def parquet_source(
    files: Sequence[Path], name: str, id_column: str | None = None, image_columns: Sequence[str] = ()
) -> ParquetSource:
    """Open Parquet files and read their ids.

    Raises:
        DataError: a file cannot be read or lacks a column, or all are empty.
    """
    tables = [ParquetTable(file.absolute()) for file in files]
    first = tables[0]
    images, key = _layout(first, id_column, image_columns)
    kinds = [first.schema.field(image).type for image in images]
    for image, kind in zip(images, kinds, strict=True):
        check_photographs(first.path, image, kind)
    holds = not all(map(names_photographs, kinds))
    if holds:  # further image columns are ignored
        images, kinds = images[:1], kinds[:1]
    ids: list[str] = []
    starts: list[int] = []
    for table in tables:
        _check_types(table, first)
        starts.append(len(ids))
        rows = [f"{table.path.name}:{number}" for number in range(1, table.count + 1)]
        shown = [""] * len(rows) if holds else _column(table, images[0])
        cells = _column(table, key) if key else shown
        ids += row_ids(cells, shown, rows)
        _show([missing_ids(key, cells, shown, rows) or ""] if key else [])
    _check_rows(files[0], ids)
    fields = tuple(field for field in first.schema if field.name not in _ours(images[0], key))
    paths = tuple(table.path for table in tables)
    several = len(images) > 1 or any(map(is_list, kinds)) or len(set(ids)) < len(ids)
    if not holds and not several:
        several = any(len(listed_photographs(cell or "")) > 1 for table in tables for cell in _column(table, images[0]))
    return ParquetSource(name, paths[0].parent, fields, ids, paths, tuple(starts), images, several, holds)


@dataclass(frozen=True)
class ParquetPiece:
    """Rows of one row group.

    Attributes:
        before: number of rows of the file before the row group.
        folder, images: see `ParquetSource`.
        wanted: positions of the rows in the row group, ascending.
        ids, places: of each row; `places` are for left_out.csv.
    """

    file: Path
    group: int
    before: int
    folder: Path
    images: Sequence[str]
    columns: Sequence[str]
    wanted: np.ndarray
    ids: Sequence[str]
    places: Sequence[str]

    def read(self) -> Iterator[pa.Table]:
        """See `Piece`. If the row group is broken, the remaining rows get a fault."""
        start = given = 0
        table = ParquetTable(self.file)
        needed = list(dict.fromkeys([*self.columns, *self.images]))
        batches = table.file.iter_batches(READ_ROWS, [self.group], needed)
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
                taken = {name: plain_array(batch.column(name)).take(positions) for name in needed}
                yield self._photographs(taken, given, end)
            start, given = start + len(batch), end

    def _photographs(self, taken: dict[str, pa.Array], first: int, end: int) -> pa.Table:
        """The photographs of some rows; a row without any gets one without place and content."""
        parents: list[int] = []
        places: list[str | None] = []
        contents: list[bytes | None] = []
        for row, cells in enumerate(zip(*(taken[image].to_pylist() for image in self.images), strict=True)):
            found = [photograph for cell in cells for photograph in photographs(cell)]
            stored = stored_row(self.file, self.images[0], self.before + int(self.wanted[first + row]))
            named: list[tuple[str | None, bytes | None]] = [
                (f"{stored}:{i}", each) for i, each in enumerate(found) if isinstance(each, bytes)
            ]
            named += [(name, None) for name in _named(self.folder, [each for each in found if isinstance(each, str)])]
            for place, content in named or [(None, None)]:
                parents.append(row)
                places.append(place)
                contents.append(content)
        indices = pa.array(parents)
        own = {name: taken[name].take(indices) for name in self.columns}
        ids, rows = ([names[first + row] for row in parents] for names in (self.ids, self.places))
        last = [i + 1 == len(parents) or parents[i + 1] != row for i, row in enumerate(parents)]
        return rows_table(ids, rows, places, pa.array(contents, pa.binary()), own, last=last)

    def _faulty(self, table: ParquetTable, first: int, fault: str) -> pa.Table:
        """The rows from position `first` on, with a fault and without cells."""
        ids, places = self.ids[first:], self.places[first:]
        own = {name: pa.nulls(len(ids), table.schema.field(name).type) for name in self.columns}
        return rows_table(ids, places, pa.nulls(len(ids), pa.string()), None, own, fault)


def _layout(table: Table, id_column: str | None, image_columns: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """The image columns, and the id column or None."""
    images = tuple(image_columns)
    if not images:
        image = usual_name(table.columns, IMAGE_COLUMNS)
        if image is None:
            raise DataError(
                f"{table.path} has no column with a usual name for images, such as image, photo, file or path; "
                f"its columns are: {', '.join(table.columns)}; name it with --image"
            )
        images = (image, *further_images(table.columns, image))
    key = id_column or usual_name([column for column in table.columns if column not in images], ID_COLUMNS)
    require_columns(table, [*images] if key is None else [*images, key])
    return images, key


def _ours(image: str, key: str | None) -> set[str]:
    """Source columns that the scored catalog replaces with its own."""
    return {image, ID} if key == ID else {image}


def _check_types(table: ParquetTable, first: ParquetTable) -> None:
    """Check that a shard has the columns and types of the first one."""
    require_columns(table, first.columns)
    for field in first.schema:
        found = table.schema.field(field.name).type
        if found != field.type:
            raise DataError(
                f"column {field.name!r} is {found} in {table.path} and {field.type} in {first.path}; make them the same"
            )


def _column(table: ParquetTable, name: str) -> list[Any]:
    """The cells of a column; of a list, the first element."""
    array = _read(table, [name])[name]
    return (first_of_lists(array) if is_list(array.type) else array).to_pylist()


def _read(table: ParquetTable, names: Sequence[str]) -> dict[str, pa.Array]:
    """These columns as plain arrays. Raises DataError if one is broken, since rows cannot be identified without it."""
    try:
        read = table.file.read(list(names))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{table.path} is broken: {read_fault(table.path, error)}") from None
    nothing = {name: pa.nulls(0, table.schema.field(name).type) for name in names}
    return {name: pa.concat_arrays([nothing[name], *map(plain_array, read[name].chunks)]) for name in names}


def _check_rows(path: Path, rows: Sequence[str]) -> None:
    if not rows:
        raise DataError(f"{path} has no row; nothing to score")


def _show(notes: Sequence[str]) -> None:
    for note in filter(None, notes):
        print(note, file=sys.stderr)
