"""Related products from the index: similar ones, replacements, duplicates and recommendations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.similar.matches import Match
from fashion.errors import FashionError, one_line
from page.browsing.product_cards import ProductCard, cards_of_matches
from page.shop import Shop

SHOWN = 8  # products per kind


@dataclass(frozen=True)
class Relation:
    """One kind of related products.

    Attributes:
        title: of the kind.
        note: what it means, or why there are none.
        cards: the products.
    """

    title: str
    note: str
    cards: list[ProductCard]


def relations(shop: Shop, id: str) -> list[Relation]:
    """All kinds of related products of a product; empty without an index."""
    index = shop.index
    if index is None:
        return []
    kinds: dict[str, tuple[str, Callable[[], Sequence[Match]]]] = {
        "Similar": ("Similar in appearance and in attributes.", lambda: index.search(id, limit=SHOWN)),
        "Replacements": (
            "Similar, of the same kind and gender, in stock as far as the catalog says, and not a duplicate.",
            lambda: index.replace(id, limit=SHOWN),
        ),
        "Duplicates": ("Near-identical photographs.", lambda: index.duplicates_of(id, SHOWN)),
    }
    with shop.lock:
        return [_relation(shop, title, note, find) for title, (note, find) in kinds.items()]


def _relation(shop: Shop, title: str, note: str, find: Callable[[], Sequence[Match]]) -> Relation:
    try:
        cards = cards_of_matches(shop, find())
    except FashionError as error:  # such as for replacements in a catalog without categories
        return Relation(title, one_line(error), [])
    return Relation(title, note if cards else "None.", cards)


def recommended(shop: Shop, like: Sequence[str], unlike: Sequence[str]) -> Relation:
    """Recommendations from liked and disliked products."""
    index, title = shop.index, "Recommended"
    if index is None:
        return Relation(title, "Recommendations need an index; make one with: python -m catalog.index", [])
    with shop.lock:
        note = "Similar to a liked product, and less similar to all disliked ones."
        return _relation(shop, title, note, lambda: index.recommend(like, unlike, limit=3 * SHOWN))
