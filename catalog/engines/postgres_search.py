"""Searches in a table of PostgreSQL: a graph or a filter gives candidates, and those are compared by whole vectors.

pgvector walks its graph first and asks the filter afterwards: with one that keeps a share s, c candidates are found
among the nearest c / s. Comparing the shorter vectors of all that a filter keeps costs as much as they are. The two
meet where as many are kept as `_walked` says. What PostgreSQL estimates of a filter may be wrong, and a graph is left
after `hnsw.max_scan_tuples`: where it gives too few, everything that is kept is compared.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from pgvector import HalfVector, Vector
from psycopg import sql

from catalog.engines.postgres_filters import Clause, Sql
from catalog.engines.store import CANDIDATES, EF, Examples, Hit, Query

# Products that are compared as fast as a graph gives its next one: 3 and 20 µs by EXPLAIN ANALYZE, 184 numbers, 40,000
STEP = 6
SETTINGS = {  # of a session
    "client_connection_check_interval": "2s",  # what a killed client asked for ends soon, and its lock with it
    "hnsw.ef_search": str(EF),
    "hnsw.iterative_scan": "relaxed_order",  # until there are enough; they are ordered by whole products
}
NOT_COUNTED, COUNTED = sql.SQL("0"), sql.SQL("(SELECT count(*) FROM found)")

Fetch = Callable[[Sql, Sequence[object]], list[tuple[Any, ...]]]


class PostgresSearch(NamedTuple):
    """A table that is searched.

    Attributes:
        fetch: asks the database and returns the rows.
        table: the table.
        graphs: whether there is a graph; whole vectors are halfvec then.
    """

    fetch: Fetch
    table: sql.Identifier
    graphs: bool

    def nearest(self, query: Query, limit: int, where: Clause) -> list[Hit]:
        """See `catalog.engines.store.Store.nearest`."""
        return self.recommend(Examples([query], []), limit, where)

    def recommend(self, examples: Examples, limit: int, where: Clause) -> list[Hit]:
        """See `catalog.engines.store.Store.recommend`; a search is one product that is liked."""
        vectors, scale = self._vectors([query.vector for query in (*examples.like, *examples.unlike)])
        near, far = _best(vectors[: len(examples.like)]), _best(vectors[len(examples.like) :])
        coarse = [query.coarse for query in examples.like if query.coarse is not None]
        wanted = limit + CANDIDATES
        for walked in ([True, False] if self._walked(wanted, where) else [False]) if coarse else []:
            found = self._ranked(near, far, limit, self._candidates(coarse, wanted, where, walked), COUNTED)
            among = found[0][3] if found else 0
            liked = all(near > far for _, near, far, _ in found)  # else others may be nearer to what is liked than not
            if (among >= wanted and liked) or (among < wanted and not walked):
                return _hits(found, scale)
        everything = sql.SQL("SELECT id, vector FROM {} WHERE {}").format(self.table, where.text)
        return _hits(self._ranked(near, far, limit, Clause(everything, where.parameters)), scale)

    def _ranked(
        self, near: Clause, far: Clause, limit: int, some: Clause, among: sql.SQL = NOT_COUNTED
    ) -> list[tuple[Any, ...]]:
        """Of some products the best: id, how near they are to what is liked and to what is not, and `among`.

        Those that are nearer to what is liked come first, the nearest before the others; then the rest, the farther
        from what is not liked the better.
        """
        asked = sql.SQL(
            "WITH found AS ({}), compared AS (SELECT id, {} AS near, {} AS far FROM found OFFSET 0) "  # computed once
            "SELECT id, near, far, {} FROM compared "
            "ORDER BY near > far DESC, CASE WHEN near > far THEN near ELSE -far END DESC, id LIMIT {}"
        ).format(some.text, near.text, far.text, among, sql.Literal(limit))
        return self.fetch(asked, (*some.parameters, *near.parameters, *far.parameters))

    def _candidates(self, coarse: Sequence[np.ndarray], count: int, where: Clause, walked: bool) -> Clause:
        """The products nearest to one of some by their shorter vectors: of those that a graph finds, or of all kept."""
        order = sql.SQL("coarse <#> %s" if walked else "(coarse <#> %s) + 0")  # a sum is no order that an index has
        one = sql.SQL("(SELECT id FROM {} WHERE {} ORDER BY {} LIMIT {})").format(
            self.table, where.text, order, sql.Literal(count)
        )
        each = sql.SQL(" UNION ").join([one] * len(coarse))
        text = sql.SQL("SELECT id, vector FROM {} WHERE id IN ({})").format(self.table, each)
        vectors = [HalfVector(vector / _length(vector)) for vector in coarse]  # their order is the same at any length
        return Clause(text, tuple(value for vector in vectors for value in (*where.parameters, vector)))

    def _walked(self, wanted: int, where: Clause) -> bool:
        """Whether a filter keeps so many products, as PostgreSQL estimates, that the graph is the quicker way."""
        rows = []
        for text, parameters in ((sql.SQL("TRUE"), ()), where):
            asked = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {} WHERE {}").format(self.table, text)
            rows.append(self.fetch(asked, parameters)[0][0][0]["Plan"]["Plan Rows"])
        return rows[1] > math.sqrt(STEP * wanted * rows[0])

    def _vectors(self, vectors: Sequence[np.ndarray]) -> tuple[list[Any], float]:
        """Vectors as whole ones are compared with, and what scalar products with them have to be multiplied by."""
        if not self.graphs:
            return [Vector(vector) for vector in vectors], 1.0
        scale = max(map(_length, vectors))  # float16 ends at 65,504
        return [HalfVector(vector / scale) for vector in vectors], scale


def _best(vectors: Sequence[Any]) -> Clause:
    """The largest scalar product with one of some vectors; minus infinity where there are none."""
    each = [sql.SQL("'-infinity'::float8"), *[sql.SQL("-(vector <#> %s)")] * len(vectors)]
    return Clause(sql.SQL("GREATEST({})").format(sql.SQL(", ").join(each)), tuple(vectors))


def _length(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector)) or 1.0


def _hits(found: Sequence[tuple[Any, ...]], scale: float) -> list[Hit]:
    return [Hit(str(id), near * scale) for id, near, *_ in found]
