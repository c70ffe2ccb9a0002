"""Shopify's product taxonomy and Google's category ids, read from facts/; docs/export.md names the sources."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FACTS = Path(__file__).with_name("facts")
LANGUAGES = ("en", "de", "fr", "es", "it", "ja")


@dataclass(frozen=True)
class Category:
    """A category of Shopify's taxonomy.

    Attributes:
        id: such as `aa-1-4`.
        name: its full path in English.
        google_id: of the nearest category in Google's product taxonomy; empty if there is none.
    """

    id: str
    name: str
    google_id: str


@dataclass(frozen=True)
class Value:
    """A value of one of Shopify's attributes.

    Attributes:
        handle: its key, such as `neckline__v-neck`. Names are not unique: several values may share one.
        attribute: the attribute's key, such as `neckline`.
        names: by language; languages whose official name is missing or wrong are omitted.
    """

    handle: str
    attribute: str
    names: Mapping[str, str]

    def name(self, language: str) -> str:
        """The name in a language, with English as fallback."""
        return self.names.get(language) or self.names["en"]


@cache
def categories() -> dict[str, Category]:
    """All categories by id."""
    return {row["id"]: Category(row["id"], row["name"], row["google_id"]) for row in _rows("categories.csv")}


@cache
def values() -> dict[str, Value]:
    """All values by handle."""
    return {
        row["handle"]: Value(row["handle"], row["attribute"], {name: row[name] for name in LANGUAGES if row[name]})
        for row in _rows("values.csv")
    }


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FACTS / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
