"""Methods of joining the evidence of labels, learned words and titles for a text query, each over all products."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from catalog.words.ranking import WEIGHTS, JoinWeights, QueryPart, combined_scores
from fashion.taxonomy import Taxonomy

RANK_CONSTANT = 60  # G. Cormack, C. Clarke, S. Buettcher: Reciprocal Rank Fusion, SIGIR 2009


@dataclass(frozen=True)
class TextCandidates:
    """The evidence of each product for a text of P parts.

    Attributes:
        parts: the parts, P.
        ids: of the products, n.
        scores: of their labels, (n, A).
        titled: whether a product's title has a part, (P, n).
        text: match of each title with the whole text, from 0 to 1, by rank; (n,).
        taxonomy: the labels.
    """

    parts: Sequence[QueryPart]
    ids: Sequence[str]
    scores: np.ndarray
    titled: np.ndarray
    text: np.ndarray
    taxonomy: Taxonomy

    @classmethod
    def collect(
        cls,
        parts: Sequence[QueryPart],
        order: Sequence[str],
        ids: Sequence[str],
        scores: np.ndarray,
        taxonomy: Taxonomy,
    ) -> "TextCandidates":
        """Collect the evidence; `order` has the ids that full-text search finds, best first."""
        titled = np.array([[id in part.titled for id in ids] for part in parts])
        places = {id: place for place, id in enumerate(order)}
        text = np.array([1 - places[id] / len(places) if id in places else 0.0 for id in ids])
        return cls(parts, ids, scores, titled, text, taxonomy)

    def probabilities(self, weights: JoinWeights = WEIGHTS) -> np.ndarray:
        """The probability of each part by labels and learned words, (P, n)."""
        found = [part.probability(self.ids, self.scores, self.taxonomy, weights) for part in self.parts]
        return np.array(found).reshape(len(found), len(self.ids))

    def untitled(self) -> "TextCandidates":
        """The same without the titles' match; parts that are no label and were not learned are left out."""
        kept = [number for number, part in enumerate(self.parts) if part.labels or part.guesses]
        parts = [self.parts[number] for number in kept]
        return replace(self, parts=parts, titled=np.zeros((len(parts), len(self.text)), bool), text=0 * self.text)


def geometric(seen: TextCandidates, weights: JoinWeights = WEIGHTS) -> np.ndarray:
    """The method of `catalog.words.ranking`."""
    if not seen.parts:
        return np.zeros(len(seen.ids))
    labels = np.array([bool(part.labels) for part in seen.parts])
    return combined_scores(seen.probabilities(weights), seen.titled, labels, weights)


def mean(seen: TextCandidates) -> np.ndarray:
    """The mean of the parts' probabilities and of the match of the titles."""
    return np.mean([*seen.probabilities(), seen.text], axis=0)


def reciprocal_ranks(seen: TextCandidates) -> np.ndarray:
    """Reciprocal rank fusion of each part's ranking by photographs and of the titles' ranking."""
    lists = [*seen.probabilities(), seen.text]
    return np.sum([np.where(found > 0, 1 / (RANK_CONSTANT + 1 + _ranks(found)), 0) for found in lists], axis=0)


def _ranks(values: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(values), int)
    ranks[np.argsort(-values, kind="stable")] = np.arange(len(values))
    return ranks


JOINS: dict[str, Callable[[TextCandidates], np.ndarray]] = {
    "mean of all probabilities and the titles' match": mean,
    f"reciprocal rank fusion, k = {RANK_CONSTANT}": reciprocal_ranks,
    "geometric mean, titles as chosen": partial(geometric, weights=WEIGHTS),
    **{
        f"the same, {name} {value:g}": partial(geometric, weights=JoinWeights(**{name: value}))
        for name, values in {
            "label_title": (0.0, 0.5, 0.95),
            "word_title": (0.5, 0.98),
            "floor": (1e-4, 1e-2),
            "readings": (0.0, 0.5),
        }.items()
        for value in values
    },
}
