"""Imports negatives: photographs that show no product, for training the product gate."""

from collections.abc import Iterator
from pathlib import Path

from fashion.errors import DataError
from fashion.preprocess import ENDINGS
from fashion.tables.columns import IMAGE_COLUMNS, usual_name
from training.sources.catalog import SPLIT_NAMES, find_tables, read_candidates, splits_by_hash
from training.sources.columns import ColumnLayout
from training.sources.holdout import split_by_hash
from training.sources.photographs import Candidate, write_checked
from training.sources.writer import ImportSummary, UnusedRow

PRODUCT = "product"  # name of the only label column, which is empty


def import_negatives(source: Path, out: Path) -> ImportSummary:
    """Import photographs without a product into a new folder in the training format, with no annotations.

    Args:
        source: a folder of photographs in subfolders train/ and val/, or without these of any structure (then every
            tenth is for validation, chosen by a hash of its path); or a catalog with train.csv and val.csv that have
            a column of file names. Label columns are not read.
        out: the folder to create.

    Raises:
        DataError: no photograph, no usable one, or a broken table.
    """
    candidates: list[Candidate | UnusedRow]
    if any(source.glob("*.csv")) or any(source.glob("*.parquet")):
        tables = find_tables(source)
        image = usual_name(tables[0].table.columns, IMAGE_COLUMNS)
        if image is None:
            raise DataError(f"{tables[0].table.path} has no column with a usual name for images, such as image")
        layout = ColumnLayout(image, None, None, ())
        hold_out = splits_by_hash(tables, layout)
        candidates = list(read_candidates(tables, layout))
    else:
        candidates = list(_photographs(source))
        hold_out = not any(isinstance(each, Candidate) and each.split == "val" for each in candidates)
        if not candidates:
            raise DataError(f"{source} holds no photograph ({', '.join(ENDINGS)}); put some into its train/ and val/")
    return write_checked(candidates, len(candidates), out, [PRODUCT], str(source), hold_out=hold_out)


def _photographs(source: Path) -> Iterator[Candidate]:
    folders = {path: SPLIT_NAMES[path.name.lower()] for path in source.iterdir() if path.name.lower() in SPLIT_NAMES}
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() not in ENDINGS or not path.is_file():
            continue
        name = path.relative_to(source).as_posix().encode(errors="backslashreplace").decode()  # need not be UTF-8
        split = next((split for folder, split in folders.items() if folder in path.parents), None)
        if split is None and folders:
            continue  # outside the split folders
        yield Candidate(split or split_by_hash(name.encode()), name, name, [path], {})
