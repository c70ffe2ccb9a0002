"""Measure the colors of a scored catalog's products on their photographs.

From the command line:

    python -m catalog.colors SCORED
    python -m catalog.search SCORED/index --color '#7a1f2b'

Writes SCORED/colors.parquet. Later runs measure only new and changed photographs; a run that Ctrl-C ends keeps
what it has measured.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from catalog.coloring.color_table import (
    COLORLESS_FILE,
    COLORS_FILE,
    ColoredProduct,
    named_colors,
    read_colors,
    write_colors,
)
from catalog.coloring.measuring import measure_colors
from catalog.scored.table import Scored
from fashion.colors.palette import basic_color
from fashion.errors import DataError, one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the colors and print a summary; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.colors", description="Measure the dominant colors of a scored catalog's products."
    )
    parser.add_argument("catalog", help="scored catalog, written by python -m catalog.score")
    parser.add_argument("--anew", action="store_true", help="measure all photographs again")
    parser.add_argument("--json", action="store_true", help="print the colors too, one product a line")
    options = parser.parse_args(arguments)
    with one_line_errors():
        scored = Scored.open(options.catalog)
        before = {} if options.anew or not (scored.folder / COLORS_FILE).is_file() else read_colors(scored.folder)
        bar = tqdm(measure_colors(scored, before), total=scored.rows, unit="image", desc="colors", disable=None)
        products: list[ColoredProduct] = []
        try:
            for product in bar:
                products.append(product)
        except KeyboardInterrupt:
            reached = {product.id for product in products}
            kept = [*products, *(known for id, known in before.items() if id not in reached)]
            if not all(product.fault for product in kept):
                write_colors(scored.folder, kept)
            raise
        good = [product for product in products if not product.fault]
        if not good:
            first = next((f"; the first, {each.id}: {each.fault}" for each in products), "")
            raise DataError(f"no photograph of {scored.folder} can be used{first}")
        path = write_colors(scored.folder, products)
        if options.json:
            for product in good:
                print(json.dumps(_json(product), ensure_ascii=False))
        else:
            left_out = len(products) - len(good)
            note = f"; {left_out:,} left out, listed in {COLORLESS_FILE}" if left_out else ""
            counts = Counter(basic_color(product.colors) for product in good).most_common()
            print(f"{path}: {len(good):,} products{note}")
            print("mostly " + ", ".join(f"{name} {count:,}" for name, count in counts))
            print(f"such as {good[0].id}: {named_colors(good[0].colors)}")
    return 0


def _json(product: ColoredProduct) -> dict[str, object]:
    colors = [
        {"share": round(color.share, 4), "hex": color.hex, "name": color.name, "basic": color.basic}
        for color in product.colors
    ]
    return {"id": product.id, "colors": colors}


if __name__ == "__main__":
    raise SystemExit(main())
