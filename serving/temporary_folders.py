"""The temporary folders of TorchServe: made for each server, removed with it, or later where it was killed."""

import os
import shutil
import time
from pathlib import Path

import psutil

from serving.processes import is_alive, temporary_folder_of

TEMPORARY_PREFIX = "fashion-torchserve-"
PID_FILE = ".model_server.pid"  # TorchServe's own, the process id of its Java
STARTING = 600.0  # s; a server that has not written its process id by then never will


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of this user's servers that do not run any more, and no other."""
    for folder in parent.glob(f"{TEMPORARY_PREFIX}*"):
        try:
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its server, or another start, has just removed it
            continue


def _is_abandoned(folder: Path) -> bool:
    try:
        server = psutil.Process(int((folder / PID_FILE).read_text()))
        # Another process may have got the number since.
        return not is_alive(server) or temporary_folder_of(server) != folder
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:  # whose it is cannot be seen
        return False
    except (FileNotFoundError, ValueError):
        return time.time() - folder.stat().st_mtime > STARTING
