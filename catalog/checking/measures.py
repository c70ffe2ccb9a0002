"""Measure a photograph for the checks."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from catalog.checking.lettering import letters_in_a_row
from fashion.colors.cielab import rgb_to_lab
from fashion.colors.plain_background import background_color, background_share
from fashion.errors import InvalidImage, one_line
from fashion.preprocess import decode

SIDE = 384  # px, maximum of the longer side when measuring
TOLERANCE = 12  # levels by which a plain background may deviate from its color
BRIGHTEST = 98  # percentile of lightness that is the brightness, so that a black product on white is not dark
SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class PhotographMeasures:
    """Measures of a photograph.

    Attributes:
        width, height: of the file, px.
        blur: 0 sharp to 1 blurred, see `blur`.
        brightest: 98th percentile of L*, 0 to 100.
        ground: share of the border that has one color, 0 to 1.
        cut: by side, the longest run of the border that the product covers, as a fraction of the side.
        letters: largest number of letters in a row beside the product.
    """

    width: int
    height: int
    blur: float
    brightest: float
    ground: float
    cut: dict[str, float]
    letters: int

    @property
    def shorter(self) -> int:
        """The shorter side, px."""
        return min(self.width, self.height)


def measure_photograph(source: bytes | Path | Image.Image) -> PhotographMeasures:
    """Measure a photograph. Raises InvalidImage if it cannot be used."""
    image = decode(source, SIDE).copy()  # do not modify the caller's image; before `_size`, which it enables for HEIC
    width, height = source.size if isinstance(source, Image.Image) else _size(source)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    levels = np.asarray(image)
    return PhotographMeasures(
        width,
        height,
        blur(np.asarray(image.convert("L"), dtype=np.float32)),
        float(np.percentile(rgb_to_lab(levels[::3, ::3])[..., 0], BRIGHTEST)),
        background_share(levels, TOLERANCE),
        covered_border(levels),
        letters_in_a_row(levels),
    )


def blur(gray: np.ndarray) -> float:
    """Blur metric: how little detail a photograph loses when blurred again, 0 sharp to 1 blurred; maximum of both axes.

    F. Crete, T. Dolmiere, P. Ladret, M. Nicolas: The Blur Effect: Perception and Estimation with a New No-Reference
    Perceptual Blur Metric, SPIE 6492, 2007; a mean over 9 px.

    Args:
        gray: float (H, W), 0 to 255.
    """
    return max(_blur_along(gray, 0), _blur_along(gray, 1))


def _blur_along(gray: np.ndarray, axis: int, length: int = 9) -> float:
    if gray.shape[axis] <= length:
        return 0.0
    sums = np.cumsum(np.insert(gray, 0, 0, axis=axis), axis=axis, dtype=np.float64)
    ends = np.arange(length, sums.shape[axis])
    means = (np.take(sums, ends, axis) - np.take(sums, ends - length, axis)) / length
    middle = np.take(gray, np.arange(length // 2, gray.shape[axis] - length // 2), axis)
    sharp, smooth = np.abs(np.diff(middle, axis=axis)), np.abs(np.diff(means, axis=axis))
    whole = sharp.sum()
    return float(1 - np.maximum(0, sharp - smooth).sum() / whole) if whole else 0.0


def covered_border(levels: np.ndarray) -> dict[str, float]:
    """By side, the longest run of the border without the background color, as a fraction of the side."""
    color = background_color(levels)
    strips = (levels[:2], levels[-2:], levels[:, :2].swapaxes(0, 1), levels[:, -2:].swapaxes(0, 1))
    lines = ((np.abs(strip - color).max(axis=-1) > TOLERANCE).all(axis=0) for strip in strips)
    return {side: _longest_run(line) / len(line) for side, line in zip(SIDES, lines, strict=True)}


def _longest_run(line: np.ndarray) -> int:
    ends = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def _size(source: bytes | Path) -> tuple[int, int]:
    """Width and height of a file, px, before EXIF rotation and reduction."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        name = source if isinstance(source, Path) else "the photograph"
        raise InvalidImage(f"{name} cannot be read: {one_line(error)}") from None
