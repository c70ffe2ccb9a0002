"""Write files atomically."""

import errno
import os
import threading
from pathlib import Path

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
