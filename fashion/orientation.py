"""Read a photograph's EXIF orientation and turn it upright.

No other metadata is read and none is written, so invalid values elsewhere in it have no effect.
"""

import struct

from PIL import ExifTags, Image

ORIENTATION = int(ExifTags.Base.Orientation)
UPRIGHT = 1
# EXIF orientation -> transposition that makes the stored picture upright. JEITA CP-3451, tag 0x0112.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Entries of `Image.info` that hold an orientation; they are removed so that an image is not turned twice.
_ORIENTED_INFO = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_EXIF_START = b"Exif\0\0"
_TYPES = {1: "B", 3: "H", 4: "I"}  # EXIF integer types -> struct formats: 8, 16 and 32 bits


def upright(image: Image.Image) -> Image.Image:
    """Rotate or mirror an image according to its orientation; an upright one is returned itself, not a copy."""
    method = TURNS.get(orientation(image))
    if method is None:
        return image
    turned = image.transpose(method)
    for key in _ORIENTED_INFO:
        turned.info.pop(key, None)
    return turned


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 to 8; 1 (upright) if it is missing or unreadable."""
    try:
        found = image.getexif().get(ORIENTATION)
    except Exception:  # untrusted EXIF or XMP can raise anything
        found = None
    # Pillow misses the orientation behind an unreadable entry. AVIF stores its orientation elsewhere.
    if not isinstance(found, int | float) and image.format != "AVIF":
        found = orientation_of_exif(image.info.get("exif"))
    return int(found) if isinstance(found, int | float) and found in TURNS else UPRIGHT


def orientation_of_exif(exif: object) -> int | None:
    """The orientation in an EXIF block (TIFF format); None if there is none."""
    if not isinstance(exif, bytes):
        return None
    while exif.startswith(_EXIF_START):
        exif = exif[len(_EXIF_START) :]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for position in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, position)
            if tag == ORIENTATION and kind in _TYPES:
                return struct.unpack_from(order + _TYPES[kind], exif, position + 8)[0]
    except struct.error:  # the block is truncated
        return None
    return None


def exif_of_orientation(value: int) -> bytes:
    """An EXIF block with an orientation and nothing else."""
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, value, 0)
    return _EXIF_START + b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
