"""Search time among many products, and the cost of indexing them: `make bench-matching`.

    python -m benchmarks.matching [--scored FOLDER --source "NAME OF THE DATA"] [--sizes 10000,100000]

The products are slightly changed copies of a scored catalog's (see `benchmarks.enlarged`); without one they are
synthetic. The results of each size are saved and not measured again. It writes the section `speed` of
docs/matching.md and its plot.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.document import table, write_section
from benchmarks.interpreters import BENCH_PYTHON, environment
from benchmarks.targets import TargetResult, save_targets
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_atomically

PAGE, PLOT = Path("docs/matching.md"), Path("docs/img/matching.png")
SIZES = "10000,100000,1000000"
OUT = Path("runs/bench-matching")
# Targets beside FAISS: ratios of time and memory to build, GB of disk for a million products, of the slowest queries.
BUILD, DISK, RECALL, SLOWEST, SLOWEST_MS = 1.2, 3.1, 0.985, 2.0, 20.0


def measure(size: int, options: argparse.Namespace) -> dict[str, Any]:
    """The results of a size, from an earlier run if there is one."""
    path: Path = options.out / f"{size}.json"
    if not path.exists():
        command = [sys.executable, "-m", "benchmarks.matching_size", str(size), "--out", str(options.out)]
        command += ["--scored", str(options.scored)] if options.scored else []
        command += ["--faiss", str(options.faiss)] if options.faiss.exists() else []
        subprocess.run(command, check=True, env=environment())
    return json.loads(path.read_text())


def section(results: Sequence[dict[str, Any]], source: str, command: str) -> str:
    """The Markdown that goes into the page."""
    rows, builds = [], []
    for result in results:
        size, own = f"{result['size']:,}", result["ours"]
        for name, times in own["times"].items():
            memory = own["memory"] if name == "default" else None
            rows.append([size, f"catalog.search, {name}", *_cells(times, memory)])
        rows.append([size, "seed's way: torch, all logits", *_cells(result["torch"]["times"]["all"], None)])
        rows[-1][-1] = f"{result['torch']['memory']:.2f}"
        built = result["index"]
        length = own["kept"] or "not reduced"
        cells = [f"{built['seconds']:.0f}", f"{built['peak']:.2f}", f"{built['disk']:.2f}"]
        builds.append([size, "catalog.index", *cells, length])
        if "faiss" in result:
            other = result["faiss"]
            rows.append([size, "FAISS, HNSW16,SQ8", *_cells(other["times"]["all"], other["memory"])])
            builds.append([size, "FAISS", f"{other['seconds']:.0f}", f"{other['memory']:.2f}", "-", length])
    searched = table(["products", "way", "p50, ms", "p99, ms", "recall@10", "memory, GB"], rows)
    costs = ["products", "way", "to build, s", "memory at most, GB", "disk, GB", "embedding searched first"]
    lacking = [f"{result['size']:,}" for result in results if "faiss" not in result]
    not_run = f" FAISS was not run for {' and '.join(lacking)} products." if lacking else ""
    return (
        f"## Speed\n\nProducts: {source}. 200 searches for products that are not in the catalog, one after the "
        "other, 20 of the ways that compare all. Recall: the share of the true nearest ten found, by the default space "
        "on full embeddings. Filters keep 1 % or 0.1 %. Default: as `catalog.index` builds for that many products, "
        "exact below 20,000, approximate from there on. Every listing counts (`--duplicates`), because many of these "
        "products are nearly copies of each other. The time of catalog.search includes attributes and shared "
        "attributes; FAISS and torch return row numbers only. FAISS has an HNSW graph of the same points and compares "
        "as many candidates by full vectors in float16, which are too coarse for near-copies among a million. Memory "
        "includes mapped files, which the system can evict."
        f"{not_run}\n\n"
        f"{searched}\n\n{table(costs, builds)}\n\n![Query time by number of products](img/{PLOT.name})\n\n"
        f"Machine: {results[0]['machine']}. Measured by\n\n    {command}\n"
    )


def targets(result: dict[str, Any]) -> list[TargetResult]:
    """The targets beside FAISS for one size; none where FAISS was not run."""
    if "faiss" not in result:
        return []
    own, built, other, size = result["ours"], result["index"], result["faiss"], f"{result['size']:,} products"
    times, beside = own["times"]["default"], other["times"]["all"]
    most = min(SLOWEST * beside["p99"], SLOWEST_MS)
    filtered = {name: each for name, each in own["times"].items() if "filter" in name}
    ratios = {"time to build": built["seconds"] / other["seconds"], "memory to build": built["peak"] / other["memory"]}
    found = [
        TargetResult(f"{size}: {what} / FAISS's", f"≤ {BUILD:g}", f"{ratio:.2f}", ratio <= BUILD)
        for what, ratio in ratios.items()
    ]
    disk = DISK * result["size"] / 1e6
    found.append(TargetResult(f"{size}: on disk", f"≤ {disk:.1f} GB", f"{built['disk']:.1f} GB", built["disk"] <= disk))
    for name, each in {"default": times, **filtered}.items():
        recall, p99 = each["recall"], each["p99"]
        found.append(TargetResult(f"{size}, {name}: recall@10", f"≥ {RECALL:g}", f"{recall:.3f}", recall >= RECALL))
        wanted = f"≤ {SLOWEST:g} times FAISS's and {SLOWEST_MS:g} ms: {most:.1f}"
        found.append(TargetResult(f"{size}, {name}: p99, ms", wanted, f"{p99:.1f}", p99 <= most))
    return found


def _cells(times: dict[str, float], memory: float | None) -> list[str]:
    recall = f"{times['recall']:.3f}" if "recall" in times else "-"
    return [f"{times['p50']:.1f}", f"{times['p99']:.1f}", recall, "-" if memory is None else f"{memory:.2f}"]


def _draw(results: Sequence[dict[str, Any]], plot: Path) -> None:
    from benchmarks.plot_matching import draw  # loads matplotlib

    plot.parent.mkdir(parents=True, exist_ok=True)
    draw(results).savefig(plot)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the missing sizes, and write the section and its plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=__doc__.split("\n")[0])
    parser.add_argument("--scored", type=Path, help="scored catalog (default: products are made up)")
    parser.add_argument("--source", default="made up, in clusters", help="public name of its data, for the page")
    parser.add_argument("--sizes", default=SIZES, help="numbers of products (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    parser.add_argument("--faiss", type=Path, default=BENCH_PYTHON, help="a Python with FAISS (default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        try:
            sizes = [int(size) for size in options.sizes.split(",")]
        except ValueError:
            raise SettingError(f"--sizes {options.sizes!r} must be numbers, such as {SIZES}") from None
        options.out.mkdir(parents=True, exist_ok=True)
        results = [measure(size, options) for size in sizes]
        command = "make bench-matching"
        if options.scored:
            command += f" ARGS=\"--scored SCORED --source '{options.source}'\""
        write_atomically(options.out / "results.json", json.dumps(results))
        save_targets("matching", targets(max(results, key=lambda result: result["size"])))
        write_section("speed", section(results, options.source, command), options.page)
        _draw(results, options.page.parent / "img" / PLOT.name)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
