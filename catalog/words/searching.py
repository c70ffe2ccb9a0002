"""An index searched in words."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from catalog.engines.edge_store import EdgeStore
from catalog.filters.columns import point_id
from catalog.filters.conditions import And, Between, Condition, Not, OneOf, Points
from catalog.similar.matches import Match, NameDifference, Product
from catalog.similar.matching import Index
from catalog.similar.settings import LIMIT
from catalog.words.asking import Asked, read
from catalog.words.full_text import FILE, find_texts, stamp_of, write_texts
from catalog.words.vocabulary import Vocabulary
from fashion.errors import SettingError
from fashion.tables.columns import plain
from fashion.taxonomy import Label

PRICES = ("price", "sale_price", "selling_price", "variant_price", "regular_price")
CANDIDATES = 200  # of either kind, by labels and by texts; the best of both are ranked together
EVERY = 1_000_000  # products with a word that is not wanted


def search_words(
    index: Index,
    text: str,
    where: str | Condition | None = None,
    limit: int = LIMIT,
    exact: bool = False,
    duplicates: bool = False,
) -> list[Match]:
    """The products that a text asks for, the best first.

    A label that is named ranks products by its probability; labels behind `no` or `without`, and limits of the price,
    are filters; other words are looked for in the catalog's own text columns. A match's similarity is the mean over
    what is asked for: each label's probability, and how well the texts match, 1 for the best of the catalog.

    Args:
        index: open.
        text: such as `red dress with long sleeves, no print, under 50`.
        where: a filter beside what the text says.
        limit: how many products are wanted.
        exact: compare with every product, also where the index has graphs.
        duplicates: answer listings with near-identical photographs each.

    Raises:
        SettingError: the text asks for nothing, for a price that the catalog does not have, or for words that no
            column can have.
    """
    asked = read(text, Vocabulary(index.manifest.taxonomy))
    texts = find_texts(_texts_of(index), asked.words, CANDIDATES) if asked.words else {}
    conditions = [*_filters(index, asked), *filter(None, [index.condition(where)])]
    if not (asked.wanted or asked.words or conditions):
        raise SettingError(f"the text {text!r} names nothing to search for")
    found: dict[str, Product] = {}
    if asked.wanted:
        found |= _by_labels(index, text, asked.wanted, And(tuple(conditions)), max(CANDIDATES, limit), exact)
    if asked.words:
        named = Points(tuple(map(point_id, texts)))
        found |= _listed(index, And((*conditions, named)), len(texts))
    if not asked.wanted and not asked.words:
        found = _listed(index, And(tuple(conditions)), limit if duplicates else max(CANDIDATES, limit))
    matches = [_match(index, product, asked, texts) for product in found.values()]
    matches.sort(key=lambda each: (-(each.similarity or 0), each.product.id))
    if not duplicates:
        kept = {product.id for product in index.without_copies([each.product for each in matches])}
        matches = [each for each in matches if each.product.id in kept]
    return matches[:limit]


def _filters(index: Index, asked: Asked) -> Iterator[Condition]:
    columns = {column.name: column for column in index.columns.groups}
    for labels in asked.unwanted:
        for label in labels:
            yield Not(OneOf(columns[label.group], (label.name,)))
    if asked.unwanted_words:
        named = find_texts(_texts_of(index), asked.unwanted_words, EVERY)
        yield Not(Points(tuple(map(point_id, named))))
    bounds = {name: value for name, value in (("gte", asked.above), ("lt", asked.below)) if value is not None}
    if bounds:
        price = next((c for c in index.columns.source if plain(c.name) in PRICES and c.kind == "number"), None)
        if price is None:
            raise SettingError("the text names a price, and no column of numbers is called price; use --where")
        yield Between(price, bounds)


def _by_labels(
    index: Index, text: str, wanted: Sequence[Sequence[Label]], where: Condition, limit: int, exact: bool
) -> dict[str, Product]:
    """The products with the highest sums of the labels' probabilities."""
    taxonomy = index.manifest.taxonomy
    labels = [label for phrase in wanted for label in phrase]
    scores = np.zeros(len(taxonomy), np.float32)
    scores[[taxonomy.index[label] for label in labels]] = 1
    weights = {group: float(group in {label.group for label in labels}) for group in taxonomy.groups}
    query = Product(text, "", {}, {}, np.zeros(index.manifest.embedding, np.float32), scores)
    found = index.search(
        query, space="attributes", weights=weights, where=where, limit=limit, exact=exact, duplicates=True
    )
    return {match.product.id: match.product for match in found}


def _listed(index: Index, where: Condition, limit: int) -> dict[str, Product]:
    if not limit:
        return {}
    return {match.product.id: match.product for match in index.search(None, where=where, limit=limit, duplicates=True)}


def _match(index: Index, product: Product, asked: Asked, texts: dict[str, float]) -> Match:
    parts: list[float] = []
    shared: dict[str, list[str]] = {}
    differing: dict[str, NameDifference] = {}
    for labels in asked.wanted:
        parts.append(max(float(product.scores[index.manifest.taxonomy.index[label]]) for label in labels))
        has = [label for label in labels if label.name in product.attributes.get(label.group, [])]
        for label in has:
            shared.setdefault(label.group, []).append(label.name)
        if not has:
            group = labels[0].group
            differing[group] = NameDifference([labels[0].name], product.attributes.get(group, []))
    if asked.words:
        parts.append(texts.get(product.id, 0.0) / max(texts.values(), default=1.0))
    return Match(product, float(np.mean(parts)) if parts else None, shared, differing)


def _texts_of(index: Index) -> Path:
    """The index of texts beside an index in a folder, made at the first search that needs it."""
    columns = [column for column in index.columns.source if column.kind == "text"]
    if not columns or not isinstance(index.store, EdgeStore):
        raise SettingError(
            "some words name no label, and there are no texts to look for them in: the catalog has no column of "
            "texts, or its index is on a server"
        )
    path = index.store.folder / FILE
    if stamp_of(path) != index.manifest.created:
        rows = (
            (record.payload["id"], " ".join(str(v) for column in columns for v in column.values(record.payload)))
            for record in index.store.scroll(index.products_filter())
        )
        write_texts(path, index.manifest.created, rows)
    return path
