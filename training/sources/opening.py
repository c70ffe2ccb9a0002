"""Opens any folder of labeled photographs as a folder in the training format, importing it once if necessary."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.heic import HEIC_ENDINGS
from fashion.preprocess import ENDINGS
from fashion.spelling import check_groups
from fashion.tables.cells import first_photograph, text_cell
from fashion.tables.columns import IMAGE_COLUMNS, IMAGE_FOLDERS, usual_name
from fashion.tables.image_paths import FETCHED_FOLDER, named_folders
from fashion.tables.parquet import ParquetTable, names_photographs
from fashion.tables.reading import TABLE_ENDINGS, open_table
from fashion.taxonomy import Taxonomy, imaterialist
from training.sources.catalog import find_tables, import_catalog, usual_groups
from training.sources.imaterialist import FILES, challenge_groups, import_imaterialist
from training.sources.mirror import import_mirror, is_mirror
from training.sources.no_product import import_negatives
from training.sources.writer import DATASET_FILE, FORMAT, ImportSummary, OutputExists

IMPORTER = 5  # increased when the importers' output for the same files changes; earlier imports are not reused
REPORT_FILE = "report.json"  # marks a report of `training.report`, whose photographs are copies
DEFAULT_CACHE = Path("data/imported")


def open_folder(
    path: Path | str, groups: Sequence[str] | None = None, cache: Path | str = DEFAULT_CACHE, partly: bool = False
) -> Path:
    """The folder in the training format for `path`: itself, or its import.

    An import is cached under `cache` and reused until a table or photograph of the source changes; other files, runs
    and reports may be kept there. Its summary goes to stderr. It includes all attribute groups of the source, so that
    another choice of `groups` need not copy the photographs again; only groups that an importer omits by default, such
    as a column of free text, cause another import. Several processes may open the same source concurrently: all get the
    same complete folder.

    Args:
        path: a folder in the training format, of Parquet shards, of a catalog (`train.csv`, `val.csv`, `images/`) or of
            the iMaterialist challenge (`train.json`, images); or one CSV or Parquet file.
        groups: attribute groups that the folder must have; None for all of the source except free text.
        cache: the folder that keeps imports.
        partly: ignore missing groups, even all: this may be one of several folders that have them together.

    Raises:
        DataError: `path` is none of these or cannot be imported, or lacks a group.
    """
    path, cache = Path(path), Path(cache)
    if is_training_format(path):
        if not partly:
            check_groups(path, groups or (), read_description(path)["groups"])
        return path
    kind = _kind(path)
    if partly:
        groups = _existing_groups(kind, path, groups)
    fingerprint = _fingerprint(path, cache)
    out = cache / f"{path.resolve().stem}-{fingerprint}"
    if _holds(out, groups):
        return out
    columns = _columns(kind, path, groups)
    if columns is not None:
        out = out.with_name(f"{out.name}-{hashlib.sha256(repr(columns).encode()).hexdigest()[:6]}")
    _import_once(out, lambda: _import(kind, path, out, columns, tell_choice=not groups))
    return out


def open_negatives(path: Path | str, cache: Path | str = DEFAULT_CACHE) -> Path:
    """The folder in the training format for a folder of photographs without a product: itself, or its import.

    An import is cached under `cache` as in `open_folder`.

    Args:
        path: a folder in the training format, or one that `training.sources.no_product` can import.
        cache: the folder that keeps imports.

    Raises:
        DataError: `path` is neither.
    """
    path, cache = Path(path), Path(cache)
    if is_training_format(path):
        return path
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; negatives are folders of photographs that show no product")
    out = cache / f"{path.resolve().stem}-negatives-{_fingerprint(path, cache)}"
    _import_once(out, lambda: import_negatives(path, out))
    return out


def is_training_format(path: Path) -> bool:
    """Whether a folder was written by `write_dataset`."""
    return (path / DATASET_FILE).is_file() and any(path.glob("*.parquet"))


def read_description(folder: Path) -> dict[str, Any]:
    """Read dataset.json of a folder in the training format. Raises DataError if it is broken or of another version."""
    path = folder / DATASET_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        version = description["format"]
        description["groups"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is missing or broken; import the data set again") from None
    if version != FORMAT:
        raise DataError(f"{folder} is in format {version}, this version reads {FORMAT}; import the data set again")
    return description


def load_taxonomy(folder: Path | str, groups: Sequence[str] | None = None) -> Taxonomy:
    """The labels of the training rows of a folder in the training format, in the order of a model's outputs.

    Labels found only in val or test are not included (dataset.json lists them under `names_outside_train`). If the
    labels are the 228 of iMaterialist, they are in the challenge's order: output index = label id - 1.

    Args:
        folder: a folder that `open_folder` returned.
        groups: the attribute groups to use, in this order; None for all, in the order of the columns.

    Raises:
        DataError: the folder lacks a group, or the training rows have no label in one.
    """
    folder = Path(folder)
    names = read_description(folder)["groups"]
    check_groups(folder, groups or (), names)
    chosen = {group: names[group] for group in groups or names}
    empty = [group for group in groups or () if not chosen[group]]
    if empty or not any(chosen.values()):
        which = f"column {empty[0]!r}" if empty else "any column"
        raise DataError(f"no training row of {folder} has a label in {which}")
    taxonomy = Taxonomy.from_columns(chosen)
    return imaterialist() if set(taxonomy.labels) == set(imaterialist().labels) else taxonomy


def _kind(path: Path) -> str:
    if path.is_dir() and any((path / name).is_file() for names in FILES.values() for name in names):
        return "imaterialist"
    try:
        tables = find_tables(path)
    except DataError as error:
        if not path.is_dir() or any(path.glob("*.csv")) or any(path.glob("*.parquet")):
            raise
        raise DataError(
            f"{path} is not a data set: looked for dataset.json (training format), train.json (iMaterialist), "
            "train.csv or another .csv (catalog) and .parquet shards"
        ) from error
    return "mirror" if all(is_mirror(table.table) for table in tables) else "catalog"


def _holds(folder: Path, groups: Sequence[str] | None) -> bool:
    return is_training_format(folder) and set(groups or ()) <= read_description(folder)["groups"].keys()


def _existing_groups(kind: str, path: Path, groups: Sequence[str] | None) -> list[str]:
    if kind == "catalog":
        there = {column for table in find_tables(path) for column in table.table.label_columns}
    else:
        there = set(imaterialist().groups)
    return [group for group in groups or () if group in there]


def _columns(kind: str, path: Path, groups: Sequence[str] | None) -> list[str] | None:
    """The groups to import to cover those requested: None for the importer's default, or the default and more."""
    if kind != "catalog":
        challenge_groups(groups)  # always imports all eight
        return None
    if not groups:
        return None
    try:
        usual = usual_groups(path)
    except DataError:  # about columns that were not requested; otherwise the import raises it again
        usual = ()
    others = sorted(set(groups) - set(usual))
    return [*usual, *others] if others else None


