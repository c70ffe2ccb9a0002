"""Support for HEIC, the format of many phones, if the library pillow-heif is installed."""

import importlib
from functools import cache

FORMAT = "HEIF"  # Pillow's name of the format
HEIC_ENDINGS = (".heic", ".heif", ".hif")
HEIC_ADVICE = "convert it to JPEG, or install pillow-heif"
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


@cache
def can_read_heic() -> bool:
    """Whether HEIC can be read; registers the format with Pillow if pillow-heif is installed."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def looks_like_heic(data: bytes) -> bool:
    """Whether a file is HEIC, by its first 12 bytes or more."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS
