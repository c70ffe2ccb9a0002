"""Products whose photograph an earlier product of the catalog has too."""

from collections.abc import Iterator, Sequence

import numpy as np

from catalog.similar.near_duplicates import THRESHOLD
from catalog.similar.spaces import unit

BLOCK = 1024  # products that are compared at once


def copies(
    ids: Sequence[str], embeddings: np.ndarray, threshold: float = THRESHOLD
) -> Iterator[tuple[str, str, float]]:
    """For each product with a near-identical photograph before it: its id, that of the nearest such, the cosine.

    Every product is compared with every earlier one: of 10,000 products with 1,280 numbers 0.06 x 10^12 products of
    numbers, of 100,000 a hundred times as many.

    Args:
        ids: N of them.
        embeddings: (N, E).
        threshold: cosine from which on photographs count as near-identical, see docs/search.md.
    """
    units = unit(embeddings.astype(np.float32))
    for start in range(0, len(ids), BLOCK):
        end = min(start + BLOCK, len(ids))
        best, nearest = np.full(end - start, -1.0), np.zeros(end - start, np.int64)
        for before in range(0, end, BLOCK):
            cosines = units[start:end] @ units[before : min(before + BLOCK, end)].T
            if before == start:
                cosines[np.triu_indices(end - start)] = -1  # itself, and what comes later
            found = cosines.argmax(axis=1)
            value = cosines[np.arange(end - start), found]
            better = value > best
            best[better], nearest[better] = value[better], before + found[better]
        for row in np.flatnonzero(best >= threshold):
            yield ids[start + int(row)], ids[int(nearest[row])], float(best[row])
