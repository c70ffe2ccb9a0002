"""Replacements, recommendations and duplicates, on products with known attributes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from engine_stores import ENGINES, new_store
from scored_catalog import COLUMNS, LOCAL_MODE, TAXONOMY, products, write_catalog

from catalog import duplicates, recommend, replace
from catalog.engines.folder_store import FolderStore
from catalog.engines.store import Tuning
from catalog.filters.columns import Columns, Kind, source_column
from catalog.index import build
from catalog.similar.matches import Product
from catalog.similar.matching import Index
from catalog.similar.replacement import conditions, stock_column
from fashion.errors import DataError, SettingError
from fashion.taxonomy import Label, Taxonomy

pytestmark = LOCAL_MODE

COUNT = 150
TWINS = {"p0": ["twin0a", "twin0b"], "p4": ["twin4a"]}


def rows() -> list[dict[str, Any]]:
    """Products, and near-identical photographs of two of them as separate products in stock."""
    found = products(COUNT, seed=2)
    by_id = {row["id"]: row for row in found}
    rng = np.random.default_rng(0)
    for id, twins in TWINS.items():
        for twin in twins:
            embedding = by_id[id]["embedding"] + rng.normal(0, 0.01, by_id[id]["embedding"].shape)
            found.append(by_id[id] | {"id": twin, "embedding": embedding, "stock": 5})
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replace")
    build(write_catalog(folder / "scored", rows()), FolderStore(folder / "index"))
    return folder / "index"


@pytest.fixture(scope="module", params=[f"{e}{g}" for e in ENGINES for g in ("", " graph")])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("engines")
    engine, _, graphs = request.param.partition(" ")
    with new_store(engine, request, folder / "index") as make:
        build(write_catalog(folder / "scored", rows()), make(), Tuning(approximate=bool(graphs), asked=True))
        with Index(make()) as opened:
            yield opened


def names(row: dict[str, Any], group: str) -> set[str]:
    return {TAXONOMY.labels[i].name for i in TAXONOMY.indices(group) if row["logits"][i] > 0}


def test_replacements_share_category_and_gender_are_in_stock_and_no_twins(index: Index) -> None:
    by_id = {row["id"]: row for row in rows()}
    for asked in ("p0", "p4", "p1", "p2", "p5"):
        own = by_id[asked]
        wanted = {
            id
            for id, row in by_id.items()
            if id not in (asked, *TWINS.get(asked, ()))
            and row["stock"] > 0
            and all(not names(own, group) or names(own, group) & names(row, group) for group in ("category", "gender"))
        }
        found = index.replace(asked, limit=500, duplicates=True)
        assert {match.product.id for match in found} == wanted
        similarities = [match.similarity for match in found]
        assert similarities == sorted(similarities, reverse=True)
    assert TWINS["p0"][0] in {match.product.id for match in index.search("p0", duplicates=True)}


def test_a_replacement_shares_the_article_if_the_model_has_articles(tmp_path: Path) -> None:
    labels = [("category", "Accessories"), ("article", "Watches"), ("article", "Belts"), ("gender", "Men")]
    rows = products(8, seed=1)
    says = {0: "yyny", 1: "yyny", 2: "ynyy", 3: "yyny", 4: "yyny", 5: "yyny", 6: "ynny", 7: "ynyn"}  # y: the label
    for i, row in enumerate(rows):
        row["logits"] = np.array([2.0 if answer == "y" else -2.0 for answer in says[i]])
        row["stock"], row["article"] = int(i != 3), "4711"  # the shop's own column is shadowed by the group
    taxonomy = Taxonomy(tuple(Label(*label) for label in labels))
    columns = [*COLUMNS, pa.field("article", pa.string())]
    build(write_catalog(tmp_path / "scored", rows, taxonomy=taxonomy, columns=columns), FolderStore(tmp_path / "index"))
    with Index(FolderStore(tmp_path / "index")) as index:
        found = {match.product.id for match in index.replace("p0", duplicates=True)}
        assert found == {"p1", "p4", "p5"}
        without_article = {match.product.id for match in index.replace("p6", duplicates=True)}
        assert without_article == {"p0", "p1", "p2", "p4", "p5"}
        unnamed = Columns([c for c in index.columns.columns if c.name != "category" and c.place[0] != "attribute"])
        with pytest.raises(SettingError, match="neither article nor category"):
            conditions(index.product("p0"), unnamed)


def test_the_required_shared_columns_can_be_chosen(index: Index) -> None:
    by_id = {row["id"]: row for row in rows()}
    brand = index.product("p3").source.get("brand") or index.product("p5").source["brand"]
    asked = "p3" if index.product("p3").source.get("brand") else "p5"
    found = index.replace(asked, same=["brand"], stock="", limit=500)
    assert {match.product.id for match in found} == {
        id for id, row in by_id.items() if row["brand"] == brand and id != asked
    }
    sale = index.replace(asked, same=[], stock="sale", where="price<50", limit=500)
    assert {match.product.id for match in sale} == {
        id for id, row in by_id.items() if row["sale"] and row["price"] and row["price"] < 50 and id != asked
    }


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"same": ["categry"]}, "unknown column 'categry' .did you mean 'category'..; there are: "),
        ({"same": ["price"]}, "'price' holds numbers; a replacement can share names only; use --where"),
        ({"stock": "brand"}, "'brand' holds text, not numbers, true and false or texts such as 'in stock' that say"),
        ({"stock": 'odd "name", of it'}, "of it' holds text such as 'x', not numbers, true and false or texts"),
        ({"stock": "stok"}, "unknown column 'stok'"),
    ],
)
def test_unusable_columns_are_refused(index: Index, how: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        index.replace("p1", **how)


def test_an_index_without_category_and_gender(index: Index) -> None:
    columns = type(index.columns)([c for c in index.columns.columns if c.name not in ("category", "gender")])
    with pytest.raises(
        SettingError, match=r"neither article nor category nor gender; say with --same what .*: color, sleeve, price"
    ):
        conditions(index.product("p1"), columns)


def score(product: np.ndarray, like: np.ndarray, unlike: np.ndarray) -> float:
    """Qdrant's best score: the highest similarity to a liked product, or minus that to a nearer disliked one."""
    best, worst = (like @ product).max(), (unlike @ product).max() if len(unlike) else -np.inf
    return float(best) if best > worst else -float(worst)


