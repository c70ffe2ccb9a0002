"""Views of a product generated from one photograph: crops, other light, borders, blur, and a size chart.

They replace a shop's second and third photographs, which no data set here has. They cannot show a product from behind,
its inside, or on a person.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from fashion.borders import crop_border

MakeView = Callable[[Image.Image, np.random.Generator], Image.Image]

SIDE = 512  # px, of a size chart


def _whole(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image


def _detail(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Two fifths of the product's width and height, from a random position around its middle."""
    return _part(image, 0.4, 0.4, *rng.uniform(0.2, 0.4, 2))


def _half(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The upper or the lower half of the product."""
    return _part(image, 1.0, 0.5, 0.0, float(rng.choice([0.0, 0.5])))


def _light(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Darker or lighter, warmer or colder."""
    pixels = np.asarray(image, np.float32) * rng.uniform(0.82, 1.18, 3)
    tinted = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return ImageEnhance.Brightness(tinted).enhance(float(rng.choice([0.55, 0.7, 1.35])))


def _border(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The product small on a colored background, slightly rotated."""
    ground = tuple(int(value) for value in rng.integers(90, 256, 3))
    turned = image.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
    canvas = Image.new("RGB", (turned.width * 2, turned.height * 2), ground)
    canvas.paste(turned, (int(turned.width * rng.uniform(0.2, 0.8)), int(turned.height * rng.uniform(0.2, 0.8))))
    return canvas


def _blurred(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * 0.02))


def _chart(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A size chart without the product."""
    chart = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(chart)
    rows, columns = int(rng.integers(5, 9)), int(rng.integers(3, 6))
    for row in range(rows):
        top = 40 + row * (SIDE - 80) // rows
        draw.line((30, top, SIDE - 30, top), "gray", 2)
        for column in range(columns):
            text = str(rng.integers(30, 120)) if row and column else str(rng.choice(["S", "M", "L", "XL", "EU", "cm"]))
            draw.text((45 + column * (SIDE - 60) // columns, top + 12), text, "black", font_size=22)
    return chart


VIEWS: Mapping[str, MakeView] = {
    "whole": _whole,
    "detail": _detail,
    "half": _half,
    "light": _light,
    "border": _border,
    "blurred": _blurred,
    "chart": _chart,
}


def made_views(image: Image.Image, seed: int) -> list[Image.Image]:
    """The `VIEWS` of a photograph, RGB; the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [view(image, rng) for view in VIEWS.values()]


def _part(image: Image.Image, across: float, down: float, left: float, top: float) -> Image.Image:
    """A part of the product's bounding box; the background is cropped first, so that every part shows product."""
    product = crop_border(image)
    width, height = product.size
    return product.crop(
        (round(left * width), round(top * height), round((left + across) * width), round((top + down) * height))
    )
