"""The photographs of a search on one picture: what was asked for, and what was found."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from catalog.similar.matches import Match, Product
from fashion.errors import InvalidImage
from fashion.pictures.tiles import INK, MARK, RIGHT, SOFT, WRONG, Picture, SheetLayout, Tile, folded, sheet
from fashion.preprocess import decode

LAYOUT = SheetLayout(side=200, columns=5, lines=5)


def draw_sheet(queries: Sequence[Product], matches: Sequence[Match], title: str = "") -> Picture:
    """Draw what was asked for, in a frame, and then what was found.

    Under each product are its similarity and id, the names that both have in green, or why a text found it, and those
    that differ in orange: with - of what was asked for alone, with + of the product alone.
    """
    asked = [Tile(_photograph(product), _asked(product), MARK) for product in queries]
    found = [Tile(_photograph(match.product), _found(match)) for match in matches]
    return sheet([*asked, *found], LAYOUT, title)


def write_sheet(queries: Sequence[Product], matches: Sequence[Match], path: Path) -> Path:
    """Write that picture, in the format that the file's ending names.

    Raises:
        SettingError: an ending that names no format of pictures.
    """
    return draw_sheet(queries, matches).write(path, "--sheet")


def _asked(product: Product) -> list[tuple[str, str]]:
    return [(Path(product.id).name, MARK), *_lines(product.names, INK, LAYOUT.lines - 1)]


def _found(match: Match) -> list[tuple[str, str]]:
    if match.similarity is None:
        return [(match.product.id, INK), *_lines(match.product.names, SOFT, LAYOUT.lines - 1)]
    shared = _lines(match.reasons, RIGHT, LAYOUT.lines - 2)
    title = (f"{match.similarity:.2f}  {match.product.id}", INK)
    return [title, *shared, *_lines(match.differing_names, WRONG, LAYOUT.lines - 1 - len(shared))]


def _lines(names: Sequence[str], color: str, most: int) -> list[tuple[str, str]]:
    return [(line, color) for line in folded(names, LAYOUT.side, most)]


def _photograph(product: Product) -> Image.Image | None:
    """The photograph; None where its file is gone or cannot be read."""
    if not product.image:
        return None
    try:
        return decode(Path(product.image), LAYOUT.side)
    except InvalidImage:
        return None
