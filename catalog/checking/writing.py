"""Write faults as a CSV file and as a picture."""

import textwrap
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from PIL import Image

from catalog.checking.faults import Fault
from fashion.errors import InvalidImage
from fashion.files import write_csv
from fashion.pictures.tiles import INK, WRONG, SheetLayout, Tile, sheet
from fashion.preprocess import decode
from fashion.tables.stored import photograph_source

LAYOUT = SheetLayout(side=220, columns=5, lines=6)
LETTERS = 34  # per line below a tile
MOST_TILES = 60  # per sheet


def write_faults(path: Path, faults: Sequence[Fault]) -> Path:
    """Write one line per fault."""
    names = [field.name for field in fields(Fault)]
    rows = ([getattr(fault, name) for name in names] for fault in faults)
    cells = ([f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return write_csv(path, names, cells, lineterminator="\n")


def write_fault_sheet(path: Path, products: Sequence[Sequence[Fault]]) -> Path:
    """Draw at most 60 products with their faults, those with the most faults first.

    Raises:
        SettingError: the extension is no image format.
    """
    shown = sorted(products, key=lambda faults: -len(faults))[:MOST_TILES]
    part = f"{len(shown):,} of " if len(shown) < len(products) else ""
    title = f"{part}{len(products):,} products with faults" if products else "no product has a fault"
    return sheet([_tile(faults) for faults in shown], LAYOUT, title).write(path, "--sheet")


def _tile(faults: Sequence[Fault]) -> Tile:
    reasons = [line for fault in faults for line in textwrap.wrap(fault.reason, LETTERS)]
    lines = [(Path(faults[0].id).name, INK), *((line, WRONG) for line in reasons)]
    return Tile(_photograph(faults[0].image), lines[: LAYOUT.lines])


def _photograph(image: str) -> Image.Image | None:
    if not image:
        return None
    try:
        return decode(photograph_source(image), LAYOUT.side)
    except InvalidImage:
        return None
