"""Sheets of captioned photographs, and the colors and fonts of all pictures."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from fashion.errors import SettingError, one_line
from fashion.files import write_atomically
from fashion.jpeg import jpeg_bytes

INK, SOFT, GROUND, EMPTY = "#1f2328", "#6b7280", "#ffffff", "#e8e8e4"
RIGHT, WRONG, MARK = "#15803d", "#c2410c", "#265ca8"  # right or shared; wrong or different; queried
MARGIN, LINE, FRAME = 14, 18, 3  # px
LARGE, SMALL = 15, 13  # px, font sizes
TITLE = 32  # px, height of the line above a sheet
JPEG_QUALITY = 88  # for pictures in notebooks and reports: a fifth of the PNG's size


class Tile(NamedTuple):
    """A photograph (None if missing), the (text, color) lines below it, and the color of an optional frame."""

    photo: Image.Image | None
    lines: Sequence[tuple[str, str]]
    frame: str | None = None


@dataclass(frozen=True)
class SheetLayout:
    """Layout of a sheet of tiles.

    Attributes:
        side: width of a photograph, px.
        columns: maximum number of tiles in a row; tiles are distributed evenly over the rows needed.
        lines: maximum number of caption lines; a sheet reserves only as many as its longest caption needs.
        height: height of a photograph, px; None for the same as its width.
    """

    side: int
    columns: int
    lines: int
    height: int | None = None

    @property
    def box(self) -> tuple[int, int]:
        """Width and height of a photograph, px."""
        return self.side, self.height or self.side

    @property
    def caption(self) -> int:
        """Height of the text below a photograph, px."""
        return self.lines * LINE + 4

    def across(self, tiles: int) -> int:
        """Number of columns for that many tiles: rows of equal length, the last possibly shorter."""
        rows = max(1, math.ceil(tiles / self.columns))
        return max(1, math.ceil(tiles / rows))

    def place(self, i: int, tiles: int) -> tuple[int, int]:
        """Left and top of tile `i` of that many tiles, px."""
        down, across = divmod(i, self.across(tiles))
        return MARGIN + across * (self.side + MARGIN), MARGIN + down * (self.box[1] + self.caption + MARGIN)

    def size(self, tiles: int) -> tuple[int, int]:
        """Width and height of a sheet of that many tiles, px."""
        columns = self.across(tiles)
        rows = math.ceil(tiles / columns)
        return MARGIN + columns * (self.side + MARGIN), MARGIN + rows * (self.box[1] + self.caption + MARGIN)


HEAT_MAP_LAYOUT = SheetLayout(side=240, columns=4, lines=2)  # for heat maps


class Picture:
    """A picture that can be written to a file and that notebooks display.

    Attributes:
        image: RGB.
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    def write(self, path: Path, flag: str = "the picture") -> Path:
        """Write the picture in the format given by the file's ending.

        Args:
            path: the file.
            flag: name of the file in the error message.

        Raises:
            SettingError: the ending is not that of an image format, or the format cannot hold this picture.
        """
        path = Path(path)
        kind = picture_format(path, flag)
        file = io.BytesIO()
        try:
            self.image.save(file, kind, optimize=True)
        except (OSError, ValueError) as error:  # of the format, as nothing is written to the disk yet
            raise SettingError(
                f"{flag} {str(path)!r} cannot be written: {one_line(error)}; let it end in .png"
            ) from None
        return write_atomically(path, file.getvalue())

    def __repr__(self) -> str:
        return f"Picture of {self.image.width} x {self.image.height} px"

    def to_jpeg(self) -> bytes:
        """The picture as a JPEG file."""
        return jpeg_bytes(self.image, JPEG_QUALITY, subsampling=0)  # keeps colored text sharp

    _repr_jpeg_ = to_jpeg  # notebooks show this


def picture_format(path: Path, flag: str = "the picture") -> str:
    """Pillow's name of the format given by a file's ending. Raises SettingError if no picture can be written in it.

    Args:
        path: the file.
        flag: name of the file in the error message.
    """
    kind = Image.registered_extensions().get(path.suffix.lower(), "")
    if kind not in Image.SAVE:  # some formats can only be read
        raise SettingError(f"{flag} {str(path)!r} must end in .jpg, .png or another picture's ending")
    return kind


