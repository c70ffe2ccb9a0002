"""How alike two products are: by embedding, by attributes, or by both, and what the number means.

Every space is one squared Euclidean distance, scaled so that two products taken at random from the catalog are 1 apart
on average; similarity is 1 minus that distance: 1 is the same, 0 no more alike than chance, below 0 less.

    embedding    of the embeddings at unit length: twice (1 - cosine)
    attributes   of the logits, as the project that this one re-implements matches products; weights multiply groups
    both         the sum of the two, each with its share
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from fashion.errors import SettingError
from fashion.taxonomy import Taxonomy

Space = Literal["both", "embedding", "attributes"]
SPACES: tuple[Space, ...] = get_args(Space)
DEFAULT_SPACE: Space = "both"
EVEN = 0.5  # share of the embedding in "both"


@dataclass(frozen=True)
class Scales:
    """Mean squared distance of two different products of a catalog.

    Attributes:
        embedding: of embeddings at unit length.
        groups: of the logits of each group.
    """

    embedding: float
    groups: dict[str, float]


class ScaleMeter:
    """Measures `Scales` exactly and in one pass: the mean over all pairs follows from sums over the products."""

    def __init__(self, taxonomy: Taxonomy, embedding: int) -> None:
        self.taxonomy, self.count = taxonomy, 0
        self._units = np.zeros(embedding)
        self._logits = np.zeros((2, len(taxonomy)))  # sums and sums of squares
        self._shift: np.ndarray | None = None  # the first row: sums of small differences lose no digits

    def add(self, embeddings: np.ndarray, logits: np.ndarray) -> None:
        """Take in products: embeddings (n, E) and logits (n, A)."""
        if not len(logits):
            return
        self._shift = logits[0].astype(np.float64) if self._shift is None else self._shift
        shifted = logits - self._shift
        self.count += len(logits)
        self._units += unit(embeddings).sum(0, dtype=np.float64)
        self._logits += np.stack([shifted.sum(0), (shifted**2).sum(0)])

    def scales(self) -> Scales:
        """The means so far; 1 where there are not two different products."""
        pairs = max(self.count - 1, 1) / 2
        total = np.maximum(self._logits[1] - self._logits[0] ** 2 / max(self.count, 1), 0) / pairs
        spread = (self.count - (self._units**2).sum() / max(self.count, 1)) / pairs
        groups = {group: float(total[self.taxonomy.indices(group)].sum()) for group in self.taxonomy.groups}
        return Scales(_scale(spread), {group: _scale(value) for group, value in groups.items()})


@dataclass(frozen=True)
class Measure:
    """A way to compare products.

    Attributes:
        space: what counts.
        scales: of the catalog.
        taxonomy: the model's labels.
        weights: by group; 1 for a group that is not named.
        share: of the embedding in "both", from 0 to 1.

    Raises:
        SettingError: an unknown space or group, a weight below 0, all weights 0, or a share that is none.
    """

    space: Space
    scales: Scales
    taxonomy: Taxonomy
    weights: Mapping[str, float] = field(default_factory=dict)
    share: float = EVEN

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise SettingError(f"space {self.space!r} is unknown; there are: {', '.join(SPACES)}")
        if not 0 <= self.share <= 1:
            raise SettingError(f"the embedding's share is {self.share:g}; it must be from 0 to 1")
        for group, weight in self.weights.items():
            if group not in self.taxonomy.groups:
                raise SettingError(f"weight for {group!r}: the model's groups are {', '.join(self.taxonomy.groups)}")
            if not 0 <= weight < np.inf:
                raise SettingError(f"the weight of {group!r} is {weight:g}; it must be 0 or more")
        if self.weights and self.space == "embedding":
            raise SettingError(
                "weights are for attributes; the space embedding knows no groups, take both or attributes"
            )
        if not any(self.weights.get(group, 1) for group in self.taxonomy.groups):
            raise SettingError("all groups have the weight 0; one at least must count")

    @cached_property
    def embedding_factor(self) -> float:
        """What a squared distance of embeddings at unit length is multiplied with."""
        return {"embedding": 1.0, "attributes": 0.0, "both": self.share}[self.space] / self.scales.embedding

    @cached_property
    def logit_factors(self) -> np.ndarray:
        """What the squared difference of each logit is multiplied with, (A,)."""
        share = {"embedding": 0.0, "attributes": 1.0, "both": 1 - self.share}[self.space]
        weights = {group: self.weights.get(group, 1.0) for group in self.taxonomy.groups}
        scale = sum(weight * self.scales.groups[group] for group, weight in weights.items())
        return np.array([share * weights[label.group] / scale for label in self.taxonomy.labels])

    def coordinates(self, embeddings: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Products -> points whose squared Euclidean distances are the measure's, (n, E + A)."""
        parts = [unit(embeddings) * self.embedding_factor**0.5, logits * np.sqrt(self.logit_factors)]
        return np.concatenate(parts, axis=1)


def distances(point: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Squared distances of one point (D,) from others (n, D)."""
    return ((points - point) ** 2).sum(1)


def diverse(point: np.ndarray, points: np.ndarray, limit: int, diversity: float) -> list[int]:
    """Choose points that are near to one and unlike each other: maximal marginal relevance.

    J. Carbonell, J. Goldstein: The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
    Summaries, SIGIR 1998; similarity is 1 minus the squared distance.

    Args:
        point: what was asked for, (D,).
        points: the candidates, (n, D), nearest first.
        limit: how many to choose.
        diversity: 0 looks at nearness only, 1 only at how unlike the chosen ones are.

    Returns:
        Positions in `points`, in the order in which they were chosen.
    """
    relevance = 1 - distances(point, points)
    redundancy = np.zeros(len(points))  # similarity to the nearest of those chosen; all that are unlike count alike
    left = np.ones(len(points), dtype=bool)
    chosen: list[int] = []
    while left.any() and len(chosen) < limit:
        gain = (1 - diversity) * relevance - diversity * redundancy if chosen else relevance
        best = int(np.where(left, gain, -np.inf).argmax())
        chosen.append(best)
        left[best] = False
        redundancy = np.maximum(redundancy, 1 - distances(points[best], points))
    return chosen


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings at unit length; one of zeros stays."""
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=-1, keepdims=True), 1e-12)


def _scale(value: float) -> float:
    return float(value) if value > 1e-9 else 1.0
