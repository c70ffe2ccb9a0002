"""Open the source that a command line names: a folder of photographs, globs, or tables."""

import glob
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.scoring.source import ListedSource, ProductSource, UnscoredRow, rows_table
from catalog.scoring.table_source import parquet_source, text_source
from fashion.errors import DataError, SettingError
from fashion.heic import HEIC_ADVICE, HEIC_ENDINGS, can_read_heic
from fashion.image_files import image_files, visible_files
from fashion.preprocess import ENDINGS, looks_like_image
from fashion.tables.first_bytes import check_first_bytes, is_spreadsheet
from fashion.tables.parquet import ParquetTable
from fashion.tables.reading import PARQUET_ENDING, TABLE_ENDINGS, open_table

BESIDE_PHOTOGRAPHS = (".txt", ".json")  # a glob for photographs may match such files; they are listed as broken images
TEXT_BYTES = 4096  # read to distinguish text from photographs; the last character may be truncated
# Image formats that are not decoded, most of them camera raw formats.
UNREAD_ENDINGS = {
    **dict.fromkeys((".jxl", ".jp2", ".jpx", ".j2k"), "JPEG XL and JPEG 2000 are not read; convert it to JPEG"),
    **dict.fromkeys(
        (".arw", ".cr2", ".cr3", ".crw", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"),
        "camera raw files are not supported; export it as JPEG",
    ),
    **dict.fromkeys((".psd", ".psb"), "editor files with layers are not supported; export it as JPEG"),
}
NOT_READ, NO_ENDING = "format not read", "no ending"
_MAGIC = re.compile(r"[*?\[]")


def open_source(
    names: Sequence[str], id_column: str | None = None, image_columns: Sequence[str] = (), fetched: bool = False
) -> ProductSource:
    """Open the source that a command line names.

    Args:
        names: one folder of photographs or of Parquet files, one table (`fashion.tables.reading.TABLE_ENDINGS`), or
            globs and files: photographs, or Parquet files that are shards of one table.
        id_column, image_columns: of a table; if not given, columns with usual names are used. Without a column of ids,
            the image's name is the id. The first image column holds the main photograph.
        fetched: whether photographs that a table names by URL are to be downloaded.

    Raises:
        DataError: a file is missing, there is no image, or a table cannot be read or lacks a column.
        SettingError: columns or downloads are asked for, but the source is no table.
    """
    for_tables = {"--id": id_column is not None, "--image": bool(image_columns), "--fetch": fetched}
    folder = Path(names[0])
    if len(names) == 1 and folder.is_dir():
        name = os.path.abspath(folder)
        found = image_files(folder)
        shards = sorted([*folder.glob("*.parquet"), *folder.glob("data/*.parquet")])
        if found:
            _refuse(for_tables, names)
            _note_tables(folder)
            return photographs(found, name, name, unread_photographs(folder))
        if shards:
            return parquet_source(shards, name, id_column, image_columns)
        raise DataError(f"{folder} holds no image ({', '.join(ENDINGS)}) and no .parquet file; {_advice(folder)}")
    name = ", ".join(os.path.abspath(name) for name in names)
    files = _files(names)
    kinds = {file.suffix.lower() for file in files}
    if kinds <= {*TABLE_ENDINGS} and (len(files) == 1 or kinds == {PARQUET_ENDING}):
        tables = [open_table(file) for file in files]  # checks that they can be read
        if isinstance(tables[0], ParquetTable):
            return parquet_source(files, name, id_column, image_columns)
        return text_source(tables[0], name, id_column, image_columns)
    if kinds & {*TABLE_ENDINGS} - {*BESIDE_PHOTOGRAPHS}:
        raise DataError(f"{' '.join(names)}: a table cannot be mixed with other files; score it alone")
    if len(files) == 1:
        _check_no_text(files[0])
    _refuse(for_tables, names)
    # Ids are relative to the path before the first wildcard, so they do not change when photographs are added.
    roots = [os.path.dirname(os.path.abspath(_MAGIC.split(name)[0] + "x")) for name in names]
    return photographs([os.path.abspath(file) for file in files], name, os.path.commonpath(roots))


def _refuse(for_tables: Mapping[str, bool], names: Sequence[str]) -> None:
    """Raise SettingError for a flag that was given, but applies to tables only."""
    for flag, is_given in for_tables.items():
        if is_given:
            raise SettingError(f"{flag} is for tables, {' '.join(names)[:100]} holds photographs; leave it out")


def _note_tables(folder: Path) -> None:
    """Print a note on tables beside photographs: their ids and prices are missing from the scored catalog."""
    endings = {*TABLE_ENDINGS} - {*BESIDE_PHOTOGRAPHS}
    tables = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in endings and path.name[0] != ".")
    if tables:
        print(
            f"note   only the photographs of {folder} are read, not its table{'s' * (len(tables) > 1)} "
            f"{', '.join(tables)[:200]}; for products with the ids and prices of a table, give the table: "
            f"{folder / tables[0]}",
            file=sys.stderr,
        )


