"""Check the photographs of a scored catalog: size, sharpness, exposure, background, text, duplicates, titles.

From the command line:  python -m catalog.check SCORED --out checks.csv --sheet checks.jpg
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from catalog.analysis.opening import open_scored
from catalog.checking.checking import CatalogCheck
from catalog.checking.faults import CHECKS
from catalog.checking.writing import write_fault_sheet, write_faults
from fashion.errors import SettingError, one_line_errors
from fashion.files import refuse_folder
from fashion.pictures.tiles import picture_format


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the faults and count them by check; returns the exit status."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        skipped = [name.strip() for name in options.skip.split(",") if name.strip()]
        for name in skipped:
            if name not in CHECKS:
                raise SettingError(f"--skip: there is no check {name!r}; there are: {', '.join(CHECKS)}")
        if options.photographs and not options.photographs.is_dir():
            raise SettingError(f"--photographs: {options.photographs} is not a folder")
        if options.sheet:
            picture_format(options.sheet, "--sheet")  # raises before minutes of measuring
        for path in filter(None, (options.out, options.sheet)):
            refuse_folder(path)
        scored = open_scored(options.catalog)
        if options.title and options.title not in scored.manifest.columns:
            raise SettingError(f"--title: there is no column {options.title!r}; {', '.join(scored.manifest.columns)}")
        check = CatalogCheck.with_defaults(scored, options.photographs, options.title, skipped)
        bar = tqdm(check.faults(), total=scored.rows, unit="image", desc="checking", disable=None)
        faulty = [found for found in bar if found]
        faults = [fault for found in faulty for fault in found]
        if options.out:
            write_faults(options.out, faults)
        if options.sheet:
            write_fault_sheet(options.sheet, faulty)
        if options.json:
            for fault in faults:
                print(json.dumps(asdict(fault), ensure_ascii=False))
            return 0
        counts = Counter(fault.check for fault in faults)
        for name in CHECKS:
            if name not in skipped:
                print(f"{counts[name]:7,}  {name}")
        print(f"{len(faulty):,} of {scored.rows:,} products have faults" + (f": {options.out}" if options.out else ""))
        if not check.title and "title" not in skipped:
            print("note   the catalog has no column of titles; --title names one")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m catalog.check", description="Find photographs of a scored catalog that are not fit for a shop."
    )
    parser.add_argument("catalog", help="scored catalog, or an index of it")
    parser.add_argument(
        "--photographs", type=Path, metavar="FOLDER", help="folder of the photographs, if they were moved"
    )
    parser.add_argument("--title", metavar="COLUMN", help="column of the titles (default: a usual name)")
    parser.add_argument("--skip", default="", metavar="CHECKS", help=f"checks to leave out: {', '.join(CHECKS)}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a CSV file, one line for each fault")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a picture of the products with faults")
    parser.add_argument("--json", action="store_true", help="one JSON object for each fault")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
