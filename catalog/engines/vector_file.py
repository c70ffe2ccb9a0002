"""The full vectors of an index in a folder, in one file: float32, or shortened to about 1.2 bytes a number.

Shortened, an embedding has one byte a number, the square root of its part of the range in 256 levels, because most
numbers are near the smallest one; and it keeps its length, so that the cosine of equal ones is 1. Scores have 65,536
levels, because a few of them decide a similarity by attributes.
"""

from pathlib import Path

import numpy as np

TOP, SCORE_TOP = 255, 65_535  # the highest levels


class VectorFile:
    """Vectors by row.

    Args:
        path: of the file; the first `write` creates it.
        size: of a vector.
        embedding: length E of the embedding at the start of a vector, to shorten vectors, whose other numbers must be
            from 0 to 1; None keeps float32.
    """

    def __init__(self, path: Path, size: int, embedding: int | None) -> None:
        self.size, self.embedding = size, embedding
        if embedding is None:
            self._type = np.dtype([("vector", "<f4", (size,))])
        else:
            shortened = [("lowest", "<f4", ()), ("step", "<f4", ()), ("levels", "u1", (embedding,))]
            self._type = np.dtype([*shortened, ("scores", "<u2", (size - embedding,))])
        self._path = path
        self._map = np.zeros(0, self._type)

    def __len__(self) -> int:
        return self._path.stat().st_size // self._type.itemsize if self._path.exists() else 0

    def write(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Write vectors, float32 (n, size), at rows (n,)."""
        records = self._encoded(vectors)
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        self._path.touch()
        with open(self._path, "r+b") as file:
            for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
                file.seek(int(rows[start]) * self._type.itemsize)
                file.write(records[start:end].tobytes())

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """The vectors of rows, float32 (n, size)."""
        found = self._records()[rows]
        if self.embedding is None:
            return found["vector"]
        vectors = np.empty((len(found), self.size), np.float32)
        embeddings = vectors[:, : self.embedding]
        np.multiply(found["levels"], found["levels"], out=embeddings, dtype=np.float32)
        embeddings *= found["step"][:, None]
        embeddings += found["lowest"][:, None]
        np.multiply(found["scores"], np.float32(1 / SCORE_TOP), out=vectors[:, self.embedding :])
        return vectors

    def products(self, rows: np.ndarray | slice, vectors: np.ndarray) -> np.ndarray:
        """The dot products of vectors (q, size) with those of rows, float32 (q, n), without restoring these."""
        found = self._records()[rows]
        if self.embedding is None:
            return vectors @ found["vector"].T
        own, rest = vectors[:, : self.embedding], vectors[:, self.embedding :] / np.float32(SCORE_TOP)
        levels = found["levels"].astype(np.float32)
        alike = own @ np.square(levels, out=levels).T
        alike *= found["step"]
        alike += own.sum(axis=1, keepdims=True) * found["lowest"]
        alike += rest @ found["scores"].astype(np.float32).T
        return alike

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        records = np.zeros(len(vectors), self._type)
        if self.embedding is None:
            records["vector"] = vectors
            return records
        embeddings, scores = vectors[:, : self.embedding], vectors[:, self.embedding :]
        lowest = embeddings.min(axis=1, keepdims=True)
        step = np.maximum(embeddings.max(axis=1, keepdims=True) - lowest, 1e-12) / TOP**2
        levels = np.rint(np.sqrt((embeddings - lowest) / step))
        length = np.linalg.norm(lowest + levels**2 * step, axis=1, keepdims=True)
        factor = np.linalg.norm(embeddings, axis=1, keepdims=True) / np.maximum(length, 1e-12)
        records["lowest"], records["step"] = (lowest * factor)[:, 0], (step * factor)[:, 0]
        records["levels"], records["scores"] = levels, np.rint(np.clip(scores, 0, 1) * SCORE_TOP)
        return records

    def _records(self) -> np.ndarray:
        """All records; the file is mapped into memory anew if it has grown."""
        if len(self._map) < len(self):
            self._map = np.memmap(self._path, self._type, "r", shape=len(self))
        return self._map
