"""Search a PostgreSQL table: the HNSW graph or the filter yields candidates, which are rescored with full vectors.

pgvector traverses its graph first and filters afterwards: a filter that keeps a share s of the rows finds c candidates
among the nearest c / s. Comparing the coarse vectors of all rows that pass the filter costs time proportional to their
number. `_graph_is_faster` estimates which is cheaper. PostgreSQL's estimate of the filter may be wrong, and a graph
scan stops after `hnsw.max_scan_tuples`; if it yields too few candidates, all rows that pass the filter are compared.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from pgvector import HalfVector, Vector
from psycopg import sql

from catalog.engines.postgres_filters import Clause, Sql
from catalog.engines.store import CANDIDATES, EF, Examples, Hit

# Comparisons that take as long as one step of the graph: 3 and 20 µs by EXPLAIN ANALYZE, 184 numbers, 40,000 products
STEP = 6
SETTINGS = {  # of the session
    "client_connection_check_interval": "2s",  # soon ends the query of a killed client and releases its lock
    "hnsw.ef_search": str(EF),
    "hnsw.iterative_scan": "relaxed_order",  # scan until there are enough candidates; full vectors give the order
}
NOT_COUNTED, COUNTED = sql.SQL("0"), sql.SQL("(SELECT count(*) FROM found)")

Fetch = Callable[[Sql, Sequence[object]], list[tuple[Any, ...]]]


class PostgresSearch(NamedTuple):
    """Searches in one table.

    Attributes:
        fetch: runs a query and returns its rows.
        table: the table.
        graphs: whether there is an HNSW graph; if so, full vectors are stored as halfvec.
    """

    fetch: Fetch
    table: sql.Identifier
    graphs: bool

    def recommend(self, examples: Examples, limit: int, where: Clause) -> list[Hit]:
        """See `catalog.engines.store.Store.recommend`; a plain search is one liked example."""
        vectors, scale = self._vectors([query.vector for query in (*examples.like, *examples.unlike)])
        near, far = _best(vectors[: len(examples.like)]), _best(vectors[len(examples.like) :])
        coarse = [query.coarse for query in examples.like if query.coarse is not None]
        wanted = limit + CANDIDATES
        for use_graph in ([True, False] if self._graph_is_faster(wanted, where) else [False]) if coarse else []:
            found = self._ranked(near, far, limit, self._candidates(coarse, wanted, where, use_graph), COUNTED)
            among = found[0][3] if found else 0
            liked = all(near > far for _, near, far, _ in found)  # if not, better products may be no candidates
            if (among >= wanted and liked) or (among < wanted and not use_graph):
                return _hits(found, scale)
        everything = sql.SQL("SELECT id, vector FROM {} WHERE {}").format(self.table, where.text)
        return _hits(self._ranked(near, far, limit, Clause(everything, where.parameters)), scale)

    def _ranked(
        self, near: Clause, far: Clause, limit: int, some: Clause, among: sql.SQL = NOT_COUNTED
    ) -> list[tuple[Any, ...]]:
        """The best of the candidates `some`: id, closeness to liked and to disliked examples, and `among`.

        Products closer to a liked than to any disliked example come first, closest first. The others follow, farthest
        from the disliked examples first.
        """
        asked = sql.SQL(
            # OFFSET 0 keeps PostgreSQL from computing near and far more than once.
            "WITH found AS ({}), compared AS (SELECT id, {} AS near, {} AS far FROM found OFFSET 0) "
            "SELECT id, near, far, {} FROM compared "
            "ORDER BY near > far DESC, CASE WHEN near > far THEN near ELSE -far END DESC, id LIMIT {}"
        ).format(some.text, near.text, far.text, among, sql.Literal(limit))
        return self.fetch(asked, (*some.parameters, *near.parameters, *far.parameters))

    def _candidates(self, coarse: Sequence[np.ndarray], count: int, where: Clause, use_graph: bool) -> Clause:
        """The products nearest to any of the coarse vectors, by the graph or by a scan of all that pass the filter."""
        order = sql.SQL("coarse <#> %s" if use_graph else "(coarse <#> %s) + 0")  # + 0 keeps the index from being used
        one = sql.SQL("(SELECT id FROM {} WHERE {} ORDER BY {} LIMIT {})").format(
            self.table, where.text, order, sql.Literal(count)
        )
        each = sql.SQL(" UNION ").join([one] * len(coarse))
        text = sql.SQL("SELECT id, vector FROM {} WHERE id IN ({})").format(self.table, each)
        vectors = [HalfVector(vector / _length(vector)) for vector in coarse]  # scaling does not change the order
        return Clause(text, tuple(value for vector in vectors for value in (*where.parameters, vector)))

    def _graph_is_faster(self, wanted: int, where: Clause) -> bool:
        """Whether the filter keeps enough products, by PostgreSQL's estimate, for the graph to be faster."""
        rows = []
        for text, parameters in ((sql.SQL("TRUE"), ()), where):
            asked = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {} WHERE {}").format(self.table, text)
            rows.append(self.fetch(asked, parameters)[0][0][0]["Plan"]["Plan Rows"])
        return rows[1] > math.sqrt(STEP * wanted * rows[0])

    def _vectors(self, vectors: Sequence[np.ndarray]) -> tuple[list[Any], float]:
        """Query vectors in the type of the full vectors, and the factor that restores their dot products."""
        if not self.graphs:
            return [Vector(vector) for vector in vectors], 1.0
        scale = max(map(_length, vectors))  # the maximum of float16 is 65,504
        return [HalfVector(vector / scale) for vector in vectors], scale


def _best(vectors: Sequence[Any]) -> Clause:
    """SQL for the largest dot product with any of the vectors; minus infinity if there are none."""
    each = [sql.SQL("'-infinity'::float8"), *[sql.SQL("-(vector <#> %s)")] * len(vectors)]
    return Clause(sql.SQL("GREATEST({})").format(sql.SQL(", ").join(each)), tuple(vectors))


def _length(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector)) or 1.0


def _hits(found: Sequence[tuple[Any, ...]], scale: float) -> list[Hit]:
    return [Hit(str(id), near * scale) for id, near, *_ in found]
