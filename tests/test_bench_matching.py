"""benchmarks.matching: the enlarged catalog, the definition of a hit, and the written section."""

from pathlib import Path

import numpy as np
from scored_catalog import LOCAL_MODE, TAXONOMY, products, write_catalog

from benchmarks.enlarged import CHANGE, SHELF, Enlarged, originals
from benchmarks.matching import section
from benchmarks.matching_quality import Queries
from benchmarks.matching_size import step
from benchmarks.plot_matching import WAYS, draw
from catalog.engines.folder_store import FolderStore
from catalog.index import build
from catalog.scored.columns import vector_rows
from catalog.similar.matching import Index

pytestmark = LOCAL_MODE


def test_an_enlarged_catalog_is_the_same_each_time_and_can_be_indexed(tmp_path: Path) -> None:
    write_catalog(tmp_path / "scored", products(60))
    embeddings, logits, manifest = originals(tmp_path / "scored")
    made = [Enlarged(embeddings, logits, manifest, 5000, seed) for seed in (0, 0, 1)]
    first, again, other = (vector_rows(next(catalog.batches(["embedding"])).column(0)) for catalog in made)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sum(len(batch) for batch in made[0].batches(["id"])) == 5000
    sizes = np.abs(embeddings).max() * (1 + 2 * CHANGE)
    assert 0 <= first.min() <= first.max() <= sizes
    small = Enlarged(embeddings, logits, manifest, 300)
    build(small, FolderStore(tmp_path / "index"))
    with Index(FolderStore(tmp_path / "index")) as index:
        assert len(index.search("0-7", limit=400, duplicates=True)) == 299
        assert {m.product.source[SHELF] for m in index.search(where=f"{SHELF}<1", limit=50)} <= {0}


def test_without_a_catalog_products_are_synthetic() -> None:
    embeddings, logits, manifest = originals(None)
    assert embeddings.shape == (len(logits), manifest.embedding)
    assert logits.shape[1] == len(manifest.labels) != len(TAXONOMY)
    assert embeddings.min() == 0 < embeddings.max()


def test_precision_by_hand() -> None:
    """A query with an empty cell does not count; a result with an empty cell is a miss."""
    cells = {"article": ["Shirt", ""]}
    catalog = {"article": {f"p{i}": ["Shirt", "", "Shoe"][i % 3] for i in range(10)}}
    queries = Queries([], np.zeros((2, 1)), cells, catalog)
    found = queries.precision(lambda number: [f"p{i}" for i in range(10)], [0, 1], "hand")["article"]
    assert found[0] == 0.4
    assert np.isnan(found[1])


def test_the_section_of_the_speed() -> None:
    times = {"p50": 1.0, "p99": 2.5, "recall": 0.98}
    result = {
        "size": 10_000,
        "machine": "a machine",
        "index": {"seconds": 12.3, "peak": 1.2, "disk": 0.05},
        "ours": {
            "times": {"default": times, "default, filter of 1 %": times, "exact": times},
            "memory": 0.25,
            "kept": 512,
        },
        "torch": {"times": {"all": {"p50": 3.0, "p99": 4.0}}, "memory": 0.5},
    }
    text = section([result], "photographs of somebody", "make bench-matching")
    assert "| 10,000 | catalog.search, default | 1.0 | 2.5 | 0.980 | 0.25 |" in text
    assert "| 10,000 | seed's way: torch, all logits | 3.0 | 4.0 | - | 0.50 |" in text
    assert "| 10,000 | catalog.index | 12 | 1.20 | 0.05 | 512 |" in text
    assert "| FAISS" not in text
    assert "FAISS was not run for 10,000 products." in text
    (axes,) = draw([result]).axes
    assert [line.get_label() for line in axes.lines] == list(WAYS)[:4]


def test_a_step_is_measured_once(tmp_path: Path) -> None:
    for value in (0.5, 0.7):
        assert step(tmp_path / "index.json", lambda found=value: {"seconds": found}) == {"seconds": 0.5}
