"""Searches in words: what a text is read as, and what an index answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import EMBEDDING, write_catalog

from catalog.engines.edge_store import EdgeStore
from catalog.index import build
from catalog.search import main
from catalog.similar.matching import Index
from catalog.words.asking import read
from catalog.words.searching import search_words
from catalog.words.vocabulary import Vocabulary, words_of
from fashion.errors import SettingError
from fashion.model_card import ModelCard
from fashion.taxonomy import Label, Taxonomy

LABELS = {
    "article": ("Tshirts", "Dresses", "Trousers", "Casual Shoes"),
    "colour": ("Red", "Navy Blue", "Grey"),
    "sleeve": ("Long Sleeves", "Sleeveless"),
    "pattern": ("Checked", "Printed", "Solid"),
    "gender": ("Men", "Women"),
}
TAXONOMY = Taxonomy(tuple(Label(group, name) for group, names in LABELS.items() for name in names))
COLUMNS = [pa.field("title", pa.string()), pa.field("Price", pa.float64())]
PRODUCTS: dict[str, tuple[tuple[str, ...], str, float]] = {
    "a": (("Dresses", "Red", "Long Sleeves", "Solid", "Women"), "Evening gown by Zephyr", 80),
    "b": (("Dresses", "Red", "Sleeveless", "Printed", "Women"), "Summer dress with moccasin fringe", 30),
    "c": (("Dresses", "Navy Blue", "Long Sleeves", "Checked", "Women"), "Flannel shirt dress", 45),
    "d": (("Tshirts", "Red", "Sleeveless", "Solid", "Men"), "Zephyr running top", 20),
    "e": (("Casual Shoes", "Grey", "Solid", "Men"), "Suede moccasins", 60),
    "f": (("Trousers", "Grey", "Checked", "Men"), "Café racer chinos", 55),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("words")
    rows: list[dict[str, Any]] = []
    for id, (names, title, price) in PRODUCTS.items():
        logits = np.array([3.0 if label.name in names else -4.0 for label in TAXONOMY.labels], np.float32)
        row = {"id": id, "image": f"{id}.jpg", "title": title, "Price": price}
        rows.append(row | {"logits": logits, "embedding": np.ones(EMBEDDING)})
    build(write_catalog(home / "scored", rows, taxonomy=TAXONOMY, columns=COLUMNS), EdgeStore(home / "index"))
    return home / "index"


@pytest.fixture
def index(folder: Path) -> Iterator[Index]:
    with Index(EdgeStore(folder)) as opened:
        yield opened


def ids(index: Index, text: str, limit: int = 10, **flags: Any) -> list[str]:
    return [match.product.id for match in search_words(index, text, limit=limit, **flags).matches]


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted", "words", "prices"),
    [
        ("Red dresses", ["Red", "Dresses"], [], [], (None, None)),
        ("a checked shirt for men", ["Checked", "Men"], [], ["shirt"], (None, None)),
        ("plaid pants", ["Checked", "Trousers"], [], [], (None, None)),
        ("long-sleeved tee, no print", ["Long Sleeves", "Tshirts"], ["Printed"], [], (None, None)),
        ("dress without sleeves", ["Dresses", "Sleeveless"], [], [], (None, None)),
        ("navy dress under 50 EUR", ["Navy Blue", "Dresses"], [], [], (None, 50.0)),
        ("dress between 20 and 49,90", ["Dresses"], [], [], (20.0, 49.9)),
        ("shoes from 40 to 60", [], [], ["shoe"], (40.0, 60.0)),
        ("gray moccasins", ["Grey"], [], ["moccasin"], (None, None)),
    ],
)
def test_what_a_text_asks_for(
    text: str, wanted: list[str], unwanted: list[str], words: list[str], prices: tuple[float | None, float | None]
) -> None:
    asked = read(text, Vocabulary(TAXONOMY))
    assert [labels[0].name for labels in asked.wanted] == wanted
    assert [labels[0].name for labels in asked.unwanted] == unwanted
    assert asked.words == words
    assert (asked.above, asked.below) == prices


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("red dress", ["a", "b"]),
        ("red dress with long sleeves", ["a"]),
        ("red dress, no long sleeves", ["b"]),
        ("red dress under 50", ["b"]),
        ("women's checked dress", ["c"]),
        ("zephyr dress", ["a"]),  # a word of titles beside a label
        ("moccasin", ["e", "b"]),
        ("cafe", ["f"]),  # without the accent
        ("grey trousers", ["f"]),
    ],
)
def test_what_is_found_first(index: Index, text: str, first: list[str]) -> None:
    assert ids(index, text)[: len(first)] == first


def test_filters_hold_for_all_that_is_found(index: Index) -> None:
    assert set(ids(index, "not red")) == {"c", "e", "f"}
    assert set(ids(index, "dress under 50")) == {"b", "c", "d"}
    assert ids(index, "dress", where="Price>70") == ["a"]
    assert set(ids(index, "red, without zephyr")) == {"b", "c", "e", "f"}
    assert len(ids(index, "red", limit=2)) == 2


def test_what_is_missing_is_told(index: Index) -> None:
    (best, *_) = search_words(index, "grey dress").matches
    assert best.similarity == pytest.approx(0.5, abs=0.05)
    assert list(best.shared.values()) in ([["Grey"]], [["Dresses"]])
    assert len(best.differing) == 1


@pytest.mark.parametrize("text", ["", "  ", "the", "with a", "!!"])
def test_nothing_is_refused(index: Index, text: str) -> None:
    with pytest.raises(SettingError, match="names nothing to search for"):
        search_words(index, text)


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder), "--text", "red dress", "--json", "--limit", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "a"


def test_texts_are_those_of_the_index_as_it_is(folder: Path, tmp_path: Path) -> None:
    """An index that was built again has its texts read again."""
    row = {"id": "x", "image": "", "Price": 1.0, "logits": np.zeros(len(TAXONOMY)), "embedding": np.ones(EMBEDDING)}
    for word in ("plush", "corduroy"):
        rows = [row | {"title": word}]
        scored = write_catalog(tmp_path / word, rows, taxonomy=TAXONOMY, columns=COLUMNS)
        build(scored, EdgeStore(tmp_path / "index"), anew=True)
        with Index(EdgeStore(tmp_path / "index")) as opened:
            opened.manifest.__dict__["created"] = word  # two builds of one second have one time
            assert ids(opened, word) == ["x"]


def test_every_synonym_names_a_label_of_the_starter_or_of_another_model() -> None:
    starter = ModelCard.load(Path(__file__).parents[1] / "model_store/starter").taxonomy
    vocabulary = Vocabulary(starter)
    for phrase in ("sneakers", "plaid", "tee", "ladies", "crew neck", "navy"):
        assert vocabulary.at(words_of(phrase))[1], phrase
