"""HEIC, in which phones keep photographs: read where the library pillow-heif is installed."""

import importlib
from functools import cache

FORMAT = "HEIF"  # Pillow's name of it
HEIC_ENDINGS = (".heic", ".heif", ".hif")
HOW = "convert it to JPEG, or install pillow-heif"
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


@cache
def heic_is_read() -> bool:
    """Whether the library is there; if so, Pillow knows the format from then on."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def begins_as_heic(data: bytes) -> bool:
    """Whether the first 12 bytes or more of a file are those of HEIC."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS
