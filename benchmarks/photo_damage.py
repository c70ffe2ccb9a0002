"""Damage good photographs on purpose, for `benchmarks.photo_checks`."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.changed_photographs import jpeg
from fashion.colors.plain_background import plain_background

Damage = Callable[[Image.Image, np.random.Generator], Image.Image]

BLUR = 0.008  # radius of the Gaussian, relative to the longer side: 4 px of 512
LIGHT = 0.45  # factor on all levels of a dark photograph
SHORTER = 200  # px, shorter side of a photograph that is too small
CROPPED = 0.25  # share of the product that is cropped away on one side
LETTERS = 0.05  # height of a line of text, relative to the photograph's
INKS = ("#111111", "#b91c1c", "#1d4ed8")
WORDS = ("NEW ARRIVAL", "SALE 50% OFF", "www.example.com", "FREE SHIPPING")
OPACITY = 0.35  # of a watermark
QUALITY = 90  # JPEG quality of the damaged photographs, because shops store files


def blurred(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Out of focus."""
    return photo.filter(ImageFilter.GaussianBlur(BLUR * max(photo.size)))


def darkened(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Too little light."""
    return photo.point(lambda level: round(level * LIGHT))


def shrunk(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Too few pixels."""
    scale = SHORTER / min(photo.size)
    return photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)


def cut_through(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A quarter of the product cut away, on a random side."""
    ground = plain_background(np.asarray(photo), 12)
    product = np.ones(photo.size[::-1], bool) if ground is None else ~ground
    rows, columns = (np.flatnonzero(product.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    down, across = round(CROPPED * (bottom - top)), round(CROPPED * (right - left))
    width, height = photo.size
    boxes = (
        (0, top + down, width, height),
        (0, 0, width, bottom - down),
        (left + across, 0, width, height),
        (0, 0, right - across, height),
    )
    left, top, right, bottom = boxes[int(rng.integers(4))]
    return photo.crop((int(left), int(top), int(right), int(bottom)))


def with_text(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A line of text along the upper or the lower border."""
    drawn, size = photo.copy(), max(8, round(LETTERS * photo.height))
    top = round(0.03 * photo.height) if rng.integers(2) else photo.height - round(0.05 * photo.height) - size
    _write(ImageDraw.Draw(drawn), photo, top, size, INKS[int(rng.integers(len(INKS)))], rng)
    return drawn


def watermarked(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Large half-transparent text across the middle."""
    drawn, size = photo.copy(), max(10, round(2 * LETTERS * photo.height))
    _write(ImageDraw.Draw(drawn), photo, (photo.height - size) // 2, size, "#808080", rng)
    return Image.blend(photo, drawn, OPACITY)


def _write(
    draw: ImageDraw.ImageDraw, photo: Image.Image, top: int, size: int, ink: str, rng: np.random.Generator
) -> None:
    words = WORDS[int(rng.integers(len(WORDS)))]
    font = ImageFont.load_default(size)
    left = max(2, round((photo.width - font.getlength(words)) / 2))
    draw.text((left, top), words, ink, font)


DAMAGES: dict[str, Damage] = {
    "shrunk to 200 px": shrunk,
    "blurred": blurred,
    "darkened": darkened,
    "a quarter of the product cropped away": cut_through,
    "a line of text at the border": with_text,
    "a watermark across the middle": watermarked,
}


def damaged(photo: Image.Image, name: str, seed: int) -> Image.Image:
    """A photograph damaged in one way and stored as JPEG."""
    return jpeg(DAMAGES[name](photo, np.random.default_rng(seed)), QUALITY)
