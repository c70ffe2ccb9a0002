"""Compare the endpoint's speed with other servers running the same model, and with the model alone.

    make bench-serving                  a ResNet50 at 512 px
    make bench-serving ARGS=--starter   the model in model_store/starter

It starts every server on this machine and sends all of them the same photographs, a few seconds at a time and in turn,
over several rounds, so that a slow minute of the machine affects all alike. The other servers are frozen meanwhile. It
writes the section `serving` or `serving starter` of docs/benchmarks.md, and its plot.
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
from benchmarks.photographs import photographs as draw_photographs
from benchmarks.random_bundle import random_bundle
from benchmarks.rounds import EXPLAINED, ServingPlan, measure
from benchmarks.serving_goals import GOALS, LARGE, STARTER, ServingGoals
from benchmarks.serving_page import section, tables, targets
from benchmarks.starter import BUNDLE
from benchmarks.targets import save_targets
from fashion.errors import FashionError, SettingError, one_line_errors

OUT = Path("runs/bench-serving")
PLOTS = Path("docs/img")
SECTIONS = {LARGE: "serving", STARTER: "serving starter"}


def publish(results: Results, page: Path = PAGE, plots: Path = PLOTS) -> None:
    """Write the section and the plot.

    Raises:
        FashionError: wrong answers; nothing is written then.
    """
    from benchmarks.plot_serving import draw  # matplotlib is not loaded while measuring

    faults = results.faults()
    if faults:
        raise FashionError(f"{len(faults)} sorts of wrong answers, such as {faults[0]}; nothing was written")
    chosen = results.settings["goals"]
    plot = plots / GOALS[chosen].plot
    draw(results).savefig(plot)
    write_section(SECTIONS[chosen], section(results), page)
    save_targets(SECTIONS[chosen], targets(results))
    print(f"wrote the section {SECTIONS[chosen]!r} of {page} and {plot}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.split("\n")[0])
    parser.add_argument("--starter", action="store_true", help=f"measure with {BUNDLE} instead of a large ResNet50")
    parser.add_argument("--quick", action="store_true", help="two minutes, one round; the page stays as it is")
    parser.add_argument("--servers", help=f"only these, with commas between; of: {', '.join(CONTESTANTS)}")
    parser.add_argument("--rounds", type=int, help=f"(default: {ServingPlan.rounds})")
    parser.add_argument("--seconds", type=float, help=f"of each server in each cell (default: {ServingPlan.seconds:g})")
    parser.add_argument("--page-only", action="store_true", help="write the page from the results of the last full run")
    options = parser.parse_args(arguments)
    with one_line_errors():
        chosen = STARTER if options.starter else LARGE
        full = OUT / f"results-{chosen}.json"
        if options.page_only:
            if not full.exists():
                raise SettingError(f"no {full}; measure once without --page-only")
            publish(Results.load(full))
            return 0
        plan = _plan(options, GOALS[chosen])
        photographs = OUT / "photographs"
        images = draw_photographs(photographs)
        bundle = BUNDLE if options.starter else random_bundle(OUT / "bundle", images)
        results = measure(plan, bundle, photographs, _empty(OUT / "servers"))
        results.settings["goals"] = chosen
        whole = not options.quick and not options.servers
        saved = full if whole else OUT / "look.json"
        results.save(saved)
        if SHIPPED in plan.names and not options.starter:
            results.cells += log_cost.measure(OUT / "small", OUT / "servers", options.quick)
            results.save(saved)
        print(tables(results))
        if whole:
            publish(results)
        for fault in results.faults():
            print(f"wrong: {fault}")
    return 0


def _plan(options: argparse.Namespace, goals: ServingGoals) -> ServingPlan:
    plan = ServingPlan(concurrencies=(1, 8), rounds=1, seconds=2.0, warm_up=1.0) if options.quick else ServingPlan()
    names = tuple(options.servers.split(",")) if options.servers else goals.names
    for name in names:
        if name not in goals.names:
            raise SettingError(f"server {name!r} is unknown; choose among: {', '.join(goals.names)}")
    rounds = plan.rounds if options.rounds is None else options.rounds
    seconds = plan.seconds if options.seconds is None else options.seconds
    if rounds < 1 or seconds <= 0:
        raise SettingError(f"{rounds} rounds of {seconds:g} s measure nothing; give 1 or more, and more than 0 s")
    explained = EXPLAINED if goals.explanations else ()
    return replace(plan, names=names, rounds=rounds, seconds=seconds, explained=explained)


def _empty(folder: Path) -> Path:
    """An empty folder for the servers' files, kept until the next run so that their logs can be read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
