"""Show which attributes of a catalog's products become more or less frequent over time.

From the command line:

    python -m catalog.trends FOLDER --by month --group colour
    python -m catalog.trends FOLDER --where 'article=Dresses' --report trends

FOLDER is a scored catalog, or an index of it. From Python: `catalog.analysis.growth.trends`.
"""

import argparse
import json
from collections.abc import Sequence

from catalog.analysis.command_line import add_outputs, add_selection, split_names
from catalog.analysis.growth import trends
from catalog.analysis.periods import UNITS
from catalog.analysis.report.writing import check_report_folder, write_trends
from catalog.analysis.tabular import trends_text, write_trends_csv
from fashion.errors import one_line_errors
from fashion.files import refuse_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the trends and write the requested files; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.trends",
        description="Say which attributes become more or less frequent among a catalog's products over time.",
    )
    parser.add_argument("catalog", help="scored catalog, or an index of it")
    parser.add_argument("--by", choices=UNITS, default="month", help="length of a period (default: %(default)s)")
    parser.add_argument("--date", metavar="COLUMN", help="column of the products' dates (default: a usual name)")
    add_selection(parser)
    add_outputs(parser)
    options = parser.parse_args(arguments)
    with one_line_errors():
        if options.report:
            check_report_folder(options.report)
        if options.csv:
            refuse_folder(options.csv)
        found = trends(
            options.catalog,
            options.by,
            split_names(options.group),
            column=options.date,
            where=options.where,
            answers=options.answers,
            correct=options.correct,
        )
        if options.report:
            write_trends(found, options.report)
        if options.csv:
            write_trends_csv(options.csv, found)
        print(json.dumps(found.to_json(), ensure_ascii=False) if options.json else trends_text(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
