"""Remove the temporary folders of TorchServe servers that were killed; normally a folder is removed with its server."""

import os
import shutil
import time
from pathlib import Path

import psutil

from serving.processes import is_alive, temporary_folder_of

TEMPORARY_PREFIX = "fashion-torchserve-"
PID_FILE = ".model_server.pid"  # written by TorchServe: the id of its Java process
STARTING = 600.0  # s; a server without a process id after this time has failed to start


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of this user's servers that are no longer running."""
    for folder in parent.glob(f"{TEMPORARY_PREFIX}*"):
        try:
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # just removed by its server or by another start
            continue


def _is_abandoned(folder: Path) -> bool:
    try:
        server = psutil.Process(int((folder / PID_FILE).read_text()))
        # The process id may have been reused.
        return not is_alive(server) or temporary_folder_of(server) != folder
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:  # the process cannot be identified
        return False
    except (FileNotFoundError, ValueError):
        return time.time() - folder.stat().st_mtime > STARTING
