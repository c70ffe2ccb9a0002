"""Similarity of two products: by embedding, by attributes, or by both.

Every space is a dot product of two vectors, shifted and scaled: similarity 0 is the mean of random pairs of products
of the catalog, 1 the mean of products with themselves.

    embedding    the cosine of the embeddings
    attributes   the expected number of shared attributes: the sum of p x q over the labels, where each group's
                 probabilities are scaled to a length of at most 1; weights multiply groups, see `default_weights`
    both         the weighted sum of the two; `share` is the weight of the embedding

The similarity is linear in the stored vector, so an engine needs one vector per product for any space, weights and
share. benchmarks.matching_quality compares this with the distance of logits, which the project that this one
re-implements uses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from fashion.errors import SettingError
from fashion.spelling import did_you_mean
from fashion.taxonomy import Taxonomy

Space = Literal["both", "embedding", "attributes"]
SPACES: tuple[Space, ...] = get_args(Space)
DEFAULT_SPACE: Space = "both"
# Of the embedding in "both"; a lower one finds the same photograph less often. Chosen with `DETAIL_WEIGHT`, as
# docs/matching.md describes.
SHARE = 0.45
# What a product is, its color and whom it is for, by the usual names of groups; the first that a model has counts.
KIND, COLOR, GENDER = MAIN_GROUPS = (("article", "category"), ("color", "colour"), ("gender",))
# Of all other groups: there are many, and they follow from the product's kind or are in its embedding.
DETAIL_WEIGHT = 0.05


def unit_vectors(embeddings: np.ndarray) -> np.ndarray:
    """Normalize embeddings to unit length; zero vectors stay zero."""
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=-1, keepdims=True), 1e-12)


def scores(probabilities: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """Attribute scores for comparison, float32 (..., A): each group's probabilities scaled to a length of at most 1.

    A product with two colors is thus as similar to another with both as one-colored products are to each other, and
    less similar to products with one of the two. Lengths below 1 are kept, so products whose attributes the model is
    sure of rank higher.
    """
    found = probabilities.astype(np.float32)
    for group in taxonomy.groups:
        indices = taxonomy.indices(group)
        length = np.linalg.norm(found[..., indices], axis=-1, keepdims=True)
        found[..., indices] /= np.maximum(length, 1)
    return found


def default_weights(taxonomy: Taxonomy) -> dict[str, float]:
    """The weight of each group: 1 for the model's `MAIN_GROUPS`, `DETAIL_WEIGHT` for the others.

    1 for all groups of a model that has no kinds of products or no colors.
    """
    kind, color, gender = (next((name for name in names if name in taxonomy.groups), None) for names in MAIN_GROUPS)
    if kind is None or color is None:
        return dict.fromkeys(taxonomy.groups, 1.0)
    return {group: 1.0 if group in (kind, color, gender) else DETAIL_WEIGHT for group in taxonomy.groups}


@dataclass(frozen=True)
class Scales:
    """Means over a catalog that normalize similarities.

    Attributes:
        embedding: mean of 1 - cosine over pairs of different products.
        own, others: mean dot product of the scores by group, of products with themselves and of pairs of different
            products.
    """

    embedding: float
    own: dict[str, float]
    others: dict[str, float]


class ScaleMeter:
    """Compute `Scales` exactly in one pass: the mean over all pairs follows from sums over the products."""

    def __init__(self, taxonomy: Taxonomy, embedding: int) -> None:
        self.taxonomy, self.count = taxonomy, 0
        self._units = np.zeros(embedding)
        self._sums, self._squares = np.zeros((2, len(taxonomy)))

    def add(self, embeddings: np.ndarray, scores: np.ndarray) -> None:
        """Add products: embeddings (n, E) and scores (n, A)."""
        self.count += len(scores)
        self._units += unit_vectors(embeddings).sum(0, dtype=np.float64)
        self._sums += scores.sum(0, dtype=np.float64)
        self._squares += (scores.astype(np.float64) ** 2).sum(0)

    def scales(self) -> Scales:
        """The means so far; with fewer than two products, those over pairs are 0."""
        products, pairs = max(self.count, 1), max(self.count * (self.count - 1), 1)
        own, others = {}, {}
        for group in self.taxonomy.groups:
            indices = self.taxonomy.indices(group)
            squares = self._squares[indices].sum()
            own[group] = float(squares / products)
            others[group] = float(((self._sums[indices] ** 2).sum() - squares) / pairs)
        cosine = ((self._units**2).sum() - self.count) / pairs
        return Scales(float(max(1 - cosine, 0)) if self.count > 1 else 0.0, own, others)


@dataclass(frozen=True)
class Measure:
    """Similarity measure for products.

    Attributes:
        space: "embedding", "attributes" or "both".
        scales: of the catalog.
        taxonomy: the model's labels.
        weights: by group; `default_weights` for a group that is not named.
        share: of the embedding in "both", from 0 to 1.

    Raises:
        SettingError: an unknown space or group, a weight below 0, all weights 0, or a share not between 0 and 1.
    """

    space: Space
    scales: Scales
    taxonomy: Taxonomy
    weights: Mapping[str, float] = field(default_factory=dict)
    share: float = SHARE

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise SettingError(f"space {self.space!r} is unknown; there are: {', '.join(SPACES)}")
        if not 0 <= self.share <= 1:
            raise SettingError(f"the embedding's share is {self.share:g}; it must be from 0 to 1")
        for group, weight in self.weights.items():
            if group not in self.taxonomy.groups:
                hint = did_you_mean(group, self.taxonomy.groups)
                raise SettingError(
                    f"weight for {group!r}{hint}: the model's groups are {', '.join(self.taxonomy.groups)}"
                )
            if not 0 <= weight < np.inf:
                raise SettingError(f"the weight of {group!r} is {weight:g}; it must be 0 or more")
        if self.weights and self.space == "embedding":
            raise SettingError(
                "weights need attribute groups, which the space embedding ignores; use both or attributes"
            )
        if not any(self.weights.get(group, 1) for group in self.taxonomy.groups):
            raise SettingError("all groups have the weight 0; give at least one a weight above 0")

    @cached_property
    def factors(self) -> tuple[float, np.ndarray]:
        """Factor of the cosine, and factors (A,) of each label's product of scores."""
        share = self._share
        weights = default_weights(self.taxonomy) | dict(self.weights)
        spread = _scale(sum(w * (self.scales.own[g] - self.scales.others[g]) for g, w in weights.items()))
        groups = np.array([(1 - share) * weights[label.group] / spread for label in self.taxonomy.labels])
        return share / _scale(self.scales.embedding), groups

    @cached_property
    def offset(self) -> float:
        """Constant that is added to the dot product."""
        embedding, labels = self.factors
        others = sum(labels[self.taxonomy.indices(g)[0]] * mean for g, mean in self.scales.others.items())
        return float(self._share - embedding - others)

    @cached_property
    def _share(self) -> float:
        return {"embedding": 1.0, "attributes": 0.0, "both": self.share}[self.space]

    def query(self, embedding: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Query vectors (..., E + A): their dot product with a `point`, plus `offset`, is the similarity."""
        factor, labels = self.factors
        weights = np.concatenate([np.full(embedding.shape[-1], factor), labels])
        return point(embedding, scores) * weights.astype(np.float32)


def point(embeddings: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Full vectors (..., E + A) of products: embeddings (..., E) at unit length, followed by scores (..., A)."""
    return np.concatenate([unit_vectors(embeddings), scores], axis=-1).astype(np.float32)


def embedding_query(embeddings: np.ndarray, labels: int) -> np.ndarray:
    """Query vectors (..., E + A) of embeddings (..., E): their dot products with points are cosines."""
    return point(embeddings, np.zeros((*embeddings.shape[:-1], labels), np.float32))


def diverse(relevance: np.ndarray, alike: Callable[[int], np.ndarray], limit: int, diversity: float) -> list[int]:
    """Select relevant candidates that differ from each other, by maximal marginal relevance.

    J. Carbonell, J. Goldstein: The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
    Summaries, SIGIR 1998.

    Args:
        relevance: similarity of each candidate to the query, (n,), most similar first.
        alike: returns the similarity of all candidates to one of them, (n,).
        limit: how many to choose.
        diversity: 0 considers only relevance, 1 only the dissimilarity of the chosen ones.

    Returns:
        Positions of the candidates, in the order in which they were chosen.
    """
    redundancy = np.zeros(len(relevance))  # similarity to the nearest chosen one; negative similarities count as 0
    left = np.ones(len(relevance), dtype=bool)
    chosen: list[int] = []
    while left.any() and len(chosen) < limit:
        gain = (1 - diversity) * relevance - diversity * redundancy if chosen else relevance
        best = int(np.where(left, gain, -np.inf).argmax())
        chosen.append(best)
        left[best] = False
        redundancy = np.maximum(redundancy, alike(best))
    return chosen


def _scale(value: float) -> float:
    return float(value) if value > 1e-9 else 1.0
