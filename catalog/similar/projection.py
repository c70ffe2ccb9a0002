"""What the graph of a large index leads through: products, shorter than they are, and all equally long.

What it finds is compared again by the products themselves, see `catalog.engines.store.CANDIDATES`.
"""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.similar.spaces import Measure, ScaleMeter, Space, point
from fashion.taxonomy import Taxonomy

SIZES = (128, 256, 384, 512, 768, 1024)  # of reduced embeddings, tried in this order
NEAREST = 10
RECALL = 0.99  # of the nearest ten so many must be among the `AMONG` nearest by what is reduced
# The sample is a part of a large catalog, in which ten times as many products and more lie as near. Fewer than the
# candidates of a search (catalog.engines.store.CANDIDATES) are looked at for that.
AMONG = 20
QUERIES = 300  # products of the sample by which that is measured
LEAST = 1000  # products below which nothing is fitted
JUDGED: tuple[Space, ...] = ("both", "embedding")  # spaces in which it must be kept; the default first


@dataclass(frozen=True)
class Projection:
    """How the products of a graph follow from the whole ones.

    A graph is built once, for distances between points as it has them; queries for any space, weights and share go
    through it. Therefore scores are kept in the proportion that the default space gives them, and one more number makes
    all points equally long: then the largest scalar product, the smallest angle and the smallest distance are the same.

    Attributes:
        labels: A, how many numbers at the end of a product are scores.
        components: (E, D), orthonormal: the principal axes of the sample's embeddings, turned at random, so that
            all D numbers are alike and int8 copies lose little of any; None keeps embeddings as they are.
        weight: what scores are multiplied with.
        length: the square of every point's length.
        recall: the part of the nearest ten that was kept when it was fitted, the least of the spaces.
    """

    labels: int
    components: np.ndarray | None = None
    weight: float = 1.0
    length: float = 1.0
    recall: float = 1.0

    def points(self, products: np.ndarray) -> np.ndarray:
        """Points of products, which `catalog.similar.spaces.point` makes, (..., E + A): float32 (..., D + A + 1)."""
        found = self._reduced(products, self.weight)
        rest = np.maximum(self.length - (found**2).sum(-1, keepdims=True), 0)
        return np.concatenate([found, np.sqrt(rest)], axis=-1)

    def queries(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors whose scalar products with products are wanted (..., E + A), for points: (..., D + A + 1)."""
        found = self._reduced(vectors, 1 / self.weight)
        return np.concatenate([found, np.zeros((*found.shape[:-1], 1), np.float32)], axis=-1)

    def size(self, embedding: int) -> int:
        """Length of a point, where an embedding has the length E."""
        return (embedding if self.components is None else self.components.shape[1]) + self.labels + 1

    def _reduced(self, vectors: np.ndarray, weight: float) -> np.ndarray:
        embeddings, scores = vectors[..., : -self.labels], vectors[..., -self.labels :]
        kept = embeddings if self.components is None else embeddings @ self.components
        return np.concatenate([kept, weight * scores], axis=-1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """The projection as a manifest keeps it."""
        content = {name: getattr(self, name) for name in ("labels", "weight", "length", "recall")}
        if self.components is not None:
            rows = np.ascontiguousarray(self.components, dtype=np.float16)
            content |= {"shape": list(rows.shape), "components": base64.b64encode(rows.tobytes()).decode()}
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Projection":
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError where it is none."""
        components = None
        if "components" in content:
            values = np.frombuffer(base64.b64decode(content["components"]), np.float16)
            components = values.reshape(content["shape"]).astype(np.float32)
        return cls(content["labels"], components, content["weight"], content["length"], content["recall"])


def fit(embeddings: np.ndarray, scores: np.ndarray, taxonomy: Taxonomy) -> Projection:
    """Fit a projection on products drawn from a catalog: embeddings (n, E) and scores (n, A).

    The smallest of `SIZES` is taken that keeps `RECALL` of the nearest ten in every space; where none does, embeddings
    stay as they are.
    """
    meter = ScaleMeter(taxonomy, embeddings.shape[1])
    meter.add(embeddings, scores)
    measures = [Measure(space, meter.scales(), taxonomy) for space in JUDGED]
    factor, labels = measures[0].factors
    weight = float(np.sqrt(max(labels.max(), 1e-6) / max(factor, 1e-6)))
    length = 1.0 + weight**2 * len(taxonomy.groups)  # scores of a group are at most 1 long
    plain = Projection(len(taxonomy), None, weight, length)
    sizes = [size for size in SIZES if size < embeddings.shape[1]]
    if len(embeddings) < LEAST or not sizes:
        return plain
    products = point(embeddings, scores)
    units = products[:, : -len(taxonomy)]
    axes = np.linalg.eigh(units.T @ units)[1][:, ::-1]
    queries = [measure.query(embeddings[:QUERIES], scores[:QUERIES]) for measure in measures]
    wanted = [_nearest(asked @ products.T, NEAREST) for asked in queries]
    for size in sizes:
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
        components = (axes[:, :size] @ turn).astype(np.float16).astype(np.float32)  # as a manifest keeps them
        reduced = Projection(len(taxonomy), components, weight, length)
        points = reduced.points(products)
        found = [_nearest(reduced.queries(asked) @ points.T, AMONG) for asked in queries]
        recall = min(map(_kept, found, wanted))
        if recall >= RECALL:
            return Projection(len(taxonomy), components, weight, length, recall)
    return plain


def _nearest(alike: np.ndarray, count: int) -> np.ndarray:
    """For each of the first products the nearest others, (QUERIES, count)."""
    np.fill_diagonal(alike, -np.inf)
    return np.argpartition(-alike, count, axis=1)[:, :count]


def _kept(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(wanted, found, strict=True)]))
