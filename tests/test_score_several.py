"""Scoring products with several photographs: table formats, joining, continuing, updates."""

import csv
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from several_photographs import PRODUCTS, STARTER, views, write_rows, write_views

from catalog.score import score
from catalog.scored.columns import EMBEDDING, PHOTOGRAPHS, PROBABILITIES, VIEWS, views_of
from catalog.scored.table import LEFT_OUT_FILE, Scored
from fashion.predictor import Predictor
from fashion.tables.stored import read_stored
from fashion.views import combine_predictions


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_bundle(STARTER)


def rows_of(folder: Path) -> pa.Table:
    return pa.Table.from_batches(Scored.open(folder).batches())


def left_out(folder: Path) -> list[tuple[str, str, str]]:
    with (folder / LEFT_OUT_FILE).open(newline="") as file:
        return [(row["row"], row["id"], row["reason"]) for row in csv.DictReader(file)]


def check_product(scored: Scored, position: int, photographs: list[bytes], predictor: Predictor) -> None:
    """Check that a row has the model's joint answer for these photographs."""
    each = predictor.predict(list(photographs))
    together = combine_predictions(each, predictor.card)
    np.testing.assert_allclose(scored.vectors("probabilities")[position], together.probabilities, atol=4e-3)
    np.testing.assert_allclose(scored.vectors("embedding")[position], together.embedding, atol=2e-3)
    cell = rows_of(scored.folder).column(VIEWS)[position]
    own = views_of(cell)
    assert (own is None) == (len(photographs) == 1)
    if own is not None:
        np.testing.assert_allclose(own, np.stack([one.embedding for one in each]), atol=4e-3)


def test_rows_of_one_id_are_one_product(predictor: Predictor, tmp_path: Path) -> None:
    path = write_rows(tmp_path)
    summary = score(STARTER, [str(path)], tmp_path / "out")
    table = rows_of(tmp_path / "out")
    assert table["id"].to_pylist() == [f"p{i}" for i in range(PRODUCTS)]
    assert table["Title"].to_pylist() == [f"Product {i}" for i in range(PRODUCTS)]
    assert table["Variant Price"].to_pylist() == [10 + i for i in range(PRODUCTS)]
    images = [[str(tmp_path / "images" / f"{i}-{view}.png") for view in range(3)] for i in range(PRODUCTS)]
    assert table["image"].to_pylist() == [of[0] for of in images]
    assert table[PHOTOGRAPHS].to_pylist() == images
    check_product(Scored.open(tmp_path / "out"), 2, list(views(2)), predictor)
    assert (summary.scored, summary.images) == (PRODUCTS, 3 * PRODUCTS)
    assert f"{3 * PRODUCTS} photographs of {PRODUCTS} of them scored" in str(summary)
    assert left_out(tmp_path / "out") == [
        (f"shop.csv:{3 + 4 * i}", f"p{i}", "duplicate id") for i in range(PRODUCTS)
    ]  # variants without a photograph
    assert score(STARTER, [str(path)], tmp_path / "out").scored == 0


def _google(folder: Path) -> Path:
    lines = [f"id\timage link\tadditional image link\np0\thttps://x/0-0.png\t{'https://x/0-1.png,https://x/0-2.png'}"]
    (folder / "t.tsv").write_text("\n".join([*lines, "p1\thttps://x/1-0.png\t"]) + "\n")
    return folder / "t.tsv"


def _woo(folder: Path) -> Path:
    (folder / "t.csv").write_text(
        'ID,Images\np0,"https://s/0-0.png, https://s/0-1.png, https://s/0-2.png"\np1,1-0.png\n'
    )
    return folder / "t.csv"


def _json(folder: Path) -> Path:
    shots = [[{"src": f"https://x/0-{view}.png"} for view in range(3)], [{"src": "1-0.png"}]]
    (folder / "t.json").write_text(json.dumps([{"id": f"p{i}", "images": of} for i, of in enumerate(shots)]))
    return folder / "t.json"


