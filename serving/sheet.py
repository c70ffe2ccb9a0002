"""The maps of an answer as one picture: the photograph, and beside it the evidence for each attribute."""

import base64
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fashion.errors import SettingError
from fashion.files import write_whole
from fashion.preprocess import decode

TILE, CAPTION, MARGIN = 240, 44, 12  # px
COLUMNS = 4
TEXT, FAINT, GROUND = (30, 34, 40), (110, 116, 124), (250, 250, 248)


def write_sheet(photo: Path, answer: Mapping[str, Any], path: Path) -> Path:
    """Write the picture, in the format that the file's ending names.

    Args:
        photo: the photograph that was asked about.
        answer: to it, with overlays.
        path: the file to write.

    Raises:
        SettingError: an ending that names no format of pictures.
        InvalidImage: the photograph cannot be read.
    """
    formats = Image.registered_extensions()
    if path.suffix.lower() not in formats:
        raise SettingError(f"--explain {str(path)!r} must end in .jpg, .png or another picture's ending")
    tiles = [(decode(photo, TILE), "the photograph", "")]
    for attribute in answer["attributes"]:
        picture = Image.open(io.BytesIO(base64.b64decode(attribute["overlay"])))
        tiles.append((picture, attribute["name"], f"{attribute['group']}, {attribute['probability']:.0%}"))
    file = io.BytesIO()
    _sheet(tiles).save(file, formats[path.suffix.lower()])
    return write_whole(path, file.getvalue())


def _sheet(tiles: list[tuple[Image.Image, str, str]]) -> Image.Image:
    columns = min(COLUMNS, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    width, height = MARGIN + columns * (TILE + MARGIN), MARGIN + rows * (TILE + CAPTION + MARGIN)
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(16), ImageFont.load_default(13)
    for i, (picture, name, note) in enumerate(tiles):
        left = MARGIN + i % columns * (TILE + MARGIN)
        top = MARGIN + i // columns * (TILE + CAPTION + MARGIN)
        picture = picture.copy()
        picture.thumbnail((TILE, TILE))
        if max(picture.size) < TILE:  # a small photograph is enlarged, so that its map can be seen
            scale = TILE / max(picture.size)
            picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
        sheet.paste(picture, (left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2))
        draw.text((left, top + TILE + 4), _fitting(name, large), TEXT, large)
        draw.text((left, top + TILE + 24), _fitting(note, small), FAINT, small)
    return sheet


def _fitting(text: str, font: Any) -> str:
    """A caption cut to the width of a tile."""
    while text and font.getlength(text) > TILE:
        text = text[:-2].rstrip() + "…"
    return text