def photographs(paths: Sequence[str], name: str, folder: str, left_out: Sequence[UnscoredRow] = ()) -> ListedSource:
    """Image files as a source without columns; an id is the path below `folder`."""
    # A file name that is not UTF-8 cannot be stored in a cell; its escaped form is listed as a missing file.
    paths = [path.encode(errors="backslashreplace").decode() for path in paths]
    ids = [os.path.relpath(path, folder) for path in paths]
    return ListedSource(name, Path(folder), (), rows_table(ids, ids, paths), tuple(left_out))


def unread_photographs(folder: Path) -> list[UnscoredRow]:
    """Photographs below a folder that are not scored, with the reason.

    These are files of unsupported image formats, and files without an extension that begin like an image, which may be
    caches or thumbnails.
    """
    unread = []
    for path in sorted(visible_files(folder)):
        name = os.path.relpath(path, os.path.abspath(folder)).encode(errors="backslashreplace").decode()
        ending = os.path.splitext(path)[1].lower()
        if ending in HEIC_ENDINGS and not can_read_heic():
            unread.append(UnscoredRow(name, name, NOT_READ, f"HEIC is not read; {HEIC_ADVICE}"))
        elif ending in UNREAD_ENDINGS:
            unread.append(UnscoredRow(name, name, NOT_READ, UNREAD_ENDINGS[ending]))
        elif not ending and _is_image(path):
            unread.append(
                UnscoredRow(
                    name,
                    name,
                    NO_ENDING,
                    "its content is an image; rename it with the matching extension, such as .jpg",
                )
            )
    return unread


def _is_image(path: str) -> bool:
    try:
        if not os.path.isfile(path):  # opening a pipe would block
            return False
        with open(path, "rb") as file:
            return looks_like_image(file.read(16))
    except OSError:
        return False


def _advice(folder: Path) -> str:
    """Advice for a folder in which nothing can be scored."""
    unread = unread_photographs(folder)
    if not unread:
        return "give another source"
    return f"{len(unread):,} photograph{'s' if len(unread) > 1 else ''}, the first {unread[0].id}: {unread[0].detail}"


def _check_no_text(file: Path) -> None:
    """Raise DataError for a file that is text or an archive, unless it has the extension of an image."""
    if file.suffix.lower() in ENDINGS:
        return
    if is_spreadsheet(file):
        raise DataError(f"{file} is an archive, or a spreadsheet; unpack it first, or name it .xlsx")
    check_first_bytes(file)
    with file.open("rb") as opened:
        start = opened.read(TEXT_BYTES)
    if start and b"\0" not in start and not start.decode("utf-8", errors="replace").count("\ufffd") > 1:
        raise DataError(f"{file} is text, neither a photograph nor a table; tables are {', '.join(TABLE_ENDINGS)}")


def _files(names: Sequence[str]) -> list[Path]:
    """The files that match globs and paths, in order and without repetition."""
    found: dict[str, None] = {}
    for name in names:
        if os.path.isdir(name):
            raise DataError(f"{name} is a folder; score it alone, or as the glob '{os.path.join(name, '**', '*.jpg')}'")
        matched = [name] if os.path.isfile(name) else sorted(filter(os.path.isfile, glob.iglob(name, recursive=True)))
        if not matched and not _MAGIC.search(name):
            raise DataError(f"{name} does not exist; expected a folder, a table, an image, or a glob")
        if not matched:
            raise DataError(f"no file matches {name!r}")
        found |= dict.fromkeys(matched)
    return [Path(name) for name in found]
