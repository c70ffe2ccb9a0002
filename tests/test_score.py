"""Scoring a catalog: every kind of source, kept columns, rows left out, and continuing after a crash."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from photos import photo
from product_tables import photograph, write_csv, write_parquet, write_photographs

from catalog.score import main, score
from catalog.scored.columns import WRITTEN
from catalog.scored.table import LEFT_OUT_FILE, Scored
from fashion.errors import BundleError, DataError, FashionError
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from fashion.tables.stored import read_stored

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_bundle(bundle, "int8")


def table(folder: Path) -> pa.Table:
    return pa.Table.from_batches(Scored.open(folder).batches())


def check_answers(folder: Path, predictor: Predictor, photographs: list[bytes]) -> None:
    """Check that the rows have the model's answers for these photographs."""
    scored = Scored.open(folder)
    found = predictor.predict(list(photographs))
    for name in ("probabilities", "logits", "embedding"):
        expected = np.stack([getattr(prediction, name) for prediction in found])
        np.testing.assert_allclose(scored.vectors(name), expected, rtol=1e-3, atol=1e-3)  # type: ignore[arg-type]
    for row, prediction in zip(table(folder).to_pylist(), found, strict=True):
        answer = predictor.answer(prediction)["attributes"]
        for group in predictor.taxonomy.groups:
            names = [attribute["name"] for attribute in answer if attribute["group"] == group]
            assert row[f"attribute.{group}"] == names


