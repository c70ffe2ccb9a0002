"""What a text search returns: as many products as were asked for, notes on its filters, and what a match lacks."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import write_catalog

from catalog.engines.folder_store import FolderStore
from catalog.index import build
from catalog.search import main
from catalog.similar.matching import Index
from catalog.words.searching import search_words
from fashion.taxonomy import Label, Taxonomy

COLORS = ("Red", "Blue", "Purple", "Navy Blue", "Burgundy", "Grey", "Charcoal", "Silver")
TAXONOMY = Taxonomy(tuple(Label("color", name) for name in COLORS))
COLUMNS = [pa.field("title", pa.string()), pa.field("price", pa.float64()), pa.field("availability", pa.string())]


def row(id: str, names: tuple[str, ...], embedding: np.ndarray, **cells: Any) -> dict[str, Any]:
    logits = np.array([3.0 if name in names else -4.0 for name in COLORS], np.float32)
    return (
        {"id": id, "image": "", "title": "shirt", "price": 1.0, "availability": None}
        | cells
        | {
            "logits": logits,
            "embedding": embedding,
        }
    )


def indexed(folder: Path, rows: list[dict[str, Any]]) -> Index:
    build(write_catalog(folder / "scored", rows, taxonomy=TAXONOMY, columns=COLUMNS), FolderStore(folder / "index"))
    return Index(FolderStore(folder / "index"))


@pytest.mark.parametrize("text", ["red", "shirt", "red shirt"])
def test_a_row_for_each_size_does_not_shorten_the_results(tmp_path: Path, text: str) -> None:
    photographs = np.eye(40)
    rows = [row(f"{i}-{size}", ("Red",), photographs[i]) for i in range(40) for size in range(10)]
    with indexed(tmp_path, rows) as index:
        found = [match.product.id for match in search_words(index, text, limit=35).matches]
        assert len({id.split("-")[0] for id in found}) == len(found) == 35
        assert len(search_words(index, text, limit=100).matches) == 40
        assert len(search_words(index, text, limit=100, duplicates=True).matches) == 100


def test_several_missing_labels_of_a_group(tmp_path: Path) -> None:
    rows = [row("a", ("Red", "Blue"), np.eye(2)[0]), row("b", ("Blue",), np.eye(2)[1])]
    with indexed(tmp_path, rows) as index:
        red, blue = search_words(index, "red purple").matches
        assert red.shared == {"color": ["Red"]}
        assert red.differing["color"] == (["Purple"], ["Blue"])
        assert blue.shared == {}
        assert blue.differing["color"] == (["Red", "Purple"], ["Blue"])
        assert blue.differing_names == ["-Red", "-Purple", "+Blue"]


def test_a_name_of_several_groups_is_shown_with_its_group(tmp_path: Path) -> None:
    labels = (Label("pattern", "Solid"), Label("print_type", "Solid"), Label("color", "Red"))
    logits = {"a": [3.0, 3.0, 3.0], "b": [3.0, -4.0, 3.0]}
    rows = [row(id, (), np.ones(2)) | {"logits": np.array(values)} for id, values in logits.items()]
    build(
        write_catalog(tmp_path / "scored", rows, taxonomy=Taxonomy(labels), columns=COLUMNS),
        FolderStore(tmp_path / "index"),
    )
    with Index(FolderStore(tmp_path / "index")) as index:
        (found,) = index.search("a", duplicates=True)
        assert found.shared_names == ["pattern Solid", "Red"]
        assert found.differing_names == ["-print_type Solid"]
        assert found.shared["pattern"] == ["Solid"]
        assert index.product("a").names == ["pattern Solid", "print_type Solid", "Red"]


def test_filters_from_the_text_are_noted(tmp_path: Path) -> None:
    stock = ("in stock", "out of stock", None, "In_Stock")
    rows = [row(f"p{i}", ("Red",), np.eye(4)[i], price=10.0 * i, availability=stock[i]) for i in range(4)]
    with indexed(tmp_path, rows) as index:
        for text, ids, note in (
            ("red in stock", "p0 p3", "only products in stock, by the column availability"),
            ("red, not in stock", "p1 p2", "only products out of stock, by the column availability"),
            ("in stock", "p0 p3", "only products in stock, by the column availability"),
            ("red under 20", "p0 p1", "only products with price < 20"),
            ("red over 5 and up to 20", "p1 p2", "only products with price > 5 and price <= 20"),
            ("red not between 5 and 20", "p0 p3", "only products with price < 5 or price > 20"),
        ):
            found = search_words(index, text)
            assert sorted(match.product.id for match in found.matches) == ids.split(), text
            assert found.notes == [note]
        (note,) = search_words(index, "red stock").notes  # the column of the stock is none of its texts
        assert note.startswith("'stock' is no label and occurs in no text")


@pytest.mark.parametrize(
    ("text", "without", "shades"),
    [
        ("shirt, not in blue", ["Blue", "Navy Blue"], "Navy Blue"),
        ("no red or blue", ["Blue", "Burgundy", "Navy Blue", "Red"], "Burgundy, Navy Blue"),
        ("no navy blue or blue", ["Blue", "Navy Blue"], ""),
        ("navy blue shirt, no blue", ["Blue"], ""),  # wanted
        ("no navy blue", ["Navy Blue"], ""),  # not every blue
        ("no grey", ["Charcoal", "Grey"], "Charcoal"),  # a metal is no shade
    ],
)
def test_an_unwanted_basic_color_excludes_its_shades(
    tmp_path: Path, text: str, without: list[str], shades: str
) -> None:
    rows = [row(name, (name,), np.eye(len(COLORS))[i]) for i, name in enumerate(COLORS)]
    with indexed(tmp_path, rows) as index:
        found = search_words(index, text)
        assert sorted({*COLORS} - {match.product.id for match in found.matches}) == without
        assert found.notes == ([f"no shades of unwanted colors: {shades}"] if shades else [])


def test_a_title_with_a_close_synonym_counts_as_one_with_the_name(tmp_path: Path) -> None:
    """Others are understood in queries only: `wine` in a title is often no color."""
    rows = [row(word, (), np.eye(3)[i], title=f"shirt {word}") for i, word in enumerate(("navy", "wine", "plain"))]
    with indexed(tmp_path, rows) as index:
        for text, found in (
            ("navy blue", ["navy"]),
            ("red or navy blue", ["navy"]),
            ("burgundy", []),
            ("wine", ["wine"]),
        ):
            assert [match.product.id for match in search_words(index, text).matches if match.why] == found, text


def test_without_a_column_of_the_stock(tmp_path: Path) -> None:
    rows = [row("a", ("Red",), np.ones(2))]
    write = write_catalog(tmp_path / "scored", rows, taxonomy=TAXONOMY, columns=COLUMNS[:2])
    build(write, FolderStore(tmp_path / "index"))
    with Index(FolderStore(tmp_path / "index")) as index:
        found = search_words(index, "red in stock")
        assert [match.product.id for match in found.matches] == ["a"]
        assert found.notes == ["'in stock': the catalog has no column of its stock; it was left out"]


def test_a_column_in_which_no_product_found_has_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    indexed(tmp_path, [row("a", ("Red",), np.ones(2)), row("b", ("Red",), np.eye(2)[0])]).close()
    assert main([str(tmp_path / "index"), "--id", "a", "--show", "availability,price"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["alike", "id", "availability", "price"]
    assert line.split()[1:3] == ["b", "1"]
