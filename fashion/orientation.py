"""Which way up a photograph is, and turning it so.

Only the orientation is read, and nothing is written: odd values in the rest of the metadata decide nothing.
"""

import struct

from PIL import ExifTags, Image

ORIENTATION = int(ExifTags.Base.Orientation)
UPRIGHT = 1
# EXIF orientation -> what makes the stored picture upright. JEITA CP-3451, tag 0x0112.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Entries of `Image.info` that name an orientation; a turned image must not be turned again.
_ORIENTED_INFO = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_EXIF_START = b"Exif\0\0"
_TYPES = {1: "B", 3: "H", 4: "I"}  # of whole numbers in EXIF: 8, 16 and 32 bits


def upright(image: Image.Image) -> Image.Image:
    """Turn or mirror an image as its orientation says; an upright one is returned as it is, not copied."""
    method = TURNS.get(orientation(image))
    if method is None:
        return image
    turned = image.transpose(method)
    for key in _ORIENTED_INFO:
        turned.info.pop(key, None)
    return turned


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 to 8; 1, upright, where there is none or none that can be read."""
    try:
        found = image.getexif().get(ORIENTATION)
    except Exception:  # whatever stands in the EXIF or XMP of a stranger
        found = None
    # An entry before it that cannot be read keeps Pillow from the orientation. AVIF is turned by its own boxes.
    if not isinstance(found, int | float) and image.format != "AVIF":
        found = orientation_of_exif(image.info.get("exif"))
    return int(found) if isinstance(found, int | float) and found in TURNS else UPRIGHT


def orientation_of_exif(exif: object) -> int | None:
    """The orientation in the bytes of an EXIF block, which is a TIFF file; None where there is none."""
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
    except struct.error:  # the block ends too soon
        return None
    return None


def exif_of_orientation(value: int) -> bytes:
    """An EXIF block that holds an orientation and nothing else."""
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, value, 0)
    return _EXIF_START + b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
