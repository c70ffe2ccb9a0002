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

LAYOUT = 3  # version of payloads and vectors; changing it rewrites every product


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
        cells = {name: batch.column(name).to_pylist() for name in (ID, IMAGE, *groups.values(), *own.values())}
        for i in range(len(batch)):
            values = {key: payload_value(cells[name][i]) for key, name in own.items()}
            payload = {
                ID: cells[ID][i],
                IMAGE: cells[IMAGE][i] or "",
                ATTRIBUTE: {key: cells[name][i] or [] for key, name in groups.items()},
                SOURCE: {key: value for key, value in values.items() if value is not None},
            }
            hashed = payload | {HASH: _hash(payload, embeddings[i], attributes[i])}
            yield Point(point_id(payload[ID]), vectors[i], coarse[i], hashed)
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
        own = {**payload, IMAGE: image, PHOTOGRAPH: number}
        own[HASH] = _hash(own, embeddings[number], attributes)
        yield Point(photograph_id(payload[ID], number), vectors[number], coarse[number], own)


def _groups(plan: IndexManifest) -> dict[str, str]:
    return {column.place[1]: f"{ATTRIBUTE_COLUMN}{column.name}" for column in plan.columns.groups}


def _own(plan: IndexManifest) -> dict[str, str]:
    return {column.place[1]: column.name for column in plan.columns.source}


def _hash(payload: Mapping[str, Any], *rows: np.ndarray) -> str:
    """Hash of everything that the engine stores of a product."""
    digest = hashlib.blake2b(json.dumps([LAYOUT, payload], sort_keys=True).encode(), digest_size=16)
    for row in rows:
        digest.update(row.tobytes())
    return digest.hexdigest()
