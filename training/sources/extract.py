"""One photograph out of a folder in the training format, as files of its own."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fashion.errors import DataError
from fashion.files import write_whole
from training.sources.opening import read_description
from training.sources.writer import ID, IMAGE


def extract_photo(folder: Path, out: Path, split: str = "test", row: int = 0) -> dict[str, Any]:
    """Write the image file of a row to `out`, and its true labels beside it as `.json`.

    Args:
        folder: in the training format.
        out: the image file to write, as it was imported.
        split: `train`, `val` or `test`.
        row: position in the split, from 0.

    Returns:
        `id` and `labels`: names by group; null where not annotated.

    Raises:
        DataError: no such folder, split or row.
    """
    description = read_description(folder)
    rows = description["splits"].get(split, 0)
    if not 0 <= row < rows:
        raise DataError(f"{folder} has no row {row} in split {split!r}; it has {rows} there, counted from 0")
    for path in sorted(folder.glob(f"{split}-*.parquet")):
        file = pq.ParquetFile(path)
        if row >= file.metadata.num_rows:
            row -= file.metadata.num_rows
            continue
        cells = file.read().slice(row, 1).to_pylist()[0]
        truth = {"id": cells[ID], "labels": {group: cells[group] for group in description["groups"]}}
        text = json.dumps(truth, ensure_ascii=False, indent=1) + "\n"
        write_whole(out.with_suffix(".json"), text)
        write_whole(out, cells[IMAGE]["bytes"])
        return truth
    raise DataError(f"{folder} has fewer rows than its description says; import the data set again")
