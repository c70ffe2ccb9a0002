"""Project full vectors to coarse ones for approximate search: reduced in dimension and of equal length.

Candidates that they find are rescored with full vectors, see `catalog.engines.store.CANDIDATES`.
"""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.similar.spaces import Measure, ScaleMeter, Space, point
from fashion.taxonomy import Taxonomy

SIZES = (128, 256, 384, 512, 768, 1024)  # of reduced embeddings, tried in this order
NEAREST = 10
RECALL = 0.99  # minimum share of the 10 nearest products that are among the `AMONG` nearest by coarse vectors
# Smaller than the number of candidates of a search (catalog.engines.store.CANDIDATES), because the fit sees a sample:
# the whole catalog has ten or more times as many products within the same distance.
AMONG = 20
QUERIES = 300  # products of the sample that serve as queries for the recall
LEAST = 1000  # minimum number of products for a fit
JUDGED: tuple[Space, ...] = ("both", "embedding")  # spaces that must reach `RECALL`; the default first


@dataclass(frozen=True)
class Projection:
    """Linear projection of full vectors to coarse vectors.

    An HNSW graph or inverted lists are built once, for fixed distances between points, but serve queries for any space,
    weights and share. Scores are therefore weighted as in the default space, and one extra dimension gives all points
    the same length: then the largest dot product, the smallest angle and the smallest distance select the same points.

    Attributes:
        labels: A, the number of scores at the end of a full vector.
        components: (E, D), orthonormal: the principal axes of the sample's embeddings, randomly rotated so that all D
            dimensions have similar variance and int8 quantization loses little; None keeps embeddings unreduced.
        weight: factor of the scores.
        length: squared length of every point.
        recall: share of the 10 nearest kept in the fit; the minimum over the spaces.
    """

    labels: int
    components: np.ndarray | None = None
    weight: float = 1.0
    length: float = 1.0
    recall: float = 1.0

    def points(self, products: np.ndarray) -> np.ndarray:
        """Coarse vectors, float32 (..., D + A + 1), of full ones (..., E + A) from `catalog.similar.spaces.point`."""
        found = self._reduced(products, self.weight)
        rest = np.maximum(self.length - (found**2).sum(-1, keepdims=True), 0)
        return np.concatenate([found, np.sqrt(rest)], axis=-1)

    def queries(self, vectors: np.ndarray) -> np.ndarray:
        """Coarse queries (..., D + A + 1) of full ones (..., E + A)."""
        found = self._reduced(vectors, 1 / self.weight)
        return np.concatenate([found, np.zeros((*found.shape[:-1], 1), np.float32)], axis=-1)

    def size(self, embedding: int) -> int:
        """Length of a coarse vector, given the length E of an embedding."""
        return (embedding if self.components is None else self.components.shape[1]) + self.labels + 1

    def _reduced(self, vectors: np.ndarray, weight: float) -> np.ndarray:
        embeddings, scores = vectors[..., : -self.labels], vectors[..., -self.labels :]
        kept = embeddings if self.components is None else embeddings @ self.components
        return np.concatenate([kept, weight * scores], axis=-1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """The projection as stored in the manifest."""
        content = {name: getattr(self, name) for name in ("labels", "weight", "length", "recall")}
        if self.components is not None:
            rows = np.ascontiguousarray(self.components, dtype=np.float16)
            content |= {"shape": list(rows.shape), "components": base64.b64encode(rows.tobytes()).decode()}
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Projection":
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for broken content."""
        components = None
        if "components" in content:
            values = np.frombuffer(base64.b64decode(content["components"]), np.float16)
            components = values.reshape(content["shape"]).astype(np.float32)
        return cls(content["labels"], components, content["weight"], content["length"], content["recall"])


def fit(embeddings: np.ndarray, scores: np.ndarray, taxonomy: Taxonomy) -> Projection:
    """Fit a projection on a sample of the catalog: embeddings (n, E) and scores (n, A).

    Takes the smallest of `SIZES` that reaches `RECALL` in every space; if none does, embeddings stay unreduced.
    """
    meter = ScaleMeter(taxonomy, embeddings.shape[1])
    meter.add(embeddings, scores)
    measures = [Measure(space, meter.scales(), taxonomy) for space in JUDGED]
    factor, labels = measures[0].factors
    weight = float(np.sqrt(max(labels.max(), 1e-6) / max(factor, 1e-6)))
    length = 1.0 + weight**2 * len(taxonomy.groups)  # the scores of a group have a norm of at most 1
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
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
        components = (axes[:, :size] @ rotation).astype(np.float16).astype(np.float32)  # rounded as in the manifest
        reduced = Projection(len(taxonomy), components, weight, length)
        points = reduced.points(products)
        found = [_nearest(reduced.queries(asked) @ points.T, AMONG) for asked in queries]
        recall = min(map(_recall, found, wanted))
        if recall >= RECALL:
            return Projection(len(taxonomy), components, weight, length, recall)
    return plain


def _nearest(alike: np.ndarray, count: int) -> np.ndarray:
    """The nearest other products of each query, (QUERIES, count)."""
    np.fill_diagonal(alike, -np.inf)
    return np.argpartition(-alike, count, axis=1)[:, :count]


def _recall(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(wanted, found, strict=True)]))
