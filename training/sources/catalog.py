"""Imports a shop's catalog: tables whose columns are attribute groups, and photographs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fashion.errors import DataError, SettingError
from fashion.fetching.fetch_settings import FetchSettings
from fashion.fetching.table_images import fetch_table_images
from fashion.tables.cells import first_photograph, text_cell
from fashion.tables.image_paths import ImagePaths
from fashion.tables.parquet import ParquetTable, check_photographs
from fashion.tables.reading import JSON_ENDINGS, PARQUET_ENDING, SPREADSHEET_ENDINGS, TABLE_ENDINGS, open_table
from training.sources.columns import (
    SPLIT_NAMES,
    ColumnLayout,
    SplitTable,
    find_layout,
    nothing_note,
    read_labels,
    split_note,
    split_of_cell,
    survey_cells,
    text_note,
    unread_note,
    without_text,
)
from training.sources.holdout import split_by_hash
from training.sources.photographs import Candidate, write_checked
from training.sources.spelling import joined_note
from training.sources.writer import ImportSummary, UnusedRow

CSV_ENDING = ".csv"
# Other table formats that a folder may hold; not .txt and .json, which are rarely tables.
OTHER_ENDINGS = (".tsv", ".tab", *(ending for ending in JSON_ENDINGS if ending != ".json"), *SPREADSHEET_ENDINGS)

ReadCell = Callable[[str, Any], list[str] | None]  # (group, cell) -> labels; raises DataError for an unknown label


def import_catalog(
    source: Path,
    out: Path,
    groups: Sequence[str] | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
    workers: int | None = None,
    separators: Sequence[str] = (),
    fetch: FetchSettings | None = None,
    tell_choice: bool = True,
) -> ImportSummary:
    """Write a catalog as a new folder in the training format.

    A cell may hold one label, several separated by `|`, or (in Parquet) a list; an empty cell is not annotated. Rows of
    one id are photographs of one product; if a cell names several photographs, the first is taken. Without a table for
    validation, every tenth product (at least one) of the training rows is held out, chosen by a hash of its id.

    Args:
        source: a file with one of `fashion.tables.reading.TABLE_ENDINGS`; or a folder with `train.csv` and optionally
            `val.csv` and `test.csv`, with one CSV file, with Parquet shards, or with such tables in another format.
        out: the folder to create.
        groups: columns to take as attribute groups; None takes all except the image, the id and similar columns,
            prices, stock and ratings, and columns of free text or decimals; the omitted ones are listed on stderr.
        image_column: column of the image's file name, path or bytes; None looks for one of the usual names.
        id_column: column of the product's id; None looks for a usual name, then takes the image's name.
        workers: threads that check photographs; None takes one per core.
        separators: further separators between the labels of a text cell.
        fetch: settings for downloading photographs that the tables give as URLs; None does not download.
        tell_choice: whether to list the omitted columns if `groups` is None.

    Raises:
        DataError: no table, a broken table, a wrong column name, no column of labels, no usable row.
        SettingError: an empty separator.
    """
    if not all(separators):
        raise SettingError("--separator is empty; give the separator of labels in a cell, such as ','")
    tables = find_tables(source)
    layout = find_layout(tables, groups, image_column, id_column)
    notes = [*table_notes(tables, layout), split_note(tables, layout)]
    survey = survey_cells(tables, layout.groups, separators)
    if groups is None:
        if tell_choice:
            notes += [unread_note(tables, layout), text_note(layout, survey)]
        layout = without_text(tables, layout, survey)
    labels = {group: survey.names[group] for group in layout.groups if not survey.is_text(group)}
    notes += [nothing_note(layout, survey), joined_note(labels, separators, str(source))]
    for note in filter(None, notes):
        print(f"note   {note}", file=sys.stderr)
    if fetch is not None:
        _fetch(tables, layout, fetch)
    hold_out = splits_by_hash(tables, layout)
    candidates = read_candidates(tables, layout, partial(read_labels, separators=separators))
    return write_checked(candidates, survey.rows, out, layout.groups, str(source), workers, hold_out)


def _fetch(tables: Sequence[SplitTable], layout: ColumnLayout, settings: FetchSettings) -> None:
    """Download the URLs in the image column of the tables, for each folder that holds tables."""
    cells: dict[Path, list[str]] = {}
    for table in tables:
        of_folder = cells.setdefault(table.table.path.parent, [])
        for _, row in table.table.rows([layout.image]):
            image = first_photograph(row[layout.image])
            of_folder += [image] if isinstance(image, str) else []
    for folder, names in cells.items():
        fetch_table_images(names, folder, settings)


def usual_groups(source: Path) -> tuple[str, ...]:
    """The attribute groups that `import_catalog` takes by default. Raises the same DataError."""
    tables = find_tables(source)
    layout = find_layout(tables, None)
    return without_text(tables, layout, survey_cells(tables, layout.groups)).groups


def splits_by_hash(tables: Sequence[SplitTable], layout: ColumnLayout) -> bool:
    """Whether validation rows are chosen by hash, because the catalog does not define a split."""
    return layout.split is None and any(table.split is None for table in tables)


def find_tables(source: Path) -> list[SplitTable]:
    """The tables of a catalog and their splits. Raises DataError if there are none."""
    if not source.exists():
        raise DataError(f"{source} does not exist; expected a catalog's folder or table ({', '.join(TABLE_ENDINGS)})")
    if source.is_file():
        return [SplitTable(open_table(source), None)]
    csv_files = _with_ending(source, CSV_ENDING)
    paths = (
        _named_or_single(csv_files)
        or sorted(_with_ending(source, PARQUET_ENDING) + _with_ending(source / "data", PARQUET_ENDING))
        or ([] if csv_files else _named_or_single(_with_ending(source, *OTHER_ENDINGS)))
    )
    if not paths:
        found = f" ({len(csv_files)} CSV files, none of that name)" if csv_files else ""
        raise DataError(
            f"{source} has no table: expected train.csv (and val.csv), a single .csv, or .parquet files{found}"
        )
    splits = [_split_of_file(path) for path in paths]
    if "val" not in splits:  # hold out training rows by hash
        splits = [None if split == "train" else split for split in splits]
    return [SplitTable(open_table(path), split) for path, split in zip(paths, splits, strict=True)]


def read_candidates(
    tables: Sequence[SplitTable], layout: ColumnLayout, read_cell: ReadCell | None = None
) -> Iterator[Candidate | UnusedRow]:
    """The rows of all tables, each with its labels and its photograph's bytes or paths."""
    for table in tables:
        for number, cells in table.table.rows(layout.columns):
            yield _candidate(table, layout, number, cells, read_cell or read_labels)
        for number, fault in table.table.misfits.items():
            where = f"{table.table.path.name}:{number}"
            yield UnusedRow(table.split or "", where, "", table.table.misfit_reason, fault)


