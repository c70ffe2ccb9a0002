"""How points are kept: what is asked of them is the same, and a reduction is made only where it holds."""

from pathlib import Path

import numpy as np
import pytest
from scored_catalog import TAXONOMY, products, write_catalog

from catalog.edge_store import EdgeStore
from catalog.index import build
from catalog.matching import Index
from catalog.projection import RECALL, Projection, fit
from catalog.spaces import Measure, ScaleMeter
from catalog.store import Tuning

LENGTH, RANK, COUNT = 300, 12, 1200
LABELS = len(TAXONOMY)


def catalog(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings in so many directions, and scores of which a group's are at most 1 long."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(LENGTH, LENGTH)))[0][:rank]
    embeddings = rng.normal(size=(COUNT, rank)) @ directions
    return embeddings.astype(np.float32), (rng.random((COUNT, LABELS)) / 2).astype(np.float32)


@pytest.mark.parametrize("reduced", [False, True])
def test_products_of_queries_and_points_are_those_of_the_measure(reduced: bool) -> None:
    embeddings, scores = catalog(RANK)
    projection = fit(embeddings, scores, TAXONOMY) if reduced else Projection(None, 0.3, 2.0)
    assert (projection.components is not None) == reduced
    points = projection.points(embeddings, scores)
    assert points.shape[1] == projection.size(LENGTH, LABELS)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), projection.length**0.5, rtol=1e-5)
    meter = ScaleMeter(TAXONOMY, LENGTH)
    meter.add(embeddings, scores)
    for space in ("embedding", "attributes", "both"):
        plain = Measure(space, meter.scales(), TAXONOMY)  # type: ignore[arg-type]
        wanted = Projection().points(embeddings, scores) @ plain.query(embeddings[3], scores[3])
        own = projection.embedding(embeddings[3])
        found = points @ projection.query(plain.query(own, scores[3]), LABELS)
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    embedding, kept = projection.split(points[3], LABELS)
    np.testing.assert_allclose(embedding, projection.embedding(embeddings[3]), atol=1e-6)
    np.testing.assert_allclose(kept, scores[3], atol=1e-6)


def test_a_manifest_keeps_a_projection() -> None:
    projection = fit(*catalog(RANK), TAXONOMY)
    found = Projection.from_json(projection.to_json())
    assert projection.recall >= RECALL
    assert found.recall == projection.recall
    np.testing.assert_array_equal(found.components, projection.components)


def test_what_cannot_be_reduced_is_left_alone() -> None:
    """Embeddings in all directions alike: the 256 that are tried lose neighbors."""
    assert fit(*catalog(LENGTH), TAXONOMY).components is None


def test_products_that_come_later_are_kept_as_the_first_ones(tmp_path: Path) -> None:
    rows = products(1100, clusters=30)
    directions = np.random.default_rng(1).normal(size=(16, LENGTH))
    for row in rows:
        row["embedding"] = row["embedding"] @ directions
    store, tuning = EdgeStore(tmp_path / "index"), Tuning(graphs=True, asked=True)
    build(write_catalog(tmp_path / "first", rows[:1050], part=500), store, tuning)
    with Index(store) as index:
        first = index.manifest.projection
        exact = {match.product.id for match in index.search("p3", exact=True)}
        assert len(exact & {match.product.id for match in index.search("p3")}) >= 9
    assert first.components is not None
    build(write_catalog(tmp_path / "second", rows, part=500), store)
    with Index(store) as index:
        np.testing.assert_array_equal(index.manifest.projection.components, first.components)
        assert index.search("p1099", limit=1)[0].similarity > 0.5  # type: ignore[operator]
    build(write_catalog(tmp_path / "third", rows[50:], part=500), store, anew=True, tuning=tuning)
    with Index(store) as index:
        assert not np.array_equal(index.manifest.projection.components, first.components)
