"""Photographs for tests, good and bad, as the bytes of files."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from tiny_bundle import garments


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def photo(seed: int = 0, size: int = 96) -> bytes:
    """A lossless photograph that differs from that of any other seed."""
    return encoded(Image.fromarray(garments(1, size, seed)[0]))


def unusual_photos() -> dict[str, bytes]:
    """Photographs that are rare but must be answered."""
    image = Image.fromarray(garments(1, 96, 3)[0])
    transparent = image.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(image.size))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    gray16 = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return {
        "JPEG": encoded(image, "JPEG"),
        "CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "16 bit": encoded(gray16),
        "palette with transparency": encoded(transparent.convert("PA").convert("P"), "PNG", transparency=0),
        "transparent": encoded(transparent),
        "grayscale": encoded(image.convert("L"), "JPEG"),
        "animated": encoded(image, "GIF", save_all=True, append_images=[image.rotate(90), image.rotate(180)]),
        "rotated by EXIF": encoded(image, "JPEG", exif=exif),
        "WebP": encoded(image, "WEBP"),
        "20,000 px wide": encoded(image.resize((20_000, 300)), "JPEG"),
    }


def bad_photos() -> dict[str, bytes]:
    """Bodies that must be refused with status 400."""
    return {
        "empty": b"",
        "truncated JPEG": encoded(Image.fromarray(garments(1, 96, 4)[0]), "JPEG")[:1500],
        "truncated PNG": photo(5)[:-200],
        "text": b"not an image at all",
        "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
        "JSON": b'{"image": 1}',
        "1x1 px": encoded(Image.new("RGB", (1, 1))),
        "20,000 px square": _promise(20_000),
        "decompression bomb": _promise(60_000),
    }


def _promise(side: int) -> bytes:
    """A PNG of a hundred bytes whose header promises side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
