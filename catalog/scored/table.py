"""Read the scored catalog that `python -m catalog.score` writes.

FOLDER/part-00000.parquet ...   the products, some thousands per part; columns of `table_schema`
FOLDER/score.json               the manifest, written last: without it the catalog is incomplete
FOLDER/left_out.csv             rows that could not be scored, with reasons
FOLDER/corrections.sqlite       corrections, applied when products are read
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.scored.columns import (
    ATTRIBUTE,
    EMBEDDING,
    ID,
    IMAGE,
    LOGITS,
    PHOTOGRAPHS,
    PROBABILITIES,
    VIEWS,
    decimal_schema,
    gate_columns,
    vector_rows,
    with_decimals,
)
from catalog.scored.correction_store import CORRECTIONS_FILE, CorrectionStore
from catalog.scored.overlay import Overlay
from catalog.scored.score_manifest import MANIFEST_FILE, PARTS, Manifest, Origin, describe_model
from fashion.errors import DataError, one_line
from fashion.gates import NO_GATES, Gates
from fashion.model_card import ModelCard

LEFT_OUT_FILE = "left_out.csv"
VECTORS = (PROBABILITIES, LOGITS, EMBEDDING)
ORIGIN_KEY = b"fashion.origin"  # in a part's metadata: JSON of its `Origin`

PARTS_DRAWN = 16  # number of parts to sample from, unless they are too small
BATCH_ROWS = 4096  # 20 MB with embeddings of 2048 and 228 labels

Vector = Literal["probabilities", "logits", "embedding"]


class Scored:
    """A scored catalog. Open one with `Scored.open`.

    Attributes:
        folder: its folder.
        manifest: content of score.json.
        schema: names and types of its columns as they are read: numbers of the source with 32 bits become float64.
    """

    def __init__(self, folder: Path, manifest: Manifest, schema: pa.Schema) -> None:
        self.folder, self.manifest = folder, manifest
        self.schema = decimal_schema(schema, manifest.columns)
        self._overlay: Overlay | None = None

    @classmethod
    def open(cls, folder: str | Path) -> "Scored":
        """Open the folder that `python -m catalog.score` wrote and check that its parts belong together.

        Raises:
            DataError: the folder is not a scored catalog, the scoring is incomplete, or a part is missing, broken or
                of another model.
        """
        folder = Path(folder)
        manifest = Manifest.load(folder)
        schema: pa.Schema | None = None
        for name, rows in manifest.parts.items():
            part = open_part(folder / name)
            origin = part_origin(folder / name, part)
            if origin.model != manifest.model:
                raise DataError(
                    f"{folder / name} was scored by {describe_model(origin.model)}, the rest of the catalog by "
                    f"{describe_model(manifest.model)}; score again into a new folder"
                )
            if part.metadata.num_rows != rows:
                raise DataError(
                    f"{folder / name} has {part.metadata.num_rows} rows, {MANIFEST_FILE} says {rows}; score again"
                )
            schema = schema or part.schema_arrow
        return cls(folder, manifest, (schema or pa.schema([])).remove_metadata())

    @property
    def rows(self) -> int:
        """Number of products."""
        return self.manifest.rows

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS, corrected: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """Read the products in order, in batches; memory does not grow with the catalog.

        Args:
            columns: the columns to read; None reads all.
            rows: maximum number of rows per batch.
            corrected: whether to apply corrections to the model's answers.

        Raises:
            DataError: an unknown column, or a broken part.
        """
        for name in columns or ():
            if name not in self.schema.names:
                raise DataError(f"{self.folder} has no column {name!r}; its columns: {', '.join(self.schema.names)}")
        wanted = self.schema.names if columns is None else list(dict.fromkeys(columns))
        overlay = self.overlay() if corrected else None
        for name in self.manifest.parts:
            yield from self._part(name, wanted, rows, overlay)

    def _part(self, name: str, columns: list[str], rows: int, overlay: Overlay | None) -> Iterator[pa.RecordBatch]:
        part = open_part(self.folder / name)
        try:
            for batch in part.iter_batches(rows, columns=overlay.needs(columns) if overlay else columns):
                found = overlay.apply(batch, columns) if overlay else batch.select(columns)
                yield with_decimals(found, self.manifest.columns)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.folder / name} is broken: {one_line(error)}; remove it and score again") from None

    def overlay(self) -> Overlay | None:
        """The current corrections; None if there are none. Raises DataError for a broken store."""
        if not (self.folder / CORRECTIONS_FILE).exists():
            return None
        store = CorrectionStore(self.folder)
        if self._overlay is None or self._overlay.last != store.last():
            self._overlay = Overlay(store, self.manifest)
        return self._overlay

    def check_model(self, model: Mapping[str, str]) -> None:
        """Raise DataError if another model than this one, see `fashion.answers.identity`, scored the catalog."""
        if model["weights"] != self.manifest.model["weights"]:
            raise DataError(
                f"{self.folder} was scored by {describe_model(self.manifest.model)}, the bundle holds "
                f"{describe_model(model)}; give the bundle that scored it"
            )

    def refitted(self, card: ModelCard) -> ModelCard:
        """The model card with the calibration and thresholds of the refit in force."""
        overlay = self.overlay()
        return overlay.refit.on_card(card) if overlay and overlay.refit else card

    def rows_of(self, ids: Iterable[str], columns: Sequence[str], corrected: bool = True) -> pa.Table:
        """The products with these ids, in the order of the catalog; unknown ids are skipped.

        Args:
            ids: of the products.
            columns: the columns to read.
            corrected: whether to apply corrections to the model's answers.

        Raises:
            DataError: see `batches`.
        """
        wanted = pa.array(list(dict.fromkeys(ids)), pa.string())
        overlay, found = self.overlay() if corrected else None, []
        for name in self.manifest.parts:
            there = (pc.is_in(batch.column(ID), wanted) for batch in self._part(name, [ID], BATCH_ROWS, None))
            if not any(pc.any(kept).as_py() for kept in there):
                continue  # avoid reading all columns of parts without any of the products
            for batch in self._part(name, list(dict.fromkeys([ID, *columns])), BATCH_ROWS, overlay):
                found.append(batch.filter(pc.is_in(batch.column(ID), wanted)).select(list(columns)))
        return pa.Table.from_batches(found, pa.schema([self.schema.field(name) for name in columns]))

    def sample(self, columns: Sequence[str], rows: int) -> pa.Table:
        """`rows` products, evenly spaced over `PARTS_DRAWN` parts, more if they are small; all of a smaller catalog.

        Raises:
            DataError: see `batches`.
        """
        if self.rows <= rows:
            return pa.Table.from_batches(self.batches(columns))
        names, sizes = list(self.manifest.parts), np.array(list(self.manifest.parts.values()))
        chosen, count = np.empty(0, int), PARTS_DRAWN
        while sizes[chosen].sum() < rows:
            places = np.linspace(0, self.rows - 1, count).astype(int)
            chosen, count = np.unique(np.searchsorted(sizes.cumsum(), places, side="right")), 2 * count
        wanted = np.linspace(0, sizes[chosen].sum() - 1, rows).astype(int)
        tables, start, overlay = [], 0, self.overlay()
        for index in chosen:
            table = pa.Table.from_batches(self._part(names[index], list(columns), BATCH_ROWS, overlay))
            tables.append(table.take(wanted[(wanted >= start) & (wanted < start + len(table))] - start))
            start += len(table)
        return pa.concat_tables(tables)

    def vectors(self, column: Vector) -> np.ndarray:
        """A column of vectors as float32 (N, length), in the order of `batches`.

        Memory holds the result and one batch: 10,000 embeddings of 2048 take 82 MB.

        Raises:
            DataError: see `batches`.
        """
        found = np.empty((self.rows, self._length(column)), np.float32)
        start = 0
        for batch in self.batches([column]):
            found[start : start + len(batch)] = vector_rows(batch.column(column))
            start += len(batch)
        return found

    def _length(self, column: str) -> int:
        return self.manifest.embedding if column == EMBEDDING else len(self.manifest.labels)


def table_schema(
    groups: Sequence[str],
    labels: int,
    embedding: int,
    columns: Sequence[pa.Field],
    gates: Gates = NO_GATES,
    several: bool = False,
) -> pa.Schema:
    """The schema of a part.

    Args:
        groups: the attribute groups; each has a column of its answered attributes.
        labels: number of probabilities and logits per row.
        embedding: length of an embedding.
        columns: of the source.
        gates: of the model; each has a column of its probability.
        several: whether products may have several photographs.

    Raises:
        DataError: a source column has a reserved name.
    """
    ours = [
        pa.field(PROBABILITIES, pa.list_(pa.float16(), labels)),
        pa.field(LOGITS, pa.list_(pa.float16(), labels)),
        *(pa.field(ATTRIBUTE + group, pa.list_(pa.string())) for group in groups),
        *(pa.field(name, pa.float32()) for name in gate_columns(gates)),
        pa.field(EMBEDDING, pa.list_(pa.float16(), embedding)),
    ]
    if several:
        ours += [
            pa.field(PHOTOGRAPHS, pa.list_(pa.string())),
            pa.field(VIEWS, pa.list_(pa.list_(pa.float16(), embedding))),
        ]
    taken = {ID, IMAGE, *(field.name for field in ours)}
    for field in columns:
        if field.name in taken:
            raise DataError(
                f"the source column {field.name!r} has the name of an output column; rename it, "
                "or use it for the ids or the photographs with --id or --image"
            )
    return pa.schema([pa.field(ID, pa.string()), pa.field(IMAGE, pa.string()), *columns, *ours])


def stored_embedding(folder: Path) -> int | None:
    """Length of the embeddings in a folder's parts; None without parts. Raises DataError for a broken part."""
    first = min(Path(folder).glob(PARTS), default=None)
    if first is None:
        return None
    schema = open_part(first).schema_arrow
    return schema.field(EMBEDDING).type.list_size if EMBEDDING in schema.names else None


def open_part(path: Path) -> pq.ParquetFile:
    """Open a part. Raises DataError if it is missing or broken."""
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; score again, and only its products will be scored") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} is not a Parquet file, or broken: {one_line(error)}; remove it and score again"
        ) from None


def part_origin(path: Path, part: pq.ParquetFile) -> Origin:
    """The origin in a part's metadata. Raises DataError if there is none."""
    metadata: Mapping[bytes, bytes] = part.schema_arrow.metadata or {}
    try:
        return Origin(**json.loads(metadata[ORIGIN_KEY]))
    except (KeyError, ValueError, TypeError):
        raise DataError(f"{path} was not written by python -m catalog.score; move it elsewhere") from None
