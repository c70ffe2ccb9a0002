"""Query API of an open index: search, replace, recommend and find duplicates."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from catalog.engines.store import Examples, Store
from catalog.filters.columns import Columns, point_id
from catalog.filters.conditions import Condition, Points, all_of
from catalog.filters.where import parse
from catalog.scored.score_manifest import describe_model
from catalog.similar import near_duplicates, replacement
from catalog.similar.listings import (
    exclude_later_photographs,
    exclude_photographs,
    exclude_products,
    faces,
    first_of_each_product,
    without_duplicates,
)
from catalog.similar.manifest import IndexManifest
from catalog.similar.matches import Match, Product, match, product_of
from catalog.similar.settings import LIMIT, SearchOptions, SearchSettings, check_examples
from catalog.similar.spaces import Measure, diverse, scores, unit_vectors
from fashion.errors import DataError, InvalidImage, SettingError, one_line

if TYPE_CHECKING:
    from fashion.predictor import Predictor

LEAST_NAMED, MOST_NAMED = 256, 20_000  # ids in a filter on a list of products: of the first scroll, and at most
GROWTH = 4  # of the number of ids, from scroll to scroll
POOL, POOL_LEAST = 10, 50  # candidates for a diverse selection: per product wanted, and at least


class Index:
    """An open index. Open one with `catalog.open_index`; it is a context manager that closes it.

    Attributes:
        manifest: description of the index.
        columns: columns that filters can name.
        store: the engine.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        try:
            self._open(store)
        except BaseException:
            store.close()
            raise

    def _open(self, store: Store) -> None:
        content = store.read_manifest()
        if content is None:
            raise DataError(f"{store.place} is not an index; python -m catalog.index makes one from a scored catalog")
        self.manifest = IndexManifest.from_json(content, store.place)
        self.columns: Columns = self.manifest.columns
        if not self.manifest.complete:
            raise DataError(
                f"the index {store.place} is half-written: its indexing was cut off, or still runs; "
                f"python -m catalog.index {shlex.quote(self.manifest.catalog)} {store.flags} completes it"
            )
        if not self.manifest.rows:
            raise DataError(f"the index {store.place} is empty: {self.manifest.catalog} held no product")
        store.open()

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the engine so that another process can open the index."""
        self.store.close()

    def __len__(self) -> int:
        return self.manifest.rows

    def product(self, id: str) -> Product:
        """The product with this id.

        Raises:
            DataError: the id is unknown.
        """
        return self.products([id])[0]

    def products(self, ids: Sequence[str]) -> list[Product]:
        """The products with these ids, in this order.

        Raises:
            DataError: an unknown id.
            SettingError: an id that is not text.
        """
        for id in ids:
            if not isinstance(id, str):  # such as a number of a pandas table
                raise SettingError(f"product ids are text: write {str(id)!r} instead of {id!r}")
        found = {product.id: product for product in self._fetch([point_id(id) for id in ids])}
        for id in ids:
            if id not in found:
                raise DataError(f"the index {self.store.place} has no product with the id {id!r}")
        return [found[id] for id in ids]

    def photograph(self, path: str | Path | bytes, predictor: "Predictor") -> Product:
        """Predict a photograph, given as a file or as bytes, for use as a query.

        Raises:
            DataError: the predictor's model is not the one that computed the index's vectors.
            InvalidImage: the photograph cannot be decoded or is unsuitable.
        """
        self.check_model(predictor.identity())
        name = "photograph" if isinstance(path, bytes) else str(path)
        try:
            prediction = predictor.predict(path if isinstance(path, bytes) else Path(path))
        except InvalidImage as error:
            raise InvalidImage(f"{name}: {one_line(error)}") from None
        attributes: dict[str, list[str]] = {group: [] for group in predictor.taxonomy.groups}
        for attribute in predictor.answer(prediction, self.manifest.profile)["attributes"]:
            attributes[attribute["group"]].append(attribute["name"])
        taxonomy = self.manifest.taxonomy
        own, embedding = scores(prediction.probabilities, taxonomy), unit_vectors(prediction.embedding)
        return Product(name, name, attributes, {}, embedding, own, repeated=taxonomy.repeated_names)

    def check_model(self, model: Mapping[str, str]) -> None:
        """Raise DataError if another model than this one, see `fashion.answers.identity`, computed the vectors."""
        if model["weights"] != self.manifest.model["weights"]:
            raise DataError(
                f"the index {self.store.place} was made by the model {describe_model(self.manifest.model)}, the bundle "
                f"holds {describe_model(model)}, whose vectors cannot be compared; use the index's bundle, or score "
                "and index the catalog with this one"
            )

    def search(self, query: Product | str | None = None, **options: Unpack[SearchOptions]) -> list[Match]:
        """Find the products most similar to one, most similar first.

        A match with several photographs is compared by its closest photograph or by their joined embedding; that
        photograph becomes the image of the match.

        Args:
            query: a product, its id, or a `photograph`; None lists the products that pass the filter, in no particular
                order. A product of the index is not among its own matches.
            options: see `catalog.similar.settings.SearchSettings`.

        Raises:
            DataError: an unknown id.
            SettingError: an invalid filter or setting.
        """
        settings = SearchSettings(**options)
        measure = settings.measure(self.manifest)
        where = self.condition(settings.where)
        if query is None:
            return [Match(product, None, {}, {}) for product in self._listed(where, settings)]
        if not isinstance(query, Product):
            query = self.product(query)
        others = exclude_products([query.id], self.manifest) if query.payload else None
        known = [query] if query.payload and not settings.duplicates else []
        return self._matches(query, measure, all_of(where, others), settings, known)

    def replace(
        self, id: str, *, same: Sequence[str] | None = None, stock: str | None = None, **options: Unpack[SearchOptions]
    ) -> list[Match]:
        """Find replacements for a product: similar products in stock, without the product itself and its duplicates.

        Args:
            id: of the product to replace.
            same, stock: see `catalog.similar.replacement.conditions`.
            options: see `catalog.similar.settings.SearchSettings`.

        Raises:
            DataError: an unknown id.
            SettingError: an unknown or unsuitable column, or an invalid setting.
        """
        settings = SearchSettings(**options)
        measure = settings.measure(self.manifest)
        product = self.product(id)
        wanted = replacement.conditions(product, self.columns, same, stock)
        where = self.condition(settings.where)
        others = exclude_products([id], self.manifest)
        return self._matches(product, measure, all_of(*wanted, where, others), settings, [product])

    def recommend(
        self, like: Sequence[str], unlike: Sequence[str] = (), **options: Unpack[SearchOptions]
    ) -> list[Match]:
        """Recommend products close to any liked product and farther from every disliked one.

        Qdrant's best-score recommendation determines the order. A match is compared with the closest of `like`.

        Args:
            like, unlike: ids of products; neither they nor their duplicates are recommended.
            options: see `catalog.similar.settings.SearchSettings`; diversity is not supported.

        Raises:
            DataError: an unknown id.
            SettingError: nothing is liked, a product is both liked and disliked, or a setting is not supported.
        """
        settings = SearchSettings(**options)
        check_examples(like, unlike, settings)
        liked, unliked = self.products(like), self.products(unlike)
        known = exclude_products([*like, *unlike], self.manifest)
        kept = self._filter(all_of(self.condition(settings.where), known))
        measure = settings.measure(self.manifest)
        examples = Examples(
            *([self.manifest.query(_query(measure, p), settings.exact) for p in found] for found in (liked, unliked))
        )

        def ask(count: int) -> list[str]:
            return [hit.id for hit in self.store.recommend(examples, count, kept)]

        vectors = np.stack([_query(measure, p) for p in liked])
        found = []
        for product in self._collected(ask, settings.limit, settings, [*liked, *unliked])[: settings.limit]:
            alike = vectors @ product.point + measure.offset
            found.append(match(product, float(alike.max()), liked[int(alike.argmax())].attributes))
        return found

    def duplicates(self, threshold: float | None = None, exact: bool = True) -> list[list[str]]:
        """Find groups of products with near-identical photographs, see `catalog.similar.near_duplicates.groups`.

        Of a product with several photographs, the first one and the joined embedding are compared.
        """
        chosen = near_duplicates.THRESHOLD if threshold is None else threshold
        where = self._filter(exclude_later_photographs(self.manifest))
        return near_duplicates.groups(self.store, self.manifest, chosen, exact, where)

    def duplicates_of(self, id: str, limit: int = LIMIT) -> list[Match]:
        """Find the products that `duplicates` compares equal to a product, most similar first.

        Raises:
            DataError: the id is unknown.
        """
        product = self.product(id)
        (own,) = faces([product], self.store, self.manifest)
        where = self._filter(exclude_later_photographs(self.manifest))
        found = near_duplicates.twins(self.store, self.manifest, own, where=where)
        near = Points(tuple(dict.fromkeys(point for points in found for point in points)))
        return self.search(product, space="embedding", where=near, limit=limit, duplicates=True)

    def without_duplicates(self, products: Sequence[Product]) -> list[Product]:
        """Drop duplicate listings, see `catalog.similar.listings.without_duplicates`."""
        return without_duplicates(products, [], self.store, self.manifest)

    def nearest(self, vector: np.ndarray, where: Condition | None, limit: int, exact: bool = False) -> list[Product]:
        """The products with the largest dot product with a vector, largest first; single photographs are excluded.

        Args:
            vector: float32 (E + A,), see `catalog.similar.spaces.point`.
            where: only products that pass this filter are compared.
            limit: keep it small: reading vectors back takes longer than the search.
            exact: compare every product even if the index is approximate.
        """
        kept = self._filter(all_of(where, exclude_photographs(self.manifest)))
        return self._fetch(self._nearest(vector, kept, limit, exact))

    def listed(self, ids: Sequence[str], where: Condition | None, limit: int, duplicates: bool = True) -> list[Product]:
        """The first products of a list that pass a filter, in the order of the list; unknown ids are skipped.

        Args:
            ids: of products.
            where: the filter.
            limit: maximum number of products.
            duplicates: return every listing with near-identical photographs.

        Raises:
            SettingError: a limit below 1.
        """
        passing, found = self._passing(ids, where), list[str]()

        def ask(count: int) -> list[str]:
            found.extend(islice(passing, count - len(found)))
            return found

        return self._collected(ask, limit, SearchSettings(limit=limit, duplicates=duplicates))[:limit]

    def condition(self, where: str | Condition | None) -> Condition | None:
        """The filter as a condition; text is parsed."""
        return parse(where, self.columns) if isinstance(where, str) else where

    def _matches(
        self,
        query: Product,
        measure: Measure,
        where: Condition | None,
        settings: SearchSettings,
        known: Sequence[Product],
    ) -> list[Match]:
        limit, diversity = settings.limit, settings.diversity
        pool = max(POOL_LEAST, POOL * limit) if diversity else limit
        vector, kept = _query(measure, query), self._filter(where)

        def ask(count: int) -> list[str]:
            return self._nearest(vector, kept, count, settings.exact)

        def ranked(found: list[Product]) -> list[Product]:
            alike = np.stack([product.point for product in found]) @ vector
            return [found[i] for i in sorted(range(len(found)), key=lambda i: (-alike[i], found[i].id))]

        found = self._collected(ask, pool, settings, known, ranked)[:pool]
        if not found:
            return []
        points = np.stack([product.point for product in found])
        alike = points @ vector + measure.offset
        order = list(range(len(found)))
        if diversity:

            def to(chosen: int) -> np.ndarray:
                return points @ _query(measure, found[chosen]) + measure.offset

            order = diverse(alike, to, limit, diversity)
        return [match(found[i], float(alike[i]), query.attributes) for i in order[:limit]]

    def _nearest(self, vector: np.ndarray, kept: Any, limit: int, exact: bool) -> list[str]:
        """The points with the largest dot product with a vector (E + A,) that pass the engine's filter."""
        (hits,) = self.store.nearest(self.manifest.query(vector[None], exact), limit, kept)
        return [hit.id for hit in hits]

    def _collected(
        self,
        ask: Callable[[int], list[str]],
        wanted: int,
        settings: SearchSettings,
        known: Sequence[Product] = (),
        ranked: Callable[[list[Product]], list[Product]] = list,
    ) -> list[Product]:
        """Ask the engine for points until they make up enough distinct products; best first.

        Args:
            ask: returns the ids of the first `count` points, in the engine's order.
            wanted: minimum number of products, if there are so many.
            settings: whether duplicates of each other are kept.
            known: products whose duplicates are dropped.
            ranked: sorts products.
        """
        count = wanted  # kept small: reading vectors back takes longer than the search
        while True:
            ids = ask(count)
            points = self._fetch(ids)
            found = first_of_each_product(ranked(points)) if points else []
            if not settings.duplicates or known:
                found = self._distinct(found, known, settings)
            if len(found) >= wanted or len(ids) < count:
                return found
            count = 2 * count + len(known)

    def _distinct(self, found: list[Product], known: Sequence[Product], settings: SearchSettings) -> list[Product]:
        if not settings.duplicates:
            return without_duplicates(found, known, self.store, self.manifest)
        return [product for product in found if without_duplicates([product], known, self.store, self.manifest)]

    def _fetch(self, ids: Sequence[str]) -> list[Product]:
        if not ids:
            return []
        found = {record.id: record for record in self.store.retrieve(ids, vector=True)}
        return [product_of(found[id], self.manifest) for id in ids if id in found]

    def _listed(self, condition: Condition | None, settings: SearchSettings) -> list[Product]:
        """The first products that pass a filter."""
        kept = self._filter(all_of(condition, exclude_photographs(self.manifest)))

        def ask(count: int) -> list[str]:
            records = self.store.scroll(kept, payload=["id"])
            return [record.id for record, _ in zip(records, range(count), strict=False)]

        return self._collected(ask, settings.limit, settings)[: settings.limit]

    def _passing(self, ids: Sequence[str], where: Condition | None) -> Iterator[str]:
        """The points of the products that pass a filter, in the order of `ids`.

        A scroll may read every row, however few it names, so each names several times as many as the one before.
        """
        start, count = 0, LEAST_NAMED
        while start < len(ids):
            points = tuple(map(point_id, ids[start : start + count]))
            kept = self._filter(all_of(where, Points(points)))
            passed = {record.id for record in self.store.scroll(kept, payload=["id"])}
            yield from (id for id in points if id in passed)
            start, count = start + count, min(GROWTH * count, MOST_NAMED)

    def _filter(self, condition: Condition | None) -> Any:
        return None if condition is None else self.store.builder.all_of([condition.build(self.store.builder)])


def _query(measure: Measure, product: Product) -> np.ndarray:
    return measure.query(product.embedding, product.scores)
