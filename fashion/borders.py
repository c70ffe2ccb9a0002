"""Crop wide borders of one color around a product, common where marketplaces require square pictures."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

# Fraction of a side that the product fills after cropping: the median of the shop's photographs.
CONTENT = 0.9
# Crop only if the window is smaller than this fraction of a side, that is if the content covers less than 0.54 of it.
# This applies to 1 % of the shop's validation photographs at 224 px and more (children's garments among adults'), to
# 2 % of those at 60x80 px, and to none of the amateur photographs.
WIDE = 0.6
# Content smaller than this fraction of both sides is ignored: dust on a wall, or a product too small to recognize.
LEAST_CONTENT = 0.05
FARTHEST_RATIO = 4 / 3  # largest aspect ratio of a window, whatever the photograph's
TOLERANCE = 10  # largest difference per channel, of 255, from the border's color: JPEG and camera noise, soft shadows
SAMPLES = 3  # samples per side of a cell; their mean averages out noise
COARSE, FINE = 48, 96  # cells per side: to rule out a wide border, the usual case, and to measure one
NEAR = 4 / COARSE  # fraction of the sides: margin around the coarse content in which the fine grid searches


class Region(NamedTuple):
    """A rectangle in a photograph: its edges as fractions of the photograph's width and height."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def grown(self, by: float) -> "Region":
        """This region enlarged by that much on each side, clipped to the photograph."""
        left, top = max(0.0, self.left - by), max(0.0, self.top - by)
        return Region(left, top, min(1.0, self.right + by), min(1.0, self.bottom + by))

    def edges(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in pixels of a photograph of that (width, height); never empty."""
        width, height = size
        left, top = min(width - 1, int(self.left * width)), min(height - 1, int(self.top * height))
        return left, top, max(left + 1, round(self.right * width)), max(top + 1, round(self.bottom * height))


WHOLE = Region(0.0, 0.0, 1.0, 1.0)


def crop_region(image: Image.Image) -> Region | None:
    """The region to keep when a wide border of one color is cropped, or None if nothing is to be cropped.

    The border's color is the median along the photograph's edge; it ends at the first line with another color. The
    window is centered on the content where the photograph allows it, and the content fills at most `CONTENT` of its
    sides. It keeps the photograph's aspect ratio, clamped between 3:4 and 4:3, so an elongated photograph may lose a
    uniform border on its long sides only.

    Args:
        image: RGB.
    """
    grid = _grid(image, WHOLE, COARSE)
    color = _edge_color(grid)
    content = _content(grid, color, WHOLE)
    if content is None or _window_around(content, image.size) is None:
        return None
    # A second pass on a finer grid, to include thin parts that the coarse grid may have missed.
    near = content.grown(NEAR)
    content = _content(_grid(image, near, FINE), color, near)
    return None if content is None else _window_around(content, image.size)


def crop_border(image: Image.Image) -> Image.Image:
    """Crop an RGB photograph's border if it is wide, see `crop_region`; else return the image itself."""
    found = crop_region(image)
    return image if found is None else image.crop(found.edges(image.size))


def _window_around(content: Region, size: tuple[int, int]) -> Region | None:
    """The window around content in a photograph of that (width, height), px; None if nothing is to be cropped."""
    if max(content.width, content.height) < LEAST_CONTENT:
        return None
    across, down = size  # aspect ratios are computed in pixels, not in fractions
    ratio = min(max(across / down, 1 / FARTHEST_RATIO), FARTHEST_RATIO)
    width, height = min(1.0, content.width / CONTENT) * across, min(1.0, content.height / CONTENT) * down
    width, height = min(1.0, max(width, height * ratio) / across), min(1.0, max(height, width / ratio) / down)
    if min(width, height) >= WIDE:
        return None
    left, top = _start((content.left + content.right) / 2, width), _start((content.top + content.bottom) / 2, height)
    return Region(left, top, left + width, top + height)


def _start(middle: float, length: float) -> float:
    """Start of a window of that length centered on `middle`, shifted to stay within 0 and 1."""
    return min(max(0.0, middle - length / 2), 1 - length)


def _edge_color(grid: Image.Image) -> tuple[int, ...]:
    """The median of each channel along the edge."""
    levels = np.asarray(grid)  # (cells, cells, 3)
    edge = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    return tuple(np.sort(edge, axis=0)[len(edge) // 2].tolist())


def _content(grid: Image.Image, color: tuple[int, ...], region: Region) -> Region | None:
    """The bounding box of everything with another color in the region's grid; None if there is nothing."""
    difference = ImageChops.difference(grid, Image.new("RGB", grid.size, color))
    tolerated = Image.new("RGB", grid.size, (TOLERANCE,) * 3)
    box = ImageChops.subtract(difference, tolerated).getbbox()  # a level up to the tolerance becomes 0
    if box is None:
        return None
    left, top, right, bottom = (edge / grid.width for edge in box)
    across, down = region.width, region.height
    return Region(
        region.left + left * across, region.top + top * down, region.left + right * across, region.top + bottom * down
    )


def _grid(image: Image.Image, region: Region, cells: int) -> Image.Image:
    """The region downsampled to `cells` a side, each cell the mean of `SAMPLES` x `SAMPLES` pixels."""
    side = cells * SAMPLES
    width, height = image.size
    box = (region.left * width, region.top * height, region.right * width, region.bottom * height)
    return image.resize((side, side), Image.Resampling.NEAREST, box).reduce(SAMPLES)
