"""How well products fit what a text asks for: labels, titles and looks in one number, and what speaks for it.

Each phrase of a text has a probability for each product: of its label, or of its learned look. A title that has the
phrase takes away a part of the doubt that is left. What a text asks for as a whole is the geometric mean of its
phrases: a product must fit all of them. benchmarks.text_search compares this with other ways, and chose the numbers
below on products that its tables do not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog.similar.matches import Evidence, Match, NameDifference, Product
from catalog.words.learning import Look
from fashion.taxonomy import Label, Taxonomy

LABEL_TITLED = 0.8  # of the doubt about a label that a title takes away which has it
WORD_TITLED = 0.9  # and about another word
FLOOR = 1e-3  # the least probability of a phrase, so that no single one decides
READINGS = 0.1  # how much the mean over the groups that a phrase may mean counts, beside the likeliest of them
LABEL_SLOPE = 5.0  # logits that a label's probability counts in the vector by which candidates are found
VISIBLE = 0.1  # the least probability of a look that is named as a reason


@dataclass(frozen=True)
class Part:
    """A phrase of a text, and all that is known of it.

    Attributes:
        text: the phrase.
        labels: that it may mean; none where it is no label's name.
        look: what it looks like; None for labels, and where that was not learned.
        titled: the products whose texts have it.
    """

    text: str
    labels: tuple[Label, ...] = ()
    look: Look | None = None
    titled: frozenset[str] = frozenset()

    def seen(self, product: Product, taxonomy: Taxonomy) -> float:
        """How likely a product is it by its photograph; 0 where nothing was learned of the phrase."""
        if not self.labels:
            return float(self.look.probability(product.embedding)) if self.look else 0.0
        groups: dict[str, float] = {}
        for label in self.labels:
            score = float(product.scores[taxonomy.index[label]])
            groups[label.group] = max(groups.get(label.group, 0.0), score)
        return (1 - READINGS) * max(groups.values()) + READINGS * float(np.mean(list(groups.values())))

    def probability(self, product: Product, taxonomy: Taxonomy) -> float:
        """How likely a product is it, by its photograph and its texts."""
        seen = max(self.seen(product, taxonomy), FLOOR)
        if product.id in self.titled:
            seen += (1 - seen) * (LABEL_TITLED if self.labels else WORD_TITLED)
        return seen

    def evidence(self, product: Product, taxonomy: Taxonomy) -> list[Evidence]:
        """What speaks for a product."""
        found = [
            Evidence(self.text, "label", label.name, float(product.scores[taxonomy.index[label]]))
            for label in self.labels
            if label.name in product.attributes.get(label.group, [])
        ]
        if product.id in self.titled:
            found.append(Evidence(self.text, "title", self.text))
        if self.look and (seen := self.seen(product, taxonomy)) >= VISIBLE:
            found.append(Evidence(self.text, "looks like", self.text, seen))
        return found or [Evidence(self.text, "nothing", "")]


def candidate_vector(parts: Sequence[Part], taxonomy: Taxonomy, embedding: int) -> np.ndarray:
    """The vector (E + A,) whose scalar products with points say about how well they fit, leaving texts aside."""
    vector = np.zeros(embedding + len(taxonomy), np.float32)
    for part in parts:
        for label in part.labels:
            vector[embedding + taxonomy.index[label]] += LABEL_SLOPE
        if part.look:
            vector[:embedding] += part.look.weights
    return vector


def match_of(product: Product, parts: Sequence[Part], taxonomy: Taxonomy) -> Match:
    """A product as a match: its similarity is the geometric mean over the parts."""
    shared: dict[str, list[str]] = {}
    differing: dict[str, NameDifference] = {}
    for part in parts:
        has = [label for label in part.labels if label.name in product.attributes.get(label.group, [])]
        for label in has:
            names = shared.setdefault(label.group, [])
            names += [label.name] if label.name not in names else []
        if part.labels and not has:
            group = part.labels[0].group
            differing[group] = NameDifference([part.labels[0].name], product.attributes.get(group, []))
    logs = [np.log(part.probability(product, taxonomy)) for part in parts]
    why = tuple(evidence for part in parts for evidence in part.evidence(product, taxonomy))
    return Match(product, float(np.exp(np.mean(logs))), shared, differing, why)
