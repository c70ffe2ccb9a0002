"""Measure the colors of products on their photographs."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from catalog.coloring.color_table import ColoredProduct
from catalog.coloring.segmentation import product_pixels, working_levels
from catalog.scored.columns import ID, IMAGE
from catalog.scored.table import Scored
from fashion.colors.palette import DominantColor, dominant_colors
from fashion.engines import available_cores
from fashion.errors import InvalidImage, one_line
from fashion.preprocess import Source
from fashion.tables.stored import file_of_photograph, photograph_source

AT_ONCE = 256  # photographs in progress
NO_FILE = "the catalog does not say where the photograph is"


def measure_colors(scored: Scored, before: dict[str, ColoredProduct]) -> Iterator[ColoredProduct]:
    """Measure the colors of all products, in order; colors of unchanged photographs are reused from `before`."""
    rows = (
        row
        for batch in scored.batches([ID, IMAGE])
        for row in zip(batch.column(ID).to_pylist(), batch.column(IMAGE).to_pylist(), strict=True)
    )
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="colors") as threads:
        while some := list(islice(rows, AT_ONCE)):
            yield from threads.map(partial(_measured, before), some)


def photograph_colors(source: Source) -> list[DominantColor]:
    """The colors of the product in a photograph. Raises InvalidImage if it cannot be used."""
    levels = working_levels(source)
    return dominant_colors(levels, product_pixels(levels))


def _measured(before: dict[str, ColoredProduct], row: tuple[str, str]) -> ColoredProduct:
    id, image = row
    if not image:
        return ColoredProduct(id, "", fault=NO_FILE)
    stamp = _stamp(image)
    if id in before and before[id].stamp == stamp:
        return before[id]
    try:
        return ColoredProduct(id, stamp, tuple(photograph_colors(photograph_source(image))))
    except InvalidImage as error:
        return ColoredProduct(id, stamp, fault=one_line(error))


def _stamp(image: str) -> str:
    try:
        found = os.stat(file_of_photograph(image))
    except OSError:
        return image
    return f"{image}|{found.st_size}|{found.st_mtime_ns}"
