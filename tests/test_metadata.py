"""Metadata decide only the orientation of a photograph: whatever they contain, the pixels are read."""

import itertools
import struct

import numpy as np
import pytest
from image_files import (
    EXIF_ORIENTATION,
    STORED_AS,
    encoded,
    exif_block,
    half,
    photo,
    png_of,
    tiff,
    with_chunks,
    with_orientation,
    with_segments,
)
from PIL import Image

from fashion.errors import InvalidImage
from fashion.orientation import exif_of_orientation, orientation_of_exif
from fashion.plain_files import without_metadata
from fashion.preprocess import decode

# Values of every TIFF type, valid and invalid: a zero denominator, not a number, invalid text, no value.
VALUES = {
    1: [(1, b"\1"), (3, b"abc"), (0, b"")],
    2: [(4, b"abc\0"), (0, b""), (3, b"\xff\xfe\xfd")],
    3: [(1, b"\xff\xff"), (3, struct.pack("<HHH", 1, 2, 3)), (0, b"")],
    4: [(1, b"\xff\xff\xff\xff"), (2, struct.pack("<II", 1, 2**32 - 1)), (0, b"")],
    5: [(1, struct.pack("<II", *pair)) for pair in ((0, 0), (1, 0), (2**32 - 1, 1))] + [(0, b"")],
    6: [(1, b"\xff")],
    7: [(4, b"\0\1\2\3"), (0, b"")],
    8: [(2, struct.pack("<hh", -1, 5))],
    9: [(1, struct.pack("<i", -5))],
    10: [(1, struct.pack("<ii", *pair)) for pair in ((-1, 0), (0, 0), (-1, 2), (-(2**31), 1), (1, -2))],
    11: [(1, struct.pack("<f", 1.5)), (1, struct.pack("<f", float("nan")))],
    12: [(1, struct.pack("<d", 1e300))],
    13: [(1, struct.pack("<I", 8))],
    16: [(1, struct.pack("<Q", 8))],
    99: [(1, b"a")],
}
# Width, make, resolution and its unit, date, XMP, the EXIF and GPS directories, a comment, the next directory.
TAGS = (0x100, 0x10F, 0x11A, 0x128, 0x132, 0x2BC, 0x8769, 0x8825, 0x9286, 0xA005)
TURNED = (EXIF_ORIENTATION, 3, 1, b"\6\0")
STORED = photo().transpose(STORED_AS[6])


def same(data: bytes, tolerance: float = 3) -> bool:
    """Whether a file is decoded as the upright photo."""
    found, expected = decode(data), photo()
    if found.size != expected.size:
        return False
    return float(np.abs(np.asarray(found).astype(int) - np.asarray(expected)).mean()) <= tolerance


@pytest.mark.parametrize("tag", TAGS)
def test_orientation_is_applied_whatever_other_exif_entries_hold(tag: int) -> None:
    small = encoded(STORED.resize((32, 24)))
    for kind, values in VALUES.items():
        for count, value in values:
            block = exif_block(*sorted([TURNED, (tag, kind, count, value)]))
            decoded = decode(with_segments((0xE1, block), jpeg=small))
            assert decoded.size == (24, 32), (kind, count, value)
            assert decoded.getpixel((2, 30)) == decode(small).transpose(Image.Transpose.ROTATE_270).getpixel((2, 30))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied_in_other_formats_whatever_other_entries_hold(kind: str) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    exif[0x010F] = "made by nobody in particular"
    exif[0x011A] = 7.25
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "AVIF" else {}
    data = encoded(STORED, kind, exif=exif, **options)
    assert same(data)
    refused = 0
    order = "<" if b"II*\0" in data else ">"
    entry = struct.pack(f"{order}HHI", 0x011A, 5, 1)
    assert entry in data
    for kind_of_value, count in itertools.product((0, 2, 3, 5, 10, 12, 99), (0, 1, 3, 2**31)):
        odd = data.replace(entry, struct.pack(f"{order}HHI", 0x011A, kind_of_value, count))
        if kind == "PNG":
            continue  # its checksum would be wrong, see below
        try:
            assert same(odd), (kind_of_value, count)
        except InvalidImage:
            refused += 1
    assert refused == 0


