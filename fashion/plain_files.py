"""Strip the metadata from image files that Pillow rejects because of it.

When Pillow opens a file, it parses resolutions, comments, previews and more, and fails if they are broken, although
none of it is used here.
"""

import struct
import zlib
from collections.abc import Iterator

from fashion.orientation import UPRIGHT, exif_of_orientation, orientation_of_exif

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"
# The two application segments that a JPEG decoder uses: they distinguish RGB and CMYK from YCbCr and YCCK. Name and
# minimum length of each (libjpeg, APP0_DATA_LEN and APP14_DATA_LEN).
_JPEG_COLORS = {0xE0: (b"JFIF", 14), 0xEE: (b"Adobe", 12)}
_EXIF, _SCAN, _COMMENT = 0xE1, 0xDA, 0xFE
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}  # markers without a length
# TIFF tags for the location and meaning of the pixels, including the orientation, 274.
_TIFF_PIXELS = frozenset(
    (
        *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325),
        *(332, 338, 339, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532),
    )
)


def without_metadata(data: bytes) -> bytes | None:
    """Strip text, previews, EXIF, XMP and color profile from an image file; keep its pixels and orientation.

    Returns:
        The bytes of the new file; None if there is nothing to strip, or if the format or its structure is unknown.
    """
    try:
        if data.startswith(_JPEG):
            plain = _plain_jpeg(data)
        elif data.startswith(_PNG):
            plain = _plain_png(data)
        elif data[:4] in (b"II*\0", b"MM\0*"):
            plain = _plain_tiff(data)
        elif data[4:8] == b"ftyp":
            plain = _plain_avif(data)
        else:
            return None
    except (struct.error, IndexError, ValueError):  # truncated
        return None
    return None if plain == data else plain


def _plain_jpeg(data: bytes) -> bytes:
    kept, exif = [], b""
    position = 2
    while position < len(data):
        position = data.index(b"\xff", position)
        marker = data[position + 1]
        if marker in (0x00, 0xFF):  # padding between segments
            position += 1
            continue
        (length,) = (0,) if marker in _NO_LENGTH else struct.unpack_from(">H", data, position + 2)
        content = data[position + 4 : position + 2 + length]
        if marker == _SCAN:
            break
        if marker == _EXIF and content.startswith(b"Exif\0\0"):
            exif = exif + content[6:] if exif else content
        name, least = _JPEG_COLORS.get(marker, (b"", 0))
        colors = least and content.startswith(name) and len(content) >= least
        if colors or not (0xE0 <= marker <= 0xEF or marker == _COMMENT):
            kept.append(data[position : position + 2 + length])
        position += 2 + length
    turned = orientation_of_exif(exif)
    if turned is not None and turned != UPRIGHT:
        block = exif_of_orientation(turned & 0xFFFF)
        kept.insert(0, b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block)
    return _JPEG + b"".join(kept) + data[position:]


def _plain_png(data: bytes) -> bytes:
    kept, exif = [], b""
    position = len(_PNG)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind == b"eXIf":
            exif = data[position + 8 : end - 4]
        if kind == b"tRNS" or not kind[0] & 0x20:  # transparency, and critical chunks
            kept.append(data[position:end])
        position = end
        if kind == b"IEND":
            break
    turned = orientation_of_exif(exif)
    if turned is not None and turned != UPRIGHT:
        block = b"eXIf" + exif_of_orientation(turned & 0xFFFF)[6:]
        kept.insert(1, struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block)))
    return _PNG + b"".join(kept)


def _plain_tiff(data: bytes) -> bytes:
    """Append a directory with only the tags that the pixels need, and point the header at it."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    entries = [data[position : position + 12] for position in range(start + 2, start + 2 + 12 * count, 12)]
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in _TIFF_PIXELS]
    if len(kept) == len(entries):
        return data
    whole = data + bytes(len(data) % 2)
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)
    return whole[:4] + struct.pack(f"{order}I", len(whole)) + whole[8:] + directory


def _plain_avif(data: bytes) -> bytes:
    """Rename the EXIF items so that they are ignored; an AVIF's orientation is in boxes of its own."""
    for start, end in _boxes(data):
        if data[start + 4 : start + 8] == b"meta":
            return data[:start] + data[start:end].replace(b"Exif", b"none") + data[end:]
    return data


def _boxes(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the top-level boxes of an ISO media file."""
    position = 0
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + length if length >= 8 else len(data)
        yield position, end
        position = end
