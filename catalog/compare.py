"""Compare the attributes of two shops' catalogs, or of two parts of one.

From the command line:

    python -m catalog.compare OURS THEIRS --group article,colour
    python -m catalog.compare FOLDER --split 'brand=Acme' 'brand=Zenith' --combine article,colour --report compared

OURS, THEIRS and FOLDER are scored catalogs, or indexes of them. From Python: `catalog.analysis.portfolios.compare`.
"""

import argparse
import json
from collections.abc import Sequence

from catalog.analysis.command_line import add_outputs, add_selection, split_names
from catalog.analysis.portfolios import compare
from catalog.analysis.report.writing import check_report_folder, write_comparison
from catalog.analysis.tabular import compare_text, write_compare_csv
from fashion.errors import one_line_errors
from fashion.files import refuse_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison and write the requested files; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.compare", description="Compare the attributes of two catalogs, or of two parts of one."
    )
    parser.add_argument("one", metavar="A", help="scored catalog, or an index of it")
    parser.add_argument("other", metavar="B", nargs="?", help="the other one")
    parser.add_argument(
        "--split", nargs=2, metavar="FILTER", help="compare two parts of A, such as 'brand=Acme' 'brand=Zenith'"
    )
    parser.add_argument(
        "--combine",
        metavar="A,B",
        help="two groups whose combinations are compared too, '' for none (default: category, or else article, with "
        "color, if the model has both)",
    )
    add_selection(parser)
    add_outputs(parser)
    options = parser.parse_args(arguments)
    with one_line_errors():
        if options.report:
            check_report_folder(options.report)
        if options.csv:
            refuse_folder(options.csv)
        found = compare(
            options.one,
            options.other,
            split=tuple(options.split) if options.split else None,
            groups=split_names(options.group),
            combine=split_names(options.combine),
            where=options.where,
            answers=options.answers,
            correct=options.correct,
        )
        if options.report:
            write_comparison(found, options.report)
        if options.csv:
            write_compare_csv(options.csv, found)
        print(json.dumps(found.to_json(), ensure_ascii=False) if options.json else compare_text(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