def test_an_entry_beyond_the_file_does_not_hide_the_orientation() -> None:
    block = exif_block((0x010F, 2, 2**31, b"far away"), TURNED)
    assert same(with_segments((0xE1, block), jpeg=encoded(STORED)))
    assert orientation_of_exif(block) == 6


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_from_exif_of_either_byte_order(order: str) -> None:
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(f"{order}HHIHH", EXIF_ORIENTATION, 3, 1, 8, 0)
    block = mark + struct.pack(f"{order}HIH", 42, 8, 1) + entry + bytes(4)
    assert orientation_of_exif(block) == orientation_of_exif(b"Exif\0\0" + block) == 8
    assert [orientation_of_exif(block[:length]) for length in (0, 3, 9, 15)] == [None] * 4
    assert [orientation_of_exif(exif_of_orientation(value)) for value in range(1, 9)] == list(range(1, 9))
    assert orientation_of_exif(None) is None


@pytest.mark.parametrize(("kind", "form"), [(1, "B3x"), (3, "H2x"), (4, "I")])
def test_an_orientation_of_any_integer_type_is_applied(kind: int, form: str) -> None:
    entry = struct.pack(f"<HHI{form}", EXIF_ORIENTATION, kind, 1, 6)
    block = b"Exif\0\0II" + struct.pack("<HIH", 42, 8, 1) + entry + bytes(4)
    assert same(with_segments((0xE1, block), jpeg=encoded(STORED)))


def test_an_upright_image_is_not_rotated_again() -> None:
    once = decode(with_orientation(6))
    assert np.array_equal(np.asarray(decode(once)), np.asarray(once))


