"""The writer of the training format: `datasets` reads its files, and failures leave nothing behind."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from source_files import jpeg

from fashion.errors import DataError, SettingError
from training.sources.writer import OutputExists, ProductRow, UnusedRow, arrow_schema, write_dataset

GROUPS = ["color", "style"]
PHOTO = jpeg()


def rows(count: int, split: str = "train") -> Iterator[ProductRow]:
    for i in range(count):
        yield ProductRow(split, f"{split}{i}", PHOTO, {"color": ["Red", "Blue"], "style": None if i % 2 else []})


def test_schema_is_that_of_datasets() -> None:
    text = datasets.Value("string")
    columns = {
        "image": datasets.Image(),
        "id": text,
        "product_id": text,
        "color": datasets.List(text),
        "style": datasets.List(text),
    }
    assert arrow_schema(GROUPS).equals(datasets.Features(columns).arrow_schema, check_metadata=True)


def test_datasets_reads_images_and_lists(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "set"
    summary = write_dataset([*rows(3), *rows(2, "val")], out, GROUPS, "a test")
    assert summary.splits == {"train": 3, "val": 2}
    files = {"train": str(out / "train-*.parquet"), "val": str(out / "val-*.parquet")}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert isinstance(loaded["train"].features["image"], datasets.Image)
    assert loaded["train"].features["color"] == datasets.List(datasets.Value("string"))
    assert loaded["train"][0]["image"].size == (24, 32)
    assert loaded["train"]["style"][:] == [[], None, []]
    assert loaded["val"]["id"][:] == ["val0", "val1"]
    raw = pq.read_table(out / "train-00000-of-00001.parquet")["image"][0].as_py()
    assert raw["bytes"] == PHOTO, "an image file's bytes are kept as they are"


def test_description_and_report(tmp_path: Path) -> None:
    out = tmp_path / "set"
    given = [
        ProductRow("train", "1", PHOTO, {"color": ["Red"]}),
        UnusedRow("train", "a.csv:3", "2", "missing file", "2.jpg"),
        ProductRow("val", "1", PHOTO, {"color": ["Red"]}),
        ProductRow("val", "3", PHOTO, {"color": ["Gold", "Red"], "style": ["Casual"]}),
    ]
    summary = write_dataset(given, out, GROUPS, "a test")
    description = json.loads((out / "dataset.json").read_text())
    assert description["groups"] == {"color": ["Red"], "style": []}
    assert description["names_outside_train"] == {"color": ["Gold"], "style": ["Casual"]}
    assert description["splits"] == {"train": 1, "val": 1}
    assert description["left_out"] == {"missing file": 1, "duplicate row": 1}
    report = list(csv.DictReader((out / "left_out.csv").read_text().splitlines()))
    assert [(row["id"], row["reason"]) for row in report] == [("2", "missing file"), ("1", "duplicate row")]
    assert "2 left out (1 missing file, 1 duplicate row)" in str(summary)


def test_rows_of_one_id_are_photographs_of_one_product(tmp_path: Path) -> None:
    red, blue = {"color": ["Red", "Blue"]}, {"color": ["Blue", "Red"]}
    given = [
        ProductRow("train", "a", jpeg(0), red),
        ProductRow("train", "a", jpeg(1), red),
        ProductRow("train", "a-2", jpeg(2), red),
        ProductRow("train", "a", jpeg(3), {"color": []}),
        ProductRow("train", "a", jpeg(1), blue),
        ProductRow("train", "a", jpeg(1), {"color": None}),
        ProductRow("val", "a", jpeg(4), red),
        ProductRow("val", "b", jpeg(1), red),
    ]
    summary = write_dataset(given, tmp_path / "set", ["color"], "a test")
    assert summary.splits == {"train": 4, "val": 1}
    assert summary.left_out == {"duplicate row": 1, "other labels": 1, "other split": 1}
    train = pq.read_table(next((tmp_path / "set").glob("train-*")))
    assert train["id"].to_pylist() == ["a", "a-2", "a-2-2", "a-3"]
    assert train["product_id"].to_pylist() == ["a", "a", "a-2", "a"]


def test_shards_and_row_groups_are_bounded(tmp_path: Path) -> None:
    out = tmp_path / "set"
    write_dataset(rows(450), out, GROUPS, "a test", shard_bytes=200 * len(PHOTO))
    shards = sorted(out.glob("*.parquet"))
    assert [shard.name for shard in shards] == [f"train-{i:05d}-of-00003.parquet" for i in range(3)]
    files = [pq.ParquetFile(shard) for shard in shards]
    assert [file.metadata.num_rows for file in files] == [200, 200, 50]
    assert [file.num_row_groups for file in files] == [2, 2, 1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError, OSError])
def test_interrupt_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> Iterator[ProductRow]:
        yield from rows(250)
        raise error("stop")

    with pytest.raises(error):
        write_dataset(interrupted(), tmp_path / "set", GROUPS, "a test")
    assert list(tmp_path.iterdir()) == []


def test_an_import_without_rows_is_an_error(tmp_path: Path) -> None:
    lost = [UnusedRow("train", "train.csv:2", "1", "missing file", "1.jpg is not there")]
    with pytest.raises(DataError, match=r"no usable row in X; left out: 1 missing file; .*1\.jpg is not there"):
        write_dataset(lost, tmp_path / "set", GROUPS, "X")
    with pytest.raises(DataError, match="no usable row in X: it is empty"):
        write_dataset([], tmp_path / "set", GROUPS, "X")
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "set"
    write_dataset(rows(1), out, GROUPS, "first")
    with pytest.raises(OutputExists, match="exists already"):
        write_dataset(rows(1), out, GROUPS, "second")
    assert json.loads((out / "dataset.json").read_text())["source"] == "first"
    assert list(tmp_path.iterdir()) == [out]


def test_a_link_and_the_current_folder_are_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("disk", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("disk")
    write_dataset(rows(3), tmp_path / "link", GROUPS, "a test")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "dataset.json").is_file()
    monkeypatch.chdir(tmp_path / "here")
    write_dataset(rows(3), Path(), GROUPS, "a test")
    assert (tmp_path / "here" / "dataset.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "here", "link"]


def test_a_mount_point_is_refused_before_anything_is_read() -> None:
    def unread() -> Iterator[ProductRow]:
        pytest.fail("the rows were read")
        yield

    with pytest.raises(SettingError, match="/ is a mount point, which cannot be replaced; choose a folder in it"):
        write_dataset(unread(), Path("/"), GROUPS, "a test")


def test_loser_of_a_race_keeps_the_winners_folder(tmp_path: Path) -> None:
    out = tmp_path / "set"

    def overtaken() -> Iterator[ProductRow]:
        yield from rows(1)
        write_dataset(rows(2), out, GROUPS, "winner")

    with pytest.raises(OutputExists, match="another process"):
        write_dataset(overtaken(), out, GROUPS, "loser")
    assert json.loads((out / "dataset.json").read_text())["source"] == "winner"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("groups", [[], ["image"], ["id", "color"], ["product_id"], ["color", "color"]])
def test_groups_that_cannot_be_columns(tmp_path: Path, groups: list[str]) -> None:
    with pytest.raises(SettingError):
        write_dataset([], tmp_path / "set", groups, "X")
