"""Products of a scored catalog as an engine keeps them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.engines.store import Point
from catalog.filters.columns import ATTRIBUTE, HASH, ID, IMAGE, SOURCE, payload_value, point_id
from catalog.scored.columns import ATTRIBUTE as ATTRIBUTE_COLUMN
from catalog.scored.columns import EMBEDDING, PROBABILITIES, vector_rows
from catalog.similar.manifest import IndexManifest
from catalog.similar.spaces import ScaleMeter, point, scores

LAYOUT = 3  # of payloads and vectors: another number writes every product again


def needed_columns(plan: IndexManifest) -> list[str]:
    """The columns of a scored catalog that products are made of."""
    return [ID, IMAGE, *_groups(plan).values(), *_own(plan).values(), EMBEDDING, PROBABILITIES]


def points(batches: Iterable[pa.RecordBatch], plan: IndexManifest, meter: ScaleMeter) -> Iterator[Point]:
    """The products of batches that have `needed_columns`; `meter` takes them in."""
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
            payload[HASH] = _hash(payload, embeddings[i], attributes[i])
            yield Point(point_id(payload[ID]), vectors[i], coarse[i], payload)


def _groups(plan: IndexManifest) -> dict[str, str]:
    return {column.place[1]: f"{ATTRIBUTE_COLUMN}{column.name}" for column in plan.columns.groups}


def _own(plan: IndexManifest) -> dict[str, str]:
    return {column.place[1]: column.name for column in plan.columns.source}


def _hash(payload: Mapping[str, Any], *rows: np.ndarray) -> str:
    """Changes with everything that the engine keeps of a product."""
    digest = hashlib.blake2b(json.dumps([LAYOUT, payload], sort_keys=True).encode(), digest_size=16)
    for row in rows:
        digest.update(row.tobytes())
    return digest.hexdigest()
