"""Imports a shop's own catalog: tables whose columns are attribute groups, and its photographs."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from training.sources.photographs import Candidate, write_checked
from training.sources.tables import Table, open_table, require_columns
from training.sources.writer import LeftOut, Summary

# What the columns are called in the wild, most telling first; letter case, spaces and dashes do not matter.
IMAGE_COLUMNS = (
    *("image", "img", "photo", "picture", "image_path", "image_file", "image_name", "image_filename"),
    *("filename", "file_name", "file", "filepath", "file_path", "path", "jpg"),
)
ID_COLUMNS = ("id", "item_id", "itemid", "product_id", "productid", "sku", "image_id", "imageid", "article_id")
SPLIT_COLUMNS = ("split", "subset", "fold")
OTHER_COLUMNS = ("url", "image_url", "link", "__index_level_0__")  # neither labels nor an image on this disk

SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
IMAGE_FOLDERS = ("", "images", "image", "imgs", "photos")  # looked through beside the table
IMAGE_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp")  # a cell may name a photograph without its ending
SEPARATOR = "|"  # between the labels of one cell; a comma is part of a label
MAX_NAMES = 1000  # a column with more different values is text, not an attribute

ReadCell = Callable[[str, Any], list[str] | None]  # (group, cell) -> labels; raises DataError for an unknown label


@dataclass(frozen=True)
class SplitTable:
    """A table and the split of its rows; None leaves it to a column of the table or to a hash of the id."""

    table: Table
    split: str | None


@dataclass(frozen=True)
class Layout:
    """Which column is which."""

    image: str
    id: str | None
    split: str | None
    groups: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All columns to read."""
        return [name for name in (self.image, self.id, self.split, *self.groups) if name is not None]


def import_catalog(
    source: Path,
    out: Path,
    groups: Sequence[str] | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
    workers: int | None = None,
) -> Summary:
    """Write a catalog as a new folder in the training format.

    A cell may hold one label, several separated by `|`, or (in Parquet) a list; an empty one is not annotated. Where
    there is no table for validation, every tenth training row goes there, chosen by a hash of its id.

    Args:
        source: a CSV or Parquet file, or a folder with `train.csv` and if need be `val.csv` and `test.csv`, with one
            CSV file, or with Parquet shards.
        out: the folder to make.
        groups: columns to take as attribute groups; None takes all but the image's, the id's and the like.
        image_column: column of the image's file name, path or bytes; None looks for one of the usual names.
        id_column: column of the product's id; None looks for a usual name, then takes the image's name.
        workers: threads that check photographs; None takes one for each core.

    Raises:
        DataError: no table, a broken table, a wrong column name, a column that is no attribute, no usable row.
    """
    tables = find_tables(source)
    layout = find_layout(tables, groups, image_column, id_column)
    total = check_cells(tables, layout, choosing=groups is None)
    return write_checked(read_candidates(tables, layout), total, out, layout.groups, str(source), workers)


def find_tables(source: Path) -> list[SplitTable]:
    """The tables of a catalog and their splits. Raises DataError where there is none."""
    if not source.exists():
        raise DataError(f"{source} does not exist; expected a catalog's folder, CSV or Parquet file")
    if source.is_file():
        return [SplitTable(open_table(source), None)]
    csv_files = sorted(source.glob("*.csv"))
    named = [path for path in csv_files if path.stem.lower() in SPLIT_NAMES]
    if named or len(csv_files) == 1:
        paths = named or csv_files
    else:
        paths = sorted(path for folder in (source, source / "data") for path in folder.glob("*.parquet"))
    if not paths:
        found = f" ({len(csv_files)} CSV files, none of that name)" if csv_files else ""
        raise DataError(
            f"{source} has no table: expected train.csv (and val.csv), a single .csv, or .parquet files{found}"
        )
    splits = [_split_of_file(path) for path in paths]
    if "val" not in splits:  # then training rows are held out
        splits = [None if split == "train" else split for split in splits]
    return [SplitTable(open_table(path), split) for path, split in zip(paths, splits, strict=True)]


def find_layout(
    tables: Sequence[SplitTable],
    groups: Sequence[str] | None,
    image_column: str | None = None,
    id_column: str | None = None,
) -> Layout:
    """Tell the columns apart by their names. Raises DataError for a name that a table lacks, or no image column."""
    first = tables[0].table
    image = image_column or _usual_name(first.columns, IMAGE_COLUMNS)
    if image is None:
        raise DataError(
            f"{first.path} has no column with a usual name for images, such as image, photo, file or path; "
            f"its columns are: {', '.join(first.columns)}; name it with --image-column"
        )
    name = id_column or _usual_name([column for column in first.columns if column != image], ID_COLUMNS)
    split = _usual_name(first.columns, SPLIT_COLUMNS) if tables[0].split is None else None
    if groups is None:
        usual = IMAGE_COLUMNS + ID_COLUMNS + SPLIT_COLUMNS + OTHER_COLUMNS
        groups = [
            column for column in first.label_columns if column not in (image, name) and _plain(column) not in usual
        ]
    if not groups:
        raise DataError(f"{first.path} has no column of labels; its columns are: {', '.join(first.columns)}")
    layout = Layout(image, name, split if split not in groups else None, tuple(groups))
    for table in tables:
        require_columns(table.table, layout.columns)
    return layout


