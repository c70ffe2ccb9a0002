"""Store an index in a folder with Qdrant Edge, which runs inside this process.

FOLDER/index.json   the manifest of the index
FOLDER/shard/       the engine's files
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as qdrant

from catalog.engines.store import (
    BATCH,
    CANDIDATES,
    COARSE,
    EF,
    VECTOR,
    Examples,
    Hit,
    InUse,
    Lists,
    Point,
    Query,
    Record,
    Tuning,
)
from catalog.filters.columns import Column
from catalog.filters.conditions import Builder
from fashion.errors import DataError
from fashion.files import write_atomically

MANIFEST, SHARD = "index.json", "shard"
LOCKED = "WouldBlock"  # the engine's message contains it when another process has the shard open
FULL_SCAN = 10_000  # KB of vectors up to which a scan replaces the HNSW graph; the engine's default
SCHEMAS = {
    "label": qdrant.PayloadSchemaType.Keyword,
    "text": qdrant.PayloadSchemaType.Keyword,
    "flag": qdrant.PayloadSchemaType.Keyword,
    "number": qdrant.PayloadSchemaType.Float,
    "date": qdrant.PayloadSchemaType.Datetime,
}


class EdgeBuilder:
    """Build filters for Qdrant Edge."""

    def all_of(self, conditions: Sequence[Any]) -> qdrant.Filter:
        return qdrant.Filter(must=list(conditions))

    def any_of(self, conditions: Sequence[Any]) -> qdrant.Filter:
        return qdrant.Filter(should=list(conditions))

    def none_of(self, conditions: Sequence[Any]) -> qdrant.Filter:
        return qdrant.Filter(must_not=list(conditions))

    def has_value(self, key: str, values: Sequence[str]) -> qdrant.FieldCondition:
        return qdrant.FieldCondition(key, match=qdrant.MatchAny(list(values)))

    def between(self, key: str, bounds: Mapping[str, float]) -> qdrant.FieldCondition:
        return qdrant.FieldCondition(key, range=qdrant.RangeFloat(**bounds))

    def between_times(self, key: str, bounds: Mapping[str, str]) -> qdrant.FieldCondition:
        return qdrant.FieldCondition(key, range=qdrant.RangeDateTime(**bounds))

    def missing(self, key: str) -> qdrant.IsEmptyCondition:
        return qdrant.IsEmptyCondition(key)

    def with_ids(self, ids: Sequence[str]) -> qdrant.HasIdCondition:
        return qdrant.HasIdCondition({uuid.UUID(id) for id in ids})


class EdgeStore:
    """See `catalog.engines.store.Store`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.place, self.flags = repr(str(folder)), f"--out {folder}"
        self.builder: Builder = EdgeBuilder()
        self._shard: Any = None

    def read_manifest(self) -> dict[str, Any] | None:
        path = self.folder / MANIFEST
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as JSON: {error}; index the catalog into another folder") from None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        write_atomically(self.folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")

    def open(self) -> None:
        try:
            self._shard = qdrant.EdgeShard.load(str(self.folder / SHARD))
        except Exception as error:  # the engine raises nothing narrower
            if LOCKED in str(error):
                raise InUse(f"the index {self.place} is in use by another process; wait until that ends") from None
            raise DataError(
                f"the index {self.place} cannot be opened: {error}; give --replace to index again"
            ) from None

    def create(self, size: int, coarse: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        shard = self.folder / SHARD
        if shard.exists():
            self._remove_shard(shard)
        self.write_manifest(manifest)
        shard.mkdir(parents=True)
        self._shard = qdrant.EdgeShard.create(str(shard), _config(size, coarse, tuning))

    def _remove_shard(self, shard: Path) -> None:
        """Delete the shard if it belongs to an index and no other process has it open."""
        if self.read_manifest() is None:
            raise DataError(f"{shard} exists but belongs to no index; choose another folder with --out")
        self.close()
        try:
            self.open()
        except InUse:
            raise
        except DataError:  # a broken shard may be deleted
            pass
        self.close()
        shutil.rmtree(shard)

    def index_columns(self, columns: Sequence[Column]) -> None:
        there = self._shard.info().payload_schema
        for column in columns:
            if column.key not in there:
                self._shard.update(qdrant.UpdateOperation.create_field_index(column.key, SCHEMAS[column.kind]))

    def upsert(self, points: Sequence[Point]) -> None:
        self._shard.update(
            qdrant.UpdateOperation.upsert_points(
                [qdrant.Point(uuid.UUID(point.id), point.vectors, dict(point.payload)) for point in points]
            )
        )

    def delete(self, ids: Sequence[str]) -> None:
        self._shard.update(qdrant.UpdateOperation.delete_points([uuid.UUID(id) for id in ids]))

    def file_path(self, name: str) -> Path:
        return self.folder / name

    def save_file(self, name: str) -> None:
        pass  # `file_path` is the file's permanent place

    def finish(self) -> None:
        self._shard.optimize()
        self._shard.flush()

    def close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def count(self, where: Any = None) -> int:
        return self._shard.count(qdrant.CountRequest(exact=True, filter=where))

    def scroll(self, where: Any = None, vector: bool = False, payload: Sequence[str] = ()) -> Iterator[Record]:
        offset = None
        while True:
            records, offset = self._shard.scroll(
                qdrant.ScrollRequest(
                    offset=offset,
                    limit=BATCH,
                    filter=where,
                    with_payload=list(payload) or True,
                    with_vector=_wanted_vectors(vector),
                )
            )
            yield from map(_record, records)
            if offset is None:
                return

    def retrieve(self, ids: Sequence[str], vector: bool = False) -> list[Record]:
        points = [uuid.UUID(id) for id in ids]
        found = self._shard.retrieve(points, with_payload=True, with_vector=_wanted_vectors(vector))
        return [_record(point) for point in found]

    def nearest(self, query: Query, limit: int, where: Any = None) -> list[Hit]:
        return _hits(self._shard.query(_nearest(query, limit, where)))

    def nearest_each(self, queries: Query, limit: int, where: Any = None) -> list[list[Hit]]:
        batch = qdrant.QueryBatchRequest([_nearest(query, limit, where) for query in queries.split()])
        return [_hits(found) for found in self._shard.query_batch(batch)]

    def recommend(self, examples: Examples, limit: int, where: Any = None) -> list[Hit]:
        def best(vectors: Lists, name: str) -> qdrant.Query:
            return qdrant.Query.RecommendBestScore(qdrant.RecommendQuery(*vectors), using=name)

        coarse = best(examples.coarse, COARSE) if examples.coarse else None
        return _hits(self._shard.query(_request(best(examples.vectors, VECTOR), coarse, limit, where)))


def _wanted_vectors(vector: bool) -> list[str] | bool:
    """Names of the vectors to read back; coarse vectors never are."""
    return [VECTOR] if vector else False


def _nearest(query: Query, limit: int, where: Any) -> qdrant.QueryRequest:
    coarse = None if query.coarse is None else qdrant.Query.Nearest(query.coarse.tolist(), using=COARSE)
    return _request(qdrant.Query.Nearest(query.vector.tolist(), using=VECTOR), coarse, limit, where)


def _request(query: Any, coarse: Any, limit: int, where: Any) -> qdrant.QueryRequest:
    """Build a search request: exact, or with `coarse` a rescoring of candidates from the HNSW graph."""
    every = qdrant.SearchParams(exact=True)
    if coarse is None:
        return qdrant.QueryRequest(limit=limit, query=query, filter=where, params=every, with_payload=False)
    walk = qdrant.SearchParams(hnsw_ef=EF, quantization=qdrant.QuantizationSearchParams(rescore=False))
    candidates = qdrant.Prefetch(limit + CANDIDATES, coarse, params=walk, filter=where)
    return qdrant.QueryRequest(limit=limit, query=query, prefetches=[candidates], params=every, with_payload=False)


def _config(size: int, coarse: int, tuning: Tuning) -> qdrant.EdgeConfig:
    none = qdrant.HnswIndexConfig(m=0, ef_construct=tuning.ef_construct, full_scan_threshold=FULL_SCAN)
    dot = qdrant.Distance.Dot
    if not tuning.graphs:
        return qdrant.EdgeConfig(vectors={VECTOR: qdrant.EdgeVectorParams(size, dot, hnsw_config=none)})
    # With Memory.Cold the engine drops the operating system's cached pages of a file whenever it opens it.
    rest = qdrant.Memory.Cold if tuning.on_disk else qdrant.Memory.Cached
    half, cold = qdrant.VectorStorageDatatype.Float16, qdrant.Memory.Cold
    graph = qdrant.HnswIndexConfig(m=tuning.m, ef_construct=tuning.ef_construct, full_scan_threshold=FULL_SCAN)
    int8 = qdrant.ScalarQuantizationConfig(qdrant.ScalarType.Int8, memory=qdrant.Memory.Pinned)
    return qdrant.EdgeConfig(
        payload_memory=rest,
        vectors={
            VECTOR: qdrant.EdgeVectorParams(size, dot, hnsw_config=none, datatype=half, memory=rest),
            COARSE: qdrant.EdgeVectorParams(
                coarse, dot, hnsw_config=graph, quantization_config=int8, datatype=half, memory=cold
            ),
        },
    )


def _hits(found: Sequence[Any]) -> list[Hit]:
    return [Hit(str(point.id), point.score) for point in found]


def _record(found: Any) -> Record:
    vector = np.asarray(found.vector[VECTOR], dtype=np.float32) if found.vector else None
    return Record(str(found.id), found.payload or {}, vector)
