"""Quality of matches: search with photographs of products that are not in the catalog.

    python -m benchmarks.matching_quality BUNDLE --data FOLDER --source "NAME OF THE DATA"

It scores the data's training photographs, indexes them, and searches with the validation photographs. The score is the
share of the ten products found that have the query's value in a column of the data. The spaces of `catalog.search` are
compared with the seed project's method, an exhaustive search by the Euclidean distance of logits. It writes the section
`quality` of docs/matching.md, or the one that --section names.
"""

import argparse
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from catalog.engines.folder_store import FolderStore
from catalog.engines.store import Tuning
from catalog.index import build
from catalog.score import score
from catalog.scored.columns import ID
from catalog.scored.table import Scored
from catalog.similar.matches import Product
from catalog.similar.matching import Index
from catalog.similar.near_duplicates import THRESHOLD, twins
from catalog.similar.settings import SearchOptions
from catalog.similar.spaces import SHARE, scores, unit_vectors
from fashion.errors import DataError, one_line_errors

PAGE = Path("docs/matching.md")
FOUND = 10
COLUMNS = "article,colour,gender"
SHARES = (0.0, 0.3, SHARE, 0.6, 0.8, 1.0)
THEMSELVES = 500  # products of the catalog that are searched by their own photograph
SEED = "seed: distance of logits"

Search = Callable[[int], list[str]]  # from a query's number to the ids of the products found


@dataclass(frozen=True)
class Queries:
    """The queries, with the table cells of queries and of the catalog.

    Attributes:
        products: without ids, as photographs that are not in the index.
        logits: (Q, A).
        cells: of the queries, by column.
        catalog: the cells of the products in the index, by column and id.
    """

    products: list[Product]
    logits: np.ndarray
    cells: Mapping[str, list[str]]
    catalog: Mapping[str, Mapping[str, str]]

    def precision(self, search: Search, numbers: Sequence[int], name: str) -> dict[str, np.ndarray]:
        """By column the precision of each of these queries: the share of results with its cell; NaN without a cell."""
        found: dict[str, list[float]] = {column: [] for column in self.cells}
        for number in tqdm(numbers, name, unit="query", disable=None):
            ids = search(number)
            for column, cells in self.cells.items():
                hits = sum(self.catalog[column][id] == cells[number] for id in ids)
                found[column].append(hits / FOUND if cells[number] else np.nan)
        return {column: np.array(values) for column, values in found.items()}


def products(scored: Scored) -> list[Product]:
    """The products of a scored catalog as query photographs."""
    own = scores(scored.vectors("probabilities"), scored.manifest.taxonomy)
    embeddings = unit_vectors(scored.vectors("embedding"))
    rows = zip(text_cells(scored, ID), embeddings, own, strict=True)
    return [Product(id, "", {}, {}, embedding, row) for id, embedding, row in rows]


def queries(asked: Scored, catalog: Scored, columns: Sequence[str]) -> Queries:
    """Validation photographs as queries. Raises DataError for a column that is missing on either side."""
    ids = text_cells(catalog, ID)
    known = {column: dict(zip(ids, text_cells(catalog, column), strict=True)) for column in columns}
    cells = {column: text_cells(asked, column) for column in columns}
    return Queries(products(asked), asked.vectors("logits"), cells, known)


def by_index(index: Index, asked: Sequence[Product], number: int, **how: Any) -> list[str]:
    """The ids that the index finds."""
    settings: SearchOptions = {"limit": FOUND, "exact": True, **how}  # type: ignore[typeddict-item]
    return [match.product.id for match in index.search(asked[number], **settings)]


def by_logits(catalog: Scored, asked: np.ndarray) -> Search:
    """The seed project's method: all distances, sorted."""
    import torch

    ids, rows = text_cells(catalog, ID), torch.from_numpy(catalog.vectors("logits"))

    def search(number: int) -> list[str]:
        distances = torch.cdist(torch.from_numpy(asked[number : number + 1]), rows)[0]
        return [ids[i] for i in distances.argsort()[:FOUND].tolist()]

    return search


def finds_itself(index: Index, own: Sequence[Product], **how: Any) -> float:
    """The share of the catalog's products that their own photograph finds first."""
    return float(np.mean([by_index(index, own, i, limit=1, **how) == [own[i].id] for i in range(len(own))]))


def with_twins(index: Index, asked: Sequence[Product]) -> int:
    """The number of queries with a near-identical photograph in the index."""
    embeddings = np.stack([product.embedding for product in asked])
    return sum(bool(found) for found in twins(index.store, index.manifest, embeddings))


