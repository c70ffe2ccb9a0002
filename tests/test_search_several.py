"""Products with several photographs and listings in an index: found by any photograph, and listed once."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engine_stores import new_store
from PIL import Image
from scored_catalog import LOCAL_MODE
from several_photographs import PRODUCTS, STARTER, views, write_rows

from catalog import duplicates, recommend, replace, search
from catalog.coloring.color_search import ColorSearch
from catalog.coloring.color_table import ColoredProduct
from catalog.engines.folder_store import FolderStore
from catalog.engines.store import Tuning
from catalog.index import build
from catalog.score import score
from catalog.scored.table import Scored
from catalog.similar.matching import Index
from catalog.similar.sheet import LAYOUT, draw_groups, draw_sheet
from catalog.words.searching import search_words
from fashion.colors.palette import DominantColor
from fashion.pictures.tiles import EMPTY, MARGIN
from fashion.predictor import Predictor

pytestmark = LOCAL_MODE

COPY = "copy of p0"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """`PRODUCTS` products of three photographs; a second listing has another id and one photograph of p0."""
    path = write_rows(tmp_path_factory.mktemp("shop"))
    with path.open("a") as file:
        file.write(f"{COPY},Product 0 again,10,0-0.png\n")
    score(STARTER, [str(path)], path.parent / "scored")
    return Scored.open(path.parent / "scored")


@pytest.fixture(scope="module", params=["folder", "folder graphs", "client", "postgres", "postgres graphs"])
def index(request: pytest.FixtureRequest, scored: Scored) -> Iterator[Index]:
    engine, _, graphs = request.param.partition(" ")
    with new_store(engine, request, scored.folder / request.param) as make:
        build(scored, make(), Tuning(approximate=bool(graphs), asked=True))
        with Index(make()) as opened:
            yield opened


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_bundle(STARTER)


def ids(matches: list[Any]) -> list[str]:
    return [match.product.id for match in matches]


def test_any_photograph_finds_its_product_once(index: Index, predictor: Predictor, scored: Scored) -> None:
    assert (len(index), index.manifest.photographs) == (PRODUCTS + 1, 3 * PRODUCTS)
    for product in range(1, PRODUCTS):
        for number in range(3):
            place = scored.folder.parent / "images" / f"{product}-{number}.png"
            found = index.search(index.photograph(place, predictor), space="embedding", exact=True)
            assert (found[0].product.id, found[0].product.image) == (f"p{product}", str(place))
            assert found[0].similarity == pytest.approx(1, abs=5e-3)
            assert len(set(ids(found))) == len(found) == PRODUCTS  # all products, no listing twice


def test_other_listings_of_a_product_are_matches_only_on_request(index: Index) -> None:
    others = {f"p{i}" for i in range(1, PRODUCTS)}
    assert set(ids(index.search("p0", limit=9))) == others
    assert set(ids(index.search("p0", limit=9, duplicates=True))) == {COPY, *others}
    assert set(ids(index.search("p0", limit=9, diversity=0.5))) == others
    found = ids(index.search("p1", limit=9))
    assert len(found) == PRODUCTS - 1
    assert len({"p0", COPY} & set(found)) == 1
    assert len(ids(index.search("p1", limit=PRODUCTS - 1))) == PRODUCTS - 1, "a copy must not replace a product"
    assert {"p0", COPY} <= set(ids(index.search("p1", limit=9, duplicates=True)))


def test_filters_see_products_and_not_photographs(index: Index) -> None:
    assert len(index.search(where="'Variant Price' >= 0", limit=50, duplicates=True)) == PRODUCTS + 1
    listed = index.search(where="'Variant Price' >= 0", limit=50)
    assert len(listed) == PRODUCTS
    assert ids(index.search("p1", where="'Variant Price' > 12", limit=50, exact=True)) == ids(
        [match for match in index.search("p1", limit=50, exact=True) if match.product.source["Variant Price"] > 12]
    )


def test_replacements_and_recommendations_leave_out_copies(index: Index) -> None:
    for more in ({}, {"duplicates": True}):
        assert {"p0", COPY}.isdisjoint(ids(index.replace("p0", same=[], stock="", limit=9, **more)))
        found = ids(index.recommend([COPY], ["p1"], limit=9, **more))
        assert {"p0", COPY, "p1"}.isdisjoint(found)
        assert len(found) == PRODUCTS - 2
    assert len({"p0", COPY} & set(ids(index.recommend(["p2"], limit=9)))) == 1
    assert {"p0", COPY} <= set(ids(index.recommend(["p2"], limit=9, duplicates=True)))


def test_duplicates_are_products(index: Index) -> None:
    assert index.duplicates() == [[COPY, "p0"]]
    if not index.manifest.tuning.approximate:  # which store vectors as float16
        assert index.duplicates(threshold=1) == [[COPY, "p0"]]  # the same file
    assert [ids(index.duplicates_of(id)) for id in ("p0", COPY, "p1")] == [[COPY], ["p0"], []]


def test_a_color_keeps_single_photographs(index: Index, predictor: Predictor, scored: Scored) -> None:
    """A photograph finds its product by itself, not by the joined embedding, with a filter by color as well."""
    gray = (DominantColor(1, "#808080", "gray", "gray"),)
    near = ColorSearch({id: ColoredProduct(id, "", gray) for id in ("p1", "p2")}, "#808080")
    place = scored.folder.parent / "images" / "1-1.png"
    where = near.condition(index.manifest, index.condition("'Variant Price' > 0"))
    found = index.search(index.photograph(place, predictor), space="embedding", where=where, exact=True)
    assert (ids(found), found[0].product.image) == (["p1", "p2"], str(place))


def test_words_name_products_once(scored: Scored, tmp_path: Path) -> None:
    build(scored, FolderStore(tmp_path / "index"))
    with Index(FolderStore(tmp_path / "index")) as index:
        assert ids(search_words(index, "again", limit=9, duplicates=True).matches) == [COPY]
        assert len({"p0", COPY} & set(ids(search_words(index, "product", limit=9).matches))) == 1
        assert len(search_words(index, "under 100", limit=9).matches) == PRODUCTS


def test_an_index_is_updated_with_its_photographs(scored: Scored, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "index")
    assert build(scored, store).written == PRODUCTS + 1
    changes = build(scored, store)
    assert (changes.written, changes.unchanged, changes.deleted) == (0, PRODUCTS + 1, 0)
    shop = tmp_path / "shop"
    shutil.copytree(scored.folder.parent, shop)
    path = shop / "shop.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "2-" not in line and "p2" not in line))
    score(STARTER, [str(path)], shop / "fewer")
    changes = build(Scored.open(shop / "fewer"), store)
    assert changes.deleted == 1
    with Index(store) as index:
        assert (len(index), index.manifest.photographs) == (PRODUCTS, 3 * (PRODUCTS - 1))
        assert index.store.count() == PRODUCTS + 3 * (PRODUCTS - 1)


def test_commands_and_their_pictures(scored: Scored, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(scored, FolderStore(tmp_path / "index"))
    capsys.readouterr()
    place = str(tmp_path / "index")
    sheet = ["--sheet", str(tmp_path / "sheet.png")]
    assert search.main([place, "--id", "p1", "--json", *sheet, "--show", "Variant Price"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == PRODUCTS - 1
    assert search.main([place, "--id", "p1", "--json", "--duplicates"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == PRODUCTS
    assert replace.main([place, "p0", "--same", "", "--stock", "", "--json"]) == 0
    assert COPY not in capsys.readouterr().out
    assert recommend.main([place, "--like", "p0", "--json"]) == 0
    assert COPY not in capsys.readouterr().out
    assert duplicates.main([place, "--sheet", str(tmp_path / "groups.png")]) == 0
    assert capsys.readouterr().out.startswith(f"{COPY}  p0\n1 groups")
    with Image.open(tmp_path / "groups.png") as picture:
        assert picture.width == LAYOUT.size(2)[0]


def test_photographs_in_a_table_are_on_the_sheet(tmp_path: Path) -> None:
    images = pa.array([views(i)[0] for i in range(3)], pa.binary())
    pq.write_table(pa.table({"image": images, "id": ["a", "b", "c"]}), tmp_path / "t.parquet")
    score(STARTER, [str(tmp_path / "t.parquet")], tmp_path / "scored")
    store = FolderStore(tmp_path / "index")
    build(Scored.open(tmp_path / "scored"), store)
    with Index(store) as index:
        pictures = [draw_sheet([index.product("a")], index.search("a"), columns=["id"]).image]
        pictures.append(draw_groups([index.products(["a", "b"])], [0.5]).image)
    empty = tuple(int(EMPTY[i : i + 2], 16) for i in (1, 3, 5))
    for picture in pictures:
        corner = np.asarray(picture)[MARGIN + 40 : MARGIN + 80, MARGIN + 4 : MARGIN + 60]
        assert not (corner == empty).all(axis=2).all()
