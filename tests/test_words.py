"""Text searches: parsing of texts, and results of an index."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engine_stores import new_store
from scored_catalog import EMBEDDING, MODEL, write_catalog

from catalog.engines.folder_store import FolderStore
from catalog.engines.store import Record
from catalog.index import build
from catalog.scored.table import Scored
from catalog.search import main
from catalog.similar.matching import Index
from catalog.words.query_parser import parse_query
from catalog.words.searching import search_words
from catalog.words.suggestions import one_edit_apart
from catalog.words.vocabulary import Vocabulary, words_of
from catalog.words.word_file import write_words
from fashion.errors import DataError, SettingError
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
    "g": (("Casual Shoes", "Navy Blue", "Solid", "Men"), "Canvas Slip-On", 35),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("words")
    rows: list[dict[str, Any]] = []
    for number, (id, (names, title, price)) in enumerate(PRODUCTS.items()):
        logits = np.array([3.0 if label.name in names else -4.0 for label in TAXONOMY.labels], np.float32)
        row = {"id": id, "image": f"{id}.jpg", "title": title, "Price": price}
        rows.append(row | {"logits": logits, "embedding": 1 + np.eye(EMBEDDING)[number]})
    build(write_catalog(home / "scored", rows, taxonomy=TAXONOMY, columns=COLUMNS), FolderStore(home / "index"))
    return home / "index"


@pytest.fixture(scope="module", params=["folder", "postgres"])
def index(request: pytest.FixtureRequest, folder: Path) -> Iterator[Index]:
    with new_store(request.param, request, folder) as make:
        if request.param != "folder":
            build(Scored.open(folder.parent / "scored"), make())
        with Index(make()) as opened:
            yield opened


def ids(index: Index, text: str, limit: int = 10, **flags: Any) -> list[str]:
    return [match.product.id for match in search_words(index, text, limit=limit, **flags).matches]


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted", "words"),
    [
        ("Red dresses", ["Red", "Dresses"], [], []),
        ("a checked shirt for men", ["Checked", "Men"], [], ["shirt"]),
        ("plaid pants", ["Checked", "Trousers"], [], []),
        ("long-sleeved tee, no print", ["Long Sleeves", "Tshirts"], ["Printed"], []),
        ("dress without sleeves", ["Dresses", "Sleeveless"], [], []),
        ("navy dress under 50 EUR", ["Navy Blue", "Dresses"], [], []),
        ("gray moccasins", ["Grey"], [], ["moccasin"]),
        ("NAVY BLUE t-shirts", ["Navy Blue", "Tshirts"], [], []),
        ("men’s T shirt", ["Men", "Tshirts"], [], []),
        ("dress -red", ["Dresses"], ["Red"], []),
        ("dress, no print, not checked", ["Dresses"], ["Printed", "Checked"], []),
        ("non-solid dress", ["Dresses"], ["Solid"], []),
        ("please show me a red dress", ["Red", "Dresses"], [], []),
        ('"red" AND dress* NEAR(gown) OR ^title:x', ["Red", "Dresses"], [], ["near", "gown", "title", "x"]),
        ("sizes 8-10", [], [], ["size", "8", "10"]),
        ("red\x00dress; DROP TABLE texts --", ["Red", "Dresses"], [], ["drop", "table", "text"]),
    ],
)
def test_parsing_of_texts(text: str, wanted: list[str], unwanted: list[str], words: list[str]) -> None:
    asked = parse_query(text, Vocabulary(TAXONOMY))
    assert [wish.labels[0].name for wish in asked.wanted] == wanted
    assert [wish.labels[0].name for wish in asked.unwanted] == unwanted
    assert asked.words == words


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("under 50", {"lt": 50}),
        ("dress between 20 and 49,90", {"gte": 20, "lte": 49.9}),
        ("between 40 and 20", {"gte": 20, "lte": 40}),
        ("shoes from 40 to 60", {"gte": 40, "lte": 60}),
        ("less than Rs 999", {"lt": 999}),
        ("up to Rs.1,299.50", {"lte": 1299.5}),
        ("below 1.299,50 €", {"lt": 1299.5}),
        ("$20-$40 dress", {"gte": 20, "lte": 40}),
        ("20 – 40 EUR", {"gte": 20, "lte": 40}),
        ("price < 50", {"lt": 50}),
        ("priced over £30 and under £80", {"gt": 30, "lt": 80}),
        ("no more than 50", {"lte": 50}),
        ("at least 1,000", {"gte": 1000}),
        ("not more than 50", {"lte": 50}),
        ("dress, not over $50", {"lte": 50}),
        ("not below 20", {"gte": 20}),
        ("not under 20 or above 50", {"gte": 20, "lte": 50}),
        ("not at least 20", {"lt": 20}),
        ("no print, under 50", {"lt": 50}),
        ("not between 20 and 40", {}),
        ("from zara", {}),
        ("8 to 10", {}),
        ("under the sea", {}),
        ("between 5", {}),
    ],
)
def test_prices(text: str, prices: dict[str, float]) -> None:
    asked = parse_query(text, Vocabulary(TAXONOMY))
    assert asked.prices == prices
    assert not asked.unwanted_words


def test_or_joins_wishes_and_extends_a_negation() -> None:
    asked = parse_query("red or grey dress", Vocabulary(TAXONOMY))
    assert [[label.name for label in wish.labels] for wish in asked.wanted] == [["Red", "Grey"], ["Dresses"]]
    asked = parse_query("dress without print or zephyr", Vocabulary(TAXONOMY))
    assert [wish.labels[0].name for wish in asked.wanted] == ["Dresses"]
    assert [wish.labels[0].name for wish in asked.unwanted] == ["Printed"]
    assert asked.unwanted_words == ["zephyr"]


@pytest.mark.parametrize("text", ["dress cotton or grey", "dress by zara or grey", "dress under 50 or grey"])
def test_or_does_not_reach_beyond_a_word_or_a_price(text: str) -> None:
    asked = parse_query(text, Vocabulary(TAXONOMY))
    assert [[label.name for label in wish.labels] for wish in asked.wanted] == [["Dresses"], ["Grey"]]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("hoodie", "Hoodies", "HOODIE"), ["hoody"]),
        (("accessory", "accessories"), ["accessory"]),
        (("watch", "watches"), ["watch"]),
        (("dress", "dresses"), ["dress"]),
        (("Café", "cafe"), ["cafe"]),
        (("women's", "women’s", "womens"), ["women"]),
        (("Rs.1,299.50", "RS 1,299.50"), ["rs", "1,299.50"]),
    ],
)
def test_spellings_of_one_word(texts: tuple[str, ...], words: list[str]) -> None:
    for text in texts:
        assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("red dress", ["b", "a"]),  # a title with "dress" comes first
        ("red dress with long sleeves", ["a"]),
        ("red dress, no long sleeves", ["b"]),
        ("red dress under 50", ["b"]),
        ("women's checked dress", ["c"]),
        ("zephyr dress", ["a"]),  # a title word and a label
        ("moccasin", ["e", "b"]),
        ("cafe", ["f"]),  # without the accent
        ("grey trousers", ["f"]),
    ],
)
def test_the_ranking_of_results(index: Index, text: str, first: list[str]) -> None:
    assert ids(index, text)[: len(first)] == first


def test_filters_apply_to_all_results(index: Index) -> None:
    assert set(ids(index, "not red")) == {"c", "e", "f", "g"}
    assert set(ids(index, "dress under 50")) == {"b", "c", "d", "g"}
    assert set(ids(index, "dress not over 45")) == {"b", "c", "d", "g"}
    assert set(ids(index, "dress not between 30 and 60")) == {"a", "d"}
    assert ids(index, "dress", where="Price>70") == ["a"]
    assert set(ids(index, "red, without zephyr")) == {"b", "c", "e", "f", "g"}
    assert len(ids(index, "red", limit=2)) == 2


def test_a_price_limit_takes_the_most_usual_column(tmp_path: Path) -> None:
    """An empty or lower sale_price before price in the table does not count."""
    prices = {"a": (None, 30.0), "b": (40.0, 80.0)}
    both = {"logits": np.zeros(len(TAXONOMY)), "embedding": np.ones(EMBEDDING), "image": ""}
    rows = [{"id": id, "sale_price": sale, "Price": price, **both} for id, (sale, price) in prices.items()]
    columns = [pa.field("sale_price", pa.float64()), pa.field("Price", pa.float64())]
    build(write_catalog(tmp_path / "scored", rows, taxonomy=TAXONOMY, columns=columns), FolderStore(tmp_path / "index"))
    with Index(FolderStore(tmp_path / "index")) as opened:
        assert ids(opened, "under 50") == ["a"]


def test_missing_wishes_are_reported(index: Index) -> None:
    (best, *_) = search_words(index, "grey dress").matches
    assert best.similarity is not None
    assert best.similarity < 0.2
    assert best.shared == {"article": ["Dresses"]}
    assert best.differing["colour"].wanted == ["Grey"]
    assert {reason.asked for reason in best.why} == {"dress"}
    (best, *_) = search_words(index, "grey moccasins canvas").matches
    assert best.differing_names == ["-canvas"]
    assert best.reasons == ["Grey 0.95", "title 'moccasins'"]


def test_each_match_has_its_reasons(index: Index) -> None:
    (best, *_) = search_words(index, "zephyr red dress").matches
    found = [(reason.asked, reason.kind, reason.found) for reason in best.why]
    assert found == [("red", "label", "Red"), ("dress", "label", "Dresses"), ("zephyr", "title", "zephyr")]
    assert best.why[0].probability == pytest.approx(0.95, abs=0.01)
    assert [reason["kind"] for reason in best.to_json()["why"]] == ["label", "label", "title"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("red mocasin", "'mocasin' is no label and occurs in no text of the catalog; it was left out"),
        ("red derss", "did you mean 'dress'?"),
        ("red zefyr", "'zefyr' is no label and occurs in no text of the catalog; it was left out"),
        ("red zephry", "did you mean 'zephyr'?"),
        (
            "red dres",
            "'dres' is no label and occurs in no text of the catalog; it was left out; did you mean 'dress'?",
        ),
        ("red, no glitter", "'glitter' is no label"),
        ("red 红裙", "'红裙' is no label"),
    ],
)
def test_unknown_words_are_named_and_left_out(index: Index, text: str, note: str) -> None:
    found = search_words(index, text)
    assert len(found.notes) == 1
    assert note in found.notes[0]
    assert {match.product.id for match in found.matches[:3]} == {"a", "b", "d"}


def test_a_misspelled_word_alone_is_refused_with_a_suggestion(index: Index) -> None:
    with pytest.raises(SettingError, match=r"'derss' contains nothing to search for; .*did you mean 'dress'\?"):
        search_words(index, "derss")


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("dress", "dres", True),
        ("dress", "drress", True),
        ("dress", "drass", True),
        ("dress", "derss", True),
        ("dress", "dress", False),
        ("dress", "drse", False),
        ("dress", "rdesss", False),
        ("ab", "ba", True),
        ("", "a", True),
    ],
)
def test_one_edit(one: str, other: str, near: bool) -> None:
    assert one_edit_apart(one, other) is near
    assert one_edit_apart(other, one) is near


@pytest.mark.parametrize(
    "text", ['zephyr" OR "x', "zephyr*", "zephyr AND", "(zephyr", "zephyr:", "^zephyr", "zephyr'--"]
)
def test_operators_of_the_full_text_engine_are_words(index: Index, text: str) -> None:
    assert {match.product.id for match in search_words(index, text).matches[:2]} == {"a", "d"}


def test_hyphens_do_not_matter(index: Index) -> None:
    """`Slip-On` in a title is found as slip-on, slipon and slip on."""
    for text in ("slip-on", "slipon", "slip on", "Slip-Ons"):
        assert ids(index, text)[0] == "g", text


def test_a_word_of_many_titles_is_found_behind_a_filter(index: Index) -> None:
    assert ids(index, "zephyr", where="Price<50") == ["d"]


def test_a_filter_is_not_evaluated_anew_for_every_few_titles(tmp_path: Path) -> None:
    class CountingStore(FolderStore):
        scrolls = 0

        def scroll(self, *options: Any, **more: Any) -> Iterator[Record]:
            self.scrolls += 1
            return super().scroll(*options, **more)

    none = np.full(len(TAXONOMY), -4.0, np.float32)
    embeddings = np.abs(np.random.default_rng(0).normal(size=(1500, EMBEDDING)))
    rows = [
        {"id": f"p{i}", "image": "", "title": "gown", "Price": float(i), "logits": none, "embedding": embedding}
        for i, embedding in enumerate(embeddings)
    ]
    build(write_catalog(tmp_path / "s", rows, MODEL, 1500, TAXONOMY, COLUMNS), FolderStore(tmp_path / "index"))
    with Index(CountingStore(tmp_path / "index")) as opened:
        assert ids(opened, "gown, not under 1499") == ["p1499"]
        assert opened.store.scrolls <= 4


@pytest.mark.parametrize("text", ["", "  ", "the", "with a", "!!"])
def test_nothing_is_refused(index: Index, text: str) -> None:
    with pytest.raises(SettingError, match="contains nothing to search for"):
        search_words(index, text)


def test_a_catalog_without_texts_and_prices(tmp_path: Path) -> None:
    """Labels are found; other words are noted, and prices are refused."""
    logits = np.array([3.0 if label.name in ("Dresses", "Red") else -4.0 for label in TAXONOMY.labels], np.float32)
    rows = [{"id": "x", "image": "", "logits": logits, "embedding": np.ones(EMBEDDING)}]
    build(write_catalog(tmp_path / "scored", rows, taxonomy=TAXONOMY, columns=[]), FolderStore(tmp_path / "index"))
    with Index(FolderStore(tmp_path / "index")) as opened:
        found = search_words(opened, "zephyr red dres")
        assert [match.product.id for match in found.matches] == ["x"]
        assert found.notes == [
            "'zephyr' is no label, and the catalog has no texts; it was left out",
            "'dres' is no label, and the catalog has no texts; it was left out; did you mean 'dress'?",
        ]
        with pytest.raises(SettingError, match="no column of numbers is called price"):
            search_words(opened, "red under 50")


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder), "--text", "red dress", "--json", "--limit", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "b"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """SQLite writes to the file while it is made; here no bytes of it fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match=r"words.sqlite cannot be written: .*; free space, or make"):
            write_words(tmp_path / "words.sqlite", "1", ((str(i), f"word{i} " * 50) for i in range(1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_texts_follow_a_rebuilt_index(folder: Path, tmp_path: Path) -> None:
    """Texts are read again after an index is rebuilt."""
    row = {"id": "x", "image": "", "Price": 1.0, "logits": np.zeros(len(TAXONOMY)), "embedding": np.ones(EMBEDDING)}
    for word in ("plush", "corduroy"):
        rows = [row | {"title": word}]
        scored = write_catalog(tmp_path / word, rows, taxonomy=TAXONOMY, columns=COLUMNS)
        build(scored, FolderStore(tmp_path / "index"), anew=True)
        with Index(FolderStore(tmp_path / "index")) as opened:
            opened.manifest.__dict__["created"] = word  # builds within one second have the same time
            assert ids(opened, word) == ["x"]


def test_every_synonym_names_a_label_of_the_starter_or_of_another_model() -> None:
    starter = ModelCard.load(Path(__file__).parents[1] / "model_store/starter").taxonomy
    vocabulary = Vocabulary(starter)
    for phrase in ("sneakers", "plaid", "tee", "ladies", "crew neck", "navy"):
        assert vocabulary.at(words_of(phrase))[1], phrase
    assert not vocabulary.at(words_of("denim shirts"))[1]  # a fabric, no jeans
