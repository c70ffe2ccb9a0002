"""Run every benchmark of speed and memory one after the other, and write a summary of their targets.

    python -m benchmarks.all [--only serving,footprint] [--products 100000]

A benchmark that fails does not stop the others; the exit status is 1 then. Each writes its own section of its own page.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import targets
from benchmarks.interpreters import ROOT
from benchmarks.starter import BUNDLE
from fashion.errors import SettingError, one_line_errors

PRODUCTS = "10000,100000,1000000"


def commands(products: str) -> dict[str, list[str]]:
    """The modules to run and their arguments, by the name that --only takes; the shortest first."""
    return {
        "footprint": ["benchmarks.footprint"],
        "soak": ["benchmarks.soak"],
        "scoring": ["benchmarks.scoring", str(BUNDLE), "--images", "2500"],
        "training": ["benchmarks.training"],
        "serving-starter": ["benchmarks.serving", "--starter"],
        "serving": ["benchmarks.serving"],
        "matching": ["benchmarks.matching", "--sizes", products],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them and write the summary; 1 if one failed."""
    known = commands(PRODUCTS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=__doc__.split("\n")[0])
    parser.add_argument("--only", help=f"these alone, with commas between; of: {', '.join(known)}")
    parser.add_argument("--products", default=PRODUCTS, help="numbers of products to match (default: %(default)s)")
    options = parser.parse_args(arguments)
    failed = []
    with one_line_errors():
        chosen = options.only.split(",") if options.only else list(known)
        for name in chosen:
            if name not in known:
                raise SettingError(f"benchmark {name!r} is unknown; choose among: {', '.join(known)}")
        for name in chosen:
            start = time.monotonic()
            print(f"run    {name}", flush=True)
            status = subprocess.run([sys.executable, "-m", *commands(options.products)[name]], cwd=ROOT).returncode
            minutes = (time.monotonic() - start) / 60
            print(f"{'failed' if status else 'done'} {name}, {minutes:.1f} minutes", flush=True)
            failed += [name] if status else []
        targets.main([])
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
