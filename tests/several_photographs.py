"""A small shop with three photographs per product: a drawn garment, one half of it, and a darkened copy."""

import io
from functools import cache
from pathlib import Path

from PIL import Image, ImageEnhance

from training.sources.drawing import draw

STARTER = Path(__file__).parents[1] / "model_store" / "starter"
PRODUCTS = 5
SIDE = 120  # px


@cache
def views(product: int) -> tuple[bytes, bytes, bytes]:
    """Three photographs of a product, PNG."""
    whole = draw(product, SIDE)[0]
    half = whole.crop((SIDE // 4, 0, SIDE, SIDE // 2))
    dark = ImageEnhance.Brightness(whole).enhance(0.5)
    return png(whole), png(half), png(dark)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def write_views(folder: Path, products: int = PRODUCTS) -> Path:
    """Write `P-V.png`, view V of product P, into `images`."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for product in range(products):
        for number, content in enumerate(views(product)):
            (folder / "images" / f"{product}-{number}.png").write_bytes(content)
    return folder


def write_rows(folder: Path, products: int = PRODUCTS, name: str = "shop.csv") -> Path:
    """Write a table as Shopify exports it: a row per photograph, and one per variant, whose other cells are empty."""
    write_views(folder, products)
    lines = ["Handle,Title,Variant Price,Image Src"]
    for product in range(products):
        lines += [
            f"p{product},Product {product},{product + 10},https://cdn.example/{product}-0.png?v=1",
            f"p{product},,{product + 99},",
            f"p{product},,,https://cdn.example/{product}-1.png?v=1",
            f"p{product},,,https://cdn.example/{product}-2.png?v=1",
        ]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name
