"""The engine's part of a search: from all products to the few that are compared exactly.

An engine knows one vector at a time. What a measure adds up of two of them, embedding and attributes, is found by the
threshold algorithm: both lists are taken so far that nothing beyond can be nearer than what is known.
R. Fagin, A. Lotem, M. Naor: Optimal aggregation algorithms for middleware, PODS 2001.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from catalog.spaces import Measure, unit
from catalog.store import ATTRIBUTES, EMBEDDING, WEIGHTED, Store
from fashion.taxonomy import Taxonomy

SPARE = 16  # more candidates than wanted: engines round, and the last places may be tied
FIRST, GROWTH = 128, 4  # products of each list in the first round of two lists, and how that grows
ROUNDING = 1e-4  # relative, of an engine's scores


class Part(NamedTuple):
    """What one of the engine's vectors contributes to a measure's distance.

    Attributes:
        using: the vector's name.
        vector: what is asked for.
        distance: from the engine's score to the measure's squared distance.
    """

    using: str
    vector: np.ndarray
    distance: Callable[[float], float]


def vectors(embedding: np.ndarray, logits: np.ndarray, taxonomy: Taxonomy) -> dict[str, np.ndarray]:
    """What an engine keeps of a product.

    `weighted` holds the logits and, for each group, the sum of their squares: with it a scalar product gives the
    squared distance at any weights, |q - x|^2 = |q|^2 - 2 q x + |x|^2, each term weighted by group.
    """
    squares = [(logits[taxonomy.indices(group)] ** 2).sum() for group in taxonomy.groups]
    return {EMBEDDING: embedding, ATTRIBUTES: logits, WEIGHTED: np.concatenate([logits, squares]).astype(np.float32)}


def parts(measure: Measure, embedding: np.ndarray, logits: np.ndarray) -> list[Part]:
    """What a measure asks of an engine for a product: embedding (E,) and logits (A,)."""
    found = []
    if measure.embedding_factor:
        found.append(Part(EMBEDDING, unit(embedding), lambda cosine: 2 * (1 - cosine) * measure.embedding_factor))
    factors = measure.logit_factors
    if factors.any() and np.ptp(factors) == 0:
        found.append(Part(ATTRIBUTES, logits, lambda distance: distance**2 * factors[0]))
    elif factors.any():
        groups = [factors[measure.taxonomy.indices(group)[0]] for group in measure.taxonomy.groups]
        query = np.concatenate([2 * factors * logits, np.negative(groups)]).astype(np.float32)
        offset = float(factors @ logits**2)
        found.append(Part(WEIGHTED, query, lambda product: offset - product))
    return found


def candidates(store: Store, wanted: list[Part], limit: int, where: Any = None, exact: bool = True) -> list[str]:
    """Point ids among which the `limit` nearest products are; some more, in no order.

    Args:
        store: the engine.
        wanted: one part, or two that are added.
        limit: how many are wanted.
        where: the engine's filter.
        exact: whether they must be the nearest; otherwise the engine's graphs are used and two lists are taken once.
    """
    if len(wanted) == 1:
        (part,) = wanted
        return [hit.id for hit in store.nearest(part.using, part.vector, limit + SPARE, where, exact)]
    size = max(FIRST, 2 * limit)
    while True:
        found = [
            {hit.id: part.distance(hit.score) for hit in store.nearest(part.using, part.vector, size, where, exact)}
            for part in wanted
        ]
        beyond = [max(each.values(), default=0.0) for each in found]  # nothing that a list lacks is nearer than this
        ended = [len(each) < size for each in found]
        bounds = {
            id: sum(each.get(id, least) for each, least in zip(found, beyond, strict=True))
            for id in set().union(*found)
        }
        if not exact:
            return sorted(bounds, key=bounds.__getitem__)[: 2 * limit + SPARE]
        known = sorted(bounds[id] for id in set.intersection(*map(set, found)))
        if len(known) < limit and all(ended):
            return list(bounds)
        if len(known) >= limit:
            cutoff = known[limit - 1] * (1 + ROUNDING) + ROUNDING
            if any(ended) or cutoff <= sum(beyond):
                return [id for id, bound in bounds.items() if bound <= cutoff]
        size *= GROWTH