def sheet(tiles: Sequence[Tile], layout: SheetLayout, title: str = "") -> Picture:
    """Draw tiles in rows.

    Args:
        tiles: the tiles.
        layout: their layout.
        title: a line above them, if not empty.
    """
    layout = replace(layout, lines=min(layout.lines, max((len(tile.lines) for tile in tiles), default=0)))
    width, height = layout.size(len(tiles))
    canvas = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(canvas)
    for i, tile in enumerate(tiles):
        left, top = layout.place(i, len(tiles))
        _place(canvas, draw, tile, left, top, layout)
    picture = Picture(canvas)
    return stacked([heading(title, width), picture]) if title else picture


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Stack pictures vertically, aligned left."""
    width = max(picture.image.width for picture in pictures)
    canvas = Image.new("RGB", (width, sum(picture.image.height for picture in pictures)), GROUND)
    top = 0
    for picture in pictures:
        canvas.paste(picture.image, (0, top))
        top += picture.image.height
    return Picture(canvas)


def side_by_side(pictures: Sequence[Picture]) -> Picture:
    """Place pictures side by side, aligned at the top."""
    height = max(picture.image.height for picture in pictures)
    canvas = Image.new("RGB", (sum(picture.image.width for picture in pictures), height), GROUND)
    left = 0
    for picture in pictures:
        canvas.paste(picture.image, (left, 0))
        left += picture.image.width
    return Picture(canvas)


def heading(title: str, width: int) -> Picture:
    """A title line for a picture of this width."""
    canvas = Image.new("RGB", (width, TITLE), GROUND)
    ImageDraw.Draw(canvas).text((MARGIN, MARGIN - 6), truncate_text(title, width - 2 * MARGIN, 18), INK, font(18))
    return Picture(canvas)


def legend(parts: Sequence[tuple[str, str]], width: int) -> Picture:
    """(text, color) parts as small, word-wrapped lines for a picture of this width."""
    words = [(word, color) for text, color in parts for word in text.split()]
    lines: list[list[tuple[str, str]]] = [[]]
    for word, color in words:
        longer = " ".join([*(each for each, _ in lines[-1]), word])
        if lines[-1] and font(SMALL).getlength(longer) > width - 2 * MARGIN:
            lines.append([])
        lines[-1].append((word, color))
    canvas = Image.new("RGB", (width, len(lines) * LINE + MARGIN), GROUND)
    draw = ImageDraw.Draw(canvas)
    for i, line in enumerate(lines):
        left = float(MARGIN)
        for word, color in line:
            draw.text((left, i * LINE), word, color, font(SMALL))
            left += font(SMALL).getlength(word + " ")
    return Picture(canvas)


def _place(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, left: int, top: int, layout: SheetLayout
) -> None:
    width, height = layout.box
    if tile.photo is None:
        draw.rectangle((left, top, left + width - 1, top + height - 1), EMPTY)
        draw.text((left + width // 2, top + height // 2), "no photograph", SOFT, font(SMALL), anchor="mm")
    else:
        photo = fit_to_box(tile.photo, width, height)
        canvas.paste(photo, (left + (width - photo.width) // 2, top + (height - photo.height) // 2))
    if tile.frame:
        corners = (left - FRAME, top - FRAME, left + width + FRAME - 1, top + height + FRAME - 1)
        draw.rectangle(corners, None, tile.frame, FRAME)
    for i, (text, color) in enumerate(tile.lines[: layout.lines]):
        size = SMALL if i else LARGE
        draw.text((left, top + height + 4 + i * LINE), truncate_text(text, width, size), color, font(size))


def fit_to_box(photo: Image.Image, width: int, height: int) -> Image.Image:
    """Resize a photograph to fit a box of that many px, keeping its aspect ratio; a small one is enlarged."""
    scale = min(width / photo.width, height / photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.resize(size, Image.Resampling.LANCZOS)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The default font at a size in px."""
    return ImageFont.load_default(size)


def truncate_text(text: str, width: int, size: int) -> str:
    """Truncate a line of this font size to a width in px."""
    while text and font(size).getlength(text) > width:
        text = text[:-2].rstrip() + "…"
    return text


def wrap_names(names: Sequence[str], width: int, most: int) -> list[str]:
    """Wrap comma-separated names into at most `most` small lines of a width in px; too long lines are truncated."""
    lines: list[str] = []
    for name in names:
        longer = f"{lines[-1]}, {name}" if lines else name
        if lines and (font(SMALL).getlength(longer) <= width or len(lines) == most):
            lines[-1] = longer
        else:
            lines.append(name)
    return [truncate_text(line, width, SMALL) for line in lines]
