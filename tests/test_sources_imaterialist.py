"""The iMaterialist challenge's JSON in both variants, and the cells of its mirror."""

import csv
import errno
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_files import jpeg, save_jpegs

from fashion.errors import DataError
from fashion.taxonomy import imaterialist
from training.sources import imaterialist as challenge
from training.sources import mirror

TAXONOMY = imaterialist()
HOSIERY = "Hosiery, Stockings, Tights"


def label_id(group: str, name: str) -> int:
    return next(i for i, label in enumerate(TAXONOMY.labels, start=1) if label == (group, name))


def numbers(annotated: dict[int, list[int]], labels: bool = True) -> dict[str, Any]:
    """image_id, label_id and a list of URLs."""
    content: dict[str, Any] = {"images": [{"image_id": i, "url": [f"http://x/{i}"]} for i in annotated]}
    if labels:
        content["annotations"] = [{"image_id": i, "label_id": ids} for i, ids in annotated.items()]
    return content


def texts(annotated: dict[int, list[int]]) -> dict[str, Any]:
    """imageId and labelId as text, one URL."""
    return {
        "info": {"year": 2018},
        "images": [{"imageId": str(i), "url": f"http://x/{i}"} for i in annotated],
        "annotations": [{"imageId": str(i), "labelId": list(map(str, ids))} for i, ids in annotated.items()],
    }


