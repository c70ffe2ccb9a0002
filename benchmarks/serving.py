"""Compare the endpoint's speed with other servers running the same model, and with the model alone.

    make bench-serving

It starts every server on this machine and sends all of them the same photographs, a few seconds at a time and in turn,
over several rounds, so that a slow minute of the machine affects all alike. The other servers are frozen meanwhile. It
writes the section `serving` of docs/benchmarks.md and docs/img/serving.png.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import log_cost
from benchmarks.cells import Results
from benchmarks.contestants import CONTESTANTS, SHIPPED
from benchmarks.document import PAGE, write_section
from benchmarks.interpreters import draw_plot
from benchmarks.photographs import photographs as draw_photographs
from benchmarks.random_bundle import random_bundle
from benchmarks.rounds import ServingPlan, measure
from benchmarks.serving_page import section, tables
from fashion.errors import FashionError, SettingError, one_line_errors

OUT = Path("runs/bench-serving")
PLOT = Path("docs/img/serving.png")


def publish(results: Results, out: Path, page: Path = PAGE, plot: Path = PLOT) -> None:
    """Write the section and the plot.

    Raises:
        FashionError: wrong answers, or the plot cannot be drawn; nothing is written then.
    """
    faults = results.faults()
    if faults:
        raise FashionError(f"{len(faults)} sorts of wrong answers, such as {faults[0]}; nothing was written")
    draw_plot("benchmarks.plot_serving", out, plot)
    write_section("serving", section(results), page)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two minutes, one round; the page stays as it is")
    parser.add_argument("--servers", help=f"only these, with commas between; of: {', '.join(CONTESTANTS)}")
    parser.add_argument("--rounds", type=int, help=f"(default: {ServingPlan.rounds})")
    parser.add_argument("--seconds", type=float, help=f"of each server in each cell (default: {ServingPlan.seconds:g})")
    parser.add_argument("--page-only", action="store_true", help="write the page from the results of the last full run")
    options = parser.parse_args(arguments)
    with one_line_errors():
        full = OUT / "results.json"
        if options.page_only:
            if not full.exists():
                raise SettingError(f"no {full}; run make bench-serving once without --page-only")
            publish(Results.load(full), full)
            return 0
        plan = _plan(options)
        results = measure(plan, *_material(), _empty(OUT / "servers"))
        whole = not options.quick and not options.servers
        saved = full if whole else OUT / "look.json"
        results.save(saved)
        if SHIPPED in plan.names:
            results.cells += log_cost.measure(OUT / "small", OUT / "servers", options.quick)
            results.save(saved)
        print(tables(results))
        if whole:
            publish(results, full)
            print(f"wrote the section 'serving' of {PAGE} and {PLOT}")
        for fault in results.faults():
            print(f"wrong: {fault}")
    return 0


def _plan(options: argparse.Namespace) -> ServingPlan:
    plan = ServingPlan(concurrencies=(1, 8), rounds=1, seconds=2.0, warm_up=1.0) if options.quick else ServingPlan()
    names = tuple(options.servers.split(",")) if options.servers else plan.names
    for name in names:
        if name not in CONTESTANTS:
            raise SettingError(f"server {name!r} is unknown; choose among: {', '.join(CONTESTANTS)}")
    rounds = plan.rounds if options.rounds is None else options.rounds
    seconds = plan.seconds if options.seconds is None else options.seconds
    if rounds < 1 or seconds <= 0:
        raise SettingError(f"{rounds} rounds of {seconds:g} s measure nothing; give 1 or more, and more than 0 s")
    return replace(plan, names=names, rounds=rounds, seconds=seconds)


def _material() -> tuple[Path, Path]:
    """The bundle and the folder of photographs, created if missing."""
    folder = OUT / "photographs"
    images = draw_photographs(folder)
    return random_bundle(OUT / "bundle", images), folder


def _empty(folder: Path) -> Path:
    """An empty folder for the servers' files, kept until the next run so that their logs can be read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
