"""Photographs with an ICC profile are converted to sRGB as in the textbook; sRGB photographs stay unchanged."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_files import STORED_AS, cutout, encoded, photo, with_orientation
from PIL import Image, ImageCms

from benchmarks import icc_profiles as icc
from fashion import color_profiles
from fashion.color_profiles import CACHED_TRANSFORMS, LARGEST_PROFILE, to_srgb
from fashion.preprocess import InputSpec, decode, load_pixels

COLORS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
RED, GREEN = (200, 40, 40), (60, 190, 70)


def png(colors: np.ndarray, profile: bytes | None) -> bytes:
    return encoded(Image.fromarray(colors), "PNG", icc_profile=profile)


def textbook_p3(levels: np.ndarray) -> np.ndarray:
    return icc.in_srgb(levels, icc.P3_PRIMARIES, icc.linear_of_srgb(levels / 255))


def textbook_adobe(levels: np.ndarray) -> np.ndarray:
    return icc.in_srgb(levels, icc.ADOBE_PRIMARIES, (levels / 255) ** 2.19921875)


@pytest.mark.parametrize(
    ("profile", "textbook"), [(icc.display_p3, textbook_p3), (icc.adobe_rgb, textbook_adobe)], ids=["P3", "Adobe RGB"]
)
def test_colors_are_those_of_the_textbook(profile: Callable, textbook: Callable) -> None:
    found = np.asarray(decode(png(COLORS, profile()))).astype(float)
    assert np.abs(found - textbook(COLORS)).max() < 1.5
    assert np.abs(found - COLORS).max() > 20, "nothing was converted, so the test proves nothing"
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2).reshape(16, 16, 3)
    assert np.abs(np.asarray(decode(png(grays, profile()))).astype(int) - grays).max() <= 10  # gray stays gray


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_strong_colors_become_stronger_in_every_format(kind: str) -> None:
    for color in (RED, GREEN):
        data = encoded(Image.new("RGB", (64, 64), color), kind, icc_profile=icc.display_p3())
        found = decode(data).getpixel((30, 30))
        assert found == pytest.approx(textbook_p3(np.array(color)), abs=5)
        assert max(found) - min(found) > max(color) - min(color) + 15


@pytest.mark.parametrize("size", [None, 64])
def test_photographs_without_a_profile_or_in_srgb_keep_every_bit(size: int | None) -> None:
    large = photo().resize((600, 800))
    builtin = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for image, kind in (
        (large, "JPEG"),
        (large.convert("L"), "JPEG"),
        (large, "PNG"),
        (cutout(), "PNG"),
        (large.quantize(64), "PNG"),
        (cutout().convert("LA"), "PNG"),
    ):
        expected = np.asarray(decode(encoded(image, kind), size))
        for profile in (icc.srgb(), builtin):
            np.testing.assert_array_equal(np.asarray(decode(encoded(image, kind, icc_profile=profile), size)), expected)


def black_profile() -> bytes:
    return icc.rgb_profile([(0.0, 0.0, 0.0)] * 3, icc.srgb_curve())


UNUSABLE = {
    "nothing": lambda: b"",
    "random bytes": lambda: np.random.default_rng(0).bytes(3000),
    "cut off": lambda: icc.display_p3()[:200],
    "larger than any": lambda: icc.display_p3().ljust(LARGEST_PROFILE + 1, b"\0"),
    "of gray": icc.linear_gray,
    "of inks": icc.cmyk,
    "all black": black_profile,
    "of an unknown space": lambda: icc.profile("5CLR", "Lab ", {}),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_profile_that_cannot_be_used_counts_as_none(name: str) -> None:
    for kind in ("JPEG", "PNG"):
        data = encoded(photo(), kind, icc_profile=UNUSABLE[name]())
        np.testing.assert_array_equal(np.asarray(decode(data)), np.asarray(decode(encoded(photo(), kind))))


def test_a_damaged_profile_never_makes_a_photograph_unreadable() -> None:
    rng = np.random.default_rng(0)
    for whole in (icc.display_p3(), icc.linear_gray(), icc.cmyk()):
        mode = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}[whole[16:20].decode()]
        image = Image.new(mode, (8, 8))
        for _ in range(60):
            damaged = bytearray(whole)
            for i in rng.integers(0, min(len(damaged), 400), 4):
                damaged[i] = rng.integers(256)
            found = to_srgb(image, bytes(damaged))
            assert found is image or (found.mode, found.size) == ("RGB", (8, 8))


def test_gray_profiles_are_applied() -> None:
    data = encoded(Image.new("L", (16, 16), 128), "PNG", icc_profile=icc.linear_gray())
    light = 188  # half the luminance of white, in sRGB
    assert decode(data).getpixel((5, 5)) == (light,) * 3
    deep = Image.fromarray(np.full((16, 16), 128 * 257, np.uint16))
    assert decode(encoded(deep, "TIFF", icc_profile=icc.linear_gray())).getpixel((5, 5)) == (light,) * 3
    veil = Image.new("LA", (16, 16), (128, 255))
    assert decode(encoded(veil, "PNG", icc_profile=icc.linear_gray())).getpixel((5, 5)) == (light,) * 3


def test_gray_with_a_profile_of_rgb_is_converted_by_it() -> None:
    levels = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    found = np.asarray(decode(encoded(Image.fromarray(levels), "PNG", icc_profile=icc.adobe_rgb())))
    assert np.abs(found - textbook_adobe(np.repeat(levels[..., None], 3, axis=2))).max() < 1.5


def test_cmyk_profiles_are_applied() -> None:
    def seen(*ink: int) -> tuple[int, int, int]:
        return decode(encoded(Image.new("CMYK", (16, 16), ink), "TIFF", icc_profile=icc.cmyk())).getpixel((5, 5))

    assert seen(0, 0, 0, 0) == (255, 255, 255)
    assert seen(255, 0, 0, 0) == pytest.approx((0, 151, 218), abs=4)  # without the profile: 0, 255, 255
    assert max(seen(255, 255, 255, 255)) < 60
    jpeg = encoded(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), icc_profile=icc.cmyk())
    assert decode(jpeg).getpixel((5, 5)) == pytest.approx((0, 151, 218), abs=4)


def test_transparency_stays_and_is_mixed_with_white_in_srgb() -> None:
    strong = textbook_p3(np.array(RED))
    veil = encoded(Image.new("RGBA", (16, 16), (*RED, 128)), "PNG", icc_profile=icc.display_p3())
    assert decode(veil).getpixel((5, 5)) == pytest.approx(strong * 128 / 255 + 127, abs=2)
    palette = Image.new("RGB", (16, 16), RED).quantize(4)
    found = decode(encoded(palette, "PNG", icc_profile=icc.display_p3(), transparency=3))
    assert found.getpixel((5, 5)) == pytest.approx(strong, abs=1.5)


def test_a_turned_and_reduced_photograph_has_the_same_colors() -> None:
    large = photo().resize((900, 1200))
    stored = large.transpose(STORED_AS[6])
    exif = Image.open(io.BytesIO(with_orientation(6))).getexif()
    turned = decode(encoded(stored, exif=exif, icc_profile=icc.display_p3()), 64)
    upright = decode(encoded(large, icc_profile=icc.display_p3()), 64)
    assert turned.size == upright.size == (225, 300)
    assert np.abs(np.asarray(turned).astype(int) - np.asarray(upright)).mean() < 1


def test_pil_images_are_converted_once() -> None:
    data = png(COLORS, icc.display_p3())
    once = decode(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(np.asarray(once), np.asarray(decode(data)))
    assert decode(once) is once
    assert "icc_profile" not in once.info


def test_threads_convert_at_the_same_time() -> None:
    profiles = [icc.display_p3(), icc.adobe_rgb(), icc.srgb(), icc.display_p3()[:200], None]
    noise = np.random.default_rng(1).integers(0, 256, (10, 200, 200, 3), dtype=np.uint8)
    files = [png(colors, profiles[i % 5]) for i, colors in enumerate(noise)]
    files.append(encoded(Image.fromarray(noise[0]).convert("CMYK"), "TIFF", icc_profile=icc.cmyk()))
    files.append(encoded(Image.fromarray(noise[0]).convert("L"), "PNG", icc_profile=icc.linear_gray()))
    spec = InputSpec(size=32)
    alone = [load_pixels(file, spec) for file in files]
    with ThreadPoolExecutor(8) as pool:
        for i, found in enumerate(pool.map(lambda file: load_pixels(file, spec), files * 12)):
            np.testing.assert_array_equal(found, alone[i % len(files)])


def test_profile_transforms_are_cached_within_a_limit() -> None:
    image = Image.new("RGB", (8, 8), RED)
    kept = color_profiles._cache.transforms
    kept.clear()
    to_srgb(image, icc.display_p3())
    first = next(iter(kept.values()))
    for exponent in range(CACHED_TRANSFORMS - 1):
        to_srgb(image, icc.rgb_profile(icc.P3_PRIMARIES, icc.gamma(1.5 + exponent / 64)))
    to_srgb(image, icc.display_p3())
    assert first in kept.values()
    assert len(kept) == CACHED_TRANSFORMS
    to_srgb(image, icc.adobe_rgb())
    assert first in kept.values(), "the least recently used one is evicted first"
    assert len(kept) == CACHED_TRANSFORMS
