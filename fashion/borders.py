"""Wide borders of one color around a product, as marketplaces that ask for square pictures get them."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

# A product photograph shows its product on about this part of a side: the median of the shop's photographs.
CONTENT = 0.9
# Borders are cut where the window that shows the content so large has less than this part of a side: where the content
# covers less than 0.54 of it. That is 1 % of the shop's validation photographs at 224 px and more, children's garments
# among grown-ups' ones, 2 % of those at 60x80 px, and none of the amateur photographs.
WIDE = 0.6
# Content that covers less than this part of both sides is none: dust on a wall, or a product that nobody could name.
LEAST_CONTENT = 0.05
FARTHEST_RATIO = 4 / 3  # of a window's sides, however far from square the photograph is
TOLERANCE = 10  # levels of 255 in a channel, between a border and its color: noise of JPEG and camera, soft shadows
SAMPLES = 3  # to a side of a cell, whose mean is what is looked at: noise averages out
COARSE, FINE = 48, 96  # cells to a side: to see that no border is wide, as it nearly always is, and to measure one
NEAR = 4 / COARSE  # of the sides: how far around what is found first is looked closer

_IS_CONTENT = [int(level > TOLERANCE) for level in range(256)] * 3  # for each level of the three channels


class Region(NamedTuple):
    """A rectangle in a photograph: its edges in parts of the photograph's width and height."""

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
        """With that much more on each side, as far as the photograph reaches."""
        left, top = max(0.0, self.left - by), max(0.0, self.top - by)
        return Region(left, top, min(1.0, self.right + by), min(1.0, self.bottom + by))

    def edges(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in whole pixels of a photograph of that width and height; never empty."""
        width, height = size
        left, top = min(width - 1, int(self.left * width)), min(height - 1, int(self.top * height))
        return left, top, max(left + 1, round(self.right * width)), max(top + 1, round(self.bottom * height))


WHOLE = Region(0.0, 0.0, 1.0, 1.0)


def window(image: Image.Image) -> Region | None:
    """What is left of a photograph when a wide border of one color is cut, or None where it is to stay as it is.

    The border has the color that most of the photograph's edge has, and reaches to the first line with another one.
    The window has the content in its middle, as far as the photograph reaches, at `CONTENT` of its sides at most; it
    keeps the photograph's ratio of sides, or the nearest one between 3:4 and 4:3. So a photograph far from square
    loses a uniform border on its long sides alone.

    Args:
        image: RGB.
    """
    grid = _grid(image, WHOLE, COARSE)
    color = _edge_color(grid)
    content = _content(grid, color, WHOLE)
    if content is None or _around(content, image.size) is None:
        return None
    # Once more and closer, thin parts that the first look may have missed included.
    near = content.grown(NEAR)
    content = _content(_grid(image, near, FINE), color, near)
    return None if content is None else _around(content, image.size)


def cut_border(image: Image.Image) -> Image.Image:
    """An RGB photograph without its border where that is wide, see `window`; else the image itself."""
    found = window(image)
    return image if found is None else image.crop(found.edges(image.size))


def _around(content: Region, size: tuple[int, int]) -> Region | None:
    """The window around content in a photograph of that width and height, px; None where nothing is to be cut."""
    if max(content.width, content.height) < LEAST_CONTENT:
        return None
    across, down = size  # ratios are of pixels, not of parts
    ratio = min(max(across / down, 1 / FARTHEST_RATIO), FARTHEST_RATIO)
    width, height = min(1.0, content.width / CONTENT) * across, min(1.0, content.height / CONTENT) * down
    width, height = min(1.0, max(width, height * ratio) / across), min(1.0, max(height, width / ratio) / down)
    if min(width, height) >= WIDE:
        return None
    left, top = _start((content.left + content.right) / 2, width), _start((content.top + content.bottom) / 2, height)
    return Region(left, top, left + width, top + height)


def _start(middle: float, length: float) -> float:
    """Where a window of that length begins, within 0 and 1, that has `middle` in its middle where it can."""
    return min(max(0.0, middle - length / 2), 1 - length)


def _edge_color(grid: Image.Image) -> tuple[int, ...]:
    """The median of each channel along the edge."""
    levels = np.asarray(grid)  # (cells, cells, 3)
    edge = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    return tuple(np.sort(edge, axis=0)[len(edge) // 2].tolist())


def _content(grid: Image.Image, color: tuple[int, ...], region: Region) -> Region | None:
    """The box around all that has another color in the grid of a region; None where nothing has."""
    difference = ImageChops.difference(grid, Image.new("RGB", grid.size, color))
    box = difference.point(_IS_CONTENT).getbbox()
    if box is None:
        return None
    left, top, right, bottom = (edge / grid.width for edge in box)
    across, down = region.width, region.height
    return Region(
        region.left + left * across, region.top + top * down, region.left + right * across, region.top + bottom * down
    )


def _grid(image: Image.Image, region: Region, cells: int) -> Image.Image:
    """The region as so many cells a side, each the mean of some samples of the image."""
    side = cells * SAMPLES
    width, height = image.size
    box = (region.left * width, region.top * height, region.right * width, region.bottom * height)
    return image.resize((side, side), Image.Resampling.NEAREST, box).reduce(SAMPLES)
