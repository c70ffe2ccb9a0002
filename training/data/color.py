"""Color augmentation in as few passes over the pixels as possible; Pillow and torchvision need five."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 gray, as in Pillow and torchvision
CHUNK = 32_768  # pixels processed at a time: their channels and intermediate values stay in the CPU cache
GRID = 128  # an image's mean is taken over a grid of GRID x GRID pixels
SHIFT = 6
SIDE = 1 << SHIFT  # hue steps along each of the six sides of the hue hexagon
UNCHANGED = (1.0, 1.0, 1.0)  # brightness, contrast and saturation


def change_colors(
    image: Image.Image, brightness: float, contrast: float, saturation: float, turns: float, mirrored: bool = False
) -> np.ndarray:
    """`adjust`, `turn_hue` and mirroring in one, with less copying than one after the other: uint8 (H, W, 3)."""
    factors = (brightness, contrast, saturation)
    if turns:
        as_it_is = factors == UNCHANGED
        bands = image.split() if as_it_is else [image.convert("L", row) for row in _rows(image, *factors)]
        return _turned(bands, turns, mirrored)
    adjusted = image if factors == UNCHANGED else adjust(image, *factors)
    return np.array(adjusted.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else adjusted)


def adjust(image: Image.Image, brightness: float, contrast: float, saturation: float) -> Image.Image:
    """Change brightness, contrast and saturation of an RGB image at once.

    Each factor blends the image: brightness with black, contrast with the mean gray of the image, saturation with the
    gray of each pixel; 1 changes nothing, 0 leaves nothing of the image, more than 1 exaggerates. All three are affine
    in RGB and commute, so one matrix applies them, in any order, with one rounding. torchvision's functions in sequence
    give the same within 1 level of 255 in floating point, and within 3 on bytes, where each of them truncates, unless
    one of them clips: here only the end result is clipped to 0..255, so intermediate overflow loses no detail.
    """
    return image.convert("RGB", sum(_rows(image, brightness, contrast, saturation), ()))


def _rows(image: Image.Image, brightness: float, contrast: float, saturation: float) -> list[tuple[float, ...]]:
    """The rows of `adjust`'s 3x4 color matrix: weights of red, green and blue, and an offset, for each channel."""
    matrix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    offset = 0.0
    if contrast != 1:
        # Sample a grid: much faster than the mean of all pixels, and off by less than one level.
        grid = image.resize((min(image.width, GRID), min(image.height, GRID)), Image.Resampling.NEAREST)
        mean = LUMA @ np.asarray(grid.resize((1, 1), Image.Resampling.BOX))[0, 0]
        offset = brightness * (1 - contrast) * float(mean)
    return [(*row, offset) for row in (brightness * contrast * matrix).tolist()]


def turn_hue(image: Image.Image, turns: float) -> np.ndarray:
    """Rotate the hue of each pixel in HSV, keeping its saturation and value.

    The result equals torchvision's `adjust_hue`, several times faster, without a conversion to HSV and back. Let M and
    m be the largest and the smallest channel of a pixel. In HSV a hue is a point on the hexagon red, yellow, green,
    cyan, blue, magenta; along each side one channel goes from m to M or back. A rotation by d sides, 0 <= d <= 1,
    toward green changes red to

        r' = r - g - (1 - 2d) b + (1 - d) (M + m), clipped to [m, M]

    as can be checked for each of the six sides; green and blue follow by cyclic permutation of r, g, b. Toward blue, g
    and b are swapped. A rotation by two sides is a cyclic permutation of the channels, so that |d| <= 1 remains. With d
    a multiple of 1 / `SIDE` everything is computed in 16-bit integers, faster than in floating point.

    Args:
        image: RGB.
        turns: of the whole circle, from -0.5 to 0.5, rounded to one of 6 * `SIDE` steps (torchvision: 256 steps for a
            Pillow image). Positive turns red toward green.

    Returns:
        uint8 array (H, W, 3).
    """
    return _turned(image.split(), turns)


def _turned(bands: Sequence[Image.Image], turns: float, mirrored: bool = False) -> np.ndarray:
    """`turn_hue` for an image's three bands of mode L, optionally mirrored left to right."""
    steps = round(6 * SIDE * turns)
    ring = round(steps / (2 * SIDE))
    side = steps - 2 * SIDE * ring  # SIDE * d, negative toward blue
    channels = [_values(bands[(i - ring) % 3]) for i in range(3)]
    step = 1 if side >= 0 else -1
    # Intermediate sums may overflow 16 bits and wrap back: the final value is within [-255, 510] * SIDE.
    scale, share = np.int16(SIDE - 2 * abs(side)), np.int16(SIDE - abs(side))
    width, height = bands[0].size
    turned = np.empty((height, width, 3), np.uint8)
    written = turned[:, ::-1] if mirrored else turned
    rows = max(1, CHUNK // width)
    for top in range(0, height, rows):
        part = slice(top * width, (top + rows) * width)
        planes = [channel[part].astype(np.int16) for channel in channels]
        scaled = [plane * np.int16(SIDE) for plane in planes]
        most = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
        least = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
        both = (most + least) * share + np.int16(SIDE // 2)  # the division rounds down
        for i in range(3):
            value = both - planes[(i - step) % 3] * scale
            value += scaled[i]
            value -= scaled[(i + step) % 3]
            value >>= SHIFT
            np.maximum(value, least, out=value)
            np.minimum(value, most, out=value)
            written[top : top + rows, :, i] = value.reshape(-1, width)
    return turned


def _values(band: Image.Image) -> np.ndarray:
    """The pixels of an image of mode L, uint8 (H W,), read-only."""
    import pyarrow

    try:
        return pyarrow.array(band).to_numpy()  # zero-copy
    except ValueError:  # rows are not contiguous, for example if the width is not a multiple of 4
        return np.asarray(band).reshape(-1)
