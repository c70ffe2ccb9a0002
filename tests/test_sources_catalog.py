"""Importing shop catalogs: CSV and Parquet in many variants, with good and bad rows."""

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_files import jpeg, save_jpegs

from fashion.errors import DataError, SettingError
from training.sources import holdout
from training.sources.catalog import import_catalog
from training.sources.columns import read_labels
from training.sources.holdout import hash_fraction, hold_out_one
from training.sources.writer import ProductRow

HEADER = "image,color,style\n"


def catalog(folder: Path, **files: str) -> Path:
    """A folder with images 0.jpg to 3.jpg and these CSV files."""
    save_jpegs(folder / "images", [f"{i}.jpg" for i in range(4)])
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def rows_of(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob(f"{split}-*.parquet")) for row in pq.read_table(path).to_pylist()]


def left_out(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "left_out.csv").read_text().splitlines()))


def test_folder_with_splits(tmp_path: Path) -> None:
    source = catalog(
        tmp_path / "shop",
        train=HEADER + '0.jpg,Red|Blue,\n1.jpg,"Hosiery, Stockings",Casual\n',
        val=HEADER + "2.jpg,Red,Casual\n",
        test=HEADER + "3.jpg,,Casual\n",
    )
    summary = import_catalog(source, tmp_path / "out")
    assert summary.splits == {"train": 2, "val": 1, "test": 1}
    first, second = rows_of(tmp_path / "out")
    assert (first["id"], first["color"], first["style"]) == ("0.jpg", ["Red", "Blue"], None)
    assert second["color"] == ["Hosiery, Stockings"], "a comma is part of a label"
    assert first["image"]["bytes"] == (source / "images/0.jpg").read_bytes()
    assert rows_of(tmp_path / "out", "test")[0]["color"] is None, "an empty cell is not annotated"


@pytest.mark.parametrize(
    "text",
    [
        "\ufefffile_name;color\n0.jpg;Red\n1.jpg;Blue\n",  # a spreadsheet's: byte order mark and semicolons
        "Photo\tcolor\nimages/0.jpg\tRed\n\n1.jpg\tBlue\n",  # tabs, a path, a blank line
        "id,image name,color,url\n7,0,Red,http://x\n8,1,Blue,http://x\n",  # no ending, other columns
        'color,IMG\nRed,0.jpg\n"Blue",1.jpg\n',
    ],
)
def test_one_csv_in_many_spellings(tmp_path: Path, text: str) -> None:
    out = tmp_path / "out"
    import_catalog(catalog(tmp_path / "shop", products=text), out)
    assert json.loads((out / "dataset.json").read_text())["groups"].keys() == {"color"}
    assert sorted(row["color"][0] for row in rows_of(out) + rows_of(out, "val")) == ["Blue", "Red"]


def test_absolute_paths_and_a_file_as_source(tmp_path: Path) -> None:
    source = catalog(tmp_path / "shop")
    table = tmp_path / "elsewhere.csv"
    table.write_text("path,color\n" + "".join(f"{source}/images/{i}.jpg,Red\n" for i in range(4)))
    assert sum(import_catalog(table, tmp_path / "out").splits.values()) == 4


def test_rows_are_held_out_by_a_hash_of_the_id(tmp_path: Path) -> None:
    names = [f"{i}.jpg" for i in range(60)]
    save_jpegs(tmp_path / "shop/images", names)
    (tmp_path / "shop/train.csv").write_text("image,color\n" + "".join(f"{name},Red\n" for name in names))
    (tmp_path / "shop/test.csv").write_text("image,color\n")
    import_catalog(tmp_path / "shop", tmp_path / "out")
    held_out = {row["id"] for row in rows_of(tmp_path / "out", "val")}
    assert held_out == {name for name in names if hash_fraction(name.encode()) < 0.1}
    assert 2 <= len(held_out) <= 12


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 1, 3, 0, 0, 2)])
def test_few_rows_hold_out_the_lowest_hash(tmp_path: Path, order: tuple[int, ...]) -> None:
    text = "image,color\n" + "".join(f"{i}.jpg,Red\n" for i in (*order, 9))
    summary = import_catalog(catalog(tmp_path / "shop", train=text), tmp_path / "out")
    names = [f"{i}.jpg" for i in range(4)]
    assert min(hash_fraction(name.encode()) for name in names) > 0.1, "no row is held out by its hash alone"
    assert [row["id"] for row in rows_of(tmp_path / "out", "val")] == [
        min(names, key=lambda n: hash_fraction(n.encode()))
    ]
    assert summary.splits == {"train": 3, "val": 1}
    assert summary.left_out.pop("missing file") == 1
    assert sum(summary.left_out.values()) == len(order) - 4


