"""Opening a folder of photographs for scoring: which files become rows, and which are listed as left out."""

import os
from pathlib import Path
from typing import Any

import pytest
from image_files import encoded, photo
from PIL import Image

from catalog.scoring.opening import ENDINGS, UNREAD_ENDINGS, open_source
from fashion.errors import DataError, SettingError
from fashion.preprocess import FORMATS
from serving.compare import photographs_of


def folder_of(place: Path, *names: str) -> Path:
    """A folder with files of these names, all the same JPEG."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(encoded(photo()))
    return place


def test_files_with_any_supported_ending_become_rows(tmp_path: Path) -> None:
    Image.init()
    usual = {ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS}
    assert usual <= set(ENDINGS)
    names = [f"{i}{ending.upper() if i % 2 else ending}" for i, ending in enumerate(ENDINGS)]
    assert list(open_source([str(folder_of(tmp_path, *names))]).ids) == sorted(names)


def test_a_table_beside_photographs_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, "images/a.jpg", "notes.txt", ".hidden.csv", "images/labels.csv")
    assert list(open_source([str(folder)]).ids) == ["images/a.jpg"]
    assert capsys.readouterr().err == ""
    folder_of(tmp_path, "products.xlsx", "Feed.CSV")
    assert list(open_source([str(folder)]).ids) == ["images/a.jpg"]
    (note,) = capsys.readouterr().err.splitlines()
    assert "not its tables Feed.CSV, products.xlsx; for products with" in note
    assert note.endswith(f"give the table: {folder / 'Feed.CSV'}")


@pytest.mark.usefixtures("without_heic")
def test_unreadable_formats_are_listed_with_the_fix(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.jpg", "deep/phone.HEIC", "camera.Nef", "cached", ".hidden.heic", ".git/blob")
    (folder / "README").write_text("a text without an ending")
    (folder / "notes.txt").write_bytes(encoded(photo()))
    os.mkfifo(folder / "pipe")
    source = open_source([str(folder)])
    assert list(source.ids) == ["a.jpg"]
    found = {entry.id: (entry.reason, entry.detail) for entry in source.left_out}
    assert found == {
        "deep/phone.HEIC": ("format not read", "HEIC is not read; convert it to JPEG, or install pillow-heif"),
        "camera.Nef": ("format not read", UNREAD_ENDINGS[".nef"]),
        "cached": ("no ending", "its content is an image; rename it with the matching extension, such as .jpg"),
    }


def test_heic_is_read_where_its_library_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    folder = folder_of(tmp_path, "a.jpg", "deep/phone.HEIC")
    assert list(open_source([str(folder)]).ids) == list(photographs_of(folder)) == ["a.jpg", "deep/phone.HEIC"]


@pytest.mark.usefixtures("without_heic")
def test_a_folder_of_only_unreadable_formats_is_an_error(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "1.heic", "2.heic")
    with pytest.raises(DataError, match=r"; 2 photographs, the first 1\.heic: HEIC is not read; convert it to JPEG"):
        open_source([str(folder)])


def test_a_folder_without_photographs_names_the_formats(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no photograph")
    with pytest.raises(DataError, match=r"holds no image \(\.jpg, .*give another source"):
        open_source([str(tmp_path)])


@pytest.mark.parametrize(
    ("given", "flag"),
    [({"id_column": "sku"}, "--id"), ({"image_columns": ["a"]}, "--image"), ({"fetched": True}, "--fetch")],
)
def test_flags_of_tables_are_refused_for_photographs(tmp_path: Path, given: dict[str, Any], flag: str) -> None:
    folder = folder_of(tmp_path, "a.jpg")
    for name in (str(folder), str(folder / "*.jpg")):
        with pytest.raises(SettingError, match=f"^{flag} is for tables, .* holds photographs"):
            open_source([name], **given)
