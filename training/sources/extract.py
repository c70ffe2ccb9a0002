"""Extracts photographs from a folder in the training format to image files."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fashion.errors import DataError
from fashion.files import write_atomically, write_json
from training.sources.opening import is_training_format, read_description
from training.sources.writer import ID, IMAGE

ENDING = ".jpg"  # extension of every extracted file, whatever its format: decoders detect it by content
LABELS_ENDING = ".json"


def extract_photo(folder: Path, out: Path, split: str = "test", row: int = 0) -> dict[str, Any]:
    """Write the image file of a row to `out`, and its true labels beside it as `.json`.

    Args:
        folder: in the training format.
        out: the image file to write; its bytes are those that were imported.
        split: `train`, `val` or `test`.
        row: position in the split, from 0.

    Returns:
        `id` and `labels`: names by group; null where not annotated.

    Raises:
        DataError: no such folder, split or row, or `out` has the name of the labels' file.
    """
    if out.suffix.lower() == LABELS_ENDING:
        raise DataError(f"{out} has the name of the file for the labels; name the photograph, such as photo.jpg")
    description = read_description(folder)
    rows = description["splits"].get(split, 0)
    if not 0 <= row < rows:
        raise DataError(f"{folder} has no row {row} in split {split!r}; it has {rows} there, counted from 0")
    for path in _shards(folder, split):
        file = pq.ParquetFile(path)
        if row >= file.metadata.num_rows:
            row -= file.metadata.num_rows
            continue
        cells = file.read().slice(row, 1).to_pylist()[0]
        return _write(cells, out, description["groups"])
    raise DataError(f"{folder} has fewer rows than its description says; import the data set again")


def as_photographs(folder: Path | str, out: Path | str, splits: Sequence[str] = ("test",)) -> Path:
    """Extract the photographs of some splits to files.

    Args:
        folder: in the training format; anything else is returned unchanged.
        out: folder for the photographs, `ID.jpg`, and their true labels, `ID.json`.
        splits: missing ones are ignored.

    Returns:
        `out`, or `folder` if that is not in the training format.

    Raises:
        DataError: the folder does not exist or has none of the splits.
    """
    folder, out = Path(folder), Path(out)
    if not folder.exists():
        raise DataError(f"{folder} does not exist; `make data` draws the sample into data/sample")
    if not is_training_format(folder):
        return folder
    description = read_description(folder)
    if not any(split in description["splits"] for split in splits):
        raise DataError(f"{folder} has no split {' or '.join(splits)}; it has: {', '.join(description['splits'])}")
    for cells in _rows(folder, splits):
        name = cells[ID].replace("/", "_").removesuffix(ENDING)
        _write(cells, out / f"{name}{ENDING}", description["groups"])
    return out


def true_labels(photo: Path) -> dict[str, list[str] | None]:
    """The labels in the JSON file beside a photograph, by group; empty if there is none."""
    try:
        return json.loads(photo.with_suffix(LABELS_ENDING).read_text(encoding="utf-8"))["labels"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _shards(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}-*.parquet"))


def _rows(folder: Path, splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    for split in splits:
        for path in _shards(folder, split):
            for batch in pq.ParquetFile(path).iter_batches(100):
                yield from batch.to_pylist()


def _write(cells: dict[str, Any], out: Path, groups: Sequence[str]) -> dict[str, Any]:
    truth = {"id": cells[ID], "labels": {group: cells[group] for group in groups}}
    write_json(out.with_suffix(LABELS_ENDING), truth)
    write_atomically(out, cells[IMAGE]["bytes"])
    return truth