def test_a_single_row_is_for_training(tmp_path: Path) -> None:
    summary = import_catalog(catalog(tmp_path / "shop", train="image,color\n0.jpg,Red\n"), tmp_path / "out")
    assert summary.splits == {"train": 1}


@pytest.mark.parametrize("header", ["product_id,image,color", "item_id,image,color", "Product ID,image,id,color"])
def test_all_photographs_of_a_product_are_in_one_split(tmp_path: Path, header: str) -> None:
    save_jpegs(tmp_path / "shop/images", [f"{i}.jpg" for i in range(120)])
    own = ",id," in header
    lines = [f"P{i // 3},{i}.jpg,{f'{i},' if own else ''}Red\n" for i in range(120)]
    (tmp_path / "shop/train.csv").write_text(f"{header}\n" + "".join(lines + lines[:2]))
    summary = import_catalog(tmp_path / "shop", tmp_path / "out")
    assert sum(summary.splits.values()) == 120
    assert summary.left_out == {"duplicate row": 2}
    train, val = ([row["product_id"] for row in rows_of(tmp_path / "out", split)] for split in ("train", "val"))
    assert not set(train) & set(val)
    assert val.count(val[0]) == 3
    ids = [row["id"] for row in rows_of(tmp_path / "out") + rows_of(tmp_path / "out", "val")]
    assert sorted(ids) == sorted(f"P{i}{number}" for i in range(40) for number in ("", "-2", "-3"))


def test_few_products_hold_out_all_photographs_of_one(tmp_path: Path) -> None:
    text = "id,image,color\n" + "".join(f"{i % 2},{i}.jpg,Red\n" for i in range(4))
    summary = import_catalog(catalog(tmp_path / "shop", train=text), tmp_path / "out")
    assert min(hash_fraction(name) for name in (b"0", b"1")) > 0.1, "no product is held out by its hash alone"
    assert summary.splits == {"train": 2, "val": 2}
    assert len({row["product_id"] for row in rows_of(tmp_path / "out", "val")}) == 1


def test_a_product_of_very_many_photographs_is_not_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdout, "MOST_HELD_BACK", 3)
    low, high = sorted("abc", key=lambda name: hash_fraction(name.encode()))[:2]
    rows = [ProductRow("train", name, b"", {}) for name in (high, *[low] * 5, high, low)]
    assert list(hold_out_one(rows)) == rows


def test_a_product_stays_in_the_split_of_its_first_row(tmp_path: Path) -> None:
    source = catalog(
        tmp_path / "shop", train="id,image,color\n7,0.jpg,Red\n", val="id,image,color\n7,1.jpg,Red\n8,2.jpg,Red\n"
    )
    summary = import_catalog(source, tmp_path / "out")
    assert (summary.splits, summary.left_out) == ({"train": 1, "val": 1}, {"other split": 1})
    assert "--id-column" in left_out(tmp_path / "out")[0]["detail"]


def test_split_column(tmp_path: Path) -> None:
    text = "image,split,color\n0.jpg,train,Red\n1.jpg,Validation,Red\n2.jpg,test,Red\n3.jpg,holdout,Red\n"
    summary = import_catalog(catalog(tmp_path / "shop", all=text), tmp_path / "out")
    assert summary.splits == {"train": 1, "val": 1, "test": 1}
    assert summary.left_out == {"unknown split": 1}