def _candidate(
    source: SplitTable, layout: ColumnLayout, number: int, row: dict[str, Any], read_cell: ReadCell
) -> Candidate | UnusedRow:
    path = source.table.path
    where, image = f"{path.name}:{number}", first_photograph(row[layout.image])
    name = text_cell(row[layout.id]) if layout.id is not None else ""  # also empty for NaN, as pandas writes it
    name = name or (where if isinstance(image, bytes) else str(image))
    key = image if isinstance(image, bytes) and layout.id is None else name.encode()
    split = source.split or split_by_hash(key)
    if layout.split is not None and source.split is None:
        given = split_of_cell(row[layout.split])
        if given is None:
            return UnusedRow("", where, name, "unknown split", f"{row[layout.split]!r}; expected train, val or test")
        split = given
    if image in (None, b"", ""):
        return UnusedRow(split, where, name, "no image", f"column {layout.image!r} is empty")
    try:
        cells = {group: read_cell(group, row[group]) for group in layout.groups}
    except DataError as error:
        return UnusedRow(split, where, name, "unknown label", str(error))
    return Candidate(
        split, where, name, image if isinstance(image, bytes) else ImagePaths(path.parent, str(image)), cells
    )


def table_notes(tables: Sequence[SplitTable], layout: ColumnLayout) -> list[str]:
    """Notes on parts of the tables that are not read. Raises DataError for photographs in an unsupported form."""
    notes: dict[str, None] = {}
    for each in tables:
        notes |= dict.fromkeys(each.table.notes)
        if isinstance(each.table, ParquetTable):
            kind = each.table.schema.field(layout.image).type
            notes[check_photographs(each.table.path, layout.image, kind)] = None
    return [note.removeprefix("note").strip() for note in notes]


def _with_ending(folder: Path, *endings: str) -> list[Path]:
    """The files of a folder with these extensions in any letter case, sorted."""
    return sorted(path for path in folder.glob("*.*") if path.suffix.lower() in endings)


def _named_or_single(paths: list[Path]) -> list[Path]:
    """The paths named after splits, or the only path."""
    named = [path for path in paths if path.stem.lower() in SPLIT_NAMES]
    return named or (paths if len(paths) == 1 else [])


def _split_of_file(path: Path) -> str | None:
    """The split in a file name such as `train-00000-of-00002.parquet`; None if it names none."""
    return SPLIT_NAMES.get(path.stem.lower().split("-")[0].split("_")[0])
