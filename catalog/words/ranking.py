"""Rank products for a text query by labels, titles and learned words, and give the reasons.

Each phrase of the query has a probability for each product: that of its label, or of the learned word. A title with the
phrase removes a fixed part of the remaining doubt (1 - probability). The score is the geometric mean over the phrases,
so a product must fit all of them. benchmarks.text_search compares this with other methods; the constants below were
chosen on products outside of its tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from catalog.similar.matches import Match, NameDifference, Product, Reason
from catalog.words.vocabulary import Phrase
from fashion.taxonomy import Label, Taxonomy

LABEL_SLOPE = 5.0  # weight of a label's probability, in logits, in the vector that finds candidates
LIKELY = 0.1  # minimum probability of a learned word that is given as a reason


@dataclass(frozen=True)
class JoinWeights:
    """Weights of the kinds of evidence.

    Attributes:
        label_title: part of the doubt about a label that a matching title removes.
        word_title: the same for other words.
        floor: minimum probability of a phrase, so that a single one cannot dominate.
        readings: weight of the mean over the groups that a phrase may refer to; the rest goes to the most probable.
    """

    label_title: float = 0.8
    word_title: float = 0.9
    floor: float = 1e-3
    readings: float = 0.1


WEIGHTS = JoinWeights()


@dataclass(frozen=True)
class QueryPart:
    """A phrase of a query with its evidence.

    Attributes:
        text: the phrase.
        phrases: forms in which texts may contain it, as words.
        labels: its possible labels; empty if it names none.
        guesses: the products that a learned word fits, with its probability, the most probable first.
        titled: ids of the products whose texts contain it.
    """

    text: str
    phrases: tuple[Phrase, ...]
    labels: tuple[Label, ...] = ()
    guesses: Mapping[str, float] = field(default_factory=dict)
    titled: frozenset[str] = frozenset()

    def probability(
        self, ids: Sequence[str], scores: np.ndarray, taxonomy: Taxonomy, weights: JoinWeights = WEIGHTS
    ) -> np.ndarray:
        """Probability (n,) of the phrase for products with these ids and scores (n, A), its own title aside.

        0 for a phrase that is no label and was not learned.
        """
        if not self.labels:
            return np.array([self.guesses.get(id, 0.0) for id in ids])
        groups: dict[str, list[int]] = {}
        for label in self.labels:
            groups.setdefault(label.group, []).append(taxonomy.index[label])
        best = np.stack([scores[:, indices].max(1) for indices in groups.values()])
        return (1 - weights.readings) * best.max(0) + weights.readings * best.mean(0)


def combined_scores(
    seen: np.ndarray, titled: np.ndarray, labels: np.ndarray, weights: JoinWeights = WEIGHTS
) -> np.ndarray:
    """Combined score of n products over P parts, from 0 to 1: (n,).

    Args:
        seen: probabilities by photographs, (P, n).
        titled: whether the product's texts contain the part, (P, n).
        labels: which parts are labels, (P,).
        weights: of the kinds of evidence.
    """
    likely = np.maximum(seen, weights.floor)
    doubt = np.where(labels, weights.label_title, weights.word_title)[:, None] * titled
    return np.exp(np.log(likely + (1 - likely) * doubt).mean(0))


def candidate_vector(parts: Sequence[QueryPart], taxonomy: Taxonomy, embedding: int) -> np.ndarray:
    """Query vector (E + A,) whose dot products with points approximate the score by labels."""
    vector = np.zeros(embedding + len(taxonomy), np.float32)
    for part in parts:
        for label in part.labels:
            vector[embedding + taxonomy.index[label]] += LABEL_SLOPE
    return vector


def rank(
    products: Sequence[Product], parts: Sequence[QueryPart], taxonomy: Taxonomy, order: Sequence[str], limit: int
) -> list[Match]:
    """Rank candidates, best first; a match's similarity is its combined score.

    Args:
        products: candidates.
        parts: of the query.
        taxonomy: the labels.
        order: ids of products, the best text matches first; it breaks ties.
        limit: maximum number of matches.
    """
    if not products:
        return []
    ids, scores = [product.id for product in products], np.stack([product.scores for product in products])
    seen = np.stack([part.probability(ids, scores, taxonomy) for part in parts])
    titled = np.array([[product.id in part.titled for product in products] for part in parts])
    fits = combined_scores(seen, titled, np.array([bool(part.labels) for part in parts]))
    places = {id: place for place, id in enumerate(order)}
    best = sorted(range(len(ids)), key=lambda i: (-fits[i], places.get(ids[i], len(places)), ids[i]))[:limit]
    return [_match(products[i], float(fits[i]), parts, seen[:, i], taxonomy) for i in best]


def _match(product: Product, fit: float, parts: Sequence[QueryPart], seen: np.ndarray, taxonomy: Taxonomy) -> Match:
    shared: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    why: list[Reason] = []
    for part, probability in zip(parts, seen, strict=True):
        has = [label for label in part.labels if label.name in product.attributes.get(label.group, [])]
        for label in has:
            names = shared.setdefault(label.group, [])
            names += [label.name] if label.name not in names else []
        if part.labels and not has:
            missing.setdefault(part.labels[0].group, []).append(part.labels[0].name)
        why += _reasons(part, has, product, float(probability), taxonomy)
    differing = {}
    for group, wanted in missing.items():
        others = [name for name in product.attributes.get(group, []) if name not in shared.get(group, [])]
        differing[group] = NameDifference(list(dict.fromkeys(wanted)), others)
    return Match(product, fit, shared, differing, tuple(why))


def _reasons(
    part: QueryPart, labels: Sequence[Label], product: Product, seen: float, taxonomy: Taxonomy
) -> list[Reason]:
    """Reasons for a product that has these labels of a part; missing labels are in `Match.differing` instead."""
    names: dict[str, float] = {}  # several groups may have a label of the same name
    for label in labels:
        names[label.name] = max(names.get(label.name, 0.0), float(product.scores[taxonomy.index[label]]))
    found = [Reason(part.text, "label", name, probability) for name, probability in names.items()]
    if product.id in part.titled:
        found.append(Reason(part.text, "title", part.text))
    if part.guesses and seen >= LIKELY:
        found.append(Reason(part.text, "likely", part.text, seen))
    return found if found or part.labels else [Reason(part.text, "nothing", "")]
