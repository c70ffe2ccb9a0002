"""Changes of an image's colors, each in as few passes as it can be had: what Pillow and torchvision do in five."""

import numpy as np
from PIL import Image

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: the gray that Pillow and torchvision see in a color
CHUNK = 32_768  # pixels; as floats their channels and the intermediate ones stay in the processor's cache
GRID = 128  # pixels in each direction of which an image's mean is taken


def adjust(image: Image.Image, brightness: float, contrast: float, saturation: float) -> Image.Image:
    """Change three properties of an RGB image at once.

    Each is a blend: brightness of the image with black, contrast with the gray that is the image's mean, saturation of
    each pixel with its own gray; 1 leaves it, 0 leaves nothing of the image, more than 1 exaggerates. All three are
    affine in RGB and commute, so one matrix does them, in any order, with one rounding. torchvision's functions one
    after the other give the same within 1 level of 255 in floating point, and within 3 on bytes, where each of them
    cuts off, unless one of them clips: here only the end result is clipped to 0..255, so that what became too bright on
    the way comes back with its drawing.
    """
    matrix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    offset = 0.0
    if contrast != 1:
        # Pixels on a grid stand for all: much faster than a mean of all, and the mean is off by less than a level.
        grid = image.resize((min(image.width, GRID), min(image.height, GRID)), Image.Resampling.NEAREST)
        mean = LUMA @ np.asarray(grid.resize((1, 1), Image.Resampling.BOX))[0, 0]
        offset = brightness * (1 - contrast) * float(mean)
    rows = np.column_stack([brightness * contrast * matrix, np.full(3, offset)])
    return image.convert("RGB", tuple(rows.ravel().tolist()))


def turn_hue(image: Image.Image, turns: float) -> np.ndarray:
    """Turn the hue of each pixel on the circle of HSV, keeping its saturation and value.

    The result is that of torchvision's `adjust_hue`, several times faster, with no way to HSV and back. Let M and m be
    the largest and the smallest channel of a pixel. In HSV a hue is a place on the hexagon red, yellow, green, cyan,
    blue, magenta, along whose sides one channel goes from m to M or back. A turn by d sides, 0 <= d <= 1, toward green
    makes of red

        r' = r - g - (1 - 2d) b + (1 - d) (M + m), no less than m and no more than M

    as one sees by looking at each of the six sides; green and blue follow by turning r, g, b in a ring. Toward blue, g
    and b change places. Two sides are a ring's turn of the channels, so that |d| <= 1 remains.

    Args:
        image: RGB.
        turns: of the whole circle, from -0.5 to 0.5; positive turns red toward green.

    Returns:
        uint8 array (H, W, 3).
    """
    ring = round(3 * turns)
    side = 6 * turns - 2 * ring  # d, negative toward blue
    bands = image.split()
    channels = [np.asarray(bands[(i - ring) % 3]).reshape(-1) for i in range(3)]
    step = 1 if side >= 0 else -1
    scale, share = np.float32(1 - 2 * abs(side)), np.float32(1 - abs(side))
    turned = np.empty((image.height, image.width, 3), np.uint8)
    pixels = turned.reshape(-1, 3)
    for start in range(0, len(pixels), CHUNK):
        part = slice(start, start + CHUNK)
        planes = [channel[part].astype(np.float32) for channel in channels]
        most = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
        least = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
        both = (most + least) * share + np.float32(0.5)  # the conversion to integers cuts off
        for i in range(3):
            value = planes[i] - planes[(i + step) % 3]
            value -= planes[(i - step) % 3] * scale
            value += both
            np.maximum(value, least, out=value)
            np.minimum(value, most, out=value)
            pixels[part, i] = value
    return turned
