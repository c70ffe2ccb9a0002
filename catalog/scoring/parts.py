"""Write a scored catalog part by part, so that an interrupted run can resume."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.scored.columns import APPLIES_COLUMN, ATTRIBUTE, ID, IMAGE, PHOTOGRAPHS, PRODUCT_COLUMN, VIEWS
from catalog.scored.score_manifest import MANIFEST_FILE, PARTS, Manifest, Origin
from catalog.scored.table import ORIGIN_KEY, VECTORS, describe_model, open_part, part_origin
from fashion.errors import DataError
from fashion.files import utc_now, write_atomically, write_json
from fashion.taxonomy import Label


class PartWriter:
    """Add parts to a folder, each written atomically.

    Args:
        folder: of the scored catalog; existing parts are included.
        origin: model, source and profile that all parts must share.
        schema: of a part, from `catalog.scored.table.table_schema`.
        refreshed: whether the source columns and photograph columns of existing parts will be rewritten, and so may
            differ from the schema now.

    Attributes:
        parts: rows of each part, by file name.

    Raises:
        DataError: a part of the folder is broken, or from another model, source or profile, or has other columns.
    """

    def __init__(self, folder: Path, origin: Origin, schema: pa.Schema, refreshed: bool = False) -> None:
        self.folder, self.origin = Path(folder), origin
        self._schema = schema
        for path in sorted(self.folder.glob(PARTS)):
            self._check(path, open_part(path), refreshed)
        self.count()

    def count(self) -> None:
        """Count the rows of the folder's parts again. Raises DataError for a broken part."""
        paths = sorted(self.folder.glob(PARTS))
        self.parts: dict[str, int] = {path.name: open_part(path).metadata.num_rows for path in paths}

    def next_part(self) -> Path:
        """Path of the next part."""
        number = 1 + max((int(name.split("-")[1].split(".")[0]) for name in self.parts), default=-1)
        return self.folder / f"part-{number:05d}.parquet"

    def select(self, rows: pa.Table) -> pa.Table:
        """The columns of a part."""
        return rows.select(self._schema.names)

    def write(self, rows: pa.Table) -> Path:
        """Write the next part; `rows` has the columns of the schema."""
        path = write_part(self.next_part(), self.select(rows), self.origin)
        self.parts[path.name] = rows.num_rows
        return path

    def finish(self, labels: Sequence[Label], embedding: int, columns: Sequence[str], left_out: Mapping) -> Manifest:
        """Write the manifest, which marks the catalog as complete; see `Manifest` for the arguments."""
        manifest = Manifest(
            **asdict(self.origin),
            labels=tuple(labels),
            embedding=embedding,
            columns=tuple(columns),
            parts=dict(self.parts),
            left_out=dict(left_out),
            created=utc_now(),
        )
        write_json(self.folder / MANIFEST_FILE, manifest.to_json())
        return manifest

    def _check(self, path: Path, part: pq.ParquetFile, refreshed: bool) -> None:
        found = part_origin(path, part)
        if found.model != self.origin.model:
            raise DataError(
                f"{self.folder} was scored by {describe_model(found.model)}, not by "
                f"{describe_model(self.origin.model)}; choose another folder with --out, or remove that one"
            )
        for what in ("source", "profile"):
            was, given = getattr(found, what), getattr(self.origin, what)
            if was != given:
                raise DataError(
                    f"{self.folder} was scored with {what} {was!r}, not {given!r}; choose another folder with --out, "
                    "or remove that one"
                )
        there, wanted = part.schema_arrow, self._schema
        if refreshed:
            there, wanted = _without_refreshed(there), _without_refreshed(wanted)
        if not there.equals(wanted):
            names = sorted({*there.names, *wanted.names})
            changed = [name for name in names if _type(there, name) != _type(wanted, name)] or ["their order"]
            raise DataError(
                f"the columns of the source have changed since {self.folder} was scored ({', '.join(changed)}); "
                "choose another folder with --out, or remove that one"
            )


def write_part(path: Path, rows: pa.Table, origin: Origin) -> Path:
    """Write a part atomically; `rows` has the columns of `catalog.scored.table.table_schema`."""
    file = io.BytesIO()
    # Values of vectors rarely repeat, so dictionary encoding is useless for them.
    texts = [name for name in rows.column_names if name not in (*VECTORS, VIEWS)]
    table = rows.replace_schema_metadata({ORIGIN_KEY: json.dumps(asdict(origin)).encode()})
    pq.write_table(table, file, compression="zstd", use_dictionary=texts, write_statistics=texts)
    return write_atomically(path, file.getvalue())


def own_columns(schema: pa.Schema) -> list[str]:
    """The source's own columns among those of a part."""
    fixed, by_group = (ID, IMAGE, PRODUCT_COLUMN, PHOTOGRAPHS, VIEWS, *VECTORS), (ATTRIBUTE, APPLIES_COLUMN)
    return [name for name in schema.names if name not in fixed and not name.startswith(by_group)]


def _without_refreshed(schema: pa.Schema) -> pa.Schema:
    own = {*own_columns(schema), PHOTOGRAPHS, VIEWS}
    return pa.schema([field for field in schema if field.name not in own])


def _type(schema: pa.Schema, name: str) -> pa.DataType | None:
    return schema.field(name).type if name in schema.names else None
