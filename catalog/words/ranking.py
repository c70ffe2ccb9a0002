"""How well products fit what a text asks for: labels, titles and looks in one number, and what speaks for it.

Each phrase of a text has a probability for each product: of its label, or of its learned look. A title that has the
phrase takes away a part of the doubt that is left. What a text asks for as a whole is the geometric mean of its
phrases: a product must fit all of them. benchmarks.text_search compares this with other ways, and chose the numbers
below on products that its tables do not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog.similar.matches import Match, NameDifference, Product, Reason
from catalog.words.learning import Look
from catalog.words.vocabulary import Phrase
from fashion.taxonomy import Label, Taxonomy

LABEL_SLOPE = 5.0  # logits that a label's probability counts in the vector by which candidates are found
VISIBLE = 0.1  # the least probability of a look that is named as a reason


@dataclass(frozen=True)
class JoinWeights:
    """How much each kind of evidence counts.

    Attributes:
        label_title: the part of the doubt about a label that a title takes away which has it.
        word_title: the same of another word.
        floor: the least probability of a phrase, so that no single one decides.
        readings: how much the mean over the groups that a phrase may mean counts, beside the likeliest of them.
    """

    label_title: float = 0.8
    word_title: float = 0.9
    floor: float = 1e-3
    readings: float = 0.1


WEIGHTS = JoinWeights()


@dataclass(frozen=True)
class AskedPart:
    """A phrase of a text, and all that is known of it.

    Attributes:
        text: the phrase.
        phrases: how texts may have it, in words.
        labels: that it may mean; none where it is no label's name.
        look: what it looks like; None for labels, and where that was not learned.
        titled: ids of the products whose texts have it.
    """

    text: str
    phrases: tuple[Phrase, ...]
    labels: tuple[Label, ...] = ()
    look: Look | None = None
    titled: frozenset[str] = frozenset()

    def seen(
        self, embeddings: np.ndarray, scores: np.ndarray, taxonomy: Taxonomy, weights: JoinWeights = WEIGHTS
    ) -> np.ndarray:
        """How likely products are it by their photographs: of embeddings (n, E) and scores (n, A), (n,).

        0 for a phrase of which nothing was learned.
        """
        if not self.labels:
            return self.look.probability(embeddings) if self.look else np.zeros(len(embeddings))
        groups: dict[str, list[int]] = {}
        for label in self.labels:
            groups.setdefault(label.group, []).append(taxonomy.index[label])
        best = np.stack([scores[:, indices].max(1) for indices in groups.values()])
        return (1 - weights.readings) * best.max(0) + weights.readings * best.mean(0)


def joined(seen: np.ndarray, titled: np.ndarray, labels: np.ndarray, weights: JoinWeights = WEIGHTS) -> np.ndarray:
    """How well products fit all parts, from 0 to 1: (n,).

    Args:
        seen: probabilities by photographs, (P, n).
        titled: which products' texts have the part, (P, n).
        labels: which parts are labels, (P,).
        weights: of the kinds of evidence.
    """
    likely = np.maximum(seen, weights.floor)
    doubt = np.where(labels, weights.label_title, weights.word_title)[:, None] * titled
    return np.exp(np.log(likely + (1 - likely) * doubt).mean(0))


def candidate_vector(parts: Sequence[AskedPart], taxonomy: Taxonomy, embedding: int) -> np.ndarray:
    """The vector (E + A,) whose scalar products with points say about how well they fit, leaving texts aside."""
    vector = np.zeros(embedding + len(taxonomy), np.float32)
    for part in parts:
        for label in part.labels:
            vector[embedding + taxonomy.index[label]] += LABEL_SLOPE
        if part.look:
            vector[:embedding] += part.look.weights
    return vector


def rank(
    products: Sequence[Product], parts: Sequence[AskedPart], taxonomy: Taxonomy, order: Sequence[str], limit: int
) -> list[Match]:
    """The products that fit all parts best, that first; a match's similarity is how well it fits.

    Args:
        products: candidates.
        parts: of the text.
        taxonomy: the labels.
        order: ids of products, the best by their texts first; it decides between those that fit alike.
        limit: how many matches.
    """
    if not products:
        return []
    embeddings, scores = (np.stack(rows) for rows in zip(*((p.embedding, p.scores) for p in products), strict=True))
    seen = np.stack([part.seen(embeddings, scores, taxonomy) for part in parts])
    titled = np.array([[product.id in part.titled for product in products] for part in parts])
    fits = joined(seen, titled, np.array([bool(part.labels) for part in parts]))
    places = {id: place for place, id in enumerate(order)}
    ids = [product.id for product in products]
    best = sorted(range(len(ids)), key=lambda i: (-fits[i], places.get(ids[i], len(places)), ids[i]))[:limit]
    return [_match(products[i], float(fits[i]), parts, seen[:, i], taxonomy) for i in best]


def _match(product: Product, fit: float, parts: Sequence[AskedPart], seen: np.ndarray, taxonomy: Taxonomy) -> Match:
    shared: dict[str, list[str]] = {}
    differing: dict[str, NameDifference] = {}
    why: list[Reason] = []
    for part, probability in zip(parts, seen, strict=True):
        has = [label for label in part.labels if label.name in product.attributes.get(label.group, [])]
        for label in has:
            names = shared.setdefault(label.group, [])
            names += [label.name] if label.name not in names else []
        if part.labels and not has:
            group = part.labels[0].group
            differing[group] = NameDifference([part.labels[0].name], product.attributes.get(group, []))
        why += _reasons(part, has, product, float(probability), taxonomy)
    return Match(product, fit, shared, differing, tuple(why))


def _reasons(
    part: AskedPart, labels: Sequence[Label], product: Product, seen: float, taxonomy: Taxonomy
) -> list[Reason]:
    """What speaks for a product that is answered these labels of a part; that labels are missing, differences say."""
    names: dict[str, float] = {}  # a name may stand in several groups
    for label in labels:
        names[label.name] = max(names.get(label.name, 0.0), float(product.scores[taxonomy.index[label]]))
    found = [Reason(part.text, "label", name, probability) for name, probability in names.items()]
    if product.id in part.titled:
        found.append(Reason(part.text, "title", part.text))
    if part.look and seen >= VISIBLE:
        found.append(Reason(part.text, "looks like", part.text, seen))
    return found if found or part.labels else [Reason(part.text, "nothing", "")]
