"""A page with products and files that want to be more than text."""

import io
from pathlib import Path

from PIL import Image

from benchmarks import drawn_shop
from benchmarks.drawn_shop import STARTER, garment, page
from training.sources.drawing import draw

__all__ = ["HOSTILE", "PRODUCTS", "STARTER", "garment", "large_photograph", "page", "scored_garments"]

PRODUCTS = 14  # the last two are the same photograph
HOSTILE = "<img src=x onerror=alert(1)>"  # what a product and a file are called


def large_photograph() -> bytes:
    """A JPEG of about 1 MB."""
    picture = draw(3, 400)[0].resize((2400, 2400))
    grain = Image.effect_noise(picture.size, 24).convert("RGB")
    file = io.BytesIO()
    Image.blend(picture, grain, 0.2).save(file, "JPEG", quality=86)
    return file.getvalue()


def scored_garments(home: Path) -> Path:
    """A scored and indexed catalog."""
    return drawn_shop.scored_garments(home, [HOSTILE, *(f"Garment {number}" for number in range(1, PRODUCTS))])
