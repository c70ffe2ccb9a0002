"""Find products with near-identical photographs: the same file, or rescaled, recompressed or slightly cropped."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from tqdm import tqdm

from catalog.engines.store import Hit, Record, Store
from catalog.filters.columns import ID
from catalog.similar.manifest import IndexManifest
from catalog.similar.spaces import embedding_query
from fashion.errors import SettingError

THRESHOLD = 0.999  # cosine of two embeddings; measured by benchmarks.duplicates
IDENTICAL = 1 - 1e-6  # cosine of an embedding with itself, as far as float32 tells
NEIGHBORS = 32  # per product in the first query; repeated with more if all of them are duplicates
ASKED = 64  # products per query


def groups(
    store: Store, manifest: IndexManifest, threshold: float = THRESHOLD, exact: bool = True, where: Any = None
) -> list[list[str]]:
    """Group products linked by near-identical photographs: sorted ids, the largest group first.

    Args:
        store: of an open index.
        manifest: of that index.
        threshold: minimum cosine of the embeddings of near-identical photographs.
        exact: compare every product with every other; otherwise with its approximate nearest neighbors.
        where: the engine's filter of the points to compare; None compares all.

    Raises:
        SettingError: the threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise SettingError(f"threshold is {threshold:g}; it must be above 0 and at most 1")
    threshold = min(threshold, IDENTICAL)
    names: dict[str, str] = {}
    leaders: dict[str, str] = {}  # union-find
    first: dict[bytes, str] = {}  # the first point with an embedding, by its hash

    def leader(point: str) -> str:
        while leaders.setdefault(point, point) != point:
            leaders[point] = leaders[leaders[point]]
            point = leaders[point]
        return point

    total = -(-store.count(where) // ASKED)
    for records in tqdm(_batches(store, where), total=total, desc="comparing", unit="batch", disable=None):
        names.update((record.id, record.payload[ID]) for record in records)
        asked: dict[str, np.ndarray] = {}
        for record in records:
            assert record.vector is not None
            embedding = record.vector[: manifest.embedding]
            same = first.setdefault(blake2b(embedding.tobytes(), digest_size=16).digest(), record.id)
            if same == record.id:
                asked[record.id] = embedding
            else:  # it has the same neighbors; a placeholder may be the photograph of thousands of products
                leaders[leader(record.id)] = leader(same)
        embeddings = np.stack([*asked.values()]) if asked else np.empty((0, manifest.embedding), np.float32)
        for point, found in zip(asked, twins(store, manifest, embeddings, threshold, exact, where), strict=True):
            for twin in found:
                if twin != point:
                    leaders[leader(point)] = leader(twin)
    points: dict[str, str] = {}
    for point in list(leaders):  # a product may have several points
        leaders[leader(point)] = leader(points.setdefault(names[point], point))
    together: dict[str, set[str]] = {}
    for point in list(leaders):
        together.setdefault(leader(point), set()).add(names[point])
    several = (sorted(ids) for ids in together.values() if len(ids) > 1)
    return sorted(several, key=lambda ids: (-len(ids), ids))


def twins(
    store: Store,
    manifest: IndexManifest,
    embeddings: np.ndarray,
    threshold: float = THRESHOLD,
    exact: bool = True,
    where: Any = None,
) -> list[list[str]]:
    """For each unit-length embedding, (n, E), the ids of near-identical points, including the product's own."""
    limit, found = NEIGHBORS, dict[int, list[Hit]]()
    rest = list(range(len(embeddings)))
    while rest:
        asked = manifest.query(embedding_query(embeddings[rest], len(manifest.labels)), exact)
        found |= zip(rest, store.nearest(asked, limit, where), strict=True)
        rest = [i for i in rest if len(found[i]) == limit and found[i][-1].score >= threshold]
        limit *= 4
    return [[hit.id for hit in found[i] if hit.score >= threshold] for i in range(len(embeddings))]


def _batches(store: Store, where: Any) -> Iterator[list[Record]]:
    """All points that pass a filter, in batches of `ASKED`."""
    records = []
    for record in store.scroll(where, vector=True, payload=[ID]):
        records.append(record)
        if len(records) == ASKED:
            yield records
            records = []
    if records:
        yield records
