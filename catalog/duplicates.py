"""Find products with near-identical photographs: the same file, or rescaled, recompressed or slightly cropped.

From the command line:  python -m catalog.duplicates INDEX
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catalog import open_index
from catalog.engines.location import add_index, index_place, parse_index
from catalog.similar.matching import Index
from catalog.similar.near_duplicates import THRESHOLD
from fashion.errors import one_line_errors

MOST_GROUPS, MOST_LISTINGS = 20, 10  # shown in a picture


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each group of duplicates; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.duplicates", description="Find products with near-identical photographs."
    )
    add_index(parser)
    parser.add_argument(
        "--threshold", type=float, default=THRESHOLD, help="cosine of two embeddings (default: %(default)s)"
    )
    parser.add_argument("--ann", action="store_true", help="approximate, in an index built with --ann")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also write a picture of the photographs")
    parser.add_argument("--json", action="store_true", help="one JSON list of ids a line")
    options = parse_index(parser, arguments)
    with one_line_errors(), open_index(index_place(options)) as index:
        found = index.duplicates(options.threshold, not options.ann)
        for ids in found:
            print(json.dumps(ids, ensure_ascii=False) if options.json else "  ".join(ids))
        if options.sheet and found:
            _draw(index, found, options.sheet)
        if not options.json:
            print(f"{len(found):,} groups, {sum(map(len, found)):,} of {len(index):,} products")
    return 0


def _draw(index: Index, groups: Sequence[Sequence[str]], path: Path) -> None:
    """Write the picture of the largest groups."""
    from catalog.similar.sheet import draw_groups

    drawn = [index.products(ids[:MOST_LISTINGS]) for ids in groups[:MOST_GROUPS]]
    embeddings = [np.stack([product.embedding for product in products]) for products in drawn]
    draw_groups(drawn, [float((each @ each.T).min()) for each in embeddings]).write(path, "--sheet")
    if len(groups) > MOST_GROUPS or any(len(ids) > MOST_LISTINGS for ids in groups):
        note = f"note   the picture shows the {MOST_GROUPS} largest groups, with up to {MOST_LISTINGS} listings each"
        print(note, file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
