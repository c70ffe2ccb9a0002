"""The products of a list: those that pass a filter, optionally restricted by a text search or a photograph search."""

from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from catalog.similar.matches import Match
from catalog.similar.matching import Index
from catalog.words.searching import WordSearch, search_words
from fashion.errors import FashionError, SettingError, one_line
from fashion.predictor import Predictor
from page.browsing.facets import Facet, facets
from page.browsing.product_cards import ProductCard, cards_of_matches, cards_of_rows
from page.browsing.selection import ListSelection
from page.shop import Shop

PAGE_SIZE = 48
MAX_RESULTS = 240  # maximum results of a search


@dataclass(frozen=True)
class ProductList:
    """One page of a list.

    Attributes:
        total: number of products on all pages.
        pages: number of pages.
        page: the one that is shown: the selection's, or the last.
        cards: the products of this page.
        facets: of the selection.
        error: why the filter or the words cannot be used, or "".
        notes: on words of the search that could not be used, and on its limits of price and stock.
    """

    total: int = 0
    pages: int = 1
    page: int = 1
    cards: list[ProductCard] = field(default_factory=list)
    facets: list[Facet] = field(default_factory=list)
    error: str = ""
    notes: list[str] = field(default_factory=list)


def list_products(shop: Shop, selection: ListSelection) -> ProductList:
    """The products of a selection; after an error see `failed_list`."""
    try:
        shop.refresh()
        return _list_products(shop, selection)
    except FashionError as problem:
        return failed_list(shop, selection, problem)


def failed_list(shop: Shop, selection: ListSelection, problem: FashionError) -> ProductList:
    """No products, a message, and the facets of the selection.

    If its filter cannot be used, they are those of the choices without the written filter, or else of all products.
    """
    every: np.ndarray = np.ones(len(shop), bool)
    for tried in (selection, replace(selection, where="")):
        with suppress(FashionError):
            found = facets(shop, tried, shop.filter_mask(tried.filter()), every)
            break
    else:
        found = facets(shop, ListSelection(), every, every)
    return ProductList(facets=found, error=one_line(problem))


def _list_products(shop: Shop, selection: ListSelection) -> ProductList:
    among: np.ndarray = np.ones(len(shop), bool)
    matches: list[Match] = []
    notes: list[str] = []
    if selection.words:
        searched = _searched(shop, selection)
        matches, notes = searched.matches, searched.notes
        among = np.zeros(len(shop), bool)
        among[shop.rows([match.product.id for match in matches])] = True
    kept = shop.filter_mask(selection.filter()) & among
    total = int(kept.sum())
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(selection.page, pages)
    first = (page - 1) * PAGE_SIZE
    if selection.words:
        cards = cards_of_matches(shop, matches[first : first + PAGE_SIZE])
    else:
        cards = cards_of_rows(shop, [int(row) for row in np.flatnonzero(kept)[first : first + PAGE_SIZE]])
    return ProductList(total, pages, page, cards, facets(shop, selection, kept, among), notes=notes)


def like_photograph(shop: Shop, predictor: Predictor, selection: ListSelection, photo: bytes) -> ProductList:
    """The products most similar to a photograph, among those that pass a selection; the facets count all of these.

    Raises:
        FashionError: the photograph or the filter cannot be used, or there is no index.
    """
    index = _index(shop)
    shop.refresh()
    query = index.photograph(photo, predictor)
    with shop.lock:
        matches = index.search(query, where=selection.filter() or None, limit=PAGE_SIZE)
    every: np.ndarray = np.ones(len(shop), bool)
    counted = facets(shop, selection, shop.filter_mask(selection.filter()), every)
    return ProductList(len(matches), 1, 1, cards_of_matches(shop, matches), counted)


def _searched(shop: Shop, selection: ListSelection) -> WordSearch:
    index = _index(shop)
    with shop.lock:
        return search_words(index, selection.words, selection.filter() or None, MAX_RESULTS)


def _index(shop: Shop) -> Index:
    if shop.index is None:
        raise SettingError(f"searches need an index; make one with: python -m catalog.index {shop.scored.folder}")
    return shop.index
