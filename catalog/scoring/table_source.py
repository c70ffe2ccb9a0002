"""Tables as product sources: rows name their photographs or, in Parquet files, contain them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.scored.columns import WRITTEN
from catalog.scoring.cells import typed_columns, written_texts
from catalog.scoring.product_rows import product_rows
from catalog.scoring.row_ids import missing_ids, rounded_ids, row_ids
from catalog.scoring.shards import shaped, shared_schema
from catalog.scoring.source import PLACE, ListedSource, Piece, UnscoredRow, rows_table
from catalog.scoring.table_layout import table_layout
from fashion.errors import DataError
from fashion.tables.cells import first_photograph, photographs, text_cell
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
from fashion.tables.reading import Table
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
    layout = table_layout(table, id_column, image_columns)
    images, key = layout.images, layout.key
    _show([*table.notes, *layout.notes])
    rows: list[str] = []
    named: list[list[str]] = []  # the photographs of each row
    images_written: list[str | None] = []
    cells: dict[str, list[str]] = {column: [] for column in table.columns}
    folder = path.absolute().parent
    for number, values in table.rows(table.columns):
        rows.append(f"{path.name}:{number}")
        named.append(_named(folder, [values[image] for image in images]))
        images_written.append(text_cell(values[images[0]]) or None)
        for column, value in values.items():
            cells[column].append(text_cell(first_photograph(value) if column == images[0] else value))
    _check_rows(path, rows)
    shown = cells[images[0]]
    ids = row_ids(cells[key or images[0]], shown, rows)
    own, notes = typed_columns({column: cells[column] for column in layout.own}, rows, table.number_columns)
    if key:
        notes += [missing_ids(key, cells[key], shown, rows) or "", rounded_ids(key, cells[key], rows) or ""]
    _show(notes)
    image = pa.array(images_written, pa.string())
    filled: dict[str, pa.Array] = {WRITTEN + images[0]: image.take(product_rows(images[0], image, ids))}
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
            own = {field.name: shaped(table[field.name], field.type) for field in self.columns}
            tables.append(pa.table({PLACE: pa.array(places, pa.list_(pa.string()))} | own))
        whole = pa.concat_tables(tables)
        if not self.several:
            return whole
        first = {name: row for row, name in reversed(list(enumerate(self.ids)))}
        rows = pa.array([first[name] for name in self.ids])
        return pa.table({PLACE: whole[PLACE]} | {name: whole[name].take(rows) for name in columns})

    def pieces(self, positions: np.ndarray, rows: int) -> Iterator[Piece]:
        """One piece per row group, in order; with smaller pieces a row group would be read several times."""
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
                        file, group, start - first, self.folder, self.images, self.columns, wanted - start, ids, places
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
    layout = table_layout(first, id_column, image_columns)
    images, key = layout.images, layout.key
    _show(layout.notes)
    schema = shared_schema(tables)
    kinds = [schema.field(image).type for image in images]
    for image, kind in zip(images, kinds, strict=True):
        check_photographs(first.path, image, kind)
    holds = not all(map(names_photographs, kinds))
    if holds:  # further image columns are ignored
        images, kinds = images[:1], kinds[:1]
    ids: list[str] = []
    starts: list[int] = []
    for table in tables:
        starts.append(len(ids))
        rows = [f"{table.path.name}:{number}" for number in range(1, table.count + 1)]
        shown = [""] * len(rows) if holds else _column(table, images[0])
        cells = _column(table, key) if key else shown
        ids += row_ids(cells, shown, rows)
        _show([missing_ids(key, cells, shown, rows) or ""] if key else [])
    _check_rows(files[0], ids)
    fields = tuple(schema.field(name) for name in layout.own)
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
        folder, images, columns: see `ParquetSource`.
        wanted: positions of the rows in the row group, ascending.
        ids, places: of each row; `places` are for left_out.csv.
    """

    file: Path
    group: int
    before: int
    folder: Path
    images: Sequence[str]
    columns: Sequence[pa.Field]
    wanted: np.ndarray
    ids: Sequence[str]
    places: Sequence[str]

    def read(self) -> Iterator[pa.Table]:
        """See `Piece`. If the row group is broken, the remaining rows get a fault."""
        start = given = 0
        table = ParquetTable(self.file)
        needed = list(dict.fromkeys([*(field.name for field in self.columns), *self.images]))
        batches = table.file.iter_batches(READ_ROWS, [self.group], needed)
        while given < len(self.wanted):
            try:
                batch = next(batches)
            except (pa.ArrowException, OSError, StopIteration) as error:
                fault = read_fault(self.file, error) or "it ends too soon"
                yield self._faulty(given, f"row group {self.group} is broken: {fault}")
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
        own = {field.name: shaped(taken[field.name].take(indices), field.type) for field in self.columns}
        ids, rows = ([names[first + row] for row in parents] for names in (self.ids, self.places))
        last = [i + 1 == len(parents) or parents[i + 1] != row for i, row in enumerate(parents)]
        return rows_table(ids, rows, places, pa.array(contents, pa.binary()), own, last=last)

    def _faulty(self, first: int, fault: str) -> pa.Table:
        """The rows from position `first` on, with a fault and without cells."""
        ids, places = self.ids[first:], self.places[first:]
        own = {field.name: pa.nulls(len(ids), field.type) for field in self.columns}
        return rows_table(ids, places, pa.nulls(len(ids), pa.string()), None, own, fault)


def _column(table: ParquetTable, name: str) -> list[Any]:
    """The cells of a column; of a list, the first element; of a photograph in a struct, its name or bytes."""
    array = _read(table, [name])[name]
    cells = (first_of_lists(array) if is_list(array.type) else array).to_pylist()
    return [first_photograph(cell) for cell in cells]


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
