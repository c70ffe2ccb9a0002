"""Which attributes of a catalog's products become more or less frequent over time.

From the command line:

    python -m catalog.trends FOLDER --by month --group color
    python -m catalog.trends FOLDER --where 'category=Dresses' --report trends

FOLDER is a scored catalog, or an index of it. From Python: `catalog.growth.trends`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from catalog.growth import trends
from catalog.periods import UNITS
from catalog.report.writing import check_report_folder, write_trends
from catalog.tabular import trends_text, write_trends_csv
from fashion.errors import one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the trends, and write what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.trends",
        description="Say which attributes become more or less frequent among a catalog's products over time.",
    )
    parser.add_argument("catalog", help="scored catalog, or an index of it")
    parser.add_argument("--by", choices=UNITS, default="month", help="length of a period (default: %(default)s)")
    parser.add_argument("--date", metavar="COLUMN", help="says when a product came (default: told by its usual names)")
    add_selection(parser)
    add_outputs(parser)
    options = parser.parse_args(arguments)
    with one_line_errors():
        if options.report:
            check_report_folder(options.report)
        found = trends(
            options.catalog,
            options.by,
            split_names(options.group),
            column=options.date,
            where=options.where,
            answers=options.answers,
        )
        if options.report:
            write_trends(found, options.report)
        if options.csv:
            write_trends_csv(options.csv, found)
        print(json.dumps(found.to_json(), ensure_ascii=False) if options.json else trends_text(found))
    return 0


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add what trends and comparisons are told alike."""
    parser.add_argument("--group", metavar="A,B", help="attribute groups to look at (default: all)")
    parser.add_argument("--where", metavar="FILTER", help="look at these products alone, such as 'category=Dresses'")
    parser.add_argument(
        "--answers", action="store_true", help="count answered attributes instead of calibrated probabilities"
    )


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add --json, --csv and --report."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table for spreadsheets too")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write a page with plots, tables and JSON too")


def split_names(text: str | None) -> list[str] | None:
    """`A,B` as a list; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    raise SystemExit(main())
