"""Camera effects: size, light, blur, noise and compression of a picture."""

import numpy as np
from PIL import Image, ImageFilter

from fashion.jpeg import jpeg_bytes
from training.sources.negatives.surfaces import Rng, chance

_ASPECTS = [1, 1, 3 / 4, 4 / 3, 3 / 4, 2 / 3, 3 / 2, 9 / 16, 16 / 9]
_SHORTEST, _LONGEST = 60, 500  # pixels


def size_of_picture(rng: Rng) -> tuple[int, int]:
    """Width and height, from a shop's thumbnails of 60x80 to 500 pixels."""
    aspect = _ASPECTS[rng.integers(len(_ASPECTS))]
    long = np.exp(rng.uniform(np.log(80), np.log(_LONGEST)))
    width, height = long * min(aspect, 1), long / max(aspect, 1)
    grow = max(1.0, _SHORTEST / min(width, height))
    return round(width * grow), round(height * grow)


def developed(image: Image.Image, rng: Rng) -> Image.Image:
    """White balance, exposure, vignette, slight blur and per-pixel noise."""
    blur = rng.uniform(0, 0.006) * min(image.size)
    if blur > 0.3 and chance(rng, 0.6):
        image = image.filter(ImageFilter.GaussianBlur(blur))
    warmth = rng.normal(0, 0.03)
    balance = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32) * np.float32(rng.uniform(0.85, 1.08))
    down, across = (np.linspace(-1, 1, size, dtype=np.float32) ** 2 for size in (image.height, image.width))
    vignette = 1 - np.float32(rng.uniform(0, 0.15)) * (down[:, None] + across)
    values = np.asarray(image, dtype=np.float32) * vignette[..., None] * balance
    values += rng.standard_normal((*vignette.shape, 1), dtype=np.float32) * np.float32(rng.uniform(0.5, 6))
    return Image.fromarray(np.uint8(np.clip(values, 0, 255)))


def compressed(image: Image.Image, rng: Rng) -> bytes:
    return jpeg_bytes(image.convert("RGB"), int(rng.integers(60, 96)))
