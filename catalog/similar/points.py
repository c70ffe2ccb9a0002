"""Convert the products of a scored catalog to points of an engine."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.engines.store import Point
from catalog.filters.columns import (
    ATTRIBUTE,
    HASH,
    ID,
    IMAGE,
    PHOTOGRAPH,
    SOURCE,
    payload_value,
    photograph_id,
    point_id,
)
from catalog.scored.columns import ATTRIBUTE as ATTRIBUTE_COLUMN
from catalog.scored.columns import EMBEDDING, PHOTOGRAPHS, PROBABILITIES, VIEWS, vector_rows, views_of
from catalog.similar.manifest import IndexManifest
from catalog.similar.spaces import ScaleMeter, point, scores

LAYOUT = 4  # version of payloads and vectors; changing it rewrites every product


def needed_columns(plan: IndexManifest, schema: pa.Schema) -> list[str]:
    """The columns of a scored catalog that `points` needs."""
    several = [PHOTOGRAPHS, VIEWS] if VIEWS in schema.names else []
    return [ID, IMAGE, *_groups(plan).values(), *_own(plan).values(), EMBEDDING, PROBABILITIES, *several]


def points(batches: Iterable[pa.RecordBatch], plan: IndexManifest, meter: ScaleMeter) -> Iterator[Point]:
    """Points of the products in batches with `needed_columns`, each followed by its photographs if it has several.

    Adds the products to `meter`.
    """
    groups, own = _groups(plan), _own(plan)
    for batch in batches:
        embeddings = vector_rows(batch.column(EMBEDDING)).astype(np.float32)
        attributes = scores(vector_rows(batch.column(PROBABILITIES)), plan.taxonomy)
        meter.add(embeddings, attributes)
        vectors = point(embeddings, attributes)
        coarse = plan.projection.points(vectors) if plan.projection else [None] * len(batch)
        names, images = batch.column(ID).to_pylist(), batch.column(IMAGE).to_pylist()
        answers = {key: _lists(batch.column(name)) for key, name in groups.items()}
        cells = {key: batch.column(name).to_pylist() for key, name in own.items()}
        for i in range(len(batch)):
            values = {key: payload_value(column[i]) for key, column in cells.items()}
            payload = {
                ID: names[i],
                IMAGE: images[i] or "",
                ATTRIBUTE: {key: column[i] for key, column in answers.items()},
                SOURCE: {key: value for key, value in values.items() if value is not None},
            }
            yield _hashed(point_id(payload[ID]), vectors[i], coarse[i], payload, embeddings[i], attributes[i])
            views = views_of(batch.column(VIEWS)[i]) if VIEWS in batch.schema.names else None
            if views is not None:
                yield from _photographs(payload, batch.column(PHOTOGRAPHS)[i].as_py(), views, attributes[i], plan)


def _photographs(
    payload: Mapping[str, Any], images: Sequence[str], views: np.ndarray, attributes: np.ndarray, plan: IndexManifest
) -> Iterator[Point]:
    """Points of a product's photographs: each has its own embedding and the product's attributes."""
    embeddings = views.astype(np.float32)
    vectors = point(embeddings, np.repeat(attributes[None], len(views), axis=0))
    coarse = plan.projection.points(vectors) if plan.projection else [None] * len(views)
    for number, image in enumerate(images):
        own, id = {**payload, IMAGE: image, PHOTOGRAPH: number}, photograph_id(payload[ID], number)
        yield _hashed(id, vectors[number], coarse[number], own, embeddings[number], attributes)


def _groups(plan: IndexManifest) -> dict[str, str]:
    """Columns by their keys, sorted, so that a payload does not depend on the order of columns."""
    return dict(sorted((column.place[1], f"{ATTRIBUTE_COLUMN}{column.name}") for column in plan.columns.groups))


def _own(plan: IndexManifest) -> dict[str, str]:
    return dict(sorted((column.place[1], column.name) for column in plan.columns.source))


def _lists(column: pa.ListArray) -> list[list[str]]:
    """The cells of a column of lists, null as []; several times as fast as `to_pylist`."""
    values, ends = column.flatten().to_pylist(), np.cumsum(column.value_lengths().fill_null(0).to_numpy()).tolist()
    return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _hashed(
    id: str, vector: np.ndarray, coarse: np.ndarray | None, payload: dict[str, Any], *rows: np.ndarray
) -> Point:
    """A point whose payload has a hash of everything that the engine stores of it: the payload, and rows."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.blake2b(f"{LAYOUT} {text}".encode(), digest_size=16)
    for row in rows:
        digest.update(row.tobytes())
    payload[HASH] = digest.hexdigest()
    return Point(id, vector, coarse, payload, f'{text[:-1]},"{HASH}":"{payload[HASH]}"}}')
