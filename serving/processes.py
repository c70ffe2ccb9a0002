"""TorchServe's processes on this machine: find a server by its config, and end it and its workers."""

import time
from pathlib import Path

import psutil

JAVA_CLASS = "org.pytorch.serve.ModelServer"
STOP_TIMEOUT = 20.0  # s; TorchServe needs a few to close its connections
POLL = 0.1  # s


def find_server(config: Path, model_store: Path) -> psutil.Process | None:
    """The Java process that was started with this config and model store, by any program; None if there is none."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if JAVA_CLASS not in command or not is_alive(process):
                continue
            folder = Path(process.cwd())
            of_config, of_store = (folder / command[command.index(option) + 1] for option in ("-f", "-s"))
        except (psutil.Error, ValueError, IndexError):  # the process ended, is another user's or has no config
            continue
        if of_config.resolve() == config.resolve() and of_store.resolve() == model_store.resolve():
            return process
    return None


def end_server(server: psutil.Process) -> None:
    """End a server and its workers: first with SIGTERM, then with SIGKILL."""
    try:
        family = [server, *server.children(recursive=True)]
        server.terminate()
    except psutil.NoSuchProcess:
        return
    _wait_for_end(family, STOP_TIMEOUT)
    for process in filter(is_alive, family):
        process.kill()
    _wait_for_end(family, STOP_TIMEOUT)


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is running and not a zombie; in a container, zombies may never be removed."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_for_end(processes: list[psutil.Process], timeout: float) -> None:
    end = time.monotonic() + timeout
    while any(map(is_alive, processes)) and time.monotonic() < end:
        time.sleep(POLL)
