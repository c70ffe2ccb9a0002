"""Valid, unusual and invalid image files, as bytes, each with its expected outcome.

    for name, case in BAD_IMAGES.items():   # refused: the message contains case.message
        case.data()
    for name, case in ODD_IMAGES.items():   # answered: decoded, it is case.looks_like() up to case.tolerance
        case.data()

All are made from one image, `photo()`, which looks different in each of the eight orientations.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 120, 160
EXIF_ORIENTATION = 0x0112

# EXIF orientation -> the transform by which an upright image is stored, so that the orientation makes it upright again.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


class BadImage(NamedTuple):
    """A file that is refused, and a part of the error message."""

    data: Callable[[], bytes]
    message: str


class OddImage(NamedTuple):
    """A file that is answered, its expected image, and the tolerance (mean absolute difference of pixels)."""

    data: Callable[[], bytes]
    looks_like: Callable[[], Image.Image]
    tolerance: float


@cache
def photo() -> Image.Image:
    """A red dress with a blue collar on a light background, RGB; without symmetry."""
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    ground = np.stack([215 + 30 * across, 225 - 20 * down, 235 - 25 * across * down], axis=2)
    image = Image.fromarray(ground.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.polygon([(35, 30), (80, 30), (70, 70), (105, 145), (20, 145), (45, 70)], fill=(200, 30, 40))
    draw.rectangle((45, 25, 70, 38), fill=(30, 50, 170))
    draw.ellipse((8, 8, 26, 26), fill=(40, 150, 60))
    return image


def encoded(image: Image.Image, file_format: str = "JPEG", **options: Any) -> bytes:
    """The bytes of an image file; by default JPEG at quality 95."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **({"quality": 95} if file_format == "JPEG" else {}) | options)
    return buffer.getvalue()


def with_orientation(orientation: int, file_format: str = "JPEG") -> bytes:
    """The photo stored rotated or mirrored, with the EXIF orientation that undoes it."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored = photo() if orientation == 1 else photo().transpose(STORED_AS[orientation])
    return encoded(stored, file_format, exif=exif)


def png_from_array(array: np.ndarray) -> bytes:
    """A PNG of uint8 or uint16 pixels (H, W) or (H, W, channels): Pillow itself cannot write 16-bit color.

    1 channel is gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
    """
    height, width = array.shape[:2]
    channels = 1 if array.ndim == 2 else array.shape[2]
    rows = array.astype(f">u{array.itemsize}").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)  # 0: no row filter
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png_of(width, height, 8 * array.itemsize, color_type, zlib.compress(raw))


def png_of(width: int, height: int, depth: int, color_type: int, compressed: bytes) -> bytes:
    """A PNG with the given header and compressed pixels, which need not match."""
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", compressed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bilevel_png(width: int, height: int) -> bytes:
    """A valid white PNG of one bit per pixel, a thousand times smaller on disk than in memory."""
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    compressor = zlib.compressobj()
    parts = [compressor.compress(row) for _ in range(height)]
    return png_of(width, height, 1, 0, b"".join(parts) + compressor.flush())


def animated(file_format: str) -> bytes:
    """Two frames, the photo and its negative."""
    negative = Image.eval(photo(), lambda value: 255 - value)
    options: dict[str, Any] = {"lossless": True} if file_format == "WEBP" else {}
    return encoded(photo(), file_format, save_all=True, append_images=[negative], duration=100, **options)


def half(data: bytes) -> bytes:
    """The first half of a file, as an interrupted upload leaves it."""
    return data[: len(data) // 2]


def cutout() -> Image.Image:
    """The photo with a transparent background; the transparent pixels are black."""
    pixels = np.asarray(photo())
    dress = (pixels[..., 1] < 100).astype(np.uint8)
    return Image.fromarray(np.dstack([pixels * dress[..., None], dress * 255]))


def cutout_on_white() -> Image.Image:
    """What the cutout looks like on a white page."""
    pixels = np.asarray(cutout()).astype(int)
    alpha = pixels[..., 3:] / 255
    return Image.fromarray((pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))


def gray(image: Image.Image) -> Image.Image:
    """The image in gray, still RGB."""
    return image.convert("L").convert("RGB")


def _sixteen_bit(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.uint16) * 257  # 255 becomes 65535


def _gray_cutout() -> Image.Image:
    return cutout().convert("LA")


def _palette_with_transparency(file_format: str) -> bytes:
    colors = cutout().convert("RGB").quantize(255)
    indices = np.asarray(colors).copy()
    indices[np.asarray(cutout())[..., 3] == 0] = 255
    image = Image.fromarray(indices).convert("P")
    image.putpalette(((colors.getpalette() or []) + [0] * 768)[:768])  # 255 is unused: black, and transparent
    return encoded(image, file_format, transparency=255)


def _sixteen_bit_tiff() -> bytes:
    return encoded(Image.fromarray(_sixteen_bit(photo().convert("L"))), "TIFF")


def exif_block(*entries: tuple[int, int, int, bytes]) -> bytes:
    """An EXIF block of these entries, in order: tag, type, count, and the value's bytes, little-endian."""
    tail_at, head, tail = 8 + 2 + 12 * len(entries) + 4, struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in entries:
        head += struct.pack("<HHI", tag, kind, count)
        head += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", tail_at + len(tail))
        tail += value if len(value) > 4 else b""
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + head + bytes(4) + tail