def left_out(folder: Path) -> list[dict[str, str]]:
    with (folder / LEFT_OUT_FILE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_photographs(bundle: Path, predictor: Predictor, tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "photos", 5)
    (tmp_path / "photos" / "notes.txt").write_text("not an image, and not named like one")
    summary = score(bundle, [str(tmp_path / "photos")], tmp_path / "out", engine="int8", batch=2)
    rows = table(tmp_path / "out").to_pylist()
    expected = sorted(paths)
    assert [row["id"] for row in rows] == [str(path.relative_to(tmp_path / "photos")) for path in expected]
    assert [row["image"] for row in rows] == [str(path) for path in expected]
    check_answers(tmp_path / "out", predictor, [path.read_bytes() for path in expected])
    assert (summary.scored, summary.left_out) == (5, [])
    assert str(summary).endswith(f"Next: python -m catalog.index {tmp_path / 'out'}")
    manifest = Scored.open(tmp_path / "out").manifest
    assert manifest.model == predictor.identity()
    assert manifest.profile == "micro-f1"


@pytest.mark.usefixtures("without_heic")
def test_photographs_of_a_folder_that_are_not_scored_are_listed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.JFIF", "c.jpe", "phone.heic", "d"):
        (tmp_path / "photos" / name).write_bytes(photograph(0))
    summary = score(bundle, [str(tmp_path / "photos")], tmp_path / "out", engine="int8")
    assert table(tmp_path / "out").column("id").to_pylist() == ["a.jpg", "b.JFIF", "c.jpe"]
    assert [(row["id"], row["reason"]) for row in left_out(tmp_path / "out")] == [
        ("d", "no ending"),
        ("phone.heic", "format not read"),
    ]
    assert "2 left out (1 no ending, 1 format not read), listed in left_out.csv" in str(summary)


def test_a_model_with_gates_answers_as_the_servers_do(gated_bundle: Path, tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{i:02}.png").write_bytes(photo(i))
    (tmp_path / "photos" / "12.png").write_bytes(b"no image")
    out = tmp_path / "out"
    for profile in ("micro-f1", "top-k"):
        score(gated_bundle, [str(tmp_path / "photos")], out / profile, profile=profile, engine="int8", batch=5)
        predictor = Predictor.from_bundle(gated_bundle, "int8")
        refused = 0
        for i, row in enumerate(table(out / profile).to_pylist()):
            prediction = predictor.predict(photo(i))
            answer = predictor.answer(prediction, profile)
            for group in predictor.taxonomy.groups:
                names = [found["name"] for found in answer["attributes"] if found["group"] == group]
                assert row[f"attribute.{group}"] == names
            assert row["product.probability"] == pytest.approx(prediction.product)
            assert [row["applies.sleeve"], row["applies.category"]] == pytest.approx(prediction.applies.tolist())
            refused += not answer["product"]["recognized"]
        assert 0 < refused < 12
    scored = Scored.open(out / "top-k")
    np.testing.assert_allclose(scored.vectors("probabilities")[0], predictor.predict(photo(0)).probabilities, atol=1e-3)
    assert scored.manifest.columns == ()


def test_source_columns_are_updated_beside_gate_columns(gated_bundle: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path, 4)
    score(gated_bundle, [str(path)], tmp_path / "out", engine="int8")
    before = table(tmp_path / "out")
    path.write_text(path.read_text().replace("Brand 1", "Brand 7"))
    summary = score(gated_bundle, [str(path)], tmp_path / "out", engine="int8")
    after = table(tmp_path / "out")
    assert (summary.scored, summary.refreshed.changed) == (0, 1)
    assert after.column_names == before.column_names
    assert after.drop(["brand"]) == before.drop(["brand"])
    assert after["brand"].to_pylist()[1] == "Brand 7"


def test_globs_find_the_same(bundle: Path, tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", 4)
    globs = [str(tmp_path / "photos" / "*.jpg"), str(tmp_path / "photos" / "more" / "*.jpg")]
    score(bundle, globs, tmp_path / "out", engine="int8")
    ids = table(tmp_path / "out").column("id").to_pylist()
    assert ids == ["0.jpg", "2.jpg", "more/1.jpg", "more/3.jpg"]


def test_a_csv_keeps_its_columns(bundle: Path, predictor: Predictor, tmp_path: Path) -> None:
    path = write_csv(tmp_path, 6)
    score(bundle, [str(path)], tmp_path / "out", engine="int8")
    found = table(tmp_path / "out")
    assert found.column("id").to_pylist() == [f"p{i}" for i in range(6)]
    assert found.column("price").to_pylist() == [i + 0.5 for i in range(6)]
    assert found.column("code").to_pylist() == [f"00{i}" for i in range(6)]  # text: a number would lose the zeros
    assert found.column("brand").to_pylist() == [f"Brand {i % 3}" for i in range(6)]
    assert Scored.open(tmp_path / "out").manifest.columns == ("sku", "price", "code", "brand")
    assert found.column("image")[0].as_py() == str(tmp_path / "images" / "0.jpg")
    check_answers(tmp_path / "out", predictor, [photograph(i % 4) for i in range(6)])


@pytest.mark.parametrize("stored_as", ["binary", "struct"])
def test_parquet_with_the_images_in_it(bundle: Path, predictor: Predictor, tmp_path: Path, stored_as: str) -> None:
    write_parquet(tmp_path / "shards" / "a.parquet", 7, stored_as)
    write_parquet(tmp_path / "shards" / "b.parquet", 3, stored_as, start=7)
    score(bundle, [str(tmp_path / "shards")], tmp_path / "out", engine="int8")
    found = table(tmp_path / "out")
    assert found.column("id").to_pylist() == [str(i) for i in range(10)]
    rows = [("a", row) for row in range(7)] + [("b", row) for row in range(3)]
    places = [f"{tmp_path / 'shards' / name}.parquet#image:{row}:0" for name, row in rows]
    assert found.column("image").to_pylist() == places
    assert [read_stored(place) for place in places] == [photograph(i % 4) for i in range(10)]
    assert found.schema.field("stock").type == pa.int32()
    assert found.column("stock").to_pylist() == list(range(10))
    check_answers(tmp_path / "out", predictor, [photograph(i % 4) for i in range(10)])


def test_parquet_with_paths(bundle: Path, tmp_path: Path) -> None:
    write_photographs(tmp_path / "images", 1)
    pq.write_table(pa.table({"file": ["0.jpg", "0"], "brand": ["A", None]}), tmp_path / "t.parquet")
    score(bundle, [str(tmp_path / "t.parquet")], tmp_path / "out", engine="int8")
    rows = table(tmp_path / "out").to_pylist()
    assert [(row["id"], row["brand"]) for row in rows] == [("0.jpg", "A"), ("0", None)]
    assert {row["image"] for row in rows} == {str(tmp_path / "images" / "0.jpg")}


def test_bad_rows_are_listed_and_not_fatal(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(photograph(0))
    (tmp_path / "text.jpg").write_text("not an image")
    cells = ["a,good.jpg", "b,text.jpg", "a,good.jpg", "c,gone.jpg", "d,"]
    (tmp_path / "t.csv").write_text("\n".join(["id,image", *cells]))
    summary = score(bundle, [str(tmp_path / "t.csv")], tmp_path / "out", engine="int8")
    assert table(tmp_path / "out").column("id").to_pylist() == ["a"]
    listed = {(entry["row"], entry["id"]): entry["reason"] for entry in left_out(tmp_path / "out")}
    assert listed == {
        ("t.csv:3", "b"): "broken image",
        ("t.csv:4", "a"): "duplicate id",
        ("t.csv:5", "c"): "missing file",
        ("t.csv:6", "d"): "no image",
    }
    assert sum(summary.manifest.left_out.values()) == 4
    assert "4 left out" in str(summary)
    (tmp_path / "gone.jpg").write_bytes(photograph(1))  # repair it and run the same command again
    assert score(bundle, [str(tmp_path / "t.csv")], tmp_path / "out", engine="int8").scored == 1
    assert table(tmp_path / "out").column("id").to_pylist() == ["a", "c"]


def test_lines_and_row_groups_that_cannot_be_read_are_listed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(photograph(0))
    (tmp_path / "t.csv").write_text("id,image\na,good.jpg\nb,bad.jpg,c\nd,good.jpg,\n")
    score(bundle, [str(tmp_path / "t.csv")], tmp_path / "out", engine="int8")
    assert table(tmp_path / "out").column("id").to_pylist() == ["a", "d"]
    (entry,) = left_out(tmp_path / "out")
    assert (entry["row"], entry["reason"]) == ("t.csv:3", "bad line")
    path = write_parquet(tmp_path / "t.parquet", 10, "binary")
    column = pq.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    score(bundle, [str(path)], tmp_path / "parquet", engine="int8")
    assert table(tmp_path / "parquet").column("id").to_pylist() == [str(i) for i in range(5)]
    assert {entry["reason"] for entry in left_out(tmp_path / "parquet")} == {"broken row group"}
    assert score(bundle, [str(path)], tmp_path / "parquet", engine="int8").scored == 0


def test_names_that_are_not_utf8_are_listed(bundle: Path, tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", 1)
    with open(os.fsencode(tmp_path / "photos") + b"/\xff.jpg", "wb") as file:
        file.write(photograph(0))
    score(bundle, [str(tmp_path / "photos")], tmp_path / "out", engine="int8")
    assert [entry["reason"] for entry in left_out(tmp_path / "out")] == ["missing file"]


def test_shards_of_different_types_are_refused(bundle: Path, tmp_path: Path) -> None:
    for name, price in (("a", 1), ("b", "1")):
        pq.write_table(pa.table({"image": ["0.jpg"], "price": [price]}), tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match=r"column 'price' is string in .*b.parquet and int64 in .*a.parquet"):
        score(bundle, [str(tmp_path / "*.parquet")], tmp_path / "out")


def test_the_profile_decides_what_is_answered(bundle: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path, 2)
    for profile, answered in (("0", 10), ("1", 0)):
        score(bundle, [str(path)], tmp_path / profile, profile=profile, engine="int8")
        rows = table(tmp_path / profile).to_pylist()
        groups = ("attribute.category", "attribute.color", "attribute.sleeve")
        assert [sum(len(row[group]) for group in groups) for row in rows] == [answered] * 2


def test_a_killed_scoring_continues(bundle: Path, tmp_path: Path) -> None:
    path, out, rows = write_csv(tmp_path, 400), tmp_path / "out", 400
    command = [sys.executable, "-m", "catalog.score", str(bundle), str(path), "--out", str(out), "--engine", "int8"]
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen([*command, "--part", "8", "--batch", "8"], cwd=ROOT, stderr=log)
        end = time.monotonic() + 120
        while not (out / "part-00001.parquet").exists():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with pytest.raises(DataError, match="is not complete"):
        Scored.open(out)
    kept = {part.name: part.read_bytes() for part in out.glob("part-*.parquet")}
    summary = score(bundle, [str(path)], out, engine="int8")
    assert summary.scored == rows - 8 * len(kept)
    assert sorted(table(out).column("id").to_pylist()) == sorted(f"p{i}" for i in range(rows))
    assert all((out / name).read_bytes() == content for name, content in kept.items())
    assert f"{8 * len(kept)} of them scored before" in str(summary)
    assert not list(out.glob("*.tmp"))


def test_scoring_again_adds_only_new_rows(bundle: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "photos", tmp_path / "out"
    first = write_photographs(source, 6)[0]
    score(bundle, [str(source)], out, engine="int8")
    assert score(bundle, [str(source)], out, engine="int8").scored == 0
    (source / "new.jpg").write_bytes(photograph(9))
    first.unlink()
    summary = score(bundle, [str(source)], out, engine="int8")
    assert (summary.scored, summary.refreshed.gone, Scored.open(out).rows) == (1, 1, 6)
    assert "1 removed, because they are no longer in the source" in str(summary)
    ids = ["2.jpg", "4.jpg", "more/1.jpg", "more/3.jpg", "more/5.jpg", "new.jpg"]
    assert sorted(table(out).column("id").to_pylist()) == ids


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a scored catalog, by name."""
    return {path.name: path.read_bytes() for path in [*folder.glob("part-*.parquet"), folder / "score.json"]}


def test_a_truncated_source_removes_nothing_without_a_flag(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 10), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8", part_rows=4)
    before, lines = contents(out), path.read_text().splitlines()
    path.write_text("\n".join(lines[:6]) + "\n")
    message = r"5 of the 10 products of .*out are not in .*catalog.csv any more, such as 'p5'; nothing.*--allow-removal"
    with pytest.raises(DataError, match=message):
        score(bundle, [str(path)], out, engine="int8")
    assert contents(out) == before
    path.write_text(f"{lines[0]}\np0,gone.jpg,0.5,000,Brand 0\n")  # its only photograph is missing
    with pytest.raises(DataError, match=r"no image of .*catalog.csv can be used .1 missing file."):
        score(bundle, [str(path)], out, engine="int8", allow_removal=True)
    assert contents(out) == before
    path.write_text("\n".join(lines[:6]) + "\n")
    summary = score(bundle, [str(path)], out, engine="int8", allow_removal=True)
    assert (summary.refreshed.gone, Scored.open(out).rows) == (5, 5)


def test_missing_photographs_remove_nothing_without_a_flag(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 10), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8")
    before, text = contents(out), path.read_text()
    path.write_text(text.replace(",0.jpg", ",zero.jpg").replace(",1.jpg", ",4.jpg"))
    (tmp_path / "images" / "4.jpg").write_bytes(photograph(4))
    with pytest.raises(
        DataError, match=r"3 of the 10 products .* photographs cannot be used any more .*, such as 'p0'"
    ):
        score(bundle, [str(path)], out, engine="int8")
    assert {name: content for name, content in contents(out).items() if name in before} == before
    (tmp_path / "images" / "zero.jpg").write_bytes(photograph(5))
    assert score(bundle, [str(path)], out, engine="int8").scored == 3  # the products of 4.jpg are already scored
    found = {row["id"]: Path(row["image"]).name for row in table(out).to_pylist()}
    names = ("zero.jpg", "4.jpg", "2.jpg", "3.jpg")
    assert found == {f"p{i}": names[i % 4] for i in range(10)}


def test_an_engine_without_its_file_ends_before_anything_begins(bundle: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for name in ("model.int8.onnx", "model_card.json"):
        (small / name).symlink_to(bundle / name)
    with pytest.raises(BundleError, match=r"has no model.pth; it has: model.int8.onnx"):
        score(small, [str(write_csv(tmp_path, 1))], tmp_path / "out", engine="torch", address="local")
    assert not (tmp_path / "out").exists()


def test_source_columns_are_updated_without_scoring(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 3), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8", part_rows=2)
    before = {row["id"]: row for row in table(out).to_pylist()}
    lines = path.read_text().splitlines()
    header = lines[0].replace("price", "cost") + ",stock"
    rows = [f"{line},{i + 0.5}" for i, line in enumerate(lines[1:])]
    path.write_text("\n".join([header, *rows]) + "\n")
    summary = score(bundle, [str(path)], out, engine="int8")
    assert (summary.scored, summary.refreshed.changed, summary.refreshed.gone) == (0, 3, 0)
    after = {row["id"]: row for row in table(out).to_pylist()}
    for name, row in after.items():
        was = before[name]
        assert row.pop("stock") == int(name[1:]) + 0.5
        assert row.pop("cost") == was.pop("price")
        assert row == was
    assert Scored.open(out).manifest.columns[-1] == "stock"
    parts = {part.name: part.read_bytes() for part in out.glob("part-*.parquet")}
    again = score(bundle, [str(path)], out, engine="int8")
    assert (again.scored, again.refreshed.changed) == (0, 0)
    assert {part.name: part.read_bytes() for part in out.glob("part-*.parquet")} == parts


def test_the_texts_of_converted_cells_are_stored_beside_the_values(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 3), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8")
    assert WRITTEN + "price" not in Scored.open(out).schema.names  # 0.5 is written as it is read
    path.write_text(path.read_text().replace(".5,", ".50,"))
    assert score(bundle, [str(path)], out, engine="int8").scored == 0
    found = table(out)
    assert found[WRITTEN + "price"].to_pylist() == ["0.50", "1.50", "2.50"]
    assert found["price"].to_pylist() == [0.5, 1.5, 2.5]
    assert Scored.open(out).manifest.columns == ("sku", "price", "code", "brand")


def test_a_product_with_another_photograph_is_scored_again(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 3), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8")
    before = {row["id"]: row for row in table(out).to_pylist()}
    (tmp_path / "images" / "other.jpg").write_bytes(photograph(77))
    first = before["p0"]["image"]
    path.write_text(path.read_text().replace(Path(first).name, "other.jpg"))
    summary = score(bundle, [str(path)], out, engine="int8")
    assert (summary.scored, summary.refreshed.moved) == (1, 1)
    after = {row["id"]: row for row in table(out).to_pylist()}
    assert Path(after["p0"]["image"]).name == "other.jpg"
    assert after["p0"]["embedding"] != before["p0"]["embedding"]
    assert after["p1"] == before["p1"]


def test_a_source_with_none_of_the_products_is_refused(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 2), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8")
    parts = {part.name: part.read_bytes() for part in out.iterdir()}
    path.write_text(path.read_text().replace("\np", "\nq"))
    with pytest.raises(DataError, match=r"has none of the products of .*, such as 'p0'"):
        score(bundle, [str(path)], out, engine="int8")
    assert {part.name: part.read_bytes() for part in out.iterdir()} == parts


def other_model(bundle: Path, folder: Path) -> Path:
    """A bundle with only a card: a catalog of another model is refused before weights are opened."""
    card = ModelCard.load(bundle)
    (folder / "other").mkdir()
    replace(card, files=card.files | {"model.pth": "0" * 64}).save(folder / "other")
    return folder / "other"


def test_another_model_source_or_profile_is_refused(bundle: Path, tmp_path: Path) -> None:
    path, out = write_csv(tmp_path, 2), tmp_path / "out"
    score(bundle, [str(path)], out, engine="int8")
    with pytest.raises(DataError, match=r"was scored by fashion 1.0 .* not by fashion 1.0 "):
        score(other_model(bundle, tmp_path), [str(path)], out, engine="int8")
    with pytest.raises(DataError, match=r"was scored with source .*catalog.csv', not "):
        score(bundle, [str(tmp_path / "images")], out, engine="int8")
    with pytest.raises(DataError, match=r"was scored with profile 'micro-f1', not '0.5'"):
        score(bundle, [str(path)], out, profile="0.5", engine="int8")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "id,price\n1,2\n",
            "no column with a usual name for images, .*columns are: id, price; name it",
        ),
        ("a.csv", "id,image\n", "a.csv has no row; nothing to score"),
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "id,image\na\n", "no image of .*a.csv can be used .1 no image.; the first, a.csv:2"),
        ("a.csv", "id,image\na,b,c\n", "line 2 of .*a.csv has 3 values"),
        (
            "a.csv",
            "id,image\na,https://x/b.jpg\na,\n",
            "1 missing file.*a.csv:2: .* which --fetch downloads",
        ),
        ("a.csv", "id,image,embedding\na,b,c\n", "source column 'embedding' has the name"),
        ("a.csv", "id,image\na,b.jpg\n", "no image of .*a.csv can be used .1 missing file.; the first, a.csv:2"),
        ("a.parquet", "no", "is not a Parquet file"),
        ("a.txt", "no", "a.txt has no column with a usual name for images"),
        ("a.xml", "no", "a.xml is text, neither a photograph nor a table"),
    ],
)
def test_a_source_that_cannot_be_used(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(FashionError, match=message) as caught:
        score(bundle, [name], "out", engine="int8")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_sources_without_photographs_are_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for names, message in (
        ([tmp_path / "empty"], "holds no image"),
        ([tmp_path / "none"], "does not exist; expected a folder"),
        ([tmp_path / "*.jpg"], "no file matches"),
        ([tmp_path / "empty", tmp_path / "empty"], "is a folder; score it alone"),
    ):
        with pytest.raises(DataError, match=message):
            score(bundle, [str(name) for name in names], tmp_path / "out")
    with pytest.raises(DataError, match="no column 'foto'"):
        score(bundle, [str(write_csv(tmp_path, 1))], tmp_path / "out", image_column="foto")


def test_two_scorings_of_one_folder_are_kept_apart(bundle: Path, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FashionError, match="another process is scoring into"):
            score(bundle, [str(write_csv(tmp_path, 1))], tmp_path / "out")


def test_the_command_line(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_csv(tmp_path, 2)
    main([str(bundle), str(path), "--out", str(tmp_path / "out"), "--id", "code", "--engine", "int8"])
    assert "2 products" in capsys.readouterr().out
    assert table(tmp_path / "out").column("id").to_pylist() == ["000", "001"]
    for flags in (["--profile", "no"], ["--id", "no"]):
        with pytest.raises(SystemExit) as ended:
            main([str(bundle), str(path), "--out", str(tmp_path / "out"), *flags])
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert os.path.exists(tmp_path / "out" / "score.json")
