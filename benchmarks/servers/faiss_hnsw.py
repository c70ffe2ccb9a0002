"""FAISS for comparison with the index: a graph over int8 copies of the same points. Prints JSON on its last line.

Runs in the benchmark environment, without this project: FOLDER holds whole.npy, whole_queries.npy and truth.npy. If it
also holds coarse.npy and coarse_queries.npy, the graph is built of those, and its candidates are compared by the full
points.
"""

import json
import resource
import sys
import time
from pathlib import Path

import faiss
import numpy as np

LINKS, CONSTRUCT, FOUND, PIECE, WARM = 16, 100, 10, 20_000, 20


def main(folder: Path, ef: int, candidates: int) -> None:
    """Build and search, and print the times."""
    whole, asked = np.load(folder / "whole.npy"), np.load(folder / "whole_queries.npy")
    reduced = (folder / "coarse.npy").exists()
    points = np.load(folder / "coarse.npy", mmap_mode="r") if reduced else whole
    queries = (np.load(folder / "coarse_queries.npy") if reduced else asked).astype(np.float32)
    truth = np.load(folder / "truth.npy")
    start = time.perf_counter()
    index = faiss.index_factory(points.shape[1], f"HNSW{LINKS},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = CONSTRUCT
    index.hnsw.efSearch = ef
    index.train(np.asarray(points[:PIECE], np.float32))
    for first in range(0, len(points), PIECE):
        index.add(np.asarray(points[first : first + PIECE], np.float32))
    seconds = time.perf_counter() - start

    def search(number: int) -> np.ndarray:
        _, (found,) = index.search(queries[number : number + 1], candidates if reduced else FOUND)
        if reduced:
            alike = whole[found].astype(np.float32) @ asked[number]
            found = found[np.argsort(-alike)[:FOUND]]
        return found

    for number in range(WARM):
        search(number)
    times, kept = [], []
    for number, wanted in enumerate(truth):
        start = time.perf_counter()
        found = search(number)
        times.append(time.perf_counter() - start)
        kept.append(np.isin(found, wanted).mean())
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
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
