"""Reduce points to distinct products: merge the photographs of a product, and listings of it under several ids."""

from collections.abc import Sequence

import numpy as np

from catalog.engines.store import Store
from catalog.filters.columns import ID_COLUMN, PHOTOGRAPH_COLUMN, photograph_id, point_id
from catalog.filters.conditions import Between, Condition, Missing, Not, OneOf, Or, Points
from catalog.similar.manifest import IndexManifest
from catalog.similar.matches import Product
from catalog.similar.near_duplicates import THRESHOLD

BLOCK = 512  # vectors per matrix product with all earlier ones


def only_products(ids: Sequence[str], manifest: IndexManifest) -> Condition:
    """The condition that keeps only the points of these products, those of their photographs included."""
    return OneOf(ID_COLUMN, tuple(ids)) if manifest.photographs else Points(tuple(map(point_id, ids)))


def exclude_products(ids: Sequence[str], manifest: IndexManifest) -> Condition:
    """The condition that excludes the points of these products."""
    return Not(only_products(ids, manifest))


def exclude_photographs(manifest: IndexManifest) -> Condition | None:
    """The condition that keeps the points of products and excludes those of single photographs."""
    return Missing(PHOTOGRAPH_COLUMN) if manifest.photographs else None


def exclude_later_photographs(manifest: IndexManifest) -> Condition | None:
    """The condition that keeps the points by which listings are compared: products and their first photographs.

    Later photographs are excluded because many products share them, such as a size chart.
    """
    if not manifest.photographs:
        return None
    return Or((Missing(PHOTOGRAPH_COLUMN), Between(PHOTOGRAPH_COLUMN, {"lte": 0.0})))


def first_of_each_product(points: Sequence[Product]) -> list[Product]:
    """The first point of each product."""
    first: dict[str, Product] = {}
    for point in points:
        first.setdefault(point.id, point)
    return list(first.values())


def without_duplicates(
    products: Sequence[Product], known: Sequence[Product], store: Store, manifest: IndexManifest
) -> list[Product]:
    """Drop products that duplicate an earlier or a known one; keep the order.

    A duplicate has a near-identical photograph, see `catalog.similar.near_duplicates`. Of a product with several
    photographs, the first one and the joined embedding are compared.
    """
    everything = [*known, *products]
    own = faces(everything, store, manifest)
    ends = np.cumsum([0, *(len(embeddings) for embeddings in own)])
    owners = np.repeat(np.arange(len(everything)), np.diff(ends))
    flat = np.concatenate(own) if own else np.empty((0, 0))
    is_kept: np.ndarray = np.zeros(len(flat), bool)  # faces of products that are kept
    dropped: np.ndarray = np.zeros(len(everything), bool)
    for start in range(0, len(flat), BLOCK):
        near = flat[start : start + BLOCK] @ flat[: start + BLOCK].T >= THRESHOLD
        for face, others in enumerate(near, start):
            owner = owners[face]
            dropped[owner] |= owner >= len(known) and bool(others[is_kept[: len(others)]].any())
            if face + 1 == ends[owner + 1] and not dropped[owner]:
                is_kept[ends[owner] : ends[owner + 1]] = True
    return [product for i, product in enumerate(everything) if i >= len(known) and not dropped[i]]


def faces(products: Sequence[Product], store: Store, manifest: IndexManifest) -> list[np.ndarray]:
    """The unit-length embeddings (F, E) by which each product is compared."""
    if not manifest.photographs:
        return [product.embedding[None] for product in products]
    wanted = [(point_id(product.id), photograph_id(product.id, 0)) for product in products]
    records = store.retrieve([id for ids in wanted for id in ids], vector=True)
    found = {r.id: r.vector[: manifest.embedding] for r in records if r.vector is not None}
    return [
        np.stack([found[id] for id in ids if id in found] or [product.embedding])
        for ids, product in zip(wanted, products, strict=True)
    ]
