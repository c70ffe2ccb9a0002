"""What the page of a product shows beside the catalog's own columns: the model's answer, colors and checks."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.checking.checking import CatalogCheck
from catalog.checking.faults import Fault
from catalog.coloring.color_table import COLORS_FILE, read_colors
from catalog.coloring.measuring import photograph_colors
from fashion.colors.palette import DominantColor
from fashion.errors import FashionError, InvalidImage
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


def measured_colors(shop: Shop, id: str) -> Sequence[DominantColor]:
    """The colors of a product: as `python -m catalog.colors` measured them, else measured now on its first photograph.

    None where that cannot be read; the checks say why.
    """
    if (shop.scored.folder / COLORS_FILE).is_file():
        try:
            known = read_colors(shop.scored.folder, [id])
        except FashionError:  # a broken file; the command says so
            known = {}
        if id in known:
            return known[id].colors
    photographs = shop.photographs(id)
    try:
        return photograph_colors(photographs[0]) if photographs else ()
    except InvalidImage:
        return ()


def photograph_faults(shop: Shop, id: str) -> list[Fault]:
    """What `python -m catalog.check` says of a product's first photograph; its duplicates are found by the index."""
    return CatalogCheck.of(shop.scored).faults_of(id)
