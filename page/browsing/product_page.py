"""Contents of a product's page besides the catalog's own columns: the model's answers, colors and checks."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.checking.checking import CatalogCheck
from catalog.checking.faults import Fault
from catalog.coloring.color_table import COLORS_FILE, read_colors
from catalog.coloring.measuring import photograph_colors
from fashion.colors.palette import DominantColor
from fashion.errors import FashionError, InvalidImage
from fashion.model_card import ModelCard
from fashion.tables.stored import photograph_source
from page.shop import Shop


@dataclass(frozen=True)
class AnsweredAttribute:
    """A label that is answered for a product."""

    group: str
    name: str
    probability: float
    threshold: float


def answered_attributes(shop: Shop, card: ModelCard, row: int) -> tuple[list[AnsweredAttribute], list[str]]:
    """The answered labels of a product with their probabilities, and the groups without an answer."""
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
    """The colors of a product: from `python -m catalog.colors`, or measured now on its first photograph.

    Empty if that cannot be read; the checks report why.
    """
    if (shop.scored.folder / COLORS_FILE).is_file():
        try:
            known = read_colors(shop.scored.folder, [id])
        except FashionError:  # a broken file, which the command reports
            known = {}
        if id in known:
            return known[id].colors
    photographs = shop.photographs(id)
    try:
        return photograph_colors(photograph_source(photographs[0])) if photographs else ()
    except InvalidImage:
        return ()


def photograph_faults(shop: Shop, id: str) -> list[Fault]:
    """Faults that `python -m catalog.check` finds in a product's first photograph; the index finds duplicates."""
    return CatalogCheck.with_defaults(shop.scored).faults_of(id)
