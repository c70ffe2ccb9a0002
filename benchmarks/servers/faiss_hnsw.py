"""FAISS beside the index: a graph over int8 copies of the same points. Prints JSON on its last line.

Runs in the environment of the benchmarks, alone: FOLDER holds points.npy, queries.npy and truth.npy.
"""

import json
import resource
import sys
import time
from pathlib import Path

import faiss
import numpy as np

LINKS, CONSTRUCT, EF, FOUND, PIECE = 16, 100, 128, 10, 20_000


def main(folder: Path) -> None:
    """Build, search, and say how long each took."""
    points = np.load(folder / "points.npy", mmap_mode="r")
    queries, truth = np.load(folder / "queries.npy").astype(np.float32), np.load(folder / "truth.npy")
    start = time.perf_counter()
    index = faiss.index_factory(points.shape[1], f"HNSW{LINKS},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = CONSTRUCT
    index.hnsw.efSearch = EF
    index.train(np.asarray(points[:PIECE], np.float32))
    for first in range(0, len(points), PIECE):
        index.add(np.asarray(points[first : first + PIECE], np.float32))
    seconds = time.perf_counter() - start
    times, kept = [], []
    for query, wanted in zip(queries, truth, strict=True):
        start = time.perf_counter()
        _, found = index.search(query[None], FOUND)
        times.append(time.perf_counter() - start)
        kept.append(np.isin(found[0], wanted).mean())
    p50, p99 = np.quantile(times, (0.5, 0.99)) * 1000
    print(
        json.dumps(
            {
                "times": {"all": {"p50": p50, "p99": p99, "recall": float(np.mean(kept))}},
                "seconds": seconds,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