def _numbered(folder: Path) -> Path:
    (folder / "t.csv").write_text("id,image_1,image_2,image_3\np0,0-0.png,0-1.png,0-2.png\np1,1-0.png,,\n")
    return folder / "t.csv"


def _paths(folder: Path) -> Path:
    images = pa.array([[f"0-{view}.png" for view in range(3)], ["1-0.png"]])
    pq.write_table(pa.table({"id": ["p0", "p1"], "images": images}), folder / "t.parquet")
    return folder / "t.parquet"


def _bytes(folder: Path) -> Path:
    images = pa.array([list(views(0)), [views(1)[0]]], pa.list_(pa.binary()))
    pq.write_table(pa.table({"id": ["p0", "p1"], "images": images}), folder / "t.parquet")
    return folder / "t.parquet"


def _rows_of_bytes(folder: Path) -> Path:
    one, two, three = views(0)
    images = pa.array([one, views(1)[0], two, three], pa.binary())
    pq.write_table(pa.table({"id": ["p0", "p1", "p0", "p0"], "image": images}), folder / "t.parquet", row_group_size=1)
    return folder / "t.parquet"


@pytest.mark.parametrize("write", [_google, _woo, _json, _numbered, _paths, _bytes, _rows_of_bytes])
def test_every_way_of_naming_them(predictor: Predictor, tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(write_views(tmp_path, 2))
    score(STARTER, [str(path)], tmp_path / "out")
    scored = Scored.open(tmp_path / "out")
    ids = rows_of(tmp_path / "out")["id"].to_pylist()
    assert sorted(ids) == ["p0", "p1"]
    check_product(scored, ids.index("p0"), list(views(0)), predictor)
    check_product(scored, ids.index("p1"), [views(1)[0]], predictor)
    assert left_out(tmp_path / "out") == []
    assert score(STARTER, [str(path)], tmp_path / "out").scored == 0


def test_a_product_with_some_unusable_photographs_is_scored(predictor: Predictor, tmp_path: Path) -> None:
    path = write_rows(tmp_path, 3)
    (tmp_path / "images" / "0-1.png").write_bytes(b"no image")
    for view in range(3):
        (tmp_path / "images" / f"1-{view}.png").unlink()
    score(STARTER, [str(path)], tmp_path / "out")
    assert rows_of(tmp_path / "out")["id"].to_pylist() == ["p0", "p2"]
    check_product(Scored.open(tmp_path / "out"), 0, [views(0)[0], views(0)[2]], predictor)
    faults = [entry for entry in left_out(tmp_path / "out") if entry[2] != "duplicate id"]
    missing = [(f"shop.csv:{row}", "p1", "missing file") for row in (6, 8, 9)]
    assert faults == [("shop.csv:4", "p0", "broken image"), *missing]
    for view in range(3):
        (tmp_path / "images" / f"1-{view}.png").write_bytes(views(1)[view])
    (tmp_path / "images" / "0-1.png").write_bytes(views(0)[1])
    summary = score(STARTER, [str(path)], tmp_path / "out")
    assert (summary.scored, summary.refreshed.moved) == (2, 1)  # p1, previously left out, and p0, now complete
    assert sorted(rows_of(tmp_path / "out")["id"].to_pylist()) == ["p0", "p1", "p2"]


@pytest.mark.parametrize("stored", [False, True])
def test_left_out_photographs_of_a_kept_product_stay_listed(tmp_path: Path, stored: bool) -> None:
    write_views(tmp_path, 2)
    if stored:
        path = tmp_path / "t.parquet"
        images = pa.array([[views(0)[0], b"no image"], [views(1)[0]]], pa.list_(pa.binary()))
        pq.write_table(pa.table({"id": ["a", "b"], "image": images}), path)
    else:
        path = tmp_path / "t.csv"
        path.write_text("id,image\na,0-0.png\na,gone.png\nb,1-0.png\n")
    score(STARTER, [str(path)], tmp_path / "out")
    listed = left_out(tmp_path / "out")
    assert [entry[1] for entry in listed] == ["a"]
    summary = score(STARTER, [str(path)], tmp_path / "out")
    assert (summary.scored, len(summary.left_out)) == (0, 1)
    assert left_out(tmp_path / "out") == listed
    if not stored:
        path.write_text("id,image\na,0-0.png\nb,1-0.png\n")
        score(STARTER, [str(path)], tmp_path / "out")
        assert left_out(tmp_path / "out") == []


def test_added_photographs_and_changed_prices_are_updated(predictor: Predictor, tmp_path: Path) -> None:
    write_views(tmp_path, 3)
    path = tmp_path / "t.csv"
    path.write_text("id,image,price\na,0-0.png,1\nb,1-0.png,2\nc,2-0.png,3\n")
    score(STARTER, [str(path)], tmp_path / "out")
    assert PHOTOGRAPHS not in rows_of(tmp_path / "out").column_names  # as in catalogs of single photographs
    before = rows_of(tmp_path / "out")
    path.write_text("id,image,price\na,0-0.png,1\na,0-1.png,\nb,1-0.png,5\nc,2-0.png,3\n")
    summary = score(STARTER, [str(path)], tmp_path / "out")
    assert (summary.scored, summary.refreshed.moved, summary.refreshed.changed) == (1, 1, 1)
    table = rows_of(tmp_path / "out")
    ids = table["id"].to_pylist()
    assert (sorted(ids), table["price"][ids.index("b")].as_py()) == (["a", "b", "c"], 5)
    check_product(Scored.open(tmp_path / "out"), ids.index("a"), list(views(0)[:2]), predictor)
    for column in (PROBABILITIES, EMBEDDING):
        assert table[column][ids.index("c")].as_py() == before[column][2].as_py()
    path.write_text("id,image,price\na,0-0.png,1\nb,1-0.png,5\nc,2-0.png,3\n")
    summary = score(STARTER, [str(path)], tmp_path / "out")
    assert (summary.scored, summary.refreshed.moved) == (1, 1)
    assert PHOTOGRAPHS not in rows_of(tmp_path / "out").column_names


def test_photographs_in_a_table_are_found_again(tmp_path: Path) -> None:
    path = _rows_of_bytes(tmp_path)
    score(STARTER, [str(path)], tmp_path / "out")

    def stored() -> dict[str, list[bytes | None]]:
        rows = rows_of(tmp_path / "out").to_pylist()
        return {row["id"]: [read_stored(name) for name in row[PHOTOGRAPHS] or [row["image"]]] for row in rows}

    assert stored() == {"p0": list(views(0)), "p1": [views(1)[0]]}
    ids, images = ["p2", "p0", "p1", "p0", "p0"], [views(2)[0], views(0)[0], views(1)[0], *views(0)[1:]]
    pq.write_table(pa.table({"id": ids, "image": pa.array(images, pa.binary())}), path)
    assert (
        score(STARTER, [str(path)], tmp_path / "out").scored == 1
    )  # the others have moved to other rows, but are known
    assert stored() == {"p0": list(views(0)), "p1": [views(1)[0]], "p2": [views(2)[0]]}
    assert [read_stored(name) for name in ("photo.jpg", f"{path}#image:99:0", f"{path}#image:0:9")] == [None] * 3
    pq.write_table(pa.table({"image": pa.array([b"%d" % i for i in range(100)], pa.binary())}), path, row_group_size=40)
    order = [*range(100), *range(99, -1, -1), *np.random.default_rng(0).integers(0, 100, 300).tolist(), 100, 20]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda row: read_stored(f"{path}#image:{row}:0"), order))
    assert found == [b"%d" % row if row < 100 else None for row in order]
    path.unlink()
    assert read_stored(f"{path.with_name('gone.parquet')}#image:0:0") is None
