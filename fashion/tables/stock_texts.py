"""Texts in a column of availability that say whether a product is in stock."""

from collections.abc import Sequence
from functools import cache

# `spellings` adds other letter cases, and _, - or nothing in place of a space.
IN_STOCK = (
    "in stock",
    "available",
    "yes",
    "true",
    "y",
    "on hand",
    "low stock",
    "limited availability",
    "instore only",
    "1",
    "ja",
    "auf lager",
    "vorrätig",
    "verfügbar",
    "lieferbar",
    "sofort lieferbar",
)
NOT_IN_STOCK = (
    *("out of stock", "not in stock", "sold out", "unavailable", "not available", "no", "false", "n", "discontinued"),
    *("preorder", "pre order", "presale", "backorder", "back order", "on backorder"),
    *("0", "nein", "ausverkauft", "nicht auf lager", "nicht vorrätig", "nicht verfügbar", "nicht lieferbar"),
)
SCHEMA = ("", "https://schema.org/", "http://schema.org/")  # prefixes of structured data for search engines


@cache
def spellings(texts: Sequence[str]) -> tuple[str, ...]:
    """Spelling variants of these texts in tables; filters compare exactly."""
    joined = (sign.join(text.split()) for text in texts for sign in (" ", "_", "-", ""))
    cased = (form for text in joined for form in (text, text.upper(), text.capitalize(), text.title()))
    camel = [text.title().replace(" ", "") for text in texts]
    words = dict.fromkeys((*cased, *camel, *(word[:1].lower() + word[1:] for word in camel)))
    return tuple(prefix + word for word in words for prefix in SCHEMA)
