"""Find the image files of a folder by the endings of their names."""

import os
from collections.abc import Iterator
from pathlib import Path

from fashion.heic import HEIC_ENDINGS, can_read_heic
from fashion.preprocess import ENDINGS


def image_files(folder: Path) -> list[str]:
    """Sorted absolute paths of the image files below a folder, in any format that can be read, without hidden ones."""
    endings = (*ENDINGS, *HEIC_ENDINGS) if can_read_heic() else ENDINGS
    return sorted(path for path in visible_files(folder) if path.lower().endswith(endings))


def visible_files(folder: Path) -> Iterator[str]:
    """Absolute paths of the files below a folder, without hidden files and folders."""
    for parent, folders, names in os.walk(os.path.abspath(folder)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))
