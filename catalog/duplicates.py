"""Products with near-identical photographs: the same one twice, scaled, compressed again, or slightly cropped.

From the command line:  python -m catalog.duplicates INDEX
"""

import argparse
import json
from collections.abc import Sequence

from catalog import open_index
from catalog.similar.near_duplicates import THRESHOLD
from fashion.errors import one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each group of duplicates; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.duplicates", description="Find products with near-identical photographs."
    )
    parser.add_argument("index", help="folder, or http://HOST:PORT/COLLECTION")
    parser.add_argument(
        "--threshold", type=float, default=THRESHOLD, help="cosine of two embeddings (default: %(default)s)"
    )
    parser.add_argument("--ann", action="store_true", help="by the graphs of an index built with --ann")
    parser.add_argument("--json", action="store_true", help="one JSON list of ids a line")
    options = parser.parse_args(arguments)
    with one_line_errors(), open_index(options.index) as index:
        found = index.duplicates(options.threshold, not options.ann)
        for ids in found:
            print(json.dumps(ids, ensure_ascii=False) if options.json else "  ".join(ids))
        if not options.json:
            print(f"{len(found):,} groups, {sum(map(len, found)):,} of {len(index):,} products")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