BAD_SEGMENTS = {
    "JFIF cut off": (0xE0, b"JFIF\0"),
    "Adobe cut off": (0xEE, b"Adobe"),
    "ICC profile cut off": (0xE2, b"ICC_PROFILE\0"),
    "ICC profile of nothing": (0xE2, b"ICC_PROFILE\0\1\1" + bytes(200)),
    "second part of an ICC profile alone": (0xE2, b"ICC_PROFILE\0\2\2" + bytes(200)),
    "Photoshop cut off": (0xED, b"Photoshop 3.0\x008BIM\4\4"),
    "Photoshop of a wrong length": (0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\xff\xff\xff\xff1"),
    "XMP that is no text": (0xE1, b"http://ns.adobe.com/xap/1.0/\0\xff\xfe\0<x tiff:Orient"),
    "pictures that are not there": (0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
    "EXIF of nothing": (0xE1, b"Exif\0\0"),
    "EXIF of a wrong kind": (0xE1, b"Exif\0\0XX*\0\x08\0\0\0"),
    "a comment": (0xFE, b"\xff\0\xff"),
}


@pytest.mark.parametrize("name", BAD_SEGMENTS)
def test_a_jpeg_is_read_whatever_its_metadata(name: str) -> None:
    assert same(with_segments(BAD_SEGMENTS[name]))
    turned = with_segments(BAD_SEGMENTS[name], (0xE1, exif_block(TURNED)), jpeg=encoded(STORED))
    if "EXIF" not in name:
        assert same(turned)


def test_a_cmyk_jpeg_keeps_its_colors_without_its_metadata() -> None:
    data = encoded(photo().convert("CMYK"))
    plain = without_metadata(with_segments((0xED, b"Photoshop 3.0\x008BIM\4\4"), jpeg=data))
    assert plain is not None
    assert np.array_equal(np.asarray(decode(plain)), np.asarray(decode(data)))


BAD_CHUNKS = {
    "profile of an unknown compression": (b"iCCP", b"x\0\1" + bytes(20)),
    "profile without a name": (b"iCCP", b"x"),
    "profile that is no profile": (b"iCCP", b"x\0\0" + bytes(20)),
    "text of an unknown compression": (b"zTXt", b"Comment\0\1" + bytes(20)),
    "resolution cut off": (b"pHYs", b"\0"),
    "gamma cut off": (b"gAMA", b"\0"),
    "chromaticities cut off": (b"cHRM", b"\0"),
    "animation cut off": (b"acTL", b"\0"),
    "XMP that is no text": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0\xff\xfe"),
    "EXIF of a wrong kind": (b"eXIf", b"XX*\0"),
    "EXIF as text": (b"tEXt", b"Raw profile type exif\0\nexif\n  2\nno"),
    "a text named exif": (b"tEXt", b"exif\0no"),
    "a text named icc_profile": (b"tEXt", b"icc_profile\0no"),
}


@pytest.mark.parametrize("at_end", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_png_is_read_whatever_its_metadata(name: str, at_end: bool) -> None:
    assert same(with_chunks(BAD_CHUNKS[name], at_end=at_end), 0)


@pytest.mark.parametrize("at_end", [False, True], ids=["before", "behind"])
def test_a_wrong_checksum_of_a_comment_does_not_matter(at_end: bool) -> None:
    turned = with_chunks((b"eXIf", exif_block(TURNED)[6:]), png=encoded(STORED, "PNG"))
    data = with_chunks((b"tEXt", b"Comment\0a dress"), png=turned, at_end=at_end).replace(b"a dress", b"a skirt")
    assert same(data, 0)


def test_a_tiff_is_read_whatever_its_resolution_and_metadata() -> None:
    exif = Image.Exif()
    exif[0x0132] = "yesterday, or the day before"
    for orientation in (1, 6):
        exif[EXIF_ORIENTATION] = orientation
        data = encoded(photo() if orientation == 1 else STORED, "TIFF", exif=exif)
        for tag, kind in ((282, 2), (282, 5), (700, 2), (700, 5), (34665, 2), (34665, 4), (34853, 9)):
            name = struct.pack("<HHI", 0x0132, 2, 29)
            assert name in data
            assert same(data.replace(name, struct.pack("<HHI", tag, kind, 3)), 0), (tag, kind)


def test_an_avif_is_read_whatever_its_exif() -> None:
    exif = Image.Exif()
    exif[0x010F] = "somebody"
    exif[EXIF_ORIENTATION] = 6
    data = encoded(STORED, "AVIF", exif=exif, quality=95)
    assert same(data)
    start = b"II*\0" if b"II*\0" in data else b"MM\0*"
    assert start in data
    assert same(data.replace(start, b"XX*\0"))


def test_pixel_errors_are_those_of_the_original_file() -> None:
    noted = (0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0\0\0")
    with pytest.raises(InvalidImage, match="truncated"):
        decode(half(with_segments(noted)))
    wide = png_of(20_000, 5_000, 1, 0, b"")
    with pytest.raises(InvalidImage, match="20000x5000 px, more than 80 megapixels"):
        decode(with_chunks((b"tEXt", b"Comment\0a dress"), png=wide))


def test_files_without_removable_metadata_give_none() -> None:
    assert without_metadata(with_chunks()) is None
    assert without_metadata(encoded(photo(), "GIF")) is None
    for data in (b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0", b"II*\0", b"\0\0\0\x20ftypavif"):
        without_metadata(data)


# --- gray TIFF --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_gray_of_any_depth_and_polarity_is_read(order: str, bits: int, white_is_zero: bool) -> None:
    width, height = 16, 12
    levels = np.linspace(0, 2**bits - 1, width * height).round().astype(int)
    stored = 2**bits - 1 - levels if white_is_zero else levels
    if bits == 16:
        pixels = stored.astype(f"{order}u2").tobytes()
    else:
        pixels = np.packbits([value >> (bits - 1 - i) & 1 for value in stored for i in range(bits)]).tobytes()
    tags = {"t258": (3, bits), "t262": (3, 0 if white_is_zero else 1)}
    data = tiff(width, height, pixels, order, **tags)
    expected = levels.reshape(height, width) * 255 // (2**bits - 1)
    try:
        decoded = decode(data)
    except InvalidImage:
        assert (order, bits, white_is_zero) in NOT_READ
        return
    assert (order, bits, white_is_zero) not in NOT_READ
    assert np.array_equal(np.asarray(decoded)[..., 1], expected)


# Pillow has no decoder for them, and says so.
NOT_READ = {("<", 12, True), (">", 12, True), (">", 12, False)}


def test_gray_of_32_bits_is_refused() -> None:
    levels = np.linspace(0, 2**31, 192).astype("<u4")
    with pytest.raises(InvalidImage, match="has 32 bits per pixel; save it with 8 or 16 bits per channel"):
        decode(tiff(16, 12, levels.tobytes(), t258=(3, 32), t262=(3, 1)))


@pytest.mark.parametrize("orientation", [1, 6])
def test_orientation_is_applied_to_gray_with_white_as_zero(orientation: int) -> None:
    levels = np.arange(16 * 12, dtype="<u2").reshape(12, 16) * 257
    tags = {"t258": (3, 16), "t262": (3, 0), "t274": (3, orientation)}
    decoded = np.asarray(decode(tiff(16, 12, (65535 - levels).tobytes(), **tags)))[..., 0]
    assert np.array_equal(decoded, levels // 257 if orientation == 1 else np.rot90(levels // 257, -1))
