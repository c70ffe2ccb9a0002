"""Summary of all targets of speed and memory: which are met on this machine.

    python -m benchmarks.targets

Each benchmark with targets saves how it came out under runs/targets. This command writes them into the section
`targets` of docs/benchmarks.md; `make bench` runs it after all benchmarks.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from benchmarks import machine
from benchmarks.document import PAGE, table, write_section
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_atomically

FOLDER = Path("runs/targets")


@dataclass(frozen=True)
class TargetResult:
    """One target and its measurement.

    Attributes:
        what: the measured quantity.
        wanted: its limit, such as `≥ 1.3 at 8 and 16 clients`.
        measured: what was measured.
        met: whether it is within the limit.
    """

    what: str
    wanted: str
    measured: str
    met: bool


def save_targets(benchmark: str, targets: Sequence[TargetResult], folder: Path = FOLDER) -> None:
    """Save how a benchmark's targets came out, in place of its former results.

    Args:
        benchmark: its name, used as the file's.
        targets: in the order of the summary.
        folder: where the files of all benchmarks are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine.describe(),
        "day": date.today().isoformat(),
        "targets": [asdict(target) for target in targets],
    }
    write_atomically(folder / f"{benchmark}.json", json.dumps(content, indent=1) + "\n")


def summary(folder: Path = FOLDER) -> str:
    """The Markdown of the section: a row for each target, the benchmarks in the order of their names.

    Raises:
        SettingError: no benchmark has saved any.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise SettingError(f"{folder} has no results; run make bench, or one of the benchmarks with targets")
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    targets = [(name, TargetResult(**target)) for name, result in results.items() for target in result["targets"]]
    rows = [
        [name, each.what, each.wanted, each.measured, "**met**" if each.met else "missed"] for name, each in targets
    ]
    met = sum(each.met for _, each in targets)
    machines: dict[str, list[str]] = {}
    for name, result in results.items():
        machines.setdefault(result["machine"], []).append(name)
    where = [f"{machine} ({', '.join(names)})" if len(machines) > 1 else machine for machine, names in machines.items()]
    days = sorted({result["day"] for result in results.values()})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"## Targets\n\n{met} of {len(targets)} targets are met. Ratios compare what was measured in the same run; the "
        "sections of the benchmarks have the details. A benchmark of `make bench` without a row has not been run.\n\n"
        f"{table(['benchmark', 'what', 'wanted', 'measured', ''], rows)}\n\n"
        f"Machine: {'; '.join(where)}. Measured {when} by\n\n    make bench\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__.split("\n")[0])
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        write_section("targets", summary(), options.page)
    print(f"wrote the section 'targets' of {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
