"""Approximate search in an index in a folder: FAISS's inverted lists over int8 copies of the coarse vectors.

k-means divides the points into lists; a search compares those whose centers are nearest to the query, and more of them
if there is a filter. Points can be taken out and replaced, unlike in FAISS's HNSW graphs.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

LISTS = 1  # number of lists: this times the square root of the number of points
LIST_POINTS = 40  # at least, on average; k-means sees as many for each list, because FAISS warns below 39
ITERATIONS = 8  # of k-means
# Share of the lists that a search compares, divided by the square root of the share of points that pass its filter;
# divided by that share itself, a narrow filter would compare all lists.
SEARCHED = 1 / 64
LEAST_SEARCHED = 16  # lists
MORE_SEARCHED = 4  # times as many lists, if too few points pass the filter in them
AT_ONCE = 16_384  # points converted to float32


class InvertedLists:
    """Coarse vectors by row, as int8, in lists.

    Args:
        path: of the file; read if it exists, otherwise written by the first `update`.
        size: of a coarse vector.

    Raises:
        OSError, RuntimeError: the file cannot be read.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self._index: Any = None
        if path.exists():
            with open(path, "rb") as file:
                self._index = faiss.read_index(faiss.PyCallbackIOReader(file.read))

    def update(self, live: np.ndarray, rows: np.ndarray, vectors: Callable[[np.ndarray], np.ndarray]) -> None:
        """Remove points that are gone, add others or replace them, and write the file.

        Args:
            live: bool (slots,), the rows to keep.
            rows: int64 (n,), those to add or replace.
            vectors: returns the vectors of some of them, float32 (m, size), given their places in `rows`, int64 (m,).
        """
        if self._index is not None:
            kept = live.copy()
            kept[rows] = False
            self._index.remove_ids(faiss.IDSelectorNot(_selector(kept)))
        total = len(rows) + (0 if self._index is None else self._index.ntotal)
        if not total:
            self.path.unlink(missing_ok=True)
            self._index = None
            return
        wanted = max(min(round(LISTS * total**0.5), total // LIST_POINTS), 1)
        if self._index is None or not wanted / 2 <= self._index.nlist <= wanted * 2:
            self._divide(wanted, rows, vectors)
        else:
            self._add(rows, vectors)
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        with open(temporary, "wb") as file:
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write))
        os.replace(temporary, self.path)

    def nearest(self, query: np.ndarray, count: int, passing: np.ndarray) -> np.ndarray:
        """The rows with the largest dot products with a query, at least `count` if there are so many in the lists.

        Args:
            query: float32 (size,).
            count: of rows.
            passing: bool (slots,), the rows to choose from.
        """
        if self._index is None:
            return np.zeros(0, np.int64)
        lists, selector = self._index.nlist, _selector(passing)
        share = np.count_nonzero(passing) / self._index.ntotal
        searched = round(lists * SEARCHED / max(share, 1e-9) ** 0.5)
        searched = min(max(searched, LEAST_SEARCHED), lists)
        while True:
            parameters = faiss.SearchParametersIVF(nprobe=searched, sel=selector)
            _, found = self._index.search(query[None], count, params=parameters)
            rows = found[0][found[0] >= 0]
            if len(rows) == count or searched == lists:
                return rows
            searched = min(searched * MORE_SEARCHED, lists)  # those that pass are far from the query

    def _divide(self, lists: int, rows: np.ndarray, vectors: Callable[[np.ndarray], np.ndarray]) -> None:
        """Make new lists of the stored points and of those to add."""
        before = self._index
        stored = 0 if before is None else before.ntotal
        kept = np.random.default_rng(0).permutation(stored + len(rows))[: lists * LIST_POINTS]
        sample = [vectors(np.sort(kept[kept >= stored] - stored))]
        first = 0
        for _, some in self._stored(before):
            sample.append(some[kept[(kept >= first) & (kept < first + len(some))] - first])
            first += len(some)
        quantizer = faiss.IndexFlatIP(self.size)
        self._index = faiss.IndexIVFScalarQuantizer(
            quantizer, self.size, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
        )
        self._index.cp.niter = ITERATIONS
        self._index.cp.min_points_per_centroid = 1  # no warning about small catalogs
        self._index.train(np.concatenate(sample))
        for numbers, some in self._stored(before):
            self._index.add_with_ids(some, numbers)
        self._add(rows, vectors)

    def _add(self, rows: np.ndarray, vectors: Callable[[np.ndarray], np.ndarray]) -> None:
        for start in range(0, len(rows), AT_ONCE):
            places = np.arange(start, min(start + AT_ONCE, len(rows)))
            self._index.add_with_ids(vectors(places), rows[places])

    def _stored(self, index: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and vectors of the points of an index, list by list; nothing without an index."""
        for number in range(index.nlist if index else 0):
            count = index.invlists.list_size(number)
            if count:
                rows = faiss.rev_swig_ptr(index.invlists.get_ids(number), count).copy()
                codes = faiss.rev_swig_ptr(index.invlists.get_codes(number), count * index.code_size)
                yield rows, index.sq.decode(codes.reshape(count, index.code_size))


def _selector(mask: np.ndarray) -> faiss.IDSelectorBitmap:
    """A selection of the rows (slots,) that are true."""
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
