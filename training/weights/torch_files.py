"""Safe reading and writing of torch files: no code is executed, changed bytes are detected, a full disk is reported."""

import io
import re
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from fashion.errors import BundleError, one_line
from fashion.files import write_atomically


class Ignored:
    """Placeholder for a class or function that a file refers to; the real one is neither imported nor called."""

    def __init__(self, *_: Any) -> None:
        pass


def read(path: Path, ignored: str = "") -> Any:
    """Load a .ckpt or .pth file on the CPU.

    Args:
        path: the file.
        ignored: a package whose classes and functions the file may refer to, as old Lightning checkpoints do for
            their callbacks; each is replaced by `Ignored`, its dictionaries by plain ones.

    Raises:
        BundleError: the file is broken or changed, or holds more than tensors and plain values.
    """
    check(path)
    stand_ins: dict[str, Any] = {}
    while True:
        try:
            allowed = torch.serialization.safe_globals([(value, name) for name, value in stand_ins.items()])
            with allowed, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about files that are not archives: the error is clearer
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file fails in zipfile, pickle or torch, each in its own way
            name = _refused_name(error)
            if not ignored or not name.startswith(f"{ignored}.") or name in stand_ins:
                raise BundleError(f"{path} cannot be read as weights: {fault(error)}") from None
            stand_ins[name] = OrderedDict if name.endswith("Dict") else Ignored


def _refused_name(error: Exception) -> str:
    """The class or function that torch refused to load, from its error message; "" if it names none."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return found[1].rstrip(".") if found else ""


def fault(error: Exception) -> str:
    """Why a file cannot be loaded, from an error of `torch.load`; without torch's advice to run the code in it."""
    text = str(error)
    if isinstance(error, EOFError | IndexError | OSError) or "unexpected EOF" in text:
        return "it is truncated; use a complete copy"
    if "Unsupported operand" in text:
        return "torch.save did not write it"
    if "Weights only load failed" in text:
        name = _refused_name(error)
        return (
            f"it holds code or objects{name and f' ({name})'}, which were not executed; give a file with the state "
            "dict only, as torch.save(model.state_dict(), FILE) writes it"
        )
    return one_line(error).split(". ")[0][:200]


def check(path: Path) -> None:
    """Verify the checksums of a file; torch itself does not.

    The file is a zip archive with a checksum for each of its tensors. Files in torch's format before 2020 have none.

    Raises:
        BundleError: a checksum does not match, or the archive is truncated.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                return
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise BundleError(f"{path} is broken: {one_line(error)}; use an undamaged copy") from None
    if damaged:
        raise BundleError(f"{path} was changed after it was written ({damaged}); use an undamaged copy")


def write(content: Any, path: Path) -> None:
    """Save `content` atomically, via a memory buffer: torch's own writer reports a full disk as another error."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())
