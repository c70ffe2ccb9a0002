"""How the points of an index are kept: as they are, or shorter, for graphs and int8 copies of large catalogs."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.spaces import Measure, ScaleMeter, Space, unit
from fashion.taxonomy import Taxonomy

SIZES = (256, 512, 768, 1024)  # of reduced embeddings, tried in this order
RECALL, NEAREST = 0.99, 10  # what a reduction must keep: of the nearest ten that many
QUERIES = 300  # products of the sample by which that is measured
LEAST = 1000  # products below which nothing is fitted


@dataclass(frozen=True)
class Projection:
    """How an index keeps its points.

    A graph is built once, for distances between points as they are kept; queries for any space, weights and share go
    through it. Therefore scores are kept in the proportion that the default space gives them, and one more number makes
    all points equally long: then the largest scalar product, the smallest angle and the smallest distance are the same.

    Attributes:
        components: (E, D), orthonormal: the principal axes of the sample's embeddings, turned at random, so that
            all D numbers are alike and int8 copies lose little of any; None keeps embeddings as they are.
        weight: what scores are multiplied with.
        length: the square of every point's length; 0 leaves the lengths as they are.
        recall: the part of the nearest ten that was kept when it was fitted, the least of the spaces.
    """

    components: np.ndarray | None = None
    weight: float = 1.0
    length: float = 0.0
    recall: float = 1.0

    def embedding(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings (..., E) as the index keeps them, at unit length, float32 (..., D)."""
        found = unit(embeddings)
        return (found if self.components is None else unit(found @ self.components)).astype(np.float32)

    def points(self, embeddings: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """What the engine keeps of products: embeddings (n, E) and scores (n, A), float32 (n, `size`)."""
        found = np.concatenate([self.embedding(embeddings), self.weight * scores], axis=1)
        if not self.length:
            return found.astype(np.float32)
        rest = np.maximum(self.length - (found**2).sum(1, keepdims=True), 0)
        return np.concatenate([found, np.sqrt(rest)], axis=1).astype(np.float32)

    def split(self, point: np.ndarray, labels: int) -> tuple[np.ndarray, np.ndarray]:
        """Embedding (D,) and scores (A,) of what the engine keeps of a product."""
        end = len(point) - (1 if self.length else 0)
        return point[: end - labels], point[end - labels : end] / self.weight

    def query(self, vectors: np.ndarray, labels: int) -> np.ndarray:
        """What the engine is asked: vectors whose products with embedding and scores (..., D + A) are wanted."""
        weights = np.ones(vectors.shape[-1])
        weights[-labels:] /= self.weight
        rest = np.zeros((*vectors.shape[:-1], 1 if self.length else 0))
        return np.concatenate([vectors * weights, rest], axis=-1).astype(np.float32)

    def size(self, embedding: int, labels: int) -> int:
        """Length of a point."""
        kept = embedding if self.components is None else self.components.shape[1]
        return kept + labels + (1 if self.length else 0)

    def to_json(self) -> dict[str, Any]:
        """The projection as a manifest keeps it."""
        content: dict[str, Any] = {"weight": self.weight, "length": self.length, "recall": self.recall}
        if self.components is not None:
            rows = np.ascontiguousarray(self.components, dtype=np.float32)
            content |= {"shape": list(rows.shape), "components": base64.b64encode(rows.tobytes()).decode()}
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Projection":
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError where it is none."""
        components = None
        if "components" in content:
            values = np.frombuffer(base64.b64decode(content["components"]), np.float32)
            components = values.reshape(content["shape"])
        return cls(components, content["weight"], content["length"], content["recall"])


def fit(embeddings: np.ndarray, scores: np.ndarray, taxonomy: Taxonomy) -> Projection:
    """Fit a projection on products drawn from a catalog: embeddings (n, E) and scores (n, A).

    The smallest of `SIZES` is taken that keeps `RECALL` of the nearest ten in every space; where none does, embeddings
    stay as they are.
    """
    meter = ScaleMeter(taxonomy, embeddings.shape[1])
    meter.add(embeddings, scores)
    factor, labels = Measure("both", meter.scales(), taxonomy).factors
    weight = float(np.sqrt(max(labels.max(), 1e-6) / max(factor, 1e-6)))
    length = 1.0 + weight**2 * len(taxonomy.groups)  # scores of a group are at most 1 long
    plain = Projection(None, weight, length)
    sizes = [size for size in SIZES if size < embeddings.shape[1]]
    if len(embeddings) < LEAST or not sizes:
        return plain
    units = unit(embeddings)
    axes = np.linalg.eigh(units.T @ units)[1][:, ::-1]
    spaces: tuple[Space, ...] = ("embedding", "both")
    wanted = {space: _nearest(plain, embeddings, scores, meter, space) for space in spaces}
    for size in sizes:
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
        reduced = Projection((axes[:, :size] @ turn).astype(np.float32), weight, length)
        recall = min(_kept(_nearest(reduced, embeddings, scores, meter, s), found) for s, found in wanted.items())
        if recall >= RECALL:
            return Projection(reduced.components, weight, length, recall)
    return plain


def _nearest(
    projection: Projection, embeddings: np.ndarray, scores: np.ndarray, meter: ScaleMeter, space: Space
) -> np.ndarray:
    """Of the first products the nearest others, (QUERIES, NEAREST)."""
    factor, labels = Measure(space, meter.scales(), meter.taxonomy).factors
    units = projection.embedding(embeddings)
    alike = factor * units[:QUERIES] @ units.T + (labels * scores[:QUERIES]) @ scores.T
    np.fill_diagonal(alike, -np.inf)
    return np.argpartition(-alike, NEAREST, axis=1)[:, :NEAREST]


def _kept(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(found, wanted, strict=True)]))
