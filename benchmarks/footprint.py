"""Measure the start-up time of the command line, and the memory of serving.app and of a TorchServe worker.

    python -m benchmarks.footprint [--rounds 10] [--without-torchserve]

It writes the section `footprint` of docs/benchmarks.md. Processes are measured in turns, also by processor time,
which depends less on other load.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
import requests

from benchmarks import machine
from benchmarks.document import PAGE, table, write_section
from benchmarks.memory import proportional
from benchmarks.photographs import photographs
from benchmarks.starter import BUNDLE
from benchmarks.targets import TargetResult, save_targets
from fashion.model_card import INT8_FILE
from serving.archive import archive
from serving.ports import free_ports
from serving.torchserve import TorchServe

PHOTOGRAPHS = Path("data/bench-photographs")
COMPILED = Path("data/bench-compiled")
REQUESTS = 40  # before memory is measured, so that everything is initialized
FEW_PHOTOGRAPHS = 4
START, APP, WORKER = 1.2, 200.0, 365.0  # ratio, MB, MB
# The minimum of any such program, as one line of Python.
LEAST = (
    "import sys, numpy, onnxruntime; from PIL import Image\n"
    "options = onnxruntime.SessionOptions()\n"
    "options.log_severity_level = 3\n"
    "onnxruntime.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])\n"
    "Image.open(sys.argv[2]).load()"
)


def spent(command: Sequence[str | Path]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a whole process.

    From the second run on, its modules are compiled already, as in an installed project.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"PYTHONPYCACHEPREFIX": str(COMPILED.absolute())}
    begun = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def start_up(photograph: Path, rounds: int) -> list[tuple[list[str], TargetResult]]:
    """The rows of the table, seconds of both processes and their ratio, and the target of each."""
    least: list[str | Path] = [sys.executable, "-c", LEAST, BUNDLE / INT8_FILE, photograph]
    whole: list[str | Path] = [sys.executable, "-m", "fashion.predictor", BUNDLE, photograph]
    found = [(spent(least), spent(whole)) for _ in range(rounds + 1)][1:]  # the first run reads the files from disk
    rows = []
    for kind, name in enumerate(("clock", "processor")):
        of_least, of_whole = (median(times[i][kind] for times in found) for i in (0, 1))
        ratio = median(times[1][kind] / times[0][kind] for times in found)
        target = TargetResult(f"start-up, {name}: ratio", f"≤ {START:g}", f"{ratio:.2f}", ratio <= START)
        rows.append(([f"start-up, {name}", f"{of_least:.2f} s", f"{of_whole:.2f} s", f"{ratio:.2f}"], target))
    return rows


@contextmanager
def app() -> Iterator[tuple[str, psutil.Process]]:
    """Run serving.app with the starter: its URL and process."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "serving.app", str(BUNDLE), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(lambda: requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok)
        yield f"http://127.0.0.1:{port}/predictions/fashion", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def torchserve() -> Iterator[tuple[str, psutil.Process]]:
    """Run TorchServe with the starter: its URL and the process of its worker."""
    with tempfile.TemporaryDirectory() as folder:
        archive(BUNDLE, Path(folder) / "store" / "fashion.mar")
        with TorchServe.temporary(Path(folder) / "store", Path(folder)) as server:
            running = server.find()
            assert running is not None
            (worker,) = [
                each for each in running.children(recursive=True) if "model_service_worker" in str(each.cmdline())
            ]
            yield server.url(), worker


def memory(url: str, process: psutil.Process, files: Sequence[Path]) -> tuple[float, float]:
    """Resident (RSS) and proportional (PSS) memory of a process after requests, MB."""
    with requests.Session() as session:
        for i in range(REQUESTS):
            session.post(url, data=files[i % len(files)].read_bytes(), timeout=120).raise_for_status()
    return process.memory_info().rss / 1e6, proportional([process]) or float("nan")


def _wait(ready: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except requests.RequestException:
            pass
        if time.monotonic() > end:
            raise SystemExit("the server does not answer")
        time.sleep(0.1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10, help="of both processes (%(default)s)")
    parser.add_argument("--without-torchserve", action="store_true")
    parser.add_argument("--page", type=Path, default=PAGE, help="(%(default)s)")
    options = parser.parse_args(arguments)
    photographs(PHOTOGRAPHS, count=FEW_PHOTOGRAPHS)
    files = sorted(PHOTOGRAPHS.glob("*.jpg"))
    rows = start_up(files[0], options.rounds)
    servers = [("serving.app", app, APP)] + (
        [] if options.without_torchserve else [("TorchServe's worker", torchserve, WORKER)]
    )
    for name, running, most in servers:
        with running() as (url, process):
            resident, shared = memory(url, process, files)
        target = TargetResult(f"memory, resident: {name}", f"≤ {most:g} MB", f"{resident:.0f} MB", resident <= most)
        rows.append(([name, f"{resident:.0f} MB", f"{shared:.0f} MB", ""], target))
    header = ["", "least, or resident", "whole, or proportional", "ratio", "target"]
    cells = [[*row, f"{target.wanted}: {'met' if target.met else 'missed'}"] for row, target in rows]
    text = (
        f"## Start-up and memory\n\n{table(header, cells)}\n\n"
        "Start-up: whole processes, `python -m fashion.predictor` with the starter and one photograph beside one that "
        "imports numpy, Pillow and onnxruntime and opens the model and the photograph; "
        f"medians of {options.rounds} in turns. Memory: after {REQUESTS} photographs one by one; proportional is with "
        f"shared pages divided among those who share them. Machine: {machine.describe()}. Measured by\n\n"
        "    python -m benchmarks.footprint\n"
    )
    print(text)
    write_section("footprint", text, options.page)
    save_targets("footprint", [target for _, target in rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