@pytest.mark.parametrize(("like", "unlike"), [(["p1"], []), (["p1", "p2"], ["p3"]), (["p1"], ["p7", "p13"])])
def test_recommendations_are_those_of_the_best_score(index: Index, like: list[str], unlike: list[str]) -> None:
    units = {}
    for row in rows():
        embedding = row["embedding"].astype(np.float16).astype(np.float64)
        units[row["id"]] = embedding / np.linalg.norm(embedding)
    liked = np.stack([units[id] for id in like])
    unliked = np.stack([units[id] for id in unlike]) if unlike else np.zeros((0, 16))
    scores = {id: score(unit, liked, unliked) for id, unit in units.items() if id not in (*like, *unlike)}
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:10]
    found = index.recommend(like, unlike, space="embedding")
    assert [match.product.id for match in found] == best
    similarity = {id: max((liked @ units[id]).tolist()) for id in best}
    order = np.argsort([match.similarity for match in found])
    assert order.tolist() == np.argsort([similarity[match.product.id] for match in found]).tolist()


def test_recommendations_pass_the_filter(index: Index) -> None:
    found = index.recommend(
        ["p1"], ["p2"], where="stock>0 and price<50", limit=500, space="attributes", duplicates=True
    )
    wanted = {r["id"] for r in rows() if r["stock"] > 0 and r["price"] and r["price"] < 50} - {"p1", "p2"}
    assert {match.product.id for match in found} == wanted


