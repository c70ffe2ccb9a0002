"""Files that are there whole or not at all."""

import os
import threading
from pathlib import Path


def write_whole(path: Path, content: bytes | str, mode: int = 0o666) -> Path:
    """Write a file beside its place and put it there when it is complete; folders that are missing are made.

    Text is written as UTF-8. Whoever reads `path` meanwhile finds the file that was there before.

    Args:
        path: the file; one that is there is replaced.
        content: all of it.
        mode: permissions, from its first byte on and less what the umask takes, whatever those of a file that was
            there before.

    Raises:
        OSError: it cannot be written; nothing half-written stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    temporary.unlink(missing_ok=True)  # of a process that was killed: its permissions would stay
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