def test_numbered_folds_are_no_split_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "image,fold,color\n" + "".join(f"{i}.jpg,{i},Red\n" for i in range(4))
    summary = import_catalog(catalog(tmp_path / "shop", train=text), tmp_path / "out")
    assert summary.splits == {"train": 3, "val": 1}
    assert "column 'fold' holds none of train, val and test, so a hash of the ids decides" in capsys.readouterr().err
    both = text.replace("fold", "fold,subset").replace(",Red", ",Test,Red")
    assert import_catalog(catalog(tmp_path / "both", all=both), tmp_path / "out2").splits["test"] == 4
    assert "holds none of" not in capsys.readouterr().err


def test_prices_stock_and_ratings_are_left_out_unless_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"{i % 4}.jpg,Red,{i % 7}.99,{i % 5},{i % 3 + 1},1.{i % 4}5,4{i % 3}\n" for i in range(30))
    shop = catalog(tmp_path / "shop", train="image,color,Sale Price,stock,rating,weight,size\n" + lines)
    import_catalog(shop, tmp_path / "out")
    assert json.loads((tmp_path / "out/dataset.json").read_text())["groups"].keys() == {"color", "size"}
    said = capsys.readouterr().err
    assert "3 of the columns left out: Sale Price, stock, rating; " in said
    assert "left out as decimal numbers, not attributes: weight (4 different values in 30); to use one" in said
    import_catalog(shop, tmp_path / "asked", ["color", "rating", "weight"])
    assert json.loads((tmp_path / "asked/dataset.json").read_text())["groups"].keys() == {"color", "rating", "weight"}


