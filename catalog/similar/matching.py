"""An index that is open: the products that are like one, may take its place, or go with those somebody likes."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from catalog.engines.store import Examples, Store
from catalog.filters.columns import Columns, point_id
from catalog.filters.conditions import And, Condition, Not, Points
from catalog.filters.where import parse
from catalog.similar import near_duplicates, replacement
from catalog.similar.manifest import IndexManifest
from catalog.similar.matches import Match, Product, match, product_of
from catalog.similar.recommendation import check_examples
from catalog.similar.settings import How, SearchSettings
from catalog.similar.spaces import Measure, diverse, scores, unit
from fashion.errors import DataError, InvalidImage, one_line

if TYPE_CHECKING:
    from fashion.predictor import Predictor

POOL, POOL_LEAST = 10, 50  # candidates for each product wanted, from which unlike ones are chosen


class Index:
    """An index that is open. Make one with `catalog.open_index`, and close it: it is a context manager.

    Attributes:
        manifest: what it says of itself.
        columns: what filters can name.
        store: the engine.
    """

    def __init__(self, store: Store) -> None:
        content = store.read_manifest()
        if content is None:
            raise DataError(f"{store.place} is not an index; python -m catalog.index makes one from a scored catalog")
        self.store = store
        self.manifest = IndexManifest.from_json(content, store.place)
        self.columns: Columns = self.manifest.columns
        if not self.manifest.complete:
            raise DataError(
                f"the index {store.place} is half-written: its indexing was cut off, or still runs; "
                f"python -m catalog.index {self.manifest.catalog} {store.flags} completes it"
            )
        if not self.manifest.rows:
            raise DataError(f"the index {store.place} is empty: {self.manifest.catalog} held no product")
        store.open()

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine, so that another process can open the index."""
        self.store.close()

    def __len__(self) -> int:
        return self.manifest.rows

    def product(self, id: str) -> Product:
        """The product of that id.

        Raises:
            DataError: there is none.
        """
        return self.products([id])[0]

    def products(self, ids: Sequence[str]) -> list[Product]:
        """The products of these ids, in that order. Raises DataError for an id that is not there."""
        found = {product.id: product for product in self._fetch([point_id(id) for id in ids])}
        for id in ids:
            if id not in found:
                raise DataError(f"the index {self.store.place} has no product with the id {id!r}")
        return [found[id] for id in ids]

    def photograph(self, path: str | Path, predictor: "Predictor") -> Product:
        """A photograph as something to search with.

        Raises:
            DataError: the predictor's model is not the one whose vectors the index holds.
            InvalidImage: it cannot be used.
        """
        self.check_model(predictor.card.name, predictor.card.version, predictor.card.weights_id)
        try:
            prediction = predictor.predict(Path(path))
        except InvalidImage as error:
            raise InvalidImage(f"{path}: {one_line(error)}") from None
        attributes: dict[str, list[str]] = {group: [] for group in predictor.taxonomy.groups}
        for attribute in predictor.answer(prediction, self.manifest.profile)["attributes"]:
            attributes[attribute["group"]].append(attribute["name"])
        own = scores(prediction.probabilities, self.manifest.taxonomy)
        return Product(str(path), str(path), attributes, {}, unit(prediction.embedding), own)

    def check_model(self, name: str, version: str, weights: str) -> None:
        """Raise DataError where the vectors of a model cannot be compared with those of the index."""
        own = self.manifest.model
        if weights != own["weights"]:
            raise DataError(
                f"the index {self.store.place} was made by the model {own['name']} {own['version']} "
                f"({short(own['weights'])}), the bundle holds {name} {version} ({short(weights)}), whose vectors mean "
                "something else; take that bundle, or score and index the catalog with this one"
            )

    def search(self, query: Product | str | None = None, **how: Unpack[How]) -> list[Match]:
        """The products most like one, most similar first.

        Args:
            query: a product, its id, or a `photograph`; None lists what the filter keeps, in no order. A product of the
                index is not among its own matches.
            how: see `catalog.similar.settings.SearchSettings`.

        Raises:
            DataError: an unknown id.
            SettingError: a filter or a value that cannot be used.
        """
        settings = SearchSettings(**how)
        measure = settings.measure(self.manifest)
        where = self.condition(settings.where)
        if query is None:
            return [Match(product, None, {}, {}) for product in self._fetch(self._first(where, settings.limit))]
        if isinstance(query, str):
            query = self.product(query)
        itself = [Not(Points((point_id(query.id),)))] if query.payload else []
        return self._matches(query, measure, And((*([where] if where else []), *itself)), settings)

    def replace(
        self, id: str, *, same: Sequence[str] | None = None, stock: str | None = None, **how: Unpack[How]
    ) -> list[Match]:
        """Products that may take the place of one: alike, in stock, and neither it nor a duplicate of it.

        Args:
            id: of the product that is replaced.
            same, stock: see `catalog.similar.replacement.conditions`.
            how: see `catalog.similar.settings.SearchSettings`.

        Raises:
            DataError: an unknown id.
            SettingError: an unknown column, or one that cannot be used so.
        """
        settings = SearchSettings(**how)
        measure = settings.measure(self.manifest)
        product = self.product(id)
        wanted = replacement.conditions(product, self.columns, same, stock)
        where = self.condition(settings.where)
        others = Not(Points(tuple(self._twins(product, settings.exact))))
        return self._matches(product, measure, And((*wanted, *([where] if where else []), others)), settings)

    def recommend(self, like: Sequence[str], unlike: Sequence[str] = (), **how: Unpack[How]) -> list[Match]:
        """Products near one of those that somebody likes, and farther from all that they do not like.

        Qdrant's recommendation by best score decides their order. A match's similarity, and what it shares and differs
        in, is to the nearest of `like`.

        Args:
            like, unlike: ids of products; none of them is recommended.
            how: see `catalog.similar.settings.SearchSettings`; diversity is not for recommendations.

        Raises:
            DataError: an unknown id.
            SettingError: nothing liked, a product both liked and not, or a setting that is not for recommendations.
        """
        settings = SearchSettings(**how)
        check_examples(like, unlike, settings)
        liked, unliked = self.products(like), self.products(unlike)
        known = Not(Points(tuple(point_id(id) for id in (*like, *unlike))))
        where = self.condition(settings.where)
        kept = self._filter(And((where, known)) if where else known)
        measure = settings.measure(self.manifest)
        examples = Examples(
            *([self.manifest.query(_query(measure, p), settings.exact) for p in found] for found in (liked, unliked))
        )
        hits = self.store.recommend(examples, settings.limit, kept)
        found = []
        for product in self._fetch([hit.id for hit in hits]):
            alike = np.stack([_query(measure, p) for p in liked]) @ product.point + measure.offset
            found.append(match(product, float(alike.max()), liked[int(alike.argmax())].attributes))
        return found

    def duplicates(self, threshold: float | None = None, exact: bool = True) -> list[list[str]]:
        """Groups of products with near-identical photographs, see `catalog.similar.near_duplicates.groups`."""
        return near_duplicates.groups(
            self.store, self.manifest, near_duplicates.THRESHOLD if threshold is None else threshold, exact
        )

    def nearest(self, vector: np.ndarray, where: Condition | None, limit: int, exact: bool = False) -> list[Product]:
        """The products whose points have the largest scalar product with a vector, that first.

        Args:
            vector: float32 (E + A,), see `catalog.similar.spaces.point`.
            where: only products that pass it are compared.
            limit: as few as are needed: reading vectors back takes longer than finding them.
            exact: compare with every product, also where the index has a graph.
        """
        hits = self.store.nearest(self.manifest.query(vector, exact), limit, self._filter(where))
        return self._fetch([hit.id for hit in hits])

    def condition(self, where: str | Condition | None) -> Condition | None:
        """A filter, read if it is text."""
        return parse(where, self.columns) if isinstance(where, str) else where

    def _matches(self, query: Product, measure: Measure, where: Condition, settings: SearchSettings) -> list[Match]:
        limit, diversity = settings.limit, settings.diversity
        pool = max(POOL_LEAST, POOL * limit) if diversity else limit
        vector = _query(measure, query)
        found = self.nearest(vector, where, pool, settings.exact)
        if not found:
            return []
        points = np.stack([product.point for product in found])
        alike = points @ vector + measure.offset
        order = sorted(range(len(found)), key=lambda i: (-alike[i], found[i].id))
        if diversity:

            def to(chosen: int) -> np.ndarray:
                return points[order] @ _query(measure, found[order[chosen]]) + measure.offset

            order = [order[i] for i in diverse(alike[order], to, limit, diversity)]
        return [match(found[i], float(alike[i]), query.attributes) for i in order[:limit]]

    def _fetch(self, ids: Sequence[str]) -> list[Product]:
        if not ids:
            return []
        found = {record.id: record for record in self.store.retrieve(ids, vector=True)}
        return [product_of(found[id], self.manifest) for id in ids if id in found]

    def _first(self, condition: Condition | None, limit: int) -> list[str]:
        records = self.store.scroll(self._filter(condition), payload=["id"])
        return [record.id for record, _ in zip(records, range(limit), strict=False)]

    def _filter(self, condition: Condition | None) -> Any:
        return None if condition is None else self.store.builder.every([condition.build(self.store.builder)])

    def _twins(self, product: Product, exact: bool) -> list[str]:
        """The points of a product and of its duplicates."""
        (found,) = near_duplicates.twins(self.store, self.manifest, product.embedding[None], exact=exact)
        return [point_id(product.id), *found]


def short(weights: str) -> str:
    """The first digits of the hash of a model's weights."""
    return weights.removeprefix("sha256:")[:12]


def _query(measure: Measure, product: Product) -> np.ndarray:
    return measure.query(product.embedding, product.scores)
