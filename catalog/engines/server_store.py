"""Store an index in a collection of a Qdrant server or cluster (experimental).

Tested only with the local mode of qdrant-client, which emulates a server.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from catalog.engines.store import (
    BATCH,
    CANDIDATES,
    COARSE,
    EF,
    VECTOR,
    Examples,
    Hit,
    Lists,
    Point,
    Query,
    Record,
    Tuning,
)
from catalog.filters.columns import Column
from catalog.filters.conditions import Bound, Builder
from fashion.errors import DataError, one_line

API_KEY = "QDRANT_API_KEY"  # environment variable
MANIFEST = "catalog"  # key in the metadata of the collection
TIMEOUT = 60  # s
SCHEMAS = {
    "label": models.PayloadSchemaType.KEYWORD,
    "text": models.PayloadSchemaType.KEYWORD,
    "flag": models.PayloadSchemaType.KEYWORD,
    "number": models.PayloadSchemaType.FLOAT,
    "date": models.PayloadSchemaType.DATETIME,
}


class ServerBuilder:
    """Build filters for a Qdrant server."""

    def all_of(self, conditions: Sequence[Any]) -> models.Filter:
        return models.Filter(must=list(conditions))

    def any_of(self, conditions: Sequence[Any]) -> models.Filter:
        return models.Filter(should=list(conditions))

    def none_of(self, conditions: Sequence[Any]) -> models.Filter:
        return models.Filter(must_not=list(conditions))

    def has_value(self, column: Column, values: Sequence[str]) -> models.FieldCondition:
        return models.FieldCondition(key=column.key, match=models.MatchAny(any=list(values)))

    def between(self, column: Column, bounds: Mapping[str, Bound]) -> models.FieldCondition:
        span = models.DatetimeRange if column.kind == "date" else models.Range
        return models.FieldCondition(key=column.key, range=span.model_validate(bounds))

    def missing(self, column: Column) -> models.IsEmptyCondition:
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=column.key))

    def with_ids(self, ids: Sequence[str]) -> models.HasIdCondition:
        return models.HasIdCondition(has_id=list(ids))


class ServerStore:
    """See `catalog.engines.store.Store`.

    Args:
        client: of the server.
        collection: name of the collection.
        place: name of the index in messages.
    """

    folder = None

    def __init__(self, client: QdrantClient, collection: str, place: str) -> None:
        self.client, self.collection, self.place = client, collection, place
        self.flags = f"--qdrant {place.rpartition('/')[0]} --collection {collection}"
        self.builder: Builder = ServerBuilder()

    @classmethod
    def at(cls, url: str, collection: str) -> "ServerStore":
        """Open a collection of the server at a URL, with the API key in QDRANT_API_KEY if there is one.

        Raises:
            DataError: no server answers at the URL.
        """
        client = QdrantClient(url=url, api_key=os.environ.get(API_KEY), timeout=TIMEOUT, check_compatibility=False)
        try:
            client.get_collections()
        except (ApiException, ValueError) as error:
            raise DataError(f"no Qdrant server answers at {url}: {one_line(error)}") from None
        return cls(client, collection, f"{url.rstrip('/')}/{collection}")

    def read_manifest(self) -> dict[str, Any] | None:
        if not self._ask(self.client.collection_exists, self.collection):
            return None
        metadata = self._ask(self.client.get_collection, self.collection).config.metadata or {}
        if MANIFEST not in metadata:
            raise DataError(f"the collection {self.place} holds something else; name another with --collection")
        return json.loads(metadata[MANIFEST])

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        # As text: Qdrant would merge an object with the previous metadata.
        self._ask(
            self.client.update_collection,
            self.collection,
            metadata={MANIFEST: json.dumps(manifest, ensure_ascii=False)},
        )

    def open(self) -> None:
        pass

    def create(self, size: int, coarse: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        self.read_manifest()  # raises rather than delete a collection that is not ours
        self._ask(self.client.delete_collection, self.collection)
        metadata = {MANIFEST: json.dumps(manifest, ensure_ascii=False)}
        self._ask(self.client.create_collection, self.collection, _config(size, coarse, tuning), metadata=metadata)

    def index_columns(self, columns: Sequence[Column]) -> None:
        there = self._ask(self.client.get_collection, self.collection).payload_schema
        for column in columns:
            if column.key not in there:
                self._ask(self.client.create_payload_index, self.collection, column.key, SCHEMAS[column.kind])

    def upsert(self, points: Sequence[Point]) -> None:
        self._ask(
            self.client.upsert,
            self.collection,
            [models.PointStruct(id=p.id, vector=p.vectors, payload=dict(p.payload)) for p in points],
        )

    def delete(self, ids: Sequence[str]) -> None:
        self._ask(self.client.delete, self.collection, models.PointIdsList(points=list(ids)))

    def file_path(self, name: str) -> None:
        return None

    def save_file(self, name: str) -> None:
        raise NotImplementedError(f"a Qdrant server keeps no {name}")

    def finish(self) -> None:
        pass  # the server builds its graphs by itself

    def close(self) -> None:
        self.client.close()

    def count(self, where: Any = None) -> int:
        return self._ask(self.client.count, self.collection, where, exact=True).count

    def scroll(self, where: Any = None, vector: bool = False, payload: Sequence[str] = ()) -> Iterator[Record]:
        offset = None
        while True:
            records, offset = self._ask(
                self.client.scroll,
                self.collection,
                scroll_filter=where,
                limit=BATCH,
                offset=offset,
                with_payload=list(payload) or True,
                with_vectors=[VECTOR] if vector else False,
            )
            yield from map(_record, records)
            if offset is None:
                return

    def retrieve(self, ids: Sequence[str], vector: bool = False) -> list[Record]:
        return list(
            map(
                _record,
                self._ask(self.client.retrieve, self.collection, list(ids), with_vectors=[VECTOR] if vector else False),
            )
        )

    def nearest(self, queries: Query, limit: int, where: Any = None) -> list[list[Hit]]:
        return self._query(*(_nearest(query, limit, where) for query in queries.split()))

    def recommend(self, examples: Examples, limit: int, where: Any = None) -> list[Hit]:
        def best(vectors: Lists) -> models.RecommendQuery:
            strategy = models.RecommendStrategy.BEST_SCORE
            asked = models.RecommendInput(positive=vectors.like, negative=vectors.unlike, strategy=strategy)
            return models.RecommendQuery(recommend=asked)

        coarse = best(examples.coarse) if examples.coarse else None
        return self._query(_request(best(examples.vectors), coarse, limit, where))[0]

    def _query(self, *requests: models.QueryRequest) -> list[list[Hit]]:
        answers = self._ask(self.client.query_batch_points, self.collection, requests)
        return [[Hit(str(point.id), point.score) for point in answer.points] for answer in answers]

    def _ask(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call the server; its errors become a DataError."""
        try:
            return call(*arguments, **named)
        except ApiException as error:
            raise DataError(f"the Qdrant server of {self.place} failed: {one_line(error)}") from None


