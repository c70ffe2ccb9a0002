"""Projected points: queries give the same products, and vectors are reduced only if neighbors are kept."""

from pathlib import Path

import numpy as np
import pytest
from scored_catalog import TAXONOMY, products, write_catalog

from catalog.engines.folder_store import FolderStore
from catalog.engines.store import Tuning
from catalog.index import build, main
from catalog.similar.matching import Index
from catalog.similar.projection import RECALL, Projection, fit
from catalog.similar.spaces import SPACES, Measure, ScaleMeter, point

LENGTH, RANK, COUNT = 300, 12, 1200
LABELS = len(TAXONOMY)


def catalog(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of this rank, and scores whose norm within a group is at most 1."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(LENGTH, LENGTH)))[0][:rank]
    embeddings = rng.normal(size=(COUNT, rank)) @ directions
    return embeddings.astype(np.float32), (rng.random((COUNT, LABELS)) / 2).astype(np.float32)


@pytest.mark.parametrize("reduced", [False, True])
def test_dot_products_of_queries_and_points_equal_the_similarity(reduced: bool) -> None:
    embeddings, scores = catalog(RANK)
    projection = fit(embeddings, scores, TAXONOMY) if reduced else Projection(LABELS, None, 0.3, 2.0)
    assert (projection.components is not None) == reduced
    products = point(embeddings, scores)
    points = projection.points(products)
    assert points.shape[1] == projection.size(LENGTH)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), projection.length**0.5, rtol=1e-5)
    meter = ScaleMeter(TAXONOMY, LENGTH)
    meter.add(embeddings, scores)
    for space in SPACES:
        asked = Measure(space, meter.scales(), TAXONOMY).query(embeddings[3], scores[3])
        np.testing.assert_allclose(points @ projection.queries(asked), products @ asked, atol=2e-3 if reduced else 1e-5)


def test_a_manifest_keeps_a_projection() -> None:
    projection = fit(*catalog(RANK), TAXONOMY)
    found = Projection.from_json(projection.to_json())
    assert projection.recall >= RECALL
    assert (found.labels, found.weight, found.length, found.recall) == (
        projection.labels,
        projection.weight,
        projection.length,
        projection.recall,
    )
    np.testing.assert_array_equal(found.components, projection.components)


def test_embeddings_that_cannot_be_reduced_stay_whole() -> None:
    """Isotropic embeddings: a reduction to 256 dimensions would lose neighbors."""
    assert fit(*catalog(LENGTH), TAXONOMY).components is None


def test_later_products_use_the_same_projection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = products(1100, clusters=30)
    directions = np.random.default_rng(1).normal(size=(16, LENGTH))
    for row in rows:
        row["embedding"] = row["embedding"] @ directions
    store, tuning = FolderStore(tmp_path / "index"), Tuning(approximate=True, asked=True)
    write_catalog(tmp_path / "first", rows[:1050], part=500)
    assert main([str(tmp_path / "first"), "--ann", "--out", str(tmp_path / "index")]) == 0
    assert f"embeddings of {LENGTH} reduced to 128: " in capsys.readouterr().out
    with Index(store) as index:
        first = index.manifest.projection
        exact = [(match.product.id, match.similarity) for match in index.search("p3", exact=True)]
        found = [(match.product.id, match.similarity) for match in index.search("p3")]
        assert len(set(exact) & set(found)) >= 9  # with the same similarities, because whole vectors are compared
    assert first is not None
    assert first.components is not None
    build(write_catalog(tmp_path / "second", rows, part=500), store)
    with Index(store) as index:
        later = index.manifest.projection
        assert later is not None
        np.testing.assert_array_equal(later.components, first.components)
        assert index.search("p1099", limit=1)[0].similarity > 0.5  # type: ignore[operator]
    build(write_catalog(tmp_path / "third", rows[50:], part=500), store, anew=True, tuning=tuning)
    with Index(store) as index:
        anew = index.manifest.projection
        assert anew is not None
        assert not np.array_equal(anew.components, first.components)
