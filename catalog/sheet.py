"""The photographs of a search on one picture: what was asked for, and what was found."""

import io
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from catalog.matches import Match, Product
from fashion.errors import InvalidImage, SettingError
from fashion.files import write_whole
from fashion.preprocess import decode

TILE, LINE, LINES, MARGIN, FRAME = 200, 17, 5, 14, 3  # px
COLUMNS = 5
TEXT, FAINT, GOOD, BAD = (30, 34, 40), (110, 116, 124), (20, 110, 60), (178, 74, 14)
GROUND, EMPTY, QUERY = (250, 250, 248), (232, 232, 228), (38, 92, 168)

Color = tuple[int, int, int]


class _Tile(NamedTuple):
    """A photograph and its caption: lines of text, each with its color."""

    product: Product
    lines: list[tuple[str, Color]]
    asked: bool


def write_sheet(queries: Sequence[Product], matches: Sequence[Match], path: Path) -> Path:
    """Write the picture, in the format that the file's ending names.

    What was asked for stands first, in a frame. Under each product are its similarity and id, the names that both have
    in green and those that differ in orange: with - of what was asked for alone, with + of the product alone.

    Raises:
        SettingError: an ending that names no format of pictures.
    """
    formats = Image.registered_extensions()
    if path.suffix.lower() not in formats:
        raise SettingError(f"--sheet {str(path)!r} must end in .jpg, .png or another picture's ending")
    asked = [_Tile(product, _asked(product), True) for product in queries]
    found = [_Tile(match.product, _found(match), False) for match in matches]
    file = io.BytesIO()
    _draw([*asked, *found]).save(file, formats[path.suffix.lower()])
    return write_whole(path, file.getvalue())


def _asked(product: Product) -> list[tuple[str, Color]]:
    return [(Path(product.id).name, QUERY), *_folded(product.names, TEXT, LINES - 1)]


def _found(match: Match) -> list[tuple[str, Color]]:
    if match.similarity is None:
        return [(match.product.id, TEXT), *_folded(match.product.names, FAINT, LINES - 1)]
    shared = _folded(match.shared_names, GOOD, LINES - 2)
    title = (f"{match.similarity:.2f}  {match.product.id}", TEXT)
    return [title, *shared, *_folded(match.differing_names, BAD, LINES - 1 - len(shared))]


def _folded(names: Sequence[str], color: Color, most: int) -> list[tuple[str, Color]]:
    """Names in lines as wide as a tile; the last one is cut where they are too many."""
    lines: list[str] = []
    for name in names:
        longer = f"{lines[-1]}, {name}" if lines else name
        if lines and (_font(13).getlength(longer) <= TILE or len(lines) == most):
            lines[-1] = longer
        else:
            lines.append(name)
    return [(_fitting(line, 13), color) for line in lines]


def _draw(tiles: Sequence[_Tile]) -> Image.Image:
    columns = max(1, min(COLUMNS, len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    height = TILE + LINES * LINE + MARGIN
    sheet = Image.new("RGB", (MARGIN + columns * (TILE + MARGIN), MARGIN + rows * height), GROUND)
    draw = ImageDraw.Draw(sheet)
    for i, tile in enumerate(tiles):
        left, top = MARGIN + i % columns * (TILE + MARGIN), MARGIN + i // columns * height
        _place(sheet, draw, tile, left, top)
    return sheet


def _place(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: _Tile, left: int, top: int) -> None:
    picture = _photograph(tile.product)
    if picture is None:
        draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), EMPTY)
        draw.text((left + TILE // 2, top + TILE // 2), "no photograph", FAINT, _font(13), anchor="mm")
    else:
        sheet.paste(picture, (left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2))
    if tile.asked:
        draw.rectangle((left - FRAME, top - FRAME, left + TILE + FRAME - 1, top + TILE + FRAME - 1), None, QUERY, FRAME)
    for i, (text, color) in enumerate(tile.lines):
        large = i == 0
        draw.text(
            (left, top + TILE + 4 + i * LINE), _fitting(text, 15) if large else text, color, _font(15 if large else 13)
        )


def _photograph(product: Product) -> Image.Image | None:
    """The photograph in the size of a tile; None where its file is gone or cannot be read."""
    if not product.image:
        return None
    try:
        picture = decode(Path(product.image), TILE)
    except InvalidImage:
        return None
    scale = TILE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitting(text: str, size: int) -> str:
    """A line cut to the width of a tile."""
    while text and _font(size).getlength(text) > TILE:
        text = text[:-2].rstrip() + "…"
    return text
