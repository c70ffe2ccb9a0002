"""Compare an index in a folder with one in PostgreSQL: `python -m benchmarks.stores --postgres URL`.

The same products (see `benchmarks.enlarged`) are indexed in both, as `python -m catalog.index` does, one after the
other, and the same searches are run on both in turns. It writes the section `stores` of docs/scale.md. The collection
`bench_stores` is replaced, and not deleted afterwards.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.enlarged import Enlarged
from benchmarks.machine import describe
from benchmarks.matching_size import FILTERS, FOUND, QUERIES, WARM, enlarged_catalog, query_products, truths
from catalog.engines.folder_store import FolderStore
from catalog.engines.location import server_place, store_at
from catalog.engines.postgres_connection import connect
from catalog.engines.store import Store
from catalog.index import build
from catalog.similar.matches import Product
from catalog.similar.matching import Index
from catalog.similar.spaces import unit_vectors
from fashion.errors import one_line_errors

PAGE, ROWS, COLLECTION = Path("docs/scale.md"), 40_000, "bench_stores"
FOLDER, EXACT = "folder", ", exact"
# Share that a filter keeps -> the filter, and whether every product is compared.
WAYS = {
    "all": (None, False),
    **{kept: (f"{column}<1", False) for kept, column in FILTERS.items()},
    f"all{EXACT}": (None, True),
}


def built(catalog: Enlarged, store: Store) -> float:
    """Index a catalog from scratch; returns seconds."""
    start = time.perf_counter()
    build(catalog, store, anew=True)
    return time.perf_counter() - start


def searched(
    indexes: Mapping[str, Index], scored: Path | None, truth: Mapping[str, Sequence[Sequence[str]]]
) -> Iterator[tuple[str, str, float, float, float]]:
    """For each kind of search and each engine: p50 and p99 of `Index.search` as a whole, in ms, and recall."""
    embeddings, own, _ = query_products(scored)
    pairs = zip(unit_vectors(embeddings), own, strict=True)
    products = [Product(f"query {i}", "", {}, {}, e, s) for i, (e, s) in enumerate(pairs)]
    for way, (where, exact) in WAYS.items():
        seconds: dict[str, list[float]] = {name: [] for name in indexes}
        recall: dict[str, list[float]] = {name: [] for name in indexes}
        for number in tqdm(range(-WARM, QUERIES), way, disable=None):
            for name, index in indexes.items():  # in turns, so that other load affects all alike
                start = time.perf_counter()
                found = index.search(products[number], limit=FOUND, duplicates=True, where=where, exact=exact)
                if number >= 0:
                    seconds[name].append(time.perf_counter() - start)
                    wanted = truth[way.removesuffix(EXACT)][number]
                    recall[name].append(len({match.product.id for match in found} & {*wanted}) / len(wanted))
        for name in indexes:
            p50, p99 = np.quantile(seconds[name], (0.5, 0.99)) * 1000
            yield name, way, float(p50), float(p99), float(np.mean(recall[name]))


def section(rows: int, took: Mapping[str, float], lines: Sequence[Sequence[Any]], source: str, command: str) -> str:
    """The Markdown that goes into the page."""
    cells = [[name, way, f"{p50:.1f}", f"{p99:.1f}", f"{recall:.3f}"] for name, way, p50, p99, recall in lines]
    seconds = ", ".join(f"{name} in {each:.0f} s" for name, each in took.items())
    return (
        f"{rows:,} products ({source}), indexed one after the other: {seconds}. Then {QUERIES} searches of each kind "
        "for products that are not in the catalog, by `Index.search`, whole, in turns. Recall: the part of the true "
        "nearest ten of what the filter keeps.\n\n"
        f"{table(['engine', 'filter keeps', 'p50, ms', 'p99, ms', 'recall@10'], cells)}\n\n"
        f"The server is on the same machine: {describe()}. Measured by\n\n    {command}\n"
    )


def server_version(url: str) -> str:
    """The server's versions, such as `PostgreSQL 18.4, pgvector 0.8.5, shared_buffers 128MB`."""
    with connect(url, {}) as connection:
        query = (
            "SELECT current_setting('server_version'), default_version, current_setting('shared_buffers') "
            "FROM pg_available_extensions WHERE name = 'vector'"
        )
        ((server, extension, buffers),) = connection.execute(query).fetchall()
    return f"PostgreSQL {server.split()[0]}, pgvector {extension}, shared_buffers {buffers}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build both, search both, and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores", description=__doc__.split("\n")[0])
    parser.add_argument("--postgres", metavar="URL", required=True, help="a database, as catalog.index takes it")
    parser.add_argument("--rows", type=int, default=ROWS, help="products (default: %(default)s)")
    parser.add_argument("--scored", type=Path, help="scored catalog whose vectors are enlarged (default: made up)")
    parser.add_argument("--source", default="made up, in clusters", help="public name of its data, for the page")
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments, argparse.Namespace(qdrant=None, collection=COLLECTION))
    with one_line_errors(), tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        catalog = enlarged_catalog(options.rows, options.scored)
        server = store_at(str(server_place(options)))
        stores = {FOLDER: FolderStore(Path(folder) / "index"), server_version(options.postgres): server}
        took = {name: built(catalog, store) for name, store in stores.items()}
        indexes = {name: stack.enter_context(Index(store)) for name, store in stores.items()}
        truth = truths(catalog, indexes[FOLDER].manifest, options.scored)
        lines = list(searched(indexes, options.scored, truth))
        command = f"python -m benchmarks.stores --postgres URL --rows {options.rows}"
        if options.scored:
            command += f" --scored SCORED --source '{options.source}'"
        write_section("stores", section(options.rows, took, lines, options.source, command), options.page)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
