"""Find replacements for a product that cannot be sold.

From the command line:  python -m catalog.replace INDEX ID
"""

import argparse
import sys
from collections.abc import Sequence

from catalog import open_index
from catalog.engines.location import add_index, index_place, parse_index
from catalog.similar.output import add_output, add_search, print_matches, search_options
from catalog.similar.replacement import stock_column
from fashion.errors import one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the replacements for a product; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.replace",
        description="Find products that may take the place of one: alike, in stock, and no duplicates of it.",
    )
    add_index(parser)
    parser.add_argument("id", help="id of the product to replace")
    parser.add_argument(
        "--same",
        metavar="A,B",
        help="groups or columns of which a replacement must share a value (default: article, or category, and gender)",
    )
    parser.add_argument(
        "--stock",
        metavar="COLUMN",
        help="column that says whether a product is in stock (default: a usual name), '' for none",
    )
    add_search(parser)
    add_output(parser)
    options = parse_index(parser, arguments)
    with one_line_errors(), open_index(index_place(options)) as index:
        same = None if options.same is None else [name.strip() for name in options.same.split(",") if name.strip()]
        if options.stock is None and not stock_column(index.columns):
            print(
                "note   no stock column was found, so sold-out products may be among these; name one with --stock, or "
                "none with --stock ''",
                file=sys.stderr,
            )
        matches = index.replace(options.id, same=same, stock=options.stock, **search_options(options))
        print_matches(matches, options, index.columns.source, index.product(options.id))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
