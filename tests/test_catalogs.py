"""training.data.catalogs, and training on several data folders."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from colored_shapes import COLORS, block, write_shapes

from fashion.errors import DataError, SettingError
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label, imaterialist
from training.data.catalogs import notes, open_catalogs, union_taxonomy
from training.data.data_module import FashionData
from training.data.images import open_split
from training.data.input_settings import InputSettings
from training.sources.writer import ProductRow, write_dataset

SPEC = InputSpec(size=32)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups color (Blue, Green, Red) and shape (Tall, Wide)."""
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=40, val=6)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another shop, with colour (Red, navy) and size (S); its navy is Blue elsewhere."""

    def rows() -> Iterator[ProductRow]:
        for split, count in (("train", 20), ("val", 4)):
            for i in range(count):
                colour, size = (["Red"], ["S"]) if i % 2 else (["navy"], None)
                image = block(COLORS["Red" if i % 2 else "Blue"], True, gray=90 + i)
                yield ProductRow(split, f"{split}{i}", image, {"colour": colour, "size": size}, str(i))

    folder = tmp_path_factory.mktemp("data") / "shop"
    write_dataset(rows(), folder, ["colour", "size"], "blocks")
    return folder


@pytest.fixture
def names(tmp_path: Path) -> str:
    path = tmp_path / "names.yaml"
    path.write_text("navy: Blue\ngroups:\n  colour: color\n")
    return str(path)


def open_data(paths: list[Path], cache: Path, **settings: Any) -> FashionData:
    values: dict[str, Any] = {
        "input": InputSettings.from_spec(SPEC),
        "batch_size": 4,
        "workers": 0,
        "cache": str(cache),
    }
    data = FashionData([str(path) for path in paths], **values | settings)
    data.trainer = SimpleNamespace(global_rank=0, world_size=1, num_devices=1, current_epoch=0)
    data.prepare_data()
    data.setup()
    return data


def rows_of(data: Any, taxonomy: Any) -> list[dict[str, int]]:
    """The targets of each image by label name."""
    names = [label.name for label in taxonomy.labels]
    return [dict(zip(names, data[i]["targets"].tolist(), strict=True)) for i in range(len(data))]


def test_the_labels_are_those_of_all_folders(shapes: Path, shop: Path, names: str) -> None:
    separate = union_taxonomy(open_catalogs([shapes, shop]))
    assert separate.groups == ("color", "shape", "colour", "size")
    assert separate.names("colour") == ("Red", "navy")
    together = union_taxonomy(open_catalogs([shop, shapes], names=names))
    assert together.groups == ("color", "size", "shape")
    assert together.names("color") == ("Blue", "Green", "Red")
    chosen = ["shape", "color"]
    assert union_taxonomy(open_catalogs([shapes, shop], chosen, names=names), chosen).groups == ("shape", "color")


def test_groups_not_annotated_by_a_catalog_are_masked(shapes: Path, shop: Path, names: str, tmp_path: Path) -> None:
    data = open_data([shapes, shop], tmp_path, names=names)
    assert (len(data.train), len(data.val)) == (60, 10)
    val = rows_of(data.val, data.taxonomy)
    # An image of the shapes: targets for the groups of its own folder only.
    assert val[1] == {"Blue": 0, "Green": 1, "Red": 0, "Tall": 1, "Wide": 0, "S": -1}
    # An image of the shop: its navy is Blue; Green, which the shop never uses, is unknown rather than absent.
    assert val[6] == {"Blue": 1, "Green": -1, "Red": 0, "Tall": -1, "Wide": -1, "S": -1}
    assert val[7] == {"Blue": 0, "Green": -1, "Red": 1, "Tall": -1, "Wide": -1, "S": 1}


def test_all_folders_are_shuffled_into_every_epoch(shapes: Path, shop: Path, tmp_path: Path) -> None:
    data = open_data([shapes, shop], tmp_path)
    size = data.taxonomy.index[Label("size", "S")]
    shape = data.taxonomy.indices("shape")
    batches = [batch["targets"] for batch in data.train_dataloader()]
    from_shop = torch.cat([(targets[:, shape] == -1).all(1) & (targets[:, size] >= -1) for targets in batches])
    assert len(from_shop) == 60
    first = int(from_shop[:30].sum())
    assert 3 < first < 27, "the folders are not mixed"


def test_streaming_mixes_the_folders_by_their_sizes(shapes: Path, shop: Path, tmp_path: Path) -> None:
    data = open_data([shapes, shop], tmp_path, streaming=True)
    colour = data.taxonomy.indices("colour")
    loader = data.train_dataloader()
    seen = [(batch["targets"][:, colour] != -1).any(1) for batch in islice(loader, len(loader))]
    from_shop = torch.cat(seen)
    assert len(from_shop) == 60
    assert 8 <= int(from_shop.sum()) <= 34  # a third is expected
    assert int(from_shop[:30].sum()) >= 2


def test_a_list_of_one_folder_equals_the_folder(shapes: Path, tmp_path: Path) -> None:
    alone, listed = FashionData(str(shapes), cache=str(tmp_path)), open_data([shapes], tmp_path)
    alone.prepare_data()
    alone.setup()
    assert alone.taxonomy == listed.taxonomy
    assert alone.val[2]["targets"].tolist() == listed.val[2]["targets"].tolist()


def test_two_columns_of_one_group_are_merged(tmp_path: Path) -> None:
    rows = [
        ProductRow(split, f"{split}{i}", block((9, 9, 9), True, 100 + i), {"front": ["Red"], "back": back}, "")
        for split in ("train", "val")
        for i, back in enumerate((["Blue"], None, []))
    ]
    write_dataset(rows, tmp_path / "data", ["front", "back"], "test")
    (tmp_path / "names.yaml").write_text("groups: {front: color, back: color}\n")
    data = open_data([tmp_path / "data"], tmp_path / "cache", names=str(tmp_path / "names.yaml"))
    assert [row["targets"].tolist() for row in (data.val[i] for i in range(3))] == [[1, 1], [0, 1], [0, 1]]


def test_a_model_of_several_folders_reads_a_split_of_one(shapes: Path, shop: Path, tmp_path: Path) -> None:
    taxonomy = union_taxonomy(open_catalogs([shapes, shop]))
    images = open_split(shop, "val", taxonomy, SPEC, taxonomy.groups, tmp_path, partly=True)
    targets = images[1]["targets"].numpy()
    assert taxonomy.decode(targets) == {"color": None, "shape": None, "colour": ["Red"], "size": ["S"]}
    with pytest.raises(DataError, match="no attribute group 'color'"):
        open_split(shop, "val", taxonomy, SPEC, ["color"], tmp_path)
    with pytest.raises(DataError, match="has none of the groups color, shape; it has: colour, size"):
        open_split(shop, "val", taxonomy, SPEC, ["color", "shape"], tmp_path, partly=True)


def test_unlearnable_labels_and_misspelled_names_are_noted(shapes: Path, shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "names.yaml"
    path.write_text("nayv: Blue\ngroups:\n  colour: color\n")
    catalogs = open_catalogs([shapes, shop], names=path)
    assert notes(catalogs, imaterialist()) == [
        "1 labels of the training split cannot be learned and are left out: 'navy' of color",
        "1 of the names to change occur in no data folder: 'nayv' (did you mean 'navy'?)",
    ]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            ["colr"],
            r"has no attribute group 'colr' \(did you mean 'color'\?\); its groups are: color, shape, colour, size",
        ),
        (["shape"], r"shop has none of the groups shape; it has: colour, size"),
    ],
)
def test_groups_that_are_not_there_are_one_line_errors(
    shapes: Path, shop: Path, groups: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_catalogs([shapes, shop], groups)


def test_a_folder_twice_and_none_at_all_are_refused(shapes: Path) -> None:
    with pytest.raises(DataError, match="shapes is given twice in the data"):
        open_catalogs([shapes, shapes])
    with pytest.raises(DataError, match="no data: give at least one folder"):
        open_catalogs([])


def test_catalogs_of_tables_are_imported_with_the_groups_they_have(tmp_path: Path) -> None:
    for name, columns in (("a", "image,article"), ("b", "image,garment")):
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        for split in ("train", "val"):
            (folder / "images" / f"{split}.png").write_bytes(block((9, 9, 9), True, 100 if split == "val" else 50))
            (folder / f"{split}.csv").write_text(f"{columns}\n{split}.png,Shirt\n")
    catalogs = open_catalogs([tmp_path / "a", tmp_path / "b"], ["garment", "article"], tmp_path / "cache")
    assert [list(catalog.columns) for catalog in catalogs] == [["article"], ["garment"]]


def test_labels_that_differ_in_case_are_noted_until_they_have_one_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, label in (("a", "Red"), ("b", "RED")):
        rows = [
            ProductRow(split, f"{split}{i}", block((9, 9, 9), True, 100 + i), {"color": [[label], ["Blue"]][i]}, "")
            for split in ("train", "val")
            for i in range(2)
        ]
        write_dataset(rows, tmp_path / name, ["color"], "test")
    open_data([tmp_path / "a", tmp_path / "b"], tmp_path / "cache")
    said = capsys.readouterr().out
    assert "note   2 labels differ from another only in letter case: RED / Red; to learn them as one" in said
    assert "--data.names" in said
    (tmp_path / "names.yaml").write_text("RED: Red\n")
    open_data([tmp_path / "a", tmp_path / "b"], tmp_path / "cache", names=str(tmp_path / "names.yaml"))
    assert "letter case" not in capsys.readouterr().out


def test_photographs_have_product_ids(shapes: Path, tmp_path: Path) -> None:
    photos = [block((9, 9, 9), True, 100 + i) for i in range(3)]
    rows = [
        ProductRow(split, f"{split}{i // 2}.jpg", photo, {"color": ["Red"]}, "")
        for split in ("train", "val")
        for i, photo in enumerate(photos)
    ]
    write_dataset(rows, tmp_path / "data", ["color"], "test")
    (before,) = shapes.glob("val-*")
    folder = tmp_path / "before"  # as written before photographs had product ids
    folder.mkdir()
    (folder / "dataset.json").write_bytes((shapes / "dataset.json").read_bytes())
    pq.write_table(pq.read_table(before).drop_columns(["product_id"]), folder / before.name)
    taxonomy = union_taxonomy(open_catalogs([tmp_path / "data"]))
    alone = open_split(tmp_path / "data", "val", taxonomy, SPEC, cache=tmp_path)
    assert alone.ids == ["val0.jpg", "val0.jpg-2", "val1.jpg"]
    assert alone.products == ["val0.jpg", "val0.jpg", "val1.jpg"]
    both = open_split([folder, tmp_path / "data"], "val", taxonomy, SPEC, cache=tmp_path)
    assert both.products[-4:] == ["val5", "val0.jpg", "val0.jpg", "val1.jpg"]
    assert open_split(folder, "val", taxonomy, SPEC, cache=tmp_path, partly=True).products[0] == "val0"


def test_a_small_folder_may_be_repeated(shapes: Path, shop: Path, tmp_path: Path) -> None:
    data = open_data([shapes, shop], tmp_path, repeat=[1, 3])
    assert (len(data.train), len(data.val)) == (100, 10)
    with pytest.raises(
        SettingError, match=r"--data.repeat is \[1\]; give a number from 1 up for each of the data folders"
    ):
        open_data([shapes, shop], tmp_path, repeat=[1])