@pytest.mark.parametrize(
    ("like", "unlike", "how", "error", "message"),
    [
        ([], ["p1"], {}, SettingError, "need at least one product that is liked"),
        (["p1", "p2"], ["p2"], {}, SettingError, "product 'p2' is both liked and disliked"),
        (["p1"], [], {"diversity": 0.5}, SettingError, "recommendations do not support diversity"),
        (["p1"], ["p2000"], {}, DataError, "has no product with the id 'p2000'"),
        ("12", [], {}, SettingError, "'12' is no list of ids"),
    ],
)
def test_invalid_recommendation_requests(
    index: Index, like: list[str], unlike: list[str], how: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        index.recommend(like, unlike, **how)


def test_planted_duplicates_are_found_and_nothing_else(index: Index) -> None:
    planted = sorted((sorted([id, *twins]) for id, twins in TWINS.items()), key=len, reverse=True)
    assert index.duplicates(threshold=0.999) == planted
    if not index.manifest.tuning.approximate:  # with graphs, float16 vectors round a cosine so near to 1 up to 1
        assert index.duplicates(threshold=1.0) == []
    (everything,) = index.duplicates(threshold=0.01)  # more near neighbors than the first query returns
    assert len(everything) == COUNT + 3
    for threshold in (0.0, 1.1, float("nan")):
        with pytest.raises(SettingError, match="it must be above 0 and at most 1"):
            index.duplicates(threshold=threshold)


def test_the_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replace.main([str(folder), "p0", "--json", "--limit", "3", "--same", "category", "--stock", ""]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 3
    assert all(match["shared"]["category"] for match in found)
    assert recommend.main([str(folder), "--like", "p1, p2", "--unlike", "p3", "--limit", "4"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 4
    assert duplicates.main([str(folder), "--threshold", "0.999"]) == 0
    assert capsys.readouterr().out == f"p0  twin0a  twin0b\np4  twin4a\n2 groups, 5 of {COUNT + 3} products\n"
    assert duplicates.main([str(folder), "--threshold", "0.999", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1]) == ["p4", "twin4a"]


def test_no_filter_is_blamed_if_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alike = [products(1)[0] | {"id": id} for id in "ab"]
    build(write_catalog(tmp_path / "scored", alike), FolderStore(tmp_path / "index"))
    assert recommend.main([str(tmp_path / "index"), "--like", "a"]) == 0
    assert recommend.main([str(tmp_path / "index"), "--like", "a", "--where", "price<0"]) == 0
    assert capsys.readouterr().out == "no product was found\nno product passes the filter\n"


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        *((name, "number", True) for name in ("Stock", "In stock?", "Variant Inventory Qty", "qty", "is_in_stock")),
        *((name, "text", True) for name in ("availability", "Stock-Status")),
        ("quantity", "flag", True),
        ("stockings", "number", False),
    ],
)
def test_columns_of_stocks_are_known_by_their_usual_names(name: str, kind: Kind, found: bool) -> None:
    columns = Columns([source_column("price", "number"), source_column(name, kind)])
    assert stock_column(columns) == (name if found else None)
    product = Product("p1", "", {}, {}, np.zeros(1), np.zeros(1), payload={})
    (*asked,) = map(vars, conditions(product, columns, same=[]))
    assert [condition["column"].name for condition in asked] == ([name] if found else [])


def test_stock_texts_are_understood_and_a_missing_column_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ("in stock", "Out of stock", "TRUE", "no", "https://schema.org/InStock", "sold_out", None)
    known = {row["id"]: row | {"Availability": texts[i % len(texts)]} for i, row in enumerate(products(40, seed=3))}
    kept = [column for column in COLUMNS if column.name != "stock"]
    text = [*kept, pa.field("Availability", pa.string())]
    build(
        write_catalog(tmp_path / "text", list(known.values()), columns=text), FolderStore(tmp_path / "text" / "index")
    )
    flags = ["p1", "--same", "", "--json", "--limit", "100"]
    assert replace.main([str(tmp_path / "text" / "index"), *flags]) == 0
    said = capsys.readouterr()
    found = {known[json.loads(line)["id"]]["Availability"] for line in said.out.splitlines()}
    assert found == {"in stock", "TRUE", "https://schema.org/InStock"}
    assert "in stock" not in said.err
    build(
        write_catalog(tmp_path / "none", list(known.values()), columns=kept), FolderStore(tmp_path / "none" / "index")
    )
    for more, lines in (([], 1), (["--stock", ""], 0)):
        assert replace.main([str(tmp_path / "none" / "index"), *flags, *more]) == 0
        notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note   no stock column")]
        assert len(notes) == lines


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (replace.main, ["p4000"], "has no product with the id 'p4000'"),
        (replace.main, ["p1", "--same", "shape"], "unknown column 'shape'"),
        (recommend.main, ["--like", ","], "need at least one product that is liked"),
        (duplicates.main, ["--threshold", "2"], "threshold is 2; it must be above 0 and at most 1"),
    ],
)
def test_mistakes_are_one_line_errors(
    folder: Path, capsys: pytest.CaptureFixture[str], command: Any, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        command([str(folder), *arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
