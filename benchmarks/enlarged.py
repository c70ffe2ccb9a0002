"""A scored catalog of any size, generated from a small one by repeating its products with slight changes.

Nothing is written to disk: products are generated when they are read, the same ones each time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalog.scored.columns import ATTRIBUTE, EMBEDDING, ID, IMAGE, LOGITS, PROBABILITIES, vector_column
from catalog.scored.score_manifest import Manifest
from catalog.scored.table import Scored
from catalog.similar.spaces import unit_vectors
from fashion.prediction import sigmoid
from fashion.taxonomy import Label, Taxonomy

ROWS = 4096  # of a batch
CHANGE = 0.35  # share of the difference between two products of a kind that is added to another
ORIGINALS = 20_000  # maximum kept in memory
SHELF = "shelf"  # a column for filters: a random whole number from 0 to 99
DRAWER = "drawer"  # another: from 0 to 999
LABELS, CLUSTERS, LENGTH = (("category", 40), ("color", 12), ("gender", 3)), 400, 2048  # without a catalog


class Enlarged(Scored):
    """A given number of products similar to those of a scored catalog.

    Each is one of the originals plus a part of the difference between two of its neighbors, so that the variation
    has the original's directions and clusters remain.

    Args:
        embeddings, logits: of the originals, (n, E) and (n, A), sorted by kind of product.
        manifest: of the original.
        rows: number of products.
        seed: of the random numbers.
    """

    def __init__(
        self, embeddings: np.ndarray, logits: np.ndarray, manifest: Manifest, rows: int, seed: int = 0
    ) -> None:
        schema = pa.schema([(SHELF, pa.int64()), (DRAWER, pa.int64())])
        manifest = replace(manifest, parts={"made": rows}, columns=(SHELF, DRAWER))
        super().__init__(Path("made"), manifest, schema)
        self.embeddings, self.logits, self.seed = embeddings, logits, seed

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, corrected: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """See `Scored.batches`; the batches have `ROWS` rows, without corrections."""
        for start in range(0, self.rows, ROWS):
            rng = np.random.default_rng([self.seed, start])
            count = min(ROWS, self.rows - start)
            names = [f"{self.seed}-{i}" for i in range(start, start + count)]
            embeddings, logits = self._vectors(rng, count)
            made: dict[str, pa.Array] = {
                ID: pa.array(names),
                IMAGE: pa.array([""] * count),
                SHELF: pa.array(rng.integers(0, 100, count)),
                EMBEDDING: vector_column(embeddings),
                LOGITS: vector_column(logits),
                PROBABILITIES: vector_column(sigmoid(logits)),
            }
            for group in self.manifest.groups:
                indices = self.manifest.taxonomy.indices(group)
                best = [self.manifest.labels[indices[i]].name for i in logits[:, indices].argmax(1)]
                made[ATTRIBUTE + group] = pa.array([[name] for name in best])
            made[DRAWER] = pa.array(rng.integers(0, 1000, count))  # last: other columns keep their values
            wanted = list(made) if columns is None else columns
            yield pa.RecordBatch.from_arrays([made[name] for name in wanted], list(wanted))

    def sample(self, columns: Sequence[str], rows: int) -> pa.Table:
        """See `Scored.sample`; takes the first rows, which are random already."""
        return pa.Table.from_batches(islice(self.batches(columns), -(-rows // ROWS)))

    def _vectors(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        size = len(self.embeddings)
        own = rng.integers(0, size, count)
        near = np.clip(own + rng.integers(-20, 21, (2, count)), 0, size - 1)  # of one kind, see `originals`
        change = (CHANGE * rng.random(count, dtype=np.float32))[:, None]
        embeddings = self.embeddings[own] + change * (self.embeddings[near[0]] - self.embeddings[near[1]])
        logits = self.logits[own] + change * (self.logits[near[0]] - self.logits[near[1]])
        return np.maximum(embeddings, 0), logits


def originals(folder: Path | None) -> tuple[np.ndarray, np.ndarray, Manifest]:
    """Embeddings and logits of a scored catalog, sorted by likeliest labels, and its manifest; else synthetic ones.

    Raises:
        DataError: the folder is not a scored catalog.
    """
    if folder is None:
        return _made_up()
    scored = Scored.open(folder)
    embeddings, logits = (scored.vectors(name)[:ORIGINALS] for name in (EMBEDDING, LOGITS))  # type: ignore[arg-type]
    keys = [logits[:, scored.manifest.taxonomy.indices(group)].argmax(1) for group in scored.manifest.groups]
    order = np.lexsort(keys[::-1])
    return embeddings[order], logits[order], scored.manifest


def _made_up() -> tuple[np.ndarray, np.ndarray, Manifest]:
    """Synthetic clusters of products, distributed like a network's last layer: values from 0, most of them small."""
    rng = np.random.default_rng(0)
    labels = tuple(Label(group, f"{group} {i}") for group, count in LABELS for i in range(count))
    taxonomy = Taxonomy(labels)
    basis = rng.normal(size=(64, LENGTH)).astype(np.float32)
    centers = rng.normal(size=(CLUSTERS, 64))
    kinds = np.sort(rng.integers(0, CLUSTERS, ORIGINALS // 2))
    places = centers[kinds] + 0.5 * rng.normal(size=(len(kinds), 64))
    embeddings = np.maximum(unit_vectors(places.astype(np.float32)) @ basis / 8 + 0.3, 0)
    likely = np.full((CLUSTERS, len(labels)), -5.0, np.float32)
    for group in taxonomy.groups:
        indices = taxonomy.indices(group)
        likely[np.arange(CLUSTERS), rng.choice(indices, CLUSTERS)] = 2
    logits = likely[kinds] + rng.normal(0, 1, (len(kinds), len(labels))).astype(np.float32)
    model = {"name": "made up", "version": "0", "weights": "sha256:" + "0" * 64}
    return embeddings.astype(np.float32), logits, Manifest(model, "", "0.5", labels, LENGTH, (), {}, {}, "")
