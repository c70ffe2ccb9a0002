"""Search an index by text."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog.engines.store import Store
from catalog.filters.columns import Column, Columns, point_id
from catalog.filters.conditions import Between, Condition, Not, OneOf, Or, Points, all_of
from catalog.similar.listings import exclude_photographs
from catalog.similar.manifest import IndexManifest
from catalog.similar.matches import Match, Product, cell_text
from catalog.similar.matching import MOST_NAMED, Index
from catalog.similar.replacement import in_stock, stock_column
from catalog.similar.settings import LIMIT
from catalog.words.query_parser import ParsedQuery, parse_query
from catalog.words.ranking import LIKELY, WEIGHTS, QueryPart, candidate_vector, rank
from catalog.words.shades import shades
from catalog.words.suggestions import unknown_note
from catalog.words.vocabulary import Phrase, Vocabulary
from catalog.words.word_file import FILE, WordFile, is_current, open_words, write_words
from fashion.errors import SettingError
from fashion.tables.columns import usual_name
from fashion.taxonomy import Label

PRICES = ("price", "sale_price", "selling_price", "variant_price", "regular_price")
SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
CANDIDATES = 100  # of each kind, by photographs and by texts; all are ranked together


@dataclass(frozen=True)
class WordSearch:
    """Result of a text search.

    Attributes:
        matches: the best first.
        notes: one sentence for each word of the text that was ignored, with the reason, for a limit of the price or of
            the stock, with the column, and for excluded shades of a color.
    """

    matches: list[Match]
    notes: list[str]


def search_words(
    index: Index,
    text: str,
    where: str | Condition | None = None,
    limit: int = LIMIT,
    exact: bool = False,
    duplicates: bool = False,
) -> WordSearch:
    """Find products by text, the best first.

    Labels, and words that occur in titles or were learned from them, rank the products, see `catalog.words.ranking`.
    Labels and words after `no` or `without`, price limits and `in stock` are filters. Unknown words are ignored, with a
    note.

    Args:
        index: open.
        text: such as `red dress with long sleeves, no print, under 50`.
        where: an additional filter.
        limit: maximum number of products.
        exact: compare every product even if the index is approximate.
        duplicates: return every listing with near-identical photographs.

    Raises:
        SettingError: the text is empty or has only unknown words, or names a price but the catalog has no price column.
    """
    if limit < 1:
        raise SettingError(f"limit is {limit}; it must be 1 or more")
    vocabulary = Vocabulary(index.manifest.taxonomy)
    asked = parse_query(text, vocabulary)
    with ExitStack() as stack:
        path = _words_of(index)
        words = stack.enter_context(open_words(path)) if path else None
        unknown = [word for word in (*asked.words, *asked.unwanted_words) if not _phrases(word, asked, words)]
        notes = [unknown_note(word, asked.typed.get(word, word), vocabulary, words) for word in dict.fromkeys(unknown)]
        parts = query_parts(asked, vocabulary, words)
        notes += _filter_notes(index, asked)
        wanted = all_of(*_filters(index, asked, words), index.condition(where))
        if not (parts or wanted):
            raise SettingError("; ".join([f"the text {text!r} contains nothing to search for", *notes]))
        if not parts:
            return WordSearch(index.search(None, where=wanted, limit=limit, duplicates=duplicates), notes)
        order = words.best([phrase for part in parts for phrase in part.phrases]) if words else []
    count, more = max(CANDIDATES, limit), True
    matches: list[Match] = []
    while more and len(matches) < limit:
        found, more = _candidates(index, parts, order, wanted, count, exact)
        matches = rank(found, parts, index.manifest.taxonomy, order, len(found))
        if not duplicates:
            different = {product.id for product in index.without_duplicates([each.product for each in matches])}
            matches = [each for each in matches if each.product.id in different]
        count *= 2
    return WordSearch(matches[:limit], notes)


def query_parts(asked: ParsedQuery, vocabulary: Vocabulary, words: WordFile | None) -> list[QueryPart]:
    """The wanted phrases of a query with their evidence; unknown words are left out."""
    parts: list[QueryPart] = []
    for wish in asked.wanted:
        names = vocabulary.titles(wish.phrase, wish.labels)
        titled = frozenset(words.with_phrases(names) if words else ())
        text = " ".join(asked.typed.get(word, word) for word in wish.phrase)
        parts.append(QueryPart(text, names, wish.labels, titled=titled))
    for word in dict.fromkeys(asked.words):
        if words and (phrases := _phrases(word, asked, words)):
            titled = frozenset(words.with_phrases(phrases))
            learned = filter(None, map(words.guesses, (word, *asked.parts.get(word, ()))))
            text = asked.typed.get(word, word)
            parts.append(QueryPart(text, tuple(phrases), guesses=next(learned, {}), titled=titled))
    return parts


def _phrases(word: str, asked: ParsedQuery, words: WordFile | None) -> list[Phrase]:
    """Known forms of a word: as it is, or as its parts between hyphens; empty for an unknown word."""
    if not words:
        return []
    phrases = [(word,), *([asked.parts[word]] if word in asked.parts else [])]
    return [phrase for phrase in phrases if words.has(phrase) or (len(phrase) == 1 and words.guesses(word))]


def _filters(index: Index, asked: ParsedQuery, words: WordFile | None) -> Iterator[Condition]:
    columns = {column.name: column for column in index.columns.groups}
    named = [label for wish in asked.unwanted for label in wish.labels]
    for label in [*named, *_unwanted_shades(asked, index)]:
        yield Not(OneOf(columns[label.group], (label.name,)))
    for word in asked.unwanted_words:
        if words and (phrases := _phrases(word, asked, words)):
            yield Not(_points_of(words.with_phrases(phrases)))
    if asked.prices or asked.unwanted_prices:
        price = _price_column(index)
        if asked.prices:
            yield Between(price, asked.prices)
        if asked.unwanted_prices:
            low, high = asked.unwanted_prices["gte"], asked.unwanted_prices["lte"]
            yield Or((Between(price, {"lt": low}), Between(price, {"gt": high})))
    if asked.in_stock is not None and (stock := _stock_column(index)):
        yield in_stock(stock) if asked.in_stock else Not(in_stock(stock))


def _unwanted_shades(asked: ParsedQuery, index: Index) -> list[Label]:
    """Shades of unwanted basic colors that the text itself does not name, as `navy blue` in `navy blue, no blue`."""
    unwanted = [label for wish in asked.unwanted for label in wish.labels]
    named = {*unwanted, *(label for wish in asked.wanted for label in wish.labels)}
    found = [shade for label in unwanted for shade in shades(label, index.manifest.taxonomy.labels)]
    return [shade for shade in dict.fromkeys(found) if shade not in named]


def _filter_notes(index: Index, asked: ParsedQuery) -> Iterator[str]:
    """Notes on the filters that numbers, colors and `in stock` became: the words may have meant something else."""
    if found := _unwanted_shades(asked, index):
        yield f"no shades of unwanted colors: {', '.join(shade.name for shade in found)}"
    if asked.prices or asked.unwanted_prices:
        name, outside = _price_column(index).name, asked.unwanted_prices
        limits = [f"{name} {SIGNS[bound]} {cell_text(number)}" for bound, number in asked.prices.items()]
        if outside:
            limits.append(f"{name} < {cell_text(outside['gte'])} or {name} > {cell_text(outside['lte'])}")
        yield f"only products with {' and '.join(limits)}"
    if asked.in_stock is not None:
        state, stock = "in stock" if asked.in_stock else "out of stock", _stock_column(index)
        if stock:
            yield f"only products {state}, by the column {stock.name}"
        else:
            yield f"{state!r}: the catalog has no column of its stock; it was left out"


def _price_column(index: Index) -> Column:
    """The column of prices. Raises SettingError if there is none."""
    numbers = {column.name: column for column in index.columns.source if column.kind == "number"}
    name = usual_name(list(numbers), PRICES)
    if name is None:
        raise SettingError("the text has a price limit, but no column of numbers is called price; use --where")
    return numbers[name]


def _stock_column(index: Index) -> Column | None:
    name = stock_column(index.columns)
    found = [column for column in index.columns.source if column.name == name and column.kind != "date"]
    return found[0] if found else None


def _candidates(
    index: Index, parts: Sequence[QueryPart], order: Sequence[str], where: Condition | None, count: int, exact: bool
) -> tuple[list[Product], bool]:
    """Candidates for the ranking: by labels, by labels among those that all words fit, by texts, by learned words.

    Also returns whether there may be more than `count` of a kind.

    Args:
        index: open.
        parts: of the query.
        order: ids of the products whose texts contain some of its phrases, the best first.
        where: filter on the candidates.
        count: number of candidates of each kind.
        exact: compare every product.
    """
    found: dict[str, Product] = {}
    more = False
    words = [part for part in parts if not part.labels]
    if len(words) < len(parts):
        vector = candidate_vector(parts, index.manifest.taxonomy, index.manifest.embedding)
        named = [part.titled | {id for id, likely in part.guesses.items() if likely >= LIKELY} for part in words]
        all_fit = frozenset.intersection(*filter(None, named)) if any(named) else frozenset()
        for pool in (where, *([all_of(where, _points_of(all_fit))] if 0 < len(all_fit) <= MOST_NAMED else [])):
            nearest = index.nearest(vector, pool, count, exact)
            more |= len(nearest) == count
            found |= {product.id: product for product in nearest}
    for ids in (order, _likeliest(words)):
        listed = index.listed([id for id in ids if id not in found], where, count)
        more |= len(listed) == count
        found |= {product.id: product for product in listed}
    return list(found.values()), more


def _likeliest(words: Sequence[QueryPart]) -> list[str]:
    """The ids of the products that words fit, those with the largest product of probabilities first."""
    ids = list(dict.fromkeys(id for part in words for id in part.guesses))
    logs = np.sum([[math.log(max(part.guesses.get(id, 0), WEIGHTS.floor)) for id in ids] for part in words], axis=0)
    return [ids[place] for place in np.argsort(-logs, kind="stable")] if ids else []


def _points_of(ids: Iterable[str]) -> Points:
    return Points(tuple(map(point_id, ids)))


def _words_of(index: Index) -> Path | None:
    """Path of the index's word file, created at the first text search if there is none; None without texts."""
    path = index.store.file_path(FILE) if text_columns(index.columns) else None
    if path is not None and not is_current(path, index.manifest.created):
        write_words(path, index.manifest.created, texts_of(index.store, index.manifest))
        index.store.save_file(FILE)
    return path


def text_columns(columns: Columns) -> list[Column]:
    """The columns in which words are looked up: `in stock` in a column of the stock is not about a product's looks."""
    stock = stock_column(columns)
    return [column for column in columns.source if column.kind == "text" and column.name != stock]


def texts_of(store: Store, manifest: IndexManifest) -> Iterator[tuple[str, str]]:
    """The id and the joined texts of each product of an open index."""
    columns = text_columns(manifest.columns)
    products = exclude_photographs(manifest)
    where = store.builder.all_of([products.build(store.builder)]) if products else None
    for record in store.scroll(where):
        yield record.payload["id"], " ".join(str(v) for column in columns for v in column.values(record.payload))