def check_cells(tables: Sequence[SplitTable], layout: Layout, choosing: bool) -> int:
    """Read all labels once, so that a broken line is found before any photograph is; return the number of rows.

    Raises:
        DataError: a broken table, no row, or, when the groups were chosen here, a column that is text.
    """
    names: dict[str, set[str]] = {group: set() for group in layout.groups}
    total = 0
    for table in tables:
        for _, row in table.table.rows(layout.groups):
            total += 1
            for group, seen in names.items():
                if len(seen) <= MAX_NAMES:
                    seen.update(read_labels(group, row[group]) or ())
    if total == 0:
        raise DataError(f"{tables[0].table.path} has no row below its header")
    too_many = [group for group, seen in names.items() if len(seen) > MAX_NAMES]
    if choosing and too_many:
        others = ",".join(group for group in layout.groups if group not in too_many)
        raise DataError(
            f"column {too_many[0]!r} of {tables[0].table.path} has more than {MAX_NAMES} different values, so it is "
            f"text and no attribute; choose the attribute groups, such as [{others}], with --data.groups (or --groups)"
        )
    return total


def read_candidates(
    tables: Sequence[SplitTable], layout: Layout, read_cell: ReadCell | None = None
) -> Iterator[Candidate | LeftOut]:
    """The rows of all tables, each with its labels and the place of its photograph."""
    for table in tables:
        for number, cells in table.table.rows(layout.columns):
            yield _candidate(table, layout, number, cells, read_cell or read_labels)


def read_labels(group: str, cell: Any) -> list[str] | None:
    """The labels of a catalog's cell: text with `|` between labels, a number, a list; None where it is empty."""
    if cell is None or cell != cell:  # NaN, which pandas writes for an empty number
        return None
    if isinstance(cell, list):
        return [str(name).strip() for name in cell if name is not None and str(name).strip()]
    if isinstance(cell, float) and cell.is_integer():  # 2012.0, where pandas met an empty cell in a column of years
        cell = int(cell)
    return [name for name in map(str.strip, str(cell).split(SEPARATOR)) if name] or None


def hash_fraction(key: bytes) -> float:
    """A number in [0, 1) that depends on the key alone: the same on every machine and in every order of rows."""
    return int.from_bytes(hashlib.sha256(key).digest()[:6], "big") / 2**48


def _candidate(
    source: SplitTable, layout: Layout, number: int, row: dict[str, Any], read_cell: ReadCell
) -> Candidate | LeftOut:
    path = source.table.path
    where, image = f"{path.name}:{number}", row[layout.image]
    if isinstance(image, dict):  # as `datasets` stores an image
        image = image.get("bytes") or image.get("path")
    name = row[layout.id] if layout.id is not None else None
    if name in (None, ""):
        name = where if isinstance(image, bytes) else image
    name = str(name)
    key = image if isinstance(image, bytes) and layout.id is None else name.encode()
    split = source.split or ("val" if hash_fraction(key) < 0.1 else "train")
    if layout.split is not None and source.split is None:
        given = str(row[layout.split]).strip().lower()
        if given not in SPLIT_NAMES:
            return LeftOut("", where, name, "unknown split", f"{given!r}; expected train, val or test")
        split = SPLIT_NAMES[given]
    if image in (None, b"", ""):
        return LeftOut(split, where, name, "no image", f"column {layout.image!r} is empty")
    try:
        cells = {group: read_cell(group, row[group]) for group in layout.groups}
    except DataError as error:
        return LeftOut(split, where, name, "unknown label", str(error))
    return Candidate(split, where, name, image if isinstance(image, bytes) else _places(path.parent, str(image)), cells)


def _places(folder: Path, name: str) -> Iterator[Path]:
    """Where the photograph of this name may be: beside the table, or in a folder of images beside it."""
    return (folder / sub / (name + ending) for ending in IMAGE_ENDINGS for sub in IMAGE_FOLDERS)


def _split_of_file(path: Path) -> str | None:
    """`train-00000-of-00002.parquet` -> train; None for a name that says no split."""
    return SPLIT_NAMES.get(path.stem.lower().split("-")[0].split("_")[0])


def _usual_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    plain = {_plain(column): column for column in reversed(columns)}
    return next((plain[name] for name in names if name in plain), None)


def _plain(column: str) -> str:
    return column.strip().lower().replace(" ", "_").replace("-", "_")
