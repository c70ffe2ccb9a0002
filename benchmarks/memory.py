"""Memory of a server: of its process and all children."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

POLL = 0.25  # s
MB = 1e6


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants; empty if it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident(processes: Sequence[psutil.Process]) -> float:
    """Summed resident memory (RSS) in MB; shared pages count for each process."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / MB


def proportional(processes: Sequence[psutil.Process]) -> float | None:
    """Proportional memory (PSS) in MB, with shared pages divided among processes; None if Linux does not tell."""
    total = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except ProcessLookupError:
            continue
        except OSError:
            return None
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total * 1024 / MB


class PeakMemory:
    """Peak resident memory, in MB, of a process and its children within the `with` block."""

    def __init__(self, process: psutil.Process) -> None:
        self.peak = 0.0
        self._process = process
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        processes = family(self._process)  # once, because listing all processes takes milliseconds
        while True:
            self.peak = max(self.peak, resident(processes))
            if self._end.wait(POLL):
                return

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
