"""Products as shown in lists, with the reason for a match."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.similar.matches import Match
from page.shop import Shop


@dataclass(frozen=True)
class ProductCard:
    """One product in a list.

    Attributes:
        id: of the product.
        title, price: from the catalog.
        names: its answered labels; empty for search results.
        similarity: to the query; None if there was no query.
        shared, missing, added: labels of both, of the query only, and of the product only.
    """

    id: str
    title: str
    price: str
    names: tuple[str, ...] = ()
    similarity: float | None = None
    shared: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def cards_of_rows(shop: Shop, rows: Sequence[int]) -> list[ProductCard]:
    """Cards of rows that pass a filter."""
    found = []
    for row, id in zip(rows, shop.ids(list(rows)), strict=True):
        names = _unique(name for names in shop.attributes(row).values() for name in names)
        found.append(ProductCard(id, shop.title(row), shop.price(row), names))
    return found


def cards_of_matches(shop: Shop, matches: Sequence[Match]) -> list[ProductCard]:
    """Cards of search results, with shared and differing labels; products no longer in the catalog are skipped."""
    found = []
    for match in matches:
        for row in shop.rows([match.product.id]):
            differing, shown = match.differing.items(), match.product.shown
            missing = tuple(shown({group: difference.wanted for group, difference in differing}))
            added = tuple(shown({group: difference.found for group, difference in differing}))
            card = (match.product.id, shop.title(row), shop.price(row), ())
            found.append(ProductCard(*card, match.similarity, tuple(match.shared_names), missing, added))
    return found


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    """Remove repeated names: several groups may have a label of the same name, such as Solid."""
    return tuple(dict.fromkeys(names))
