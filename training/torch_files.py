"""Files that torch writes: nothing in them is executed, a changed byte is found, a full disk is said."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from fashion.errors import BundleError, one_line


def read(path: Path) -> Any:
    """What a .ckpt or .pth file holds, on the CPU.

    Raises:
        BundleError: the file is broken or changed, or holds more than numbers and plain values.
    """
    check(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in zipfile, pickle or torch, each in its own way
        raise BundleError(f"{path} cannot be read as weights: {one_line(error).split('. ')[0][:200]}") from None


def check(path: Path) -> None:
    """See that no byte of a file was changed since torch wrote it; torch itself does not look.

    The file is a zip archive with a checksum for each of its tensors. Files in torch's format before 2020 have none.

    Raises:
        BundleError: a checksum does not fit, or the archive is cut off.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                return
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise BundleError(f"{path} is broken: {one_line(error)}; take a copy that is whole") from None
    if damaged:
        raise BundleError(f"{path} was changed after it was written ({damaged}); take a copy that is whole")


def write(content: Any, path: Path) -> None:
    """Save `content`. By way of memory, because torch's own writer hides a full disk behind an error of its own."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getbuffer())
