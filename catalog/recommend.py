"""Recommend products from those that a customer likes and dislikes.

From the command line:  python -m catalog.recommend INDEX --like ID,ID --unlike ID
"""

import argparse
from collections.abc import Sequence

from catalog import open_index
from catalog.engines.location import add_index, index_place, parse_index
from catalog.similar.output import add_output, add_search, print_matches, search_options
from fashion.errors import one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Print recommendations; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.recommend", description="Recommend products by what a customer likes and dislikes."
    )
    add_index(parser)
    parser.add_argument("--like", required=True, metavar="ID,ID", help="ids of liked products")
    parser.add_argument("--unlike", default="", metavar="ID,ID", help="ids of disliked products")
    add_search(parser)
    add_output(parser)
    options = parse_index(parser, arguments)
    with one_line_errors(), open_index(index_place(options)) as index:
        like, unlike = ([id.strip() for id in text.split(",") if id.strip()] for text in (options.like, options.unlike))
        matches = index.recommend(like, unlike, **search_options(options))
        print_matches(matches, options, index.columns.source, *index.products(like))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
