"""The Python interpreter for a part of a benchmark: this one, or that with benchmarks/requirements.txt."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
BENCH_PYTHON = Path(sys.prefix) / "bench" / "bin" / "python"


def bench_python() -> Path:
    """The interpreter of the environment that `make bench-serving` sets up for other servers and engines.

    Without one it is this interpreter, which has some of the packages too.
    """
    return BENCH_PYTHON if BENCH_PYTHON.exists() else Path(sys.executable)


def bench_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of the packages that are installed in `bench_python`."""
    program = (
        "import sys; from importlib.metadata import distributions; "
        "print(*(f'{d.name.lower()}={d.version}' for d in distributions() if d.name.lower() in sys.argv[1:]))"
    )
    command = [str(bench_python()), "-c", program, *packages]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(entry.split("=") for entry in printed.split())
    return {package: found[package] for package in packages if package in found}


def environment() -> dict[str, str]:
    """Environment variables with which any process finds this project's modules."""
    return os.environ | {"PYTHONPATH": str(ROOT)}
