"""Writer of the training format: writes checked rows to a folder of Parquet shards, atomically."""

import csv
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fashion.errors import DataError, SettingError
from fashion.files import write_json
from training.sources.products import Products

FORMAT = 1  # increased when folders written earlier can no longer be read
DATASET_FILE = "dataset.json"
LEFT_OUT_FILE = "left_out.csv"
SPLITS = ("train", "val", "test")
IMAGE, ID, PRODUCT_ID = "image", "id", "product_id"

# Readers hold one row group in memory: 100 photographs of 100 kB are 10 MB. GROUP_BYTES limits groups of larger ones.
GROUP_ROWS = 100
GROUP_BYTES = 64 * 2**20
SHARD_BYTES = 500 * 10**6


class ProductRow(NamedTuple):
    """A photograph: its split, its product's id, the bytes of the image file, and its labels by group.

    In `cells`, None (or a missing group) means not annotated, an empty list that no label of the group applies. `row`
    is its position in the source, for the report if it is left out.
    """

    split: str
    id: str
    image: bytes
    cells: Mapping[str, Sequence[str] | None]
    row: str = ""


class UnusedRow(NamedTuple):
    """A row that cannot be used: its position in the source, its id, a short reason to count by, and the detail."""

    split: str
    row: str
    id: str
    reason: str
    detail: str = ""


class OutputExists(DataError):
    """The folder to write exists already."""


@dataclass
class ImportSummary:
    """Summary of an import: the folder, its rows by split, and the rows left out by reason."""

    folder: Path
    splits: dict[str, int]
    left_out: dict[str, int]

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} {split}" for split, count in self.splits.items())
        if not self.left_out:
            return f"{self.folder}: {rows}; none left out"
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        total = sum(self.left_out.values())
        return f"{self.folder}: {rows}; {total:,} left out ({reasons}), listed in {LEFT_OUT_FILE}"


def write_dataset(
    rows: Iterable[ProductRow | UnusedRow],
    out: Path,
    groups: Sequence[str],
    source: str,
    shard_bytes: int = SHARD_BYTES,
) -> ImportSummary:
    """Stream rows into a new folder in the training format.

    Memory use is one row group per split plus the ids of all rows. The folder is renamed to `out` when it is complete;
    after an error or an interrupt nothing is left. Rows of one id are photographs of one product: each gets an id of
    its own, and rows refused by `products.Products` are left out.

    Args:
        rows: rows to write or to list as left out, in any order of splits.
        out: the folder to create, with its parents.
        groups: the attribute groups, one column each.
        source: description of the source in dataset.json.
        shard_bytes: a Parquet file is closed once it has this many bytes of images.

    Raises:
        OutputExists: `out` exists and is not an empty folder.
        SettingError: a group is named like the columns `image`, `id` and `product_id`, or given twice; `out` is a mount
            point.
        DataError: no row could be used.
    """
    _check_groups(groups)
    with new_dataset_folder(out) as folder:
        writer = _Writer(folder, groups, shard_bytes)
        try:
            writer.take(rows)
            writer.finish()
        finally:
            writer.abandon()
        if not writer.counts:
            raise DataError(f"no usable row in {source}{_explanation(writer)}")
        splits = writer.name_shards()
        description: dict[str, Any] = {
            "format": FORMAT,
            "groups": {group: sorted(writer.names["train"][group]) for group in groups},
            "names_outside_train": writer.names_outside_train(),
            "splits": splits,
            "source": source,
            "left_out": dict(writer.left_out.most_common()),
        }
        write_json(folder / DATASET_FILE, description)
    return ImportSummary(out, splits, description["left_out"])


@dataclass
class _Shards:
    """The Parquet files of one split, and the buffered rows of the current row group."""

    buffer: list[dict[str, Any]] = field(default_factory=list)
    buffer_bytes: int = 0
    shard_bytes: int = 0
    paths: list[Path] = field(default_factory=list)
    parquet: pq.ParquetWriter | None = None