def rows_of(folder: Path, split: str) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob(f"{split}-*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("spelling", [numbers, texts])
@pytest.mark.parametrize(
    "folders", [("train", "validation", "test"), ("images/train", "images/validation", "images/test")]
)
def test_challenge_folder(tmp_path: Path, spelling: Any, folders: tuple[str, str, str]) -> None:
    black, hosiery = label_id("color", "Black"), label_id("category", HOSIERY)
    source = tmp_path / "challenge"
    source.mkdir()
    (source / "train.json").write_text(json.dumps(spelling({1: [black, hosiery], 2: [black], 3: [black]})))
    (source / "validation.json").write_text(json.dumps(spelling({1: [hosiery], 2: [229], 3: [0]})))
    (source / "test.json").write_text(json.dumps(numbers({1: []}, labels=False)))
    save_jpegs(source, [f"{folder}/{i}.jpg" for folder in folders for i in (1, 2)])
    summary = challenge.import_imaterialist(source, tmp_path / "out")
    assert summary.splits == {"train": 2, "val": 1, "test": 1}
    assert summary.left_out == {"unknown label": 2, "missing file": 1}
    first = rows_of(tmp_path / "out", "train")[0]
    assert (first["id"], first["color"], first["category"], first["style"]) == ("train/1", ["Black"], [HOSIERY], [])
    assert first["image"]["bytes"] == (source / folders[0] / "1.jpg").read_bytes()
    assert rows_of(tmp_path / "out", "test")[0]["color"] is None, "test.json has no annotations"
    report = list(csv.DictReader((tmp_path / "out/left_out.csv").read_text().splitlines()))
    assert ("train.json:3", "missing file") in {(row["row"], row["reason"]) for row in report}
    assert "label id '229'; expected 1 to 228" in {row["detail"] for row in report}


def test_groups_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(
        json.dumps(numbers({1: [label_id("color", "Red"), label_id("style", "Wrap")]}))
    )
    save_jpegs(tmp_path, ["images/1.jpg"])
    challenge.import_imaterialist(tmp_path, tmp_path / "out", ["style"])
    assert rows_of(tmp_path / "out", "train")[0].keys() == {"image", "id", "product_id", "style"}
    with pytest.raises(DataError, match=r"no attribute group 'colour' \(did you mean 'color'\?\); its groups are"):
        challenge.import_imaterialist(tmp_path, tmp_path / "out2", ["colour"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON, or was cut off"),
        ('{"images": [', "is not JSON, or was cut off"),
        ("[]", "is not laid out as the files of the iMaterialist challenge"),
        ('{"images": [{"url": "http://x"}]}', "is not laid out"),
        ('{"images": "no"}', "is not laid out"),
        ('{"images": []}', "lists no image"),
    ],
)
def test_json_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(DataError, match=message):
        challenge.import_imaterialist(tmp_path, tmp_path / "out")


def test_no_file_and_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has none of train\.json"):
        challenge.import_imaterialist(tmp_path, tmp_path / "out")
    (tmp_path / "train.json").write_text(json.dumps(numbers({1: [1]})))
    with pytest.raises(DataError, match=r"no usable row .*1 missing file; the first, train.json:1: 1.jpg is not in"):
        challenge.import_imaterialist(tmp_path, tmp_path / "out")


def test_ids_are_not_used_as_paths(tmp_path: Path) -> None:
    entries = {"images": [{"image_id": "../secret", "url": []}, {"image_id": 1, "url": []}], "annotations": []}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/train.json").write_text(json.dumps(entries))
    save_jpegs(tmp_path, ["secret.jpg", "folder/train/1.jpg"])
    summary = challenge.import_imaterialist(tmp_path / "folder", tmp_path / "out")
    assert summary.left_out == {"bad id": 1}


def write_mirror(folder: Path, name: str = "data-00000-of-00153.parquet", **cells: Any) -> Path:
    count = 40
    columns = {group: [None] * count for group in TAXONOMY.groups} | {"color": ["Black"] * count}
    columns |= {group: values + [None] * (count - len(values)) for group, values in cells.items()}
    photos = [{"bytes": jpeg(i), "path": None} for i in range(count)]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": photos, **columns, "item_ID": range(count)}), folder / "data" / name)
    return folder


def test_mirror(tmp_path: Path) -> None:
    source = write_mirror(
        tmp_path / "mirror", category=[f"Dresses,{HOSIERY}", "Wooden Shoes", "", HOSIERY.upper().replace(" ", "  ")]
    )
    summary = mirror.import_mirror([source], tmp_path / "out")
    assert sum(summary.splits.values()) == 39
    assert summary.left_out == {"unknown label": 1}
    assert summary.splits["val"] >= 1, "every tenth row or so, by a hash of its item_ID"
    rows = {row["id"]: row for split in ("train", "val") for row in rows_of(tmp_path / "out", split)}
    assert rows["0"]["category"] == ["Dresses", HOSIERY]
    assert rows["2"]["category"] == []
    assert rows["3"]["category"] == [HOSIERY]
    assert rows["3"]["color"] == ["Black"]


@pytest.mark.parametrize(
    ("group", "cell", "names"),
    [
        ("category", None, []),
        ("category", " , ", []),
        ("category", HOSIERY, [HOSIERY]),
        ("category", f"Boots, {HOSIERY}, Shorts", ["Boots", HOSIERY, "Shorts"]),
        ("category", "jumpsuits, overalls &  rompers", ["Jumpsuits Overalls & Rompers"]),
        ("category", "T-Shirts,Dresses", ["T-Shirts", "Dresses"]),
        ("color", ["Red", "Blue"], ["Red", "Blue"]),
    ],
)
def test_mirror_cells(group: str, cell: Any, names: list[str]) -> None:
    assert mirror.read_cell(group, cell) == names


def test_mirror_reads_every_label_and_every_pair() -> None:
    for group in TAXONOMY.groups:
        names = TAXONOMY.names(group)
        for first in names:
            assert all(mirror.read_cell(group, f"{first}, {second}") == [first, second] for second in names)


def test_mirror_unknown_label_has_a_hint() -> None:
    with pytest.raises(DataError, match=r"'blak' in column 'color'; the nearest known one is 'Black'"):
        mirror.read_cell("color", "Red, Blak")


def test_other_shards_are_not_a_mirror(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [jpeg()], "color": ["Red"]}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"is not a shard of Marqo/iMaterialist: it lacks pattern, style, .* as a catalog"
    ):
        mirror.import_mirror([tmp_path], tmp_path / "out")


def test_a_full_disk_is_not_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", full)
    with pytest.raises(OSError, match="No space left"):
        mirror.fetch_shards(1)


def test_hub_out_of_reach_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"cannot download Marqo/iMaterialist .* give a folder of its Parquet shards"):
        mirror.fetch_shards(1)