def test_bad_rows_are_left_out_and_listed(tmp_path: Path) -> None:
    source = catalog(
        tmp_path / "shop",
        train=HEADER + "0.jpg,Red,\ngone.jpg,Red,\nbroken.jpg,Red,\n0.jpg,Blue,\n,Red,\nempty.jpg,Red,\nimages,Red,\n",
        val=HEADER + "1.jpg,Red,\n",
    )
    (source / "images/broken.jpg").write_bytes(jpeg()[:300])
    (source / "images/empty.jpg").write_bytes(b"")
    summary = import_catalog(source, tmp_path / "out")
    assert summary.splits == {"train": 1, "val": 1}
    assert summary.left_out == {"missing file": 2, "broken image": 2, "other labels": 1, "no image": 1}
    report = {row["row"]: row for row in left_out(tmp_path / "out")}
    assert report["train.csv:3"]["detail"].startswith("gone.jpg is not in ")
    assert report["train.csv:5"]["reason"] == "other labels"
    assert "0 bytes" in report["train.csv:7"]["detail"]
    assert "6 left out (" in str(summary)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train": ""}, r"train.csv is empty \(0 bytes\)"),
        ({"train": "\n\n"}, "train.csv is empty; its first line"),
        ({"train": HEADER}, "has no row below its header"),
        (
            {"train": HEADER + "0.jpg,Red,a,b\n"},
            r"line 2 of .* has 4 values, but its header names 3 columns",
        ),
        ({"train": HEADER + '0.jpg,"Red,a\n'}, r"line 2 of .* has a quote that is not closed.*in .quotes."),
        (
            {"train": "a,b\n1,2\n"},
            "no column with a usual name for images.*a, b; name it with --image-column of: python -m training.sources",
        ),
        ({"train": "image,id\n0.jpg,2\n"}, "no column of labels"),
        ({"train": HEADER + "0.jpg,Red,\n", "val": "image,color\n1.jpg,Red\n"}, "val.csv has no column 'style'"),
        ({"a": HEADER, "b": HEADER}, r"has no table: expected train.csv.* \(2 CSV files"),
        ({}, "has no table: expected train.csv"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, files: dict[str, str], message: str) -> None:
    source = catalog(tmp_path / "shop", **files)
    with pytest.raises(DataError, match=message) as caught:
        import_catalog(source, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_lines_that_do_not_fit_are_left_out_and_listed(tmp_path: Path) -> None:
    source = catalog(
        tmp_path / "shop",
        train=HEADER + '0.jpg,Red,a\n9.jpg,Red,a, b\n1.jpg,Blue\n8.jpg,"Red,\n',
        val=HEADER + "2.jpg,Red,a\n",
    )
    summary = import_catalog(source, tmp_path / "out")
    assert (summary.splits, summary.left_out) == ({"train": 2, "val": 1}, {"bad line": 2})
    listed = [(row["row"], row["reason"], row["detail"]) for row in left_out(tmp_path / "out")]
    assert listed == [
        ("train.csv:3", "bad line", "has 4 values, but its header names 3 columns"),
        ("train.csv:5", "bad line", "has a quote that is not closed, or not doubled"),
    ]


@pytest.mark.parametrize("name", ["products.tsv", "products.jsonl", "train.CSV", "feed.txt"])
def test_tables_of_other_endings(tmp_path: Path, name: str) -> None:
    source = catalog(tmp_path / "shop")
    lines = ['{"image": "0.jpg", "color": ["Red", "Blue"]}', '{"image": ["1.jpg", "2.jpg"], "color": "Red"}']
    text = "\n".join(lines) if name.endswith("jsonl") else "image\tcolor\n0.jpg\tRed|Blue\n1.jpg, 2.jpg\tRed\n"
    (source / name).write_text(text)
    import_catalog(source / name if name.endswith("txt") else source, tmp_path / "out")
    rows = rows_of(tmp_path / "out") + rows_of(tmp_path / "out", "val")
    assert sorted(row["color"] for row in rows) == [["Red"], ["Red", "Blue"]]
    assert (source / "images/1.jpg").read_bytes() in [row["image"]["bytes"] for row in rows]


def test_parquet_as_polars_writes_it_with_several_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([[{"bytes": jpeg(i), "path": None}] * 2 for i in range(3)], pa.large_list(struct))
    table = pa.table({"images": images, "color": pa.array(["Red", "Blue", "Red"], pa.string_view())})
    pq.write_table(table, tmp_path / "t.parquet")
    summary = import_catalog(tmp_path / "t.parquet", tmp_path / "out")
    assert sum(summary.splits.values()) == 3
    assert "the first photograph of each is used" in capsys.readouterr().err
    pq.write_table(pa.table({"image": [[1, 2]], "color": ["Red"]}), tmp_path / "pixels.parquet")
    with pytest.raises(DataError, match="holds pixels"):
        import_catalog(tmp_path / "pixels.parquet", tmp_path / "no")


def test_another_encoding_is_read_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = catalog(tmp_path / "shop")
    (source / "train.csv").write_bytes(HEADER.encode() + b"0.jpg,Red,\n1.jpg,Caf\xe9,\n")
    summary = import_catalog(source, tmp_path / "out")
    assert sum(summary.splits.values()) == 2
    assert (
        "is not UTF-8; its invalid bytes are read as Windows-1252: line 3 has '1.jpg,Café,'" in capsys.readouterr().err
    )


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(HEADER + "0.jpg,Red,\n1.jpg,Red,\n")
    with pytest.raises(
        DataError, match=r"no usable row in .*: 2 missing file; the first, train.csv:2: 0.jpg is not in"
    ):
        import_catalog(tmp_path, tmp_path / "out")


def test_wrong_column_names(tmp_path: Path) -> None:
    source = catalog(tmp_path / "shop", train="image,colour,style\n0.jpg,Red,\n")
    with pytest.raises(
        DataError, match=r"no column 'Color' \(did you mean 'colour'\?\); its columns are: image, colour"
    ):
        import_catalog(source, tmp_path / "out", groups=["Color"])
    with pytest.raises(DataError, match=r"no column 'pic'"):
        import_catalog(source, tmp_path / "out", image_column="pic")


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        (1001, lambda i: f"title {i}"),
        (2100, lambda i: f"title {i % 1001}"),
        (21, lambda i: f"title {i // 2 if i < 20 else i}|a tag {i}"),
    ],
    ids=["all different", "more than 1000", "more than half"],
)
def test_text_is_left_out_unless_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: int, values: Callable[[int], str]
) -> None:
    lines = "".join(f"0.jpg,{i},Red,{values(i)}\n" for i in range(rows))
    source = catalog(tmp_path / "shop", train="image,id,color,title\n" + lines)
    import_catalog(source, tmp_path / "out")
    assert json.loads((tmp_path / "out/dataset.json").read_text())["groups"] == {"color": ["Red"]}
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert "left out as text, not attributes: title (" in note
    assert note.endswith("name all groups: --data.groups '[color,title]'")
    import_catalog(source, tmp_path / "asked", groups=["title"])
    assert json.loads((tmp_path / "asked/dataset.json").read_text())["groups"].keys() == {"title"}
    assert "note" not in capsys.readouterr().err


