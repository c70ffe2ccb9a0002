"""benchmarks.review: it follows the order of the queue, and its scores are those of the corrected catalog."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import EMBEDDING, write_catalog

from benchmarks.review import ReviewedCells, reviewed_cells, section, simulate
from catalog.corrections.queues import UNCERTAIN, queue
from catalog.scored.correction_store import ONLY, Correction, CorrectionStore
from catalog.scored.table import Scored
from fashion.model_card import ModelCard
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label, Taxonomy

LABELS = Taxonomy(
    tuple(Label(group, name) for group, name in [("color", "a"), ("color", "b"), ("kind", "c"), ("kind", "d")])
)
CARD = ModelCard(
    name="fashion",
    version="1.0",
    created="2026-01-01T00:00:00+00:00",
    arch="resnet18",
    input=InputSpec(size=64),
    labels=LABELS.labels,
    thresholds={"micro-f1": [0.5] * 4},
    default_profile="micro-f1",
    files={"model.onnx": "ab" * 32},
)


@pytest.fixture
def scored(tmp_path: Path) -> Scored:
    """Products whose true labels are drawn from their probabilities and stored in separate columns."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(200):
        z = rng.normal(0, 2.5, 2)
        first = rng.random(2) < 1 / (1 + np.exp(-z))
        rows.append(
            {
                "id": f"p{i}",
                "image": "",
                "color": None if i % 10 == 0 else "ab"[1 - first[0]],
                "kind": "cd"[1 - first[1]],
                "logits": np.array([z[0], -z[0], z[1], -z[1]]),
                "embedding": np.ones(EMBEDDING),
            }
        )
    model = {"name": CARD.name, "version": CARD.version, "weights": CARD.weights_id}
    columns = [pa.field("color", pa.string()), pa.field("kind", pa.string())]
    return write_catalog(tmp_path / "scored", rows, model, 70, LABELS, columns, "micro-f1")


def micro_f1(scored: Scored) -> float:
    """Micro-F1 of the catalog's answers against its columns of true labels."""
    right = answered = positives = 0
    for row in (row for batch in scored.batches() for row in batch.to_pylist()):
        for group in LABELS.groups:
            if row[group]:
                right += row[group] in row[f"attribute.{group}"]
                answered += len(row[f"attribute.{group}"])
                positives += 1
    return 2 * right / (answered + positives)


def test_it_scores_the_corrected_catalog_in_queue_order(scored: Scored) -> None:
    cells, before = reviewed_cells(scored), micro_f1(scored)
    assert len(cells.product) == 2 * 200 - 20
    order = cells.by_queue()
    f1 = cells.micro_f1(order)
    assert f1[0] == pytest.approx(before)
    assert f1[-1] == 1
    truth = {row["id"]: row for batch in scored.batches() for row in batch.to_pylist()}
    known = [item for item in queue(scored, UNCERTAIN, top=400) if truth[item.product][item.group]]
    np.testing.assert_allclose([item.reward for item in known], cells.errors[order], atol=1e-9)
    store = CorrectionStore(scored.folder)
    first = [Correction(item.product, ONLY, item.group, truth[item.product][item.group]) for item in known[:50]]
    store.write(first, store.states(correction.product for correction in first))
    assert micro_f1(scored) == pytest.approx(f1[50])


def test_the_queue_needs_fewer_corrections(scored: Scored) -> None:
    work = simulate(reviewed_cells(scored), 0.03, False, repeats=5)
    assert len(work.queue) == len(work.random) == 5
    assert work.ratio.mean() < 0.5
    assert len(set(work.random.tolist())) > 1


def test_corrections_until_a_gain() -> None:
    one = np.ones(4)
    cells = ReviewedCells(np.arange(4), np.array([0.1, 0.9, 0.8, 0.2]), np.array([1, 0, 0, 1]), one, one)
    assert cells.by_queue().tolist() == [1, 2, 3, 0]
    assert cells.micro_f1(np.array([1, 2])).tolist() == [0.5, 0.75, 1]
    assert cells.corrections_until(cells.by_queue(), 0.5) == 2
    assert cells.corrections_until(np.array([0, 3, 1, 2]), 0.25) == 3
    assert cells.by_products(np.array([2, 0, 3, 1])).tolist() == [2, 0, 3, 1]


def test_the_section_of_the_page(scored: Scored) -> None:
    text = section(scored, CARD, "Invented Products", "python -m benchmarks.review BUNDLE")
    assert re.search(r"\| \+0\.03, one group of a product at a time \| \d+ \(\d+ to \d+\) \|", text)
    assert "380 cells" in text
    assert "of 200 validation photographs of Invented Products" in text
    assert "Machine: " in text
    assert not (scored.folder / "corrections.sqlite").exists()