def with_segments(*segments: tuple[int, bytes], jpeg: bytes | None = None) -> bytes:
    """A JPEG, by default of the photo, with these segments at its beginning: marker, content."""
    jpeg = jpeg or encoded(photo())
    added = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content for marker, content in segments
    )
    return jpeg[:2] + added + jpeg[2:]


def with_chunks(*chunks: tuple[bytes, bytes], png: bytes | None = None, at_end: bool = False) -> bytes:
    """A PNG, by default of the photo, with these chunks after its header or before its end."""
    png = png or encoded(photo(), "PNG")
    place = len(png) - 12 if at_end else 8 + 25
    return png[:place] + b"".join(_chunk(*chunk) for chunk in chunks) + png[place:]


def tiff(width: int, height: int, pixels: bytes, order: str = "<", **tags: tuple[int, int]) -> bytes:
    """An uncompressed gray TIFF; further tags as `t258=(type, value)`, types 3 (16 bits) and 4 (32 bits)."""
    entries = {256: (4, width), 257: (4, height), 259: (3, 1), 273: (4, 8), 277: (3, 1), 278: (4, height)}
    entries |= {279: (4, len(pixels))} | {int(name[1:]): entry for name, entry in tags.items()}
    directory = struct.pack(f"{order}H", len(entries))
    for tag, (kind, value) in sorted(entries.items()):
        packed = struct.pack(f"{order}{'H' if kind == 3 else 'I'}", value).ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, kind, 1) + packed
    start = 8 + len(pixels) + len(pixels) % 2
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + pixels.ljust(start - 8, b"\0") + directory + bytes(4)


