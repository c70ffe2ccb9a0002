"""Converts the labels of drawn garments to those of the shipped model: a shop's articles and amateurs' garments."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

SHOP_GROUPS = ("garment", "article", "subcategory", "category", "colour", "neck", "sleeve", "pattern")


class _Kind(NamedTuple):
    """Labels of a drawn category; "" if unknown."""

    garment: str
    article: str
    subcategory: str
    category: str = "Apparel"


_KINDS = {
    "T-Shirts": _Kind("T-Shirt", "Tshirts", "Topwear"),
    "Dress Shirts": _Kind("Shirt", "Shirts", "Topwear"),
    "Polos": _Kind("Polo", "Tshirts", "Topwear"),
    "Tank Tops": _Kind("Undershirt", "", ""),
    "Hoodies & Sweatshirts": _Kind("Hoodie", "Sweatshirts", "Topwear"),
    "Pullover Sweaters": _Kind("Longsleeve", "Sweaters", "Topwear"),
    "Casual Dresses": _Kind("Dress", "Dresses", "Dress"),
    "Skirts": _Kind("Skirt", "Skirts", "Bottomwear"),
    "Jeans": _Kind("Pants", "Jeans", "Bottomwear"),
    "Shorts": _Kind("Shorts", "Shorts", "Bottomwear"),
    "Jackets": _Kind("Outwear", "Jackets", "Topwear"),
    "Trousers": _Kind("Pants", "Trousers", "Bottomwear"),
    "Sneakers": _Kind("Shoes", "Casual Shoes", "Shoes", "Footwear"),
}
# Labels that are in none of these are not annotated.
_NECKS = {"Round Neck": "Round Neck", "V-Necks": "V-Neck", "Turtlenecks": "High Neck", "Square Necked": "Square Neck"}
_COLLARS = {"Dress Shirts": "Shirt Collar", "Polos": "Polo Collar"}
_SLEEVES = {"Short Sleeves": "Short Sleeves", "Long Sleeved": "Long Sleeves", "Sleeveless": "Sleeveless"}
_PATTERNS = {"Stripes": "Striped", "Plaid": "Checked", "Checkered": "Checked"}
_PRINTS = ("Floral", "Polka Dot", "Hearts", "Camouflage", "Leopard And Cheetah")
_PLAIN_KINDS = ("Sneakers", "Jeans")  # the shop does not annotate their pattern


def in_shop_words(labels: Mapping[str, Sequence[str] | None]) -> dict[str, list[str] | None]:
    """Convert a drawn garment's labels from `wardrobe.GROUPS` to `SHOP_GROUPS`; None means not annotated."""
    drawn = _one(labels["category"])
    kind = _KINDS[drawn]
    neck, sleeve, pattern = (_one(labels[group]) for group in ("neckline", "sleeve", "pattern"))
    plain_is_said = labels["pattern"] is not None and drawn not in _PLAIN_KINDS
    colors = [color.replace("Gray", "Grey") for color in labels["color"] or ()]
    found = kind._asdict() | {
        "colour": colors[0] if len(colors) == 1 else "",  # the shop gives only one color
        "neck": _COLLARS.get(drawn) or _NECKS.get(neck, ""),
        "sleeve": _SLEEVES.get(sleeve, ""),
        "pattern": "Printed" if pattern in _PRINTS else _PATTERNS.get(pattern) or ("Solid" if plain_is_said else ""),
    }
    return {group: [found[group]] if found[group] else None for group in SHOP_GROUPS}


def _one(names: Sequence[str] | None) -> str:
    return names[0] if names else ""
