"""What the page of a product shows of the model's answer."""

from dataclasses import dataclass

from fashion.model_card import ModelCard
from page.shop import Shop


@dataclass(frozen=True)
class AnsweredAttribute:
    """An attribute that is answered of a product."""

    group: str
    name: str
    probability: float
    threshold: float


def answered_attributes(shop: Shop, card: ModelCard, row: int) -> tuple[list[AnsweredAttribute], list[str]]:
    """What is answered of a product, with its probabilities, and the groups of which nothing is."""
    card = shop.scored.refitted(card)
    probabilities, thresholds = shop.probabilities(row), card.threshold_row(shop.scored.manifest.profile)
    places = {(label.group, label.name): i for i, label in enumerate(card.labels)}
    found, silent = [], []
    for group, names in shop.attributes(row).items():
        for i in (places[group, name] for name in names):
            p, threshold = float(probabilities[i]), float(thresholds[i])
            found.append(AnsweredAttribute(group, card.labels[i].name, p, threshold))
        if not names:
            silent.append(group)
    return found, silent
