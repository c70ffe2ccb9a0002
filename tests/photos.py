"""Request bodies: the photographs of `image_files.py` and drawn garments."""

from functools import cache

from image_files import BAD_IMAGES, ODD_IMAGES, encoded
from PIL import Image
from tiny_bundle import garments


@cache
def photo(seed: int = 0, size: int = 96) -> bytes:
    """A lossless photograph, different for each seed."""
    return encoded(Image.fromarray(garments(1, size, seed)[0]), "PNG")


@cache
def unusual_photos() -> dict[str, bytes]:
    """Unusual photographs that must be answered."""
    return {name: image.data() for name, image in ODD_IMAGES.items()}


@cache
def bad_photos() -> dict[str, bytes]:
    """Bodies that must be refused with status 400."""
    return {name: image.data() for name, image in BAD_IMAGES.items()}
