"""Measure one size of `benchmarks.matching`: index and search a catalog, here and with other libraries. Prints JSON.

python -m benchmarks.matching_size SIZE --out FOLDER [--scored FOLDER] [--faiss PYTHON]
"""

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.enlarged import DRAWER, SHELF, Enlarged, originals
from benchmarks.machine import describe
from catalog.engines.folder_store import FolderStore
from catalog.engines.store import CANDIDATES, EF, Query
from catalog.filters.columns import ID as PAYLOAD_ID
from catalog.index import build
from catalog.scored.columns import EMBEDDING, ID, LOGITS, PROBABILITIES, vector_rows
from catalog.similar.manifest import IndexManifest
from catalog.similar.matches import Product
from catalog.similar.matching import Index
from catalog.similar.spaces import DEFAULT_SPACE, Measure, point, scores, unit_vectors
from fashion.files import write_atomically

QUERIES, FOUND = 200, 10
SLOW_QUERIES = 20  # of ways that compare all products
WARM = 20  # warm-up queries
FILTERS = {"1 %": SHELF, "0.1 %": DRAWER}  # share that a filter keeps -> column that it requires to be below 1
GB = 1e9
WHOLE, COARSE = "whole.npy", "coarse.npy"  # points, for the other libraries


def timed(
    search: Callable[[int], list[str]], truth: Sequence[Sequence[str]] | None, queries: int = QUERIES
) -> dict[str, float]:
    """Query times in ms, and recall of the true nearest."""
    for number in range(min(WARM, queries // 10)):
        search(number)
    seconds, kept = [], []
    for number in range(queries):
        start = time.perf_counter()
        found = search(number)
        seconds.append(time.perf_counter() - start)
        if truth is not None:
            kept.append(len(set(found[:FOUND]) & set(truth[number])) / FOUND)
    p50, p99 = np.quantile(seconds, (0.5, 0.99)) * 1000
    return {"p50": float(p50), "p99": float(p99)} | ({"recall": float(np.mean(kept))} if kept else {})


def enlarged_catalog(size: int, scored: Path | None, seed: int = 0) -> Enlarged:
    """The catalog of that size."""
    return Enlarged(*originals(scored), rows=size, seed=seed)


def query_products(scored: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, scores and logits of query products, which are in no catalog."""
    catalog = enlarged_catalog(QUERIES, scored, seed=1)
    (batch,) = catalog.batches([EMBEDDING, PROBABILITIES, LOGITS])
    embeddings, probabilities, logits = (
        vector_rows(batch.column(n)).astype(np.float32) for n in (EMBEDDING, PROBABILITIES, LOGITS)
    )
    return embeddings, scores(probabilities, catalog.manifest.taxonomy), logits


def truths(
    catalog: Enlarged, manifest: IndexManifest, scored: Path | None, folder: Path | None = None
) -> dict[str, list[list[str]]]:
    """The nearest ten of all and of filtered products, by exhaustive search; saves points in a folder, if given."""
    asked_for = engine_query(manifest, scored).vector
    best: dict[str, list[Any]] = {name: [] for name in ("all", *FILTERS)}
    saved = _point_files(folder, catalog.rows, manifest) if folder else []
    start = 0
    for batch in tqdm(catalog.batches(), "comparing", -(-catalog.rows // 4096), disable=None):
        rows = vector_rows(batch.column(EMBEDDING)).astype(np.float32)
        whole = point(rows, scores(vector_rows(batch.column(PROBABILITIES)), manifest.taxonomy))
        if saved:
            saved[0][start : start + len(batch)] = whole
        if saved and manifest.projection:
            saved[1][start : start + len(batch)] = manifest.projection.points(whole)
        start += len(batch)
        alike = asked_for @ whole.T
        names = np.array(batch.column(ID).to_pylist())
        keeps = {name: batch.column(column).to_numpy(zero_copy_only=False) < 1 for name, column in FILTERS.items()}
        for name, keep in {"all": np.ones(len(names), bool), **keeps}.items():
            found = alike[:, keep]
            order = np.argsort(-found, axis=1)[:, :FOUND]
            best[name].append((np.take_along_axis(found, order, 1), names[keep][order]))
    for points in saved:
        points.flush()
    result = {}
    for name, parts in best.items():
        values, ids = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
        order = np.argsort(-values, axis=1)[:, :FOUND]
        result[name] = np.take_along_axis(ids, order, 1).tolist()
    return result


def _point_files(folder: Path, rows: int, manifest: IndexManifest) -> list[np.memmap]:
    """New files for the points of other libraries: whole ones, and those of the projection if there is one."""
    sizes = {WHOLE: manifest.embedding + len(manifest.labels)}
    if manifest.projection:
        sizes[COARSE] = manifest.projection.size(manifest.embedding)
    return [np.lib.format.open_memmap(folder / name, "w+", np.float16, (rows, size)) for name, size in sizes.items()]


def engine_query(manifest: IndexManifest, scored: Path | None) -> Query:
    """The query to the engine, in the default space."""
    embeddings, own, _ = query_products(scored)
    measure = Measure(DEFAULT_SPACE, manifest.scales, manifest.taxonomy)
    return manifest.query(measure.query(embeddings, own), exact=False)


def measure_search(index: Path, scored: Path | None, truth: dict[str, list[list[str]]]) -> dict[str, Any]:
    """`Index.search` as a whole: the engine, the products' attributes, and shared attributes."""
    embeddings, own, _ = query_products(scored)
    with Index(FolderStore(index)) as opened:
        pairs = zip(unit_vectors(embeddings), own, strict=True)
        products = [Product(f"query {i}", "", {}, {}, e, s) for i, (e, s) in enumerate(pairs)]

        def search(number: int, **how: Any) -> list[str]:
            return [
                match.product.payload[PAYLOAD_ID] for match in opened.search(products[number], duplicates=True, **how)
            ]

        found = {
            "default": timed(search, truth["all"]),
        }
        for name, column in FILTERS.items():
            found[f"default, filter of {name}"] = timed(partial(search, where=f"{column}<1"), truth[name])
        memory = psutil.Process().memory_info().rss / GB
        found["exact"] = timed(lambda number: search(number, exact=True), truth["all"], SLOW_QUERIES)
        projection = opened.manifest.projection
        components = projection.components if projection else None
        return {"times": found, "memory": memory, "kept": None if components is None else components.shape[1]}


def brute_force(size: int, scored: Path | None) -> dict[str, Any]:
    """The seed project's method in torch: the distances to all logits, sorted."""
    import torch

    rows = torch.empty(size, len(originals(scored)[2].labels))
    start = 0
    for batch in enlarged_catalog(size, scored).batches([LOGITS]):
        found = vector_rows(batch.column(LOGITS)).astype(np.float32)
        rows[start : start + len(found)] = torch.from_numpy(found)
        start += len(found)
    queries = torch.from_numpy(query_products(scored)[2])

    def search(number: int) -> list[str]:
        return [str(i) for i in torch.cdist(queries[number : number + 1], rows)[0].argsort()[:FOUND].tolist()]

    return {"times": {"all": timed(search, None, SLOW_QUERIES)}, "memory": psutil.Process().memory_info().rss / GB}


def faiss(python: Path, folder: Path, truth: list[list[str]], scored: Path | None) -> dict[str, Any]:
    """FAISS with the same points and the same candidates, in the environment of the benchmarks."""
    with Index(FolderStore(folder / "index")) as opened:
        queries = engine_query(opened.manifest, scored)
    rows = [[int(name.partition("-")[2]) for name in names] for names in truth]
    arrays = {"whole_queries": queries.vector, "coarse_queries": queries.coarse, "truth": np.array(rows)}
    for name, array in arrays.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    program = Path(__file__).parent / "servers" / "faiss_hnsw.py"
    command: list[str | Path] = [python, program, folder, str(EF), str(FOUND + CANDIDATES)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def in_subprocess(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a separate process, so that its memory can be measured."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def build_index(size: int, scored: Path | None, folder: Path) -> dict[str, float]:
    """Build the index as `python -m catalog.index` does for a catalog of that size; seconds and peak memory."""
    start = time.perf_counter()
    build(enlarged_catalog(size, scored), FolderStore(folder))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB
    disk = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / GB
    return {"seconds": time.perf_counter() - start, "peak": peak, "disk": disk}


def step(path: Path, measure: Callable[[], Any]) -> Any:
    """The result of a measurement, read from its file if an earlier run saved it."""
    if not path.exists():
        write_atomically(path, json.dumps(measure(), indent=1))
    return json.loads(path.read_text())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one size and write FOLDER/SIZE.json; intermediate files are deleted.

    An interrupted run resumes at its last step: a million products take most of an hour.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching_size", description=__doc__.split("\n")[0])
    parser.add_argument("size", type=int)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scored", type=Path, help="scored catalog whose vectors are enlarged (default: made up)")
    parser.add_argument("--faiss", type=Path, help="a Python that has FAISS; without it FAISS is left out")
    options = parser.parse_args(arguments)
    folder = options.out / str(options.size)
    if not (folder / "index.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    index, size, scored = folder / "index", options.size, options.scored
    result = {"size": size, "machine": describe()}
    result["index"] = step(folder / "index.json", lambda: in_subprocess(build_index, size, scored, index))
    with Index(FolderStore(index)) as opened:
        manifest = opened.manifest
    truth = step(folder / "truth.json", lambda: truths(enlarged_catalog(size, scored), manifest, scored, folder))
    result["ours"] = step(folder / "ours.json", lambda: in_subprocess(measure_search, index, scored, truth))
    result["torch"] = step(folder / "torch.json", lambda: in_subprocess(brute_force, size, scored))
    if options.faiss:
        result["faiss"] = faiss(options.faiss, folder, truth["all"], scored)
    write_atomically(options.out / f"{options.size}.json", json.dumps(result, indent=1))
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