def test_few_rows_may_all_be_different(tmp_path: Path) -> None:
    lines = "".join(f"0.jpg,{i},name {i}\n" for i in range(20))
    import_catalog(catalog(tmp_path / "shop", train="image,id,name\n" + lines), tmp_path / "out")
    assert json.loads((tmp_path / "out/dataset.json").read_text())["groups"].keys() == {"name"}


def test_columns_that_are_not_labels_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {"image": [jpeg()], "sku": ["a"], "id": [1], "color": ["Red"], "url": ["x"], "box": [[1, 2]]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    import_catalog(tmp_path / "t.parquet", tmp_path / "out")
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert note.startswith("note   3 of the columns left out: sku, url, box; ")


JOINED = ["Red, White", "Blue, White", "Red, Blue", "White"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (JOINED, "color (3 of 4 with ',', such as 'Blue, White')"),
        ([*JOINED, "Red/Pink", "White/Pink"], "color (3 of 6 with ',', such as 'Blue, White')"),
        (["Red/White", "Blue/White", "Black/White"], "color (3 of 3 with '/', such as 'Black/White')"),
        (["Hosiery, Stockings, Tights", "Bags, Belts", "Hats", "T-Shirt/Top"], None),
        (["1,5", "2,5", "5,5", "1,2"], None),
        (["38/40", "40/42", "42/44"], None),
    ],
)
def test_labels_composed_of_others_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: list[str], said: str | None
) -> None:
    text = "image;color\n" + "".join(f"{i}.jpg;{value}\n" for i, value in enumerate(values))
    import_catalog(catalog(tmp_path / "shop", train=text), tmp_path / "out")
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert len(notes) == (said is not None)
    assert said is None or (said in notes[0] and "--out FOLDER --separator" in notes[0])


def test_columns_may_have_separators_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{i}.jpg;{name};{name.replace(', ', '/')}\n" for i, name in enumerate(JOINED)]
    source = catalog(tmp_path / "shop", train="image;color;trim\n" + "".join(lines))
    import_catalog(source, tmp_path / "out")
    assert "--out FOLDER --separator ',' --separator '/', and" in capsys.readouterr().err
    import_catalog(source, tmp_path / "comma", separators=[","])
    assert "--out FOLDER --separator ',' --separator '/', and" in capsys.readouterr().err
    import_catalog(source, tmp_path / "both", separators=[",", "/"])
    assert "note" not in capsys.readouterr().err
    colors = ["Blue", "Red", "White"]
    assert json.loads((tmp_path / "both/dataset.json").read_text())["groups"] == {"color": colors, "trim": colors}


def test_another_separator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "image;color\n" + "".join(f"{i}.jpg;{value}\n" for i, value in enumerate(JOINED))
    source = catalog(tmp_path / "shop", train=text)
    import_catalog(source, tmp_path / "out", separators=[","])
    assert json.loads((tmp_path / "out/dataset.json").read_text())["groups"] == {"color": ["Blue", "Red", "White"]}
    assert "note" not in capsys.readouterr().err
    with pytest.raises(SettingError, match="--separator is empty"):
        import_catalog(source, tmp_path / "none", separators=[",", ""])


