"""Find files by approximate names: in another letter case or Unicode normal form, or without the ending."""

import os
import unicodedata
from functools import lru_cache
from pathlib import Path

from fashion.preprocess import ENDINGS

LISTED_FOLDERS = 64  # folders whose listing is cached


def file_spelled_alike(folder: Path, name: str) -> Path | None:
    """Find the file `name` in `folder`, ignoring letter case and Unicode form; None if there is none.

    Args:
        folder: the folder to search.
        name: a relative path with slashes; the ending of an image file may be missing.
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
    """The names in a folder by their form normalized by `_plain`; empty if it is not a folder."""
    try:
        return _listed(str(folder), os.stat(folder).st_mtime_ns)
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return {}


@lru_cache(LISTED_FOLDERS)
def _listed(folder: str, changed: int) -> dict[str, str]:
    """A folder's names, cached until its modification time changes; of equal normalized names, the first is used."""
    return {_plain(name): name for name in sorted(os.listdir(folder), reverse=True)}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
