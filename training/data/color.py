"""Changes of an image's colors, each in as few passes as it can be had: what Pillow and torchvision do in five."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: the gray that Pillow and torchvision see in a color
CHUNK = 32_768  # pixels; as integers their channels and the intermediate ones stay in the processor's cache
GRID = 128  # pixels in each direction of which an image's mean is taken
SHIFT = 6
SIDE = 1 << SHIFT  # steps of a hue along one of the six sides of its circle
UNCHANGED = (1.0, 1.0, 1.0)  # brightness, contrast and saturation


def change_colors(
    image: Image.Image, brightness: float, contrast: float, saturation: float, turns: float, mirrored: bool = False
) -> np.ndarray:
    """`adjust`, then `turn_hue`, then the mirror image, with less copying than one after the other: uint8 (H, W, 3)."""
    factors = (brightness, contrast, saturation)
    if turns:
        as_it_is = factors == UNCHANGED
        bands = image.split() if as_it_is else [image.convert("L", row) for row in _rows(image, *factors)]
        return _turned(bands, turns, mirrored)
    adjusted = image if factors == UNCHANGED else adjust(image, *factors)
    return np.array(adjusted.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else adjusted)


def adjust(image: Image.Image, brightness: float, contrast: float, saturation: float) -> Image.Image:
    """Change three properties of an RGB image at once.

    Each is a blend: brightness of the image with black, contrast with the gray that is the image's mean, saturation of
    each pixel with its own gray; 1 leaves it, 0 leaves nothing of the image, more than 1 exaggerates. All three are
    affine in RGB and commute, so one matrix does them, in any order, with one rounding. torchvision's functions one
    after the other give the same within 1 level of 255 in floating point, and within 3 on bytes, where each of them
    cuts off, unless one of them clips: here only the end result is clipped to 0..255, so that what became too bright on
    the way comes back with its drawing.
    """
    return image.convert("RGB", sum(_rows(image, brightness, contrast, saturation), ()))


def _rows(image: Image.Image, brightness: float, contrast: float, saturation: float) -> list[tuple[float, ...]]:
    """Of red, green and blue after `adjust`: the weights of red, green and blue before it, and what is added."""
    matrix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    offset = 0.0
    if contrast != 1:
        # Pixels on a grid stand for all: much faster than a mean of all, and the mean is off by less than a level.
        grid = image.resize((min(image.width, GRID), min(image.height, GRID)), Image.Resampling.NEAREST)
        mean = LUMA @ np.asarray(grid.resize((1, 1), Image.Resampling.BOX))[0, 0]
        offset = brightness * (1 - contrast) * float(mean)
    return [(*row, offset) for row in (brightness * contrast * matrix).tolist()]


def turn_hue(image: Image.Image, turns: float) -> np.ndarray:
    """Turn the hue of each pixel on the circle of HSV, keeping its saturation and value.

    The result is that of torchvision's `adjust_hue`, several times faster, with no way to HSV and back. Let M and m be
    the largest and the smallest channel of a pixel. In HSV a hue is a place on the hexagon red, yellow, green, cyan,
    blue, magenta, along whose sides one channel goes from m to M or back. A turn by d sides, 0 <= d <= 1, toward green
    makes of red

        r' = r - g - (1 - 2d) b + (1 - d) (M + m), no less than m and no more than M

    as one sees by looking at each of the six sides; green and blue follow by turning r, g, b in a ring. Toward blue, g
    and b change places. Two sides are a ring's turn of the channels, so that |d| <= 1 remains. With d a multiple of
    1 / `SIDE` all of it is done in 16-bit integers, faster than in floating point.

    Args:
        image: RGB.
        turns: of the whole circle, from -0.5 to 0.5, taken to the nearest of 6 * `SIDE` steps: what torchvision takes
            to the nearest of 256 for a Pillow image. Positive turns red toward green.

    Returns:
        uint8 array (H, W, 3).
    """
    return _turned(image.split(), turns)


def _turned(bands: Sequence[Image.Image], turns: float, mirrored: bool = False) -> np.ndarray:
    """`turn_hue` of an image's three bands, each of mode L; `mirrored` from left to right."""
    steps = round(6 * SIDE * turns)
    ring = round(steps / (2 * SIDE))
    side = steps - 2 * SIDE * ring  # SIDE * d, negative toward blue
    channels = [_values(bands[(i - ring) % 3]) for i in range(3)]
    step = 1 if side >= 0 else -1
    # Intermediate sums may go around the ends of 16 bits, and come back: the result is within [-255, 510] * SIDE.
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
    """The pixels of an image of mode L, uint8 (H W,), read only."""
    import pyarrow

    try:
        return pyarrow.array(band).to_numpy()  # copies nothing
    except ValueError:  # its rows do not lie one after the other, as where the width is no multiple of 4
        return np.asarray(band).reshape(-1)
