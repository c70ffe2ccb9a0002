"""Extracting photographs of the training format as files."""

from pathlib import Path

import pytest
from colored_shapes import block, write_shapes

from fashion.errors import DataError
from fashion.preprocess import decode
from training.sources.extract import as_photographs, extract_photo, true_labels
from training.sources.writer import ProductRow, write_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=8, val=3)


def test_a_split_becomes_files_with_their_labels_beside(data: Path, tmp_path: Path) -> None:
    folder = as_photographs(data, tmp_path / "photos", ("val", "test"))
    assert folder == tmp_path / "photos"
    photos = sorted(folder.glob("*.jpg"))
    assert len(photos) == 3
    for photo in photos:
        decode(photo)
    one = tmp_path / "one.jpg"
    truth = extract_photo(data, one, "val", 0)
    (same,) = [photo for photo in photos if photo.stem == truth["id"]]
    assert same.read_bytes() == one.read_bytes()
    assert true_labels(same) == true_labels(one) == truth["labels"]
    assert any(truth["labels"].values())


def test_folders_in_other_formats_are_used_in_place(data: Path, tmp_path: Path) -> None:
    assert as_photographs(tmp_path, tmp_path / "photos") == tmp_path
    assert not (tmp_path / "photos").exists()
    assert true_labels(tmp_path / "photo.jpg") == {}


def test_ids_cannot_name_files_outside_the_folder(tmp_path: Path) -> None:
    rows = [
        ProductRow("test", name, block((9, 9, 200), True), {"color": ["Blue"]}) for name in ("../up", "a/b.jpg", "7")
    ]
    write_dataset(
        [ProductRow("train", "t", rows[0].image, rows[0].cells), *rows], tmp_path / "data", ["color"], "blocks"
    )
    folder = as_photographs(tmp_path / "data", tmp_path / "photos")
    assert sorted(path.name for path in folder.glob("*.jpg")) == [".._up.jpg", "7.jpg", "a_b.jpg"]
    assert {path.name for path in tmp_path.iterdir()} == {"data", "photos"}


def test_errors_name_the_fix(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist; `make data` draws the sample"):
        as_photographs(tmp_path / "nowhere", tmp_path / "photos")
    with pytest.raises(DataError, match=r"x\.JSON has the name of the file for the labels"):
        extract_photo(data, tmp_path / "x.JSON", "val", 0)
    assert not (tmp_path / "x.JSON").exists()
    with pytest.raises(DataError, match=r"has no split test; it has: train, val"):
        as_photographs(data, tmp_path / "photos")
    assert not (tmp_path / "photos").exists()