def _nearest(query: Query, limit: int, where: Any) -> models.QueryRequest:
    coarse = None if query.coarse is None else models.NearestQuery(nearest=query.coarse.tolist())
    return _request(models.NearestQuery(nearest=query.vector.tolist()), coarse, limit, where)


def _request(query: Any, coarse: Any, limit: int, where: Any) -> models.QueryRequest:
    """Build a search request: exact, or with `coarse` a rescoring of candidates from the HNSW graph."""
    every = models.SearchParams(exact=True)
    found = models.QueryRequest(query=query, using=VECTOR, limit=limit, params=every, with_payload=False)
    if coarse is None:
        found.filter = where
        return found
    walk = models.SearchParams(hnsw_ef=EF, quantization=models.QuantizationSearchParams(rescore=False))
    candidates = models.Prefetch(query=coarse, using=COARSE, limit=limit + CANDIDATES, params=walk, filter=where)
    found.prefetch = [candidates]
    return found


def _config(size: int, coarse: int, tuning: Tuning) -> dict[str, models.VectorParams]:
    none, dot = models.HnswConfigDiff(m=0), models.Distance.DOT
    if not tuning.approximate:
        return {VECTOR: models.VectorParams(size=size, distance=dot, hnsw_config=none)}
    half = models.Datatype.FLOAT16
    int8 = models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
    )
    graph = models.HnswConfigDiff(m=tuning.m, ef_construct=tuning.ef_construct)
    return {
        VECTOR: models.VectorParams(size=size, distance=dot, hnsw_config=none, datatype=half, on_disk=tuning.on_disk),
        COARSE: models.VectorParams(
            size=coarse, distance=dot, hnsw_config=graph, quantization_config=int8, datatype=half, on_disk=True
        ),
    }


def _record(found: Any) -> Record:
    vector = np.asarray(found.vector[VECTOR], dtype=np.float32) if found.vector else None
    return Record(str(found.id), found.payload or {}, vector)