def test_labels_that_look_the_same_are_one(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Grün")
    text = f"image,color\n0.jpg,Grün\n1.jpg,{decomposed}\n2.jpg,Light Blue\n3.jpg,Light\u00a0 Blue\n"
    import_catalog(catalog(tmp_path / "shop", train=text), tmp_path / "out")
    description = json.loads((tmp_path / "out/dataset.json").read_text())
    names = set(description["groups"]["color"]) | set(description["names_outside_train"].get("color", ()))
    assert names == {"Grün", "Light Blue"}


def test_a_table_of_only_text_is_an_error(tmp_path: Path) -> None:
    lines = "".join(f"0.jpg,{i},name {i}\n" for i in range(21))
    source = catalog(tmp_path / "shop", train="image,id,name\n" + lines)
    with pytest.raises(DataError, match=r"all columns of .*train.csv hold text.*: name; .* --data.groups"):
        import_catalog(source, tmp_path / "out")


def test_parquet_with_bytes_lists_and_numbers(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": [{"bytes": jpeg(i), "path": None} for i in range(4)],
            "item_ID": [10, 11, 12, 12],
            "color": [["Red", "Blue"], [], None, ["Red"]],
            "year": pa.array([2012.0, None, 2013.5, 2012.0]),
            "garment": ["Shoes|Boots", "", None, "Hat"],
            "extra": [{"a": 1}] * 4,
        }
    )
    shop = tmp_path / "shop" / "data"
    shop.mkdir(parents=True)
    pq.write_table(table.slice(0, 1), shop / "train-00000-of-00002.parquet")
    pq.write_table(table.slice(1, 1), shop / "train-00001-of-00002.parquet")
    pq.write_table(table.slice(2), shop / "validation-00000-of-00001.parquet")
    summary = import_catalog(tmp_path / "shop", tmp_path / "out")
    assert summary.splits == {"train": 2, "val": 2}
    assert summary.left_out == {}
    cells = [
        {name: row[name] for name in ("id", "color", "year", "garment")}
        for row in rows_of(tmp_path / "out") + rows_of(tmp_path / "out", "val")
    ]
    assert cells == [
        {"id": "10", "color": ["Red", "Blue"], "year": ["2012"], "garment": ["Shoes", "Boots"]},
        {"id": "11", "color": [], "year": None, "garment": None},
        {"id": "12", "color": None, "year": ["2013.5"], "garment": None},
        {"id": "12-2", "color": ["Red"], "year": ["2012"], "garment": ["Hat"]},
    ]


def test_parquet_of_plain_bytes_without_ids(tmp_path: Path) -> None:
    source = tmp_path / "things.parquet"
    pq.write_table(pa.table({"image": [jpeg(i) for i in range(3)], "kind": ["a", "b", None]}), source)
    assert sum(import_catalog(source, tmp_path / "out").splits.values()) == 3
    ids = [row["id"] for row in rows_of(tmp_path / "out") + rows_of(tmp_path / "out", "val")]
    assert sorted(ids) == ["things.parquet:1", "things.parquet:2", "things.parquet:3"]


def test_class_labels_of_datasets_become_names(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"image": datasets.Image(), "kind": datasets.ClassLabel(names=["Hat", "Shoe"])})
    photos = [{"bytes": jpeg(i), "path": None} for i in range(3)]
    made = datasets.Dataset.from_dict({"image": photos, "kind": [1, 0, -1]}, features=features)
    made.to_parquet(str(tmp_path / "train-00000-of-00001.parquet"))
    made.to_parquet(str(tmp_path / "val-00000-of-00001.parquet"))
    import_catalog(tmp_path, tmp_path / "out")
    assert [row["kind"] for row in rows_of(tmp_path / "out")] == [["Shoe"], ["Hat"], None]


