"""Write folders atomically, replacing only folders written by the same command."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fashion.errors import FashionError


def check_replaceable(
    out: Path, is_ours: Callable[[Path], bool], what: str, flag: str, error: type[FashionError]
) -> None:
    """Refuse to overwrite a folder that this command did not write.

    Args:
        out: the folder to write; it may be missing or empty.
        is_ours: whether a folder with files was written by the same command.
        what: kind of folder, for the message, such as `bundle`.
        flag: the flag that gave `out`, for the message.
        error: type of the error to raise.

    Raises:
        FashionError: of the type `error`; `out` is a file, or a folder with other files.
    """
    if out.is_dir() and any(out.iterdir()) and not is_ours(out):
        raise error(f"{str(out)!r} is a folder with files and no {what}; choose another {flag}")
    if out.exists() and not out.is_dir():
        raise error(f"{str(out)!r} is a file; choose another {flag}")


@contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """Context manager: a temporary folder beside `out` that replaces it on success and is removed on failure."""
    out = out.resolve()  # `.` has no name
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        folder.chmod(0o755)
        yield folder
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
            os.replace(out, old)
            os.replace(folder, out)
            shutil.rmtree(old)
        else:
            os.replace(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
