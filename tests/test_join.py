"""python -m training.sources join."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from colored_shapes import block

from training.data.catalogs import open_catalogs
from training.data.label_rows import LabelRows, count_labels
from training.sources.__main__ import main


@pytest.fixture
def attributes(tmp_path: Path) -> Path:
    folder = tmp_path / "attributes"
    folder.mkdir()
    (folder / "train.csv").write_text("sku,neck,color,note\n1.jpg,Round,Pink,a\n2.jpg,V|Deep,Pink,\n")
    (folder / "val.csv").write_text("sku,neck,color,note\n3.jpg,,Pink,b\n9.jpg,Boat,Pink,c\n")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    for number in range(1, 5):
        (folder / "images" / f"{number}.png").write_bytes(block((number, 9, 90), True))
    (folder / "train.csv").write_text("image,color\n1.png,Red\n2.png,Blue\n4.png,Blue\n")
    (folder / "val.csv").write_text('image,color\n3.png,"Red, dark"\n')
    return folder


def run(*arguments: object) -> None:
    main(["join", *map(str, arguments)])


def test_a_csv_catalog_gets_its_missing_columns(
    shop: Path, attributes: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "deep" / "joined"
    run(shop, "--with", attributes, "--on", "image=sku", "--out", out)
    assert capsys.readouterr().out == f"{out}: 3 of 4 rows found, added neck, note\n"
    assert (out / "train.csv").read_text().splitlines() == [
        "image,color,neck,note",
        "1.png,Red,Round,a",
        "2.png,Blue,V|Deep,",
        "4.png,Blue,,",
    ]
    assert (out / "val.csv").read_text().splitlines()[1] == '3.png,"Red, dark",,b'
    link = out / "images"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    (catalog,) = open_catalogs(out, ["neck", "color"], tmp_path / "cache")
    assert catalog.splits == {"train": 3, "val": 1}
    assert count_labels([LabelRows(catalog)])["neck"] == {"Round": 1, "V": 1, "Deep": 1}


def test_shards_keep_their_photographs_and_numbers_match_names(attributes: Path, tmp_path: Path) -> None:
    schema = pa.schema(
        [("image", pa.struct({"bytes": pa.binary(), "path": pa.string()})), ("item", pa.int64())],
        {"huggingface": '{"info": {"features": {"image": {"_type": "Image"}, "item": {"dtype": "int64"}}}}'},
    )
    rows = [{"image": {"bytes": block((i, 9, 9), True), "path": None}, "item": i} for i in (1, 2, 4)]
    (tmp_path / "shards").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "shards" / "train-00000-of-00001.parquet")
    run(
        *(tmp_path / "shards", "--with", attributes / "train.csv", "--on", "item=sku"),
        *("--columns", "neck", "--out", tmp_path / "out"),
    )
    table = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet")
    assert table.column_names == ["image", "item", "neck"]
    assert table["neck"].to_pylist() == ["Round", "V|Deep", None]
    assert table["image"].to_pylist() == [row["image"] for row in rows]
    assert b'"neck": {"dtype": "string"' in table.schema.metadata[b"huggingface"]


def test_shards_in_the_layout_of_the_hub_stay_where_they_are(attributes: Path, tmp_path: Path) -> None:
    data = tmp_path / "shop" / "data"
    data.mkdir(parents=True)
    for number in (1, 2, 4):
        (data / f"{number}.jfif").write_bytes(block((number, 9, 90), True))
    table = pa.table({"image": ["1.jfif", "2.jfif", "4.jfif"], "color": ["Red", "Blue", "Blue"]})
    pq.write_table(table, data / "train-00000-of-00001.parquet")
    run(tmp_path / "shop", "--with", attributes, "--on", "image=sku", "--out", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["data"]
    assert not (tmp_path / "out" / "data").is_symlink()
    (catalog,) = open_catalogs(tmp_path / "out", None, tmp_path / "cache")
    assert sum(catalog.splits.values()) == 3
    assert catalog.all_columns == ["color", "neck", "note"]


def test_empty_keys_are_not_found(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "other.csv").write_text("sku,neck\n1,Round\n,V\nN/A,Boat\n")
    (shop / "train.csv").write_text("image,sku\n1.png,1\n2.png,\n4.png,N/A\n")
    (shop / "val.csv").unlink()
    run(shop, "--with", tmp_path / "other.csv", "--on", "sku", "--out", tmp_path / "out")
    assert "1 of 3 rows found" in capsys.readouterr().out
    assert (tmp_path / "out" / "train.csv").read_text() == "image,sku,neck\n1.png,1,Round\n2.png,,\n4.png,N/A,\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "image"), "has no column 'image'"),
        (("--on", "colour=sku"), "has no column 'colour' (did you mean 'color'?)"),
        (("--on", "image=sku", "--columns", "necks"), "has no column 'necks' (did you mean 'neck'?)"),
        (
            ("--on", "image=sku", "--columns", "color"),
            "has all columns of --columns already, or they are",
        ),
        (("--on", "image=sku", "--columns", "sku"), "has all columns of --columns already, or they are the key: sku"),
        (("--on", "image=note"), "no value of image in"),
        (("--on", "image=color"), "has the color 'Pink' of an earlier row, but other values"),
    ],
)
def test_what_cannot_be_joined_is_a_one_line_error(
    shop: Path, attributes: Path, tmp_path: Path, capsys: pytest.CaptureFixture, arguments: tuple, message: str
) -> None:
    with pytest.raises(SystemExit):
        run(shop, "--with", attributes, *arguments, "--out", tmp_path / "out")
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(shop: Path, attributes: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        run(shop, "--with", attributes, "--on", "image=sku", "--out", shop)
    assert "exists already; remove it or choose another folder" in capsys.readouterr().err
    assert (shop / "train.csv").read_text().startswith("image,color\n")