class _Writer:
    """Writes rows to the shards of their splits, and counts."""

    def __init__(self, folder: Path, groups: Sequence[str], shard_bytes: int) -> None:
        self.folder, self.groups, self.shard_bytes = folder, groups, shard_bytes
        self.schema = arrow_schema(groups)
        self.shards = {split: _Shards() for split in SPLITS}
        self.names: dict[str, dict[str, set[str]]] = {split: {group: set() for group in groups} for split in SPLITS}
        self.products = Products()
        self.counts: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.first_left_out: UnusedRow | None = None

    def take(self, rows: Iterable[ProductRow | UnusedRow]) -> None:
        # File names, also in messages of the system, need not be UTF-8.
        with (self.folder / LEFT_OUT_FILE).open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            report = csv.writer(file)
            report.writerow(UnusedRow._fields)
            for row in rows:
                unused = row if isinstance(row, UnusedRow) else self._add(row)
                if unused is not None:
                    report.writerow(unused)
                    self.left_out[unused.reason] += 1
                    self.first_left_out = self.first_left_out or unused

    def _add(self, row: ProductRow) -> UnusedRow | None:
        """Add a row; return an `UnusedRow` if it is left out."""
        cells = {group: _as_list(row.cells.get(group)) for group in self.groups}
        refusal = self.products.refusal(row.id, row.split, row.image, cells)
        if refusal is not None:
            return UnusedRow(row.split, row.row, row.id, *refusal)
        self.counts[row.split] += 1
        for group, names in cells.items():
            self.names[row.split][group].update(names or ())
        shards = self.shards[row.split]
        fixed = {
            IMAGE: {"bytes": row.image, "path": None},
            ID: self.products.photograph_id(row.id),
            PRODUCT_ID: row.id,
        }
        shards.buffer.append(fixed | cells)
        shards.buffer_bytes += len(row.image)
        if len(shards.buffer) >= GROUP_ROWS or shards.buffer_bytes >= GROUP_BYTES:
            self._flush(row.split)
        return None

    def _flush(self, split: str) -> None:
        shards = self.shards[split]
        if not shards.buffer:
            return
        if shards.parquet is None:
            shards.paths.append(self.folder / f"{split}-{len(shards.paths):05d}.parquet")
            shards.parquet = pq.ParquetWriter(shards.paths[-1], self.schema, write_page_index=True)
        table = pa.Table.from_pylist(shards.buffer, schema=self.schema)
        shards.parquet.write_table(table, row_group_size=len(shards.buffer))
        shards.shard_bytes += shards.buffer_bytes
        shards.buffer, shards.buffer_bytes = [], 0
        if shards.shard_bytes >= self.shard_bytes:
            shards.parquet.close()
            shards.parquet, shards.shard_bytes = None, 0

    def finish(self) -> None:
        """Flush the buffers and close the shards."""
        for split, shards in self.shards.items():
            self._flush(split)
            if shards.parquet is not None:
                shards.parquet.close()
                shards.parquet = None

    def abandon(self) -> None:
        """Close shards that are still open after an error, ignoring further errors: they are deleted anyway."""
        for shards in self.shards.values():
            if shards.parquet is not None:
                with suppress(Exception):
                    shards.parquet.close()
                shards.parquet.is_open = False  # otherwise its destructor would try to close it again

    def name_shards(self) -> dict[str, int]:
        """Rename the shards to `train-00000-of-00003.parquet`, now that their number is known; return rows by split."""
        for split, shards in self.shards.items():
            for i, path in enumerate(shards.paths):
                path.rename(self.folder / f"{split}-{i:05d}-of-{len(shards.paths):05d}.parquet")
        return {split: self.counts[split] for split in SPLITS if self.counts[split]}

    def names_outside_train(self) -> dict[str, list[str]]:
        """Names by group that occur only in val or test: a model cannot learn them."""
        outside = {
            group: sorted((self.names["val"][group] | self.names["test"][group]) - self.names["train"][group])
            for group in self.groups
        }
        return {group: names for group, names in outside.items() if names}


def arrow_schema(groups: Sequence[str]) -> pa.Schema:
    """The schema of the training format, with the metadata by which `datasets` knows its feature types.

    Built by hand because importing `datasets` takes seconds; a test compares it with what `datasets` writes.
    """
    text = {"dtype": "string", "_type": "Value"}
    features: dict[str, Any] = {IMAGE: {"_type": "Image"}, ID: text, PRODUCT_ID: text}
    features |= {group: {"feature": text, "_type": "List"} for group in groups}
    fields = [
        pa.field(IMAGE, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        pa.field(ID, pa.string()),  # of the photograph
        pa.field(PRODUCT_ID, pa.string()),  # missing in older folders, which have one photograph per product
        *(pa.field(group, pa.list_(pa.string())) for group in groups),
    ]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


@contextmanager
def new_dataset_folder(out: Path) -> Iterator[Path]:
    """Context manager: a temporary folder beside `out`, renamed to `out` at the end, deleted on any error.

    Raises:
        OutputExists: `out` exists and is not an empty folder.
        SettingError: it is a mount point.
    """
    out, given = out.resolve(), out  # a link may lead to another disk; `.` has no name
    if os.path.ismount(out):
        raise SettingError(f"{given} is a mount point, which cannot be replaced; choose a folder in it")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputExists(f"{given} exists already; remove it or choose another folder to write to")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.parent / f".{out.name}.{secrets.token_hex(4)}.tmp"
    folder.mkdir()
    try:
        yield folder
        try:
            os.rename(folder, out)  # replaces an empty folder, fails for one with content
        except OSError:
            if not (out.is_dir() and any(out.iterdir())):
                raise
            raise OutputExists(f"{given} was written by another process in the meantime") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_groups(groups: Sequence[str]) -> None:
    if not groups:
        raise SettingError("no attribute group is left to write; a data set needs at least one column of labels")
    for group in groups:
        if group in (IMAGE, ID, PRODUCT_ID) or groups.count(group) > 1:
            raise SettingError(f"attribute group {group!r} is given twice or named like a column of the format")


def _as_list(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(dict.fromkeys(names))


def _explanation(writer: _Writer) -> str:
    first = writer.first_left_out
    if first is None:
        return ": it is empty"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in writer.left_out.most_common())
    return f"; left out: {reasons}; the first, {first.row}: {first.detail or first.reason}"
