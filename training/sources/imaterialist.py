"""Imports the iMaterialist Challenge (Fashion) at FGVC5, 2018: its JSON files and a folder of downloaded images.

The JSON exists with two spellings of its keys; both are read:

    {"images": [{"image_id": 1, "url": ["http://..."]}], "annotations": [{"image_id": 1, "label_id": [17, 62]}]}
    {"images": [{"imageId": "1", "url": "http://..."}], "annotations": [{"imageId": "1", "labelId": ["17", "62"]}]}
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.spelling import check_groups
from fashion.taxonomy import Taxonomy, imaterialist
from training.sources.photographs import Candidate, write_checked
from training.sources.writer import ImportSummary, UnusedRow

FILES = {"train": ("train.json",), "val": ("validation.json", "val.json"), "test": ("test.json",)}
IMAGE_FOLDERS = ("{split}", "images/{split}", "images", "{split}_images", "{split}-images")
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One image of the challenge; `label_ids` is None if the file has no annotations, as for the test split."""

    id: str
    label_ids: tuple[str, ...] | None


def import_imaterialist(
    source: Path, out: Path, groups: Sequence[str] | None = None, workers: int | None = None
) -> ImportSummary:
    """Import the challenge's folder into a new folder in the training format, with the names of its 228 labels.

    The challenge scores every label of every image, so a group without a label on an annotated image is an empty list
    (none apply), not null. The images of test.json have no annotations: all their groups are null.

    Args:
        source: a folder with train.json, validation.json and test.json (at least one of them) and the images, as
            `train/ID.jpg` or `images/train/ID.jpg` or `images/ID.jpg`.
        out: the folder to make.
        groups: a selection of category, color, gender, material, neckline, pattern, sleeve and style; None takes all.
        workers: threads that check photographs; None takes one per core.

    Raises:
        DataError: no JSON file, a broken one, an unknown group, no usable image.
    """
    files = find_files(source)
    groups = challenge_groups(groups)
    entries = {split: read_entries(path) for split, path in files.items()}
    total = sum(map(len, entries.values()))
    candidates = (
        _candidate(source, split, files[split].name, entry, groups)
        for split, of_split in entries.items()
        for entry in of_split
    )
    return write_checked(candidates, total, out, groups, str(source), workers)


def find_files(source: Path) -> dict[str, Path]:
    """The JSON files of the challenge's folder by split. Raises DataError if there are none."""
    files = {
        split: source / name
        for split, names in FILES.items()
        for name in reversed(names)  # the first name, the competition's own, overwrites the others
        if (source / name).is_file()
    }
    if not files:
        raise DataError(
            f"{source} has none of train.json, validation.json and test.json, the files of the iMaterialist challenge"
        )
    return files


def challenge_groups(groups: Sequence[str] | None) -> tuple[str, ...]:
    """The groups, or all eight for None. Raises DataError for one that iMaterialist does not have."""
    known = imaterialist().groups
    check_groups("iMaterialist", groups or (), known)
    return tuple(groups or known)


def read_entries(path: Path) -> list[AnnotatedImage]:
    """The images of one JSON file with their label ids. Raises DataError for anything else."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # JSON or UTF-8
        raise DataError(f"{path} is not JSON, or was cut off: {error}") from None
    try:
        label_ids = {
            _key(item, "image_id", "imageId"): _texts(item.get("label_id", item.get("labelId")))
            for item in content.get("annotations", ())
        }
        ids = [_key(item, "image_id", "imageId") for item in content["images"]]
    except (KeyError, TypeError, AttributeError):
        raise DataError(
            f"{path} is not laid out as the files of the iMaterialist challenge: expected an object with 'images', a "
            "list of objects with image_id and url, and 'annotations', a list of objects with image_id and label_id"
        ) from None
    if not ids:
        raise DataError(f"{path} lists no image")
    return [AnnotatedImage(image_id, label_ids.get(image_id)) for image_id in ids]


def names_by_group(label_ids: Sequence[str], taxonomy: Taxonomy, groups: Sequence[str]) -> dict[str, list[str] | None]:
    """Convert label ids, 1 to 228, to names by group. Raises DataError for another id."""
    cells: dict[str, list[str] | None] = {group: [] for group in groups}
    for text in label_ids:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= len(taxonomy):
            raise DataError(f"label id {text!r}; expected 1 to {len(taxonomy)}")
        label = taxonomy.labels[int(text) - 1]
        names = cells.get(label.group)
        if names is not None:
            names.append(label.name)
    return cells


def _candidate(
    source: Path, split: str, file: str, entry: AnnotatedImage, groups: Sequence[str]
) -> Candidate | UnusedRow:
    where = f"{file}:{entry.id}"
    if not is_file_name(entry.id):
        return UnusedRow(split, where, entry.id, "bad id", "an image id must be letters, digits, '-' and '_'")
    try:
        cells = {} if entry.label_ids is None else names_by_group(entry.label_ids, imaterialist(), groups)
    except DataError as error:
        return UnusedRow(split, where, entry.id, "unknown label", str(error))
    # The challenge numbers each split from 1, so the id alone is not unique.
    return Candidate(split, where, f"{split}/{entry.id}", _places(source, split, entry.id), cells)


def is_file_name(image_id: str) -> bool:
    """Whether an id from a JSON file is safe as a file name: no path, not hidden."""
    return image_id.isascii() and image_id.replace("-", "").replace("_", "").isalnum() and len(image_id) <= 100


def _places(source: Path, split: str, image_id: str) -> Iterator[Path]:
    splits = (split, "validation") if split == "val" else (split,)
    folders = dict.fromkeys(folder.format(split=name) for name in splits for folder in IMAGE_FOLDERS)
    return (source / folder / (image_id + ending) for ending in IMAGE_ENDINGS for folder in folders)


def _key(item: dict[str, Any], *spellings: str) -> str:
    name = next((name for name in spellings if name in item), spellings[0])
    return str(item[name])


def _texts(value: Any) -> tuple[str, ...]:
    """Convert a value or a list of values to strings."""
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