@pytest.mark.parametrize("kind", ["List", "LargeList", "Sequence", "before"])
def test_lists_of_class_labels_become_names(tmp_path: Path, kind: str) -> None:
    label = {"names": ["Red", "Blue"], "_type": "ClassLabel"}
    feature = [label] if kind == "before" else {"feature": label, "_type": kind}
    features = json.dumps({"info": {"features": {"image": {"_type": "Image"}, "colors": feature}}})
    table = pa.table({"image": [jpeg(i) for i in range(4)], "colors": [[1, 0], [], None, [0, -1]]})
    table = table.replace_schema_metadata({"huggingface": features})
    pq.write_table(table, tmp_path / "train.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "val.parquet")
    import_catalog(tmp_path, tmp_path / "out")
    assert [row["colors"] for row in rows_of(tmp_path / "out")] == [["Blue", "Red"], [], None, ["Red"]]


@pytest.mark.parametrize("kind", [pa.string_view(), pa.list_view(pa.string_view()), pa.list_(pa.string_view(), 1)])
def test_text_of_every_arrow_kind_is_labels(tmp_path: Path, kind: pa.DataType) -> None:
    cells = ["Red", "Blue"] if kind == pa.string_view() else [["Red"], ["Blue"]]
    images = pa.array([jpeg(i) for i in range(2)], pa.binary_view())
    table = pa.table({"image": images, "color": pa.array(cells, kind), "year": [2012, 2013]})
    pq.write_table(table, tmp_path / "t.parquet")
    import_catalog(tmp_path / "t.parquet", tmp_path / "out")
    description = json.loads((tmp_path / "out/dataset.json").read_text())
    assert description["groups"].keys() == {"color", "year"}
    rows = rows_of(tmp_path / "out") + rows_of(tmp_path / "out", "val")
    assert sorted(row["color"][0] for row in rows) == ["Blue", "Red"]


def test_broken_parquet(tmp_path: Path) -> None:
    source = tmp_path / "train.parquet"
    source.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"train.parquet is not a Parquet file, or a broken one"):
        import_catalog(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("", None),
        (" | ", None),
        (None, None),
        (float("nan"), None),
        ("Red", ["Red"]),
        (" Red | Blue ", ["Red", "Blue"]),
        (7, ["7"]),
        (2012.0, ["2012"]),
        ("2012.0", ["2012"]),
        ("38.5", ["38.5"]),
        ("N/A", None),
        ("-", None),
        ("#NV|Red", ["Red"]),
        ("none", ["none"]),
        (True, ["True"]),
        ([], []),
        (["a", "", None], ["a"]),
        (["N/A"], None),
        ([""], None),
        ([None], None),
        ("Light\u00a0 Blue|\u00a0", ["Light Blue"]),
        (["u\u0308"], ["\u00fc"]),
    ],
)
def test_cells(cell: Any, names: list[str] | None) -> None:
    assert read_labels("color", cell) == names


def test_cells_meaning_no_label_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = catalog(tmp_path / "shop", train=HEADER + "0.jpg,N/A,none\n1.jpg,Red,-\n2.jpg,null,x\n3.jpg,Red,x\n")
    import_catalog(source, tmp_path / "out")
    said = "cells that say that there is no value count as not annotated: "
    assert f"note   {said}color (2, such as 'N/A'), style (1, such as '-')" in capsys.readouterr().err
    rows = [row for split in ("train", "val") for row in rows_of(tmp_path / "out", split)]
    assert sorted((row["id"], row["color"]) for row in rows) == [
        ("0.jpg", None),
        ("1.jpg", ["Red"]),
        ("2.jpg", None),
        ("3.jpg", ["Red"]),
    ]


@pytest.mark.parametrize("metadata", [b"no JSON", b"null", b'{"info": null}', b'{"info": {"features": {"color": 7}}}'])
def test_broken_metadata_of_the_library_datasets_are_ignored(tmp_path: Path, metadata: bytes) -> None:
    images = [{"bytes": jpeg(i), "path": None} for i in range(3)]
    table = pa.table({"image": images, "color": [0, 1, 0]}).replace_schema_metadata({b"huggingface": metadata})
    pq.write_table(table, tmp_path / "t.parquet")
    summary = import_catalog(tmp_path / "t.parquet", tmp_path / "out")
    assert sum(summary.splits.values()) == 3


def test_rows_without_an_id_are_separate_products(tmp_path: Path) -> None:
    source = catalog(tmp_path / "shop")
    ids = pa.array([7.0, float("nan"), float("nan"), None])
    table = pa.table({"id": ids, "image": [f"{i}.jpg" for i in range(4)], "color": ["Red", "Blue"] * 2})
    pq.write_table(table, source / "t.parquet")
    import_catalog(source / "t.parquet", tmp_path / "out")
    rows = [row for split in ("train", "val") for row in rows_of(tmp_path / "out", split)]
    assert {row["id"] for row in rows} == {"7", "1.jpg", "2.jpg", "3.jpg"}