def section(index: Index, asked: Queries, catalog: Scored, source: str, command: str) -> str:
    """Measure everything: the Markdown that goes into the page."""
    halves: tuple[list[int], list[int]] = ([], [])
    for i, product in enumerate(asked.products):
        halves[zlib.crc32(product.id.encode()) % 2].append(i)
    choose, report = halves
    rng = np.random.default_rng(0)
    everything = products(catalog)
    own = [everything[i] for i in rng.choice(len(everything), min(THEMSELVES, len(everything)), replace=False)]
    ways: dict[str, Search] = {SEED: by_logits(catalog, asked.logits)}
    for space in ("embedding", "attributes", "both"):
        name = f"{space}{' (the default)' if space == 'both' else ''}"
        ways[name] = partial(by_index, index, asked.products, space=space)
    found = {name: asked.precision(search, report, name) for name, search in ways.items()}
    rows = [[name, *map(_mean, values.values())] for name, values in found.items()]
    default, seed = found["both (the default)"], found[SEED]
    gains = [_interval(default[column] - seed[column]) for column in default]
    rows.append(["the default above the seed's way, 95 % interval", *gains])
    shares = []
    for share in SHARES:
        values = asked.precision(partial(by_index, index, asked.products, share=share), choose, f"share {share}")
        first = finds_itself(index, own, share=share)
        shares.append([f"{share:g}{' (the default)' if share == SHARE else ''}", *map(_mean, values.values()), first])
    return _text(index, list(asked.cells), source, command, rows, [[*row[:-1], f"{row[-1]:.1%}"] for row in shares]) + (
        f"\n{len(report):,} of the {len(asked.products):,} queries, drawn by a hash of the id, are in the first table, "
        f"the others in the second. {with_twins(index, asked.products):,} queries have "
        f"a near-identical photograph (cosine of {THRESHOLD} or more) of another product in the catalog; it counts "
        f"like any other product. The last column: {len(own)} products of the catalog, asked for by their own "
        "photograph.\n"
    )


def _text(
    index: Index, names: Sequence[str], source: str, command: str, rows: list[list[Any]], shares: list[list[Any]]
) -> str:
    columns = [f"precision@{FOUND}, {name}" for name in names]
    model = index.manifest.model
    return (
        f"## On {source}\n\n"
        f"Searches with validation photographs among the {len(index):,} training photographs: the share of the first "
        f"{FOUND} products that have the query's label. A query without a label is left out; a product without one "
        "counts as a miss, in every space. No product is in both splits.\n\n"
        f"{table(['space', *columns], rows)}\n\n"
        f"{table(['share of the embedding', *columns, 'finds itself first'], shares)}\n\n"
        f"Model: {model['name']} {model['version']}, {model['weights'][:19]}, labels of the groups "
        f"{', '.join(index.manifest.taxonomy.groups)}. Machine: {describe()}. Measured by\n\n    {command}\n"
    )


def text_cells(scored: Scored, column: str) -> list[str]:
    """The cells of a column as text, one per product; empty where there is none."""
    cells = [cell for batch in scored.batches([column]) for cell in batch.column(column).to_pylist()]
    return ["" if cell is None else str(cell) for cell in cells]


def _mean(values: np.ndarray) -> str:
    return f"{np.nanmean(values):.3f}"


def _interval(gains: np.ndarray) -> str:
    gains = gains[~np.isnan(gains)]
    error = 1.96 * gains.std() / len(gains) ** 0.5
    return f"{gains.mean():+.3f} ({gains.mean() - error:+.3f} to {gains.mean() + error:+.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, index, measure and write the section; existing scores are reused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching_quality", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--data", type=Path, required=True, help="data folder with train.csv and val.csv")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--columns", default=COLUMNS, help="to compare, separated by commas (default: %(default)s)")
    parser.add_argument("--section", default="quality", help="of the page, one for each data (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/matching"), help="(default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        for split in ("train", "val"):
            if not (options.data / f"{split}.csv").is_file():
                raise DataError(f"{options.data} has no {split}.csv; the training photographs are the catalog")
            score(options.bundle, [str(options.data / f"{split}.csv")], options.out / split)
        catalog, asked = (Scored.open(options.out / split) for split in ("train", "val"))
        store = FolderStore(options.out / "index")
        build(catalog, store, Tuning(asked=True))  # compares with every product
        command = f"python -m benchmarks.matching_quality BUNDLE --data FOLDER --source '{options.source}'"
        if options.section != parser.get_default("section"):
            command += f" --section {options.section}"
        with Index(store) as index:
            found = queries(asked, catalog, options.columns.split(","))
            write_section(options.section, section(index, found, catalog, options.source, command), options.page)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
