"""Files by names that are spelled otherwise: in another case of letters or form of Unicode, without the ending."""

import os
import unicodedata
from functools import lru_cache
from pathlib import Path

from fashion.preprocess import ENDINGS

LISTED_FOLDERS = 64  # whose names are kept in memory


def file_spelled_alike(folder: Path, name: str) -> Path | None:
    """The file below `folder` at the path `name`, whatever the case of its letters; None where there is none.

    Args:
        folder: where to look.
        name: a relative path with slashes, whose last part may lack the ending of an image file.
    """
    *parents, last = name.split("/")
    found = folder
    for part in parents:
        inner = _names(found).get(_plain(part))
        if inner is None:
            return None
        found /= inner
    names = _names(found)
    file = next((names[_plain(last + ending)] for ending in ("", *ENDINGS) if _plain(last + ending) in names), None)
    return None if file is None else found / file


def _names(folder: Path) -> dict[str, str]:
    """What is in a folder, by its names as `_plain` spells them; nothing where it is no folder."""
    try:
        return _listed(str(folder), os.stat(folder).st_mtime_ns)
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return {}


@lru_cache(LISTED_FOLDERS)
def _listed(folder: str, changed: int) -> dict[str, str]:
    """A folder's names, kept while its time of change is the same; of those that are alike the first."""
    return {_plain(name): name for name in sorted(os.listdir(folder), reverse=True)}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
