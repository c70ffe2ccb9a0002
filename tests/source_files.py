"""Small image files for the tests of the importers."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def jpeg(seed: int = 0, width: int = 24, height: int = 32) -> bytes:
    """A JPEG file of noise, different for each seed."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


def save_jpegs(folder: Path, names: list[str]) -> None:
    """Write a different image under each name."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed))