def _import_once(out: Path, write: Callable[[], ImportSummary]) -> None:
    if is_training_format(out):
        return
    try:
        print(write(), file=sys.stderr)
    except OutputExists:
        if not is_training_format(out):  # otherwise another process has just written it
            raise


def _import(kind: str, path: Path, out: Path, groups: Sequence[str] | None, tell_choice: bool) -> ImportSummary:
    if kind == "imaterialist":
        return import_imaterialist(path, out)
    if kind == "mirror":
        return import_mirror([path], out)
    return import_catalog(path, out, groups, tell_choice=tell_choice)


def _fingerprint(path: Path, cache: Path) -> str:
    """Hash that names an import: of the files' names, sizes and modification times, and the importer's version."""
    digest = hashlib.sha256(repr((IMPORTER, FORMAT, str(path.resolve()))).encode())
    for name, status in sorted(_files(path, cache.resolve()), key=lambda file: file[0]):
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def _files(path: Path, but: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The tables and photographs of a source with their paths in it, except hidden ones and those below `but`.

    Of a table: itself, and the images beside it, in the usual folders for them and in those that its cells name.
    """
    if path.is_dir():
        yield from (file for file in _files_below(path, but) if _is_of_source(Path(file[0])))
        return
    yield path.name, path.stat()
    for each in path.parent.iterdir():
        if each.is_dir() and each.name.lower() in (*filter(None, IMAGE_FOLDERS), FETCHED_FOLDER):
            yield from ((f"{each.name}/{name}", status) for name, status in _files_below(each, but))
        elif each.suffix.lower() in ENDINGS and each.is_file():
            yield each.name, each.stat()
    for folder in named_folders(path.parent, _image_cells(path)):
        if folder.is_dir():
            yield from ((str(each), each.stat()) for each in folder.iterdir() if each.is_file())


def _is_of_source(file: Path) -> bool:
    """Whether a file of a folder may be a photograph, which needs no ending, or a table that `find_tables` sees."""
    ending = file.suffix.lower()
    return ending in ("", *ENDINGS, *HEIC_ENDINGS) or (
        ending in TABLE_ENDINGS and file.parent.name.lower() in ("", "data")
    )


def _image_cells(path: Path) -> Iterator[str]:
    """The cells of a table's image column; none if it holds the photographs themselves."""
    table = open_table(path)
    image = usual_name(table.columns, IMAGE_COLUMNS)
    if image is None or (isinstance(table, ParquetTable) and not names_photographs(table.schema.field(image).type)):
        return
    for _, cells in table.rows([image]):
        yield text_cell(first_photograph(cells[image]))


def _files_below(folder: Path, but: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The files below a folder, also through links to folders, each real folder once; not those of reports."""
    seen = {str(but)}
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if parent != os.fspath(folder) and REPORT_FILE in names:
            seen.add(real)
        # Sorted, so that of two links to a folder always the same one is followed.
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        for name in () if real in seen else names:
            path = os.path.join(parent, name)
            if not name.startswith(".") and os.path.exists(path):
                yield os.path.relpath(path, folder), os.stat(path)
        seen.add(real)
