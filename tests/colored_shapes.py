"""A tiny data set that a network fits in seconds: wide and tall blocks in three colors."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from training.sources.writer import ProductRow, write_dataset

COLORS = {"Blue": (30, 30, 200), "Green": (30, 200, 30), "Red": (200, 30, 30)}


def write_shapes(folder: Path, train: int, val: int, only_in_val: str = "") -> Path:
    """Write `folder` in the training format with the groups color and shape.

    All images differ. Every fifth row has no annotated shape; the last val row has the color `only_in_val`, if given.
    """

    def rows() -> Iterator[ProductRow]:
        for split, count in (("train", train), ("val", val)):
            for i in range(count):
                color, wide = list(COLORS)[i % 3], i % 2 == 0
                names = [only_in_val] if only_in_val and split == "val" and i == count - 1 else [color]
                shape = None if i % 5 == 0 else ["Wide" if wide else "Tall"]
                image = block(COLORS[color], wide, gray=255 - i % 100)
                yield ProductRow(split, f"{split}{i}", image, {"color": names, "shape": shape}, str(i))

    write_dataset(rows(), folder, ["color", "shape"], "blocks")
    return folder


def block(color: tuple[int, int, int], wide: bool, gray: int = 255) -> bytes:
    """A PNG of 32x32 px: a block, left of the middle, on a gray or white background."""
    image = np.full((32, 32, 3), gray, np.uint8)
    image[(slice(8, 22), slice(0, 24)) if wide else (slice(2, 30), slice(2, 12))] = color
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
