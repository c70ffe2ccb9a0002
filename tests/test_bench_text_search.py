"""benchmarks.text_search: text searches, measured on synthetic products."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scored_catalog import write_catalog

from benchmarks.text_search import COLUMNS, KINDS, measured, precision
from benchmarks.word_learning import main as time_main
from catalog.scored.table import Scored
from fashion.taxonomy import Label, Taxonomy

TAXONOMY = Taxonomy((Label("subcategory", "Shoes"), Label("subcategory", "Tops"), Label("colour", "Red")))
FIELDS = [pa.field(name, pa.string()) for name in ("name", *COLUMNS.split(","))]
KIND = (("Shoes", "moccasin"), ("Shoes", "brogue"), ("Tops", "polka"), ("Tops", "peplum"))


def catalog(folder: Path, seed: int, count: int = 160) -> Scored:
    """Four kinds of products; all titles name the kind, three of four the color."""
    centers = np.abs(np.random.default_rng(0).normal(size=(8, 16)))
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for i in range(count):
        (subcategory, word), red = KIND[i % 4], i % 8 < 4
        color = "Red" if red else "Teal"
        logits = [
            4.0 if subcategory == "Shoes" else -4.0,
            -4.0 if subcategory == "Shoes" else 4.0,
            4.0 if red else -4.0,
        ]
        row = {"id": f"{seed}-{i}", "image": "", "name": f"{color * (i % 16 > 3)} {word} {i}"}
        row |= {"subcategory": subcategory, "colour": color, "article": word.title()}
        embedding = np.abs(centers[i % 8] + rng.normal(0, 0.1, 16))
        rows.append(row | {"logits": np.array(logits), "embedding": embedding})
    return write_catalog(folder, rows, taxonomy=TAXONOMY, columns=FIELDS)


def test_it_measures_every_kind_of_question(tmp_path: Path) -> None:
    options = argparse.Namespace(title="name", columns=COLUMNS, kinds=None, out=tmp_path, source="drawn")
    text = measured(catalog(tmp_path / "learn", 1), catalog(tmp_path / "search", 2), options)
    assert "words were learned from the titles of 160 products" in text
    assert "another first product, and how many right ones there are: none." in text
    rows = {cells[0]: cells for line in text.splitlines() if line.startswith("| ") for cells in [cells_of(line)]}
    assert not KINDS.values() - rows.keys()
    _, asked, full_text, photographs, everything, most = rows["a sub-category"]
    assert (asked, full_text, photographs, everything) == ("2", "0.000 / 0.000", "1.000 / 1.000", "1.000 / 1.000")
    _, asked, full_text, photographs, everything, most = rows["a title word, hidden in all titles"]
    assert (asked, full_text) == ("5", "0.000 / 0.000")  # four kinds, and teal, which is not a label
    assert float(everything.split(" / ")[0]) == 1
    assert most == "1.000"
    half = [float(cell.split(" / ")[1]) for cell in rows["a title word, hidden in every second title that has it"][2:5]]
    assert half[0] < half[2]


def test_it_times_the_learning(tmp_path: Path) -> None:
    catalog(tmp_path / "scored", 1)
    page = tmp_path / "page.md"
    assert time_main([str(tmp_path / "scored"), "--products", "400", "--page", str(page)]) == 0
    assert "6 words from the titles of 400 products took" in page.read_text()


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split("|")]


def test_missing_results_count_as_wrong() -> None:
    assert precision(["a", "b"], frozenset("a")) == (1, 0.1)
    assert precision([], frozenset("a")) == (0, 0)
    assert precision(["b", *"acdefghij", "k"], frozenset("abk")) == (1, 0.2)