def _jpeg_with_broken_exif() -> bytes:
    return encoded(photo(), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f and no directory where it should be")


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.jpg", encoded(photo()))
    return buffer.getvalue()


def _wide() -> Image.Image:
    return photo().resize((20_000, 100))


HTML = b"\n<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><rect width="80" height="80" fill="red"/></svg>'
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 80 80\n0 0 80 80 rectfill\nshowpage\n%%EOF\n"

BAD_IMAGES: dict[str, BadImage] = {
    "empty": BadImage(lambda: b"", "empty"),
    "one byte": BadImage(lambda: b"\xff", "not an image"),
    "text": BadImage(lambda: b"a red dress with a blue collar\n" * 20, "not an image"),
    "random bytes": BadImage(lambda: np.random.default_rng(0).bytes(5000), "not an image"),
    "zeros": BadImage(lambda: bytes(5000), "not an image"),
    "HTML": BadImage(lambda: HTML, "HTML"),
    "SVG": BadImage(lambda: SVG, "SVG"),
    "JSON": BadImage(lambda: json.dumps({"image": "photo.jpg"}).encode(), "JSON"),
    "URL": BadImage(lambda: b"https://example.com/photo.jpg", "URL"),
    "ZIP": BadImage(_zip, "ZIP"),
    "PDF": BadImage(lambda: PDF, "PDF"),
    "EPS": BadImage(lambda: EPS, "not an image"),
    "HEIC": BadImage(lambda: HEIC, "HEIC"),
    "JPEG signature only": BadImage(lambda: encoded(photo())[:4], "broken"),
    "truncated JPEG": BadImage(lambda: half(encoded(photo())), "truncated"),
    "truncated progressive JPEG": BadImage(lambda: half(encoded(photo(), progressive=True)), "truncated"),
    "truncated PNG": BadImage(lambda: half(encoded(photo(), "PNG")), "truncated"),
    "truncated WebP": BadImage(lambda: half(encoded(photo(), "WEBP")), "broken"),
    "truncated GIF": BadImage(lambda: half(encoded(photo(), "GIF")), "truncated"),
    "truncated BMP": BadImage(lambda: half(encoded(photo(), "BMP")), "truncated"),
    "truncated TIFF": BadImage(lambda: half(encoded(photo(), "TIFF")), "broken"),
    "truncated AVIF": BadImage(lambda: half(encoded(photo(), "AVIF")), "broken"),
    "PNG with a wrong checksum": BadImage(lambda: encoded(photo(), "PNG").replace(b"IDAT", b"IDAU", 1), "broken"),
    "1x1 px": BadImage(lambda: encoded(photo().resize((1, 1)), "PNG"), "1x1"),
    "one pixel high": BadImage(lambda: encoded(photo().resize((500, 1)), "PNG"), "500x1"),
    "floating point": BadImage(lambda: encoded(photo().convert("F"), "TIFF"), "floating-point"),
    "20,000 px wide, 100 megapixels": BadImage(partial(bilevel_png, 20_000, 5_000), "20000x5000"),
    "85 megapixels": BadImage(partial(bilevel_png, 10_000, 8_500), "megapixels"),
    "120 megapixels": BadImage(partial(bilevel_png, 12_000, 10_000), "megapixels"),
    "a header of 60000x60000": BadImage(
        partial(png_of, 60_000, 60_000, 8, 2, zlib.compress(bytes(1000))), "megapixels"
    ),
}

ODD_IMAGES: dict[str, OddImage] = {
    "PNG": OddImage(lambda: encoded(photo(), "PNG"), photo, 0),
    "BMP": OddImage(lambda: encoded(photo(), "BMP"), photo, 0),
    "TIFF": OddImage(lambda: encoded(photo(), "TIFF"), photo, 0),
    "WebP": OddImage(lambda: encoded(photo(), "WEBP", quality=95), photo, 3),
    "TIFF with EXIF orientation 6": OddImage(partial(with_orientation, 6, "TIFF"), photo, 0),
    "AVIF": OddImage(lambda: encoded(photo(), "AVIF", quality=95), photo, 3),
    "JPEG": OddImage(lambda: encoded(photo()), photo, 3),
    "progressive JPEG": OddImage(lambda: encoded(photo(), progressive=True), photo, 3),
    "JPEG with bytes behind its end": OddImage(lambda: encoded(photo()) + b"\0" * 1000, photo, 3),
    "JPEG with broken EXIF": OddImage(_jpeg_with_broken_exif, photo, 3),
    "MPO": OddImage(lambda: encoded(photo(), "MPO", quality=95, save_all=True, append_images=[photo()]), photo, 3),
    "grayscale JPEG": OddImage(lambda: encoded(photo().convert("L")), lambda: gray(photo()), 3),
    "grayscale PNG": OddImage(lambda: encoded(photo().convert("L"), "PNG"), lambda: gray(photo()), 0),
    "CMYK JPEG": OddImage(lambda: encoded(photo().convert("CMYK")), photo, 4),
    "CMYK TIFF": OddImage(lambda: encoded(photo().convert("CMYK"), "TIFF"), photo, 1),
    "palette": OddImage(lambda: encoded(photo().quantize(256), "PNG"), photo, 4),
    "palette with transparency": OddImage(partial(_palette_with_transparency, "PNG"), cutout_on_white, 3),
    "GIF with transparency": OddImage(partial(_palette_with_transparency, "GIF"), cutout_on_white, 3),
    "RGBA": OddImage(lambda: encoded(cutout(), "PNG"), cutout_on_white, 0),
    "RGBA WebP": OddImage(lambda: encoded(cutout(), "WEBP", lossless=True), cutout_on_white, 1),
    "gray with alpha": OddImage(lambda: encoded(_gray_cutout(), "PNG"), lambda: gray(cutout_on_white()), 1),
    "one bit": OddImage(lambda: encoded(photo().convert("1"), "PNG"), lambda: photo().convert("1").convert("RGB"), 0),
    "16-bit gray PNG": OddImage(lambda: png_from_array(_sixteen_bit(photo().convert("L"))), lambda: gray(photo()), 0),
    "16-bit gray TIFF": OddImage(_sixteen_bit_tiff, lambda: gray(photo()), 0),
    "16-bit RGB PNG": OddImage(lambda: png_from_array(_sixteen_bit(photo())), photo, 0),
    "16-bit RGBA PNG": OddImage(lambda: png_from_array(_sixteen_bit(cutout())), cutout_on_white, 0),
    "16-bit gray PNG with alpha": OddImage(
        lambda: png_from_array(_sixteen_bit(_gray_cutout())), lambda: gray(cutout_on_white()), 1
    ),
    "animated GIF": OddImage(partial(animated, "GIF"), photo, 4),
    "animated WebP": OddImage(partial(animated, "WEBP"), photo, 1),
    "animated PNG": OddImage(partial(animated, "PNG"), photo, 0),
    "20,000 px wide": OddImage(lambda: encoded(_wide()), _wide, 3),
    **{f"EXIF orientation {n}": OddImage(partial(with_orientation, n), photo, 3) for n in range(1, 9)},
    "PNG with EXIF orientation 6": OddImage(partial(with_orientation, 6, "PNG"), photo, 0),
    "WebP with EXIF orientation 8": OddImage(partial(with_orientation, 8, "WEBP"), photo, 6),
}
