"""Write files atomically, and the time to note in them."""

import csv
import errno
import io
import json
import os
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEFTOVERS = ".*.*[0-9]-[0-9]*.tmp"  # glob pattern of the temporary files of killed processes


def refuse_folder(path: Path) -> None:
    """Raise OSError if a file cannot be written to this path because it is a folder: before the work, not after it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def write_atomically(path: Path, content: bytes | str, mode: int = 0o666) -> Path:
    """Write a file atomically: to a temporary file in the same folder, then rename; missing folders are created.

    Text is written as UTF-8. Until the rename, readers of `path` see its previous content.

    Args:
        path: the file; an existing one is replaced.
        content: the whole content.
        mode: permissions, minus the umask; in effect from the first byte, and not inherited from an existing file.

    Raises:
        OSError: the file cannot be written; the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    temporary.unlink(missing_ok=True)  # a leftover of a killed process would keep its permissions
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_json(path: Path, content: Any, allow_nan: bool = True) -> Path:
    """Write JSON, indented; see `write_atomically`. Raises ValueError for NaN and infinity unless `allow_nan`."""
    return write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=allow_nan) + "\n")


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], lineterminator: str = "\r\n"
) -> Path:
    """Write a CSV file; see `write_atomically`. File names that are not UTF-8 keep their bytes."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=lineterminator)
    writer.writerow(header)
    writer.writerows(rows)
    return write_atomically(path, file.getvalue().encode(errors="surrogateescape"))


def utc_now() -> str:
    """The current time in UTC, to the second, such as 2026-05-01T12:00:00+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")
