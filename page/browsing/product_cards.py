"""Products as lists show them, and why they stand there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.similar.matches import Match
from page.shop import Shop


@dataclass(frozen=True)
class ProductCard:
    """One product in a list.

    Attributes:
        id: of the product.
        title, price: as the catalog has them.
        names: what is answered of it, where nothing was compared.
        similarity: to what was asked for; None where nothing was compared.
        shared, missing, added: names that both have, that only what was asked for has, and only the product.
    """

    id: str
    title: str
    price: str
    names: tuple[str, ...] = ()
    similarity: float | None = None
    shared: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def listed(shop: Shop, rows: Sequence[int]) -> list[ProductCard]:
    """Products that a filter keeps."""
    found = []
    for row, id in zip(rows, shop.ids(list(rows)), strict=True):
        names = _each_once(name for names in shop.attributes(row).values() for name in names)
        found.append(ProductCard(id, shop.title(row), shop.price(row), names))
    return found


def matched(shop: Shop, matches: Sequence[Match]) -> list[ProductCard]:
    """Products that a search found, with what they share and differ in; those that the catalog lost are left out."""
    found = []
    for match in matches:
        for row in shop.rows([match.product.id]):
            missing = _each_once(name for difference in match.differing.values() for name in difference.wanted)
            added = _each_once(name for difference in match.differing.values() for name in difference.found)
            shared = _each_once(match.shared_names)
            card = (match.product.id, shop.title(row), shop.price(row), ())
            found.append(ProductCard(*card, match.similarity, shared, missing, added))
    return found


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    """Names without repetition: several groups may have labels of one name, such as Solid."""
    return tuple(dict.fromkeys(names))
