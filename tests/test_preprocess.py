"""Decode, resize and normalize: right pixels from every supported file, one clear error for every other."""

import io
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from image_files import (
    BAD_IMAGES,
    EXIF_ORIENTATION,
    ODD_IMAGES,
    animated,
    cutout,
    encoded,
    half,
    photo,
    with_orientation,
)
from PIL import Image

from benchmarks.icc_profiles import display_p3
from fashion.errors import InvalidImage, SettingError
from fashion.preprocess import MAX_PIXELS, MIN_SIDE, InputSpec, decode, load_pixels, normalize, resize, scale_and_shift

SPEC = InputSpec(size=32)


def difference(first, second) -> float:
    """Mean absolute difference of two images, in levels of 0 to 255."""
    return float(np.abs(np.asarray(first).astype(int) - np.asarray(second).astype(int)).mean())


# --- accepted images --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_IMAGES)
def test_every_odd_image_looks_as_it_should(name):
    case = ODD_IMAGES[name]
    decoded, expected = decode(case.data()), case.looks_like()
    assert decoded.mode == "RGB"
    assert decoded.size == expected.size
    assert difference(decoded, expected) <= case.tolerance


@pytest.mark.parametrize("resize_rule", ["squash", "pad"])
@pytest.mark.parametrize("name", ODD_IMAGES)
def test_every_odd_image_becomes_pixels_for_the_network(name, resize_rule):
    result = load_pixels(ODD_IMAGES[name].data(), InputSpec(size=32, resize=resize_rule))
    assert result.shape == (32, 32, 3)
    assert result.dtype == np.uint8
    assert result.flags.writeable  # torch warns of arrays that are not


# The eight orientations as the EXIF standard defines them (JEITA CP-3451, tag 0x0112): where row 0 and column 0 of
# the stored picture lie in the displayed one. In numpy, so that Pillow is not checked against itself.
UPRIGHT = {
    1: lambda stored: stored,  # top, left
    2: lambda stored: stored[:, ::-1],  # top, right
    3: lambda stored: stored[::-1, ::-1],  # bottom, right
    4: lambda stored: stored[::-1],  # bottom, left
    5: lambda stored: stored.transpose(1, 0, 2),  # left, top
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],  # right, top
    7: lambda stored: stored.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],  # left, bottom
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_that_of_the_standard(orientation):
    stored = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    decoded = decode(encoded(Image.fromarray(stored), "PNG", exif=exif))
    np.testing.assert_array_equal(np.asarray(decoded), UPRIGHT[orientation](stored))


def test_a_reduced_decode_is_turned_too():
    large = photo().resize((960, 1280))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    data = encoded(large.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert difference(load_pixels(data, SPEC), load_pixels(encoded(large), SPEC)) < 1


def test_an_unknown_orientation_is_taken_as_upright():
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 9
    assert difference(decode(encoded(photo(), "PNG", exif=exif)), photo()) == 0


def test_saturated_colors_of_cmyk_keep_their_hue():
    red, _, blue = (
        Image.new("RGB", (64, 64), color).convert("CMYK") for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    )
    assert load_pixels(encoded(red), SPEC)[16, 16].tolist() == pytest.approx([255, 0, 0], abs=4)
    assert load_pixels(encoded(blue), SPEC)[16, 16].tolist() == pytest.approx([0, 0, 255], abs=4)


def test_half_transparent_is_mixed_with_white():
    veil = Image.new("RGBA", (16, 16), (0, 100, 200, 128))
    mixed = [round(value * 128 / 255 + 255 * 127 / 255) for value in (0, 100, 200)]
    assert np.asarray(decode(encoded(veil, "PNG")))[8, 8].tolist() == pytest.approx(mixed, abs=1)


# --- the sources: bytes, path, PIL image ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_path_and_pil_image_give_the_same_pixels(kind, tmp_path):
    data = encoded(photo(), kind)
    path = tmp_path / "photo"
    path.write_bytes(data)
    expected = load_pixels(data, InputSpec(size=64))
    sources = [path, str(path), bytearray(data), memoryview(data), Image.open(io.BytesIO(data)), Image.open(path)]
    for source in sources:
        np.testing.assert_array_equal(load_pixels(source, InputSpec(size=64)), expected)


def test_a_pil_image_is_left_as_it_was():
    image = Image.open(io.BytesIO(with_orientation(6)))
    size, mode, orientation = image.size, image.mode, image.getexif()[EXIF_ORIENTATION]
    load_pixels(image, SPEC)
    assert (image.size, image.mode, image.getexif()[EXIF_ORIENTATION]) == (size, mode, orientation)
    transparent = cutout()
    before = transparent.tobytes()
    load_pixels(transparent, SPEC)
    assert (transparent.mode, transparent.tobytes()) == ("RGBA", before)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (lambda: Image.open(io.BytesIO(half(encoded(photo())))), "broken.*truncated"),
        (lambda: Image.new("RGB", (7, 100)), "7x100 px; each side must have at least 8"),
        (lambda: Image.new("1", (20_000, 5_000)), "20000x5000 px, more than 80 megapixels"),
        (lambda: Image.new("F", (50, 50)), "floating-point"),
    ],
    ids=["truncated file", "too small", "too large", "floating point"],
)
def test_a_bad_pil_image_is_refused_too(image, message):
    with pytest.raises(InvalidImage, match=message):
        load_pixels(image(), SPEC)


def test_an_unreadable_path_is_reported_with_the_reason(tmp_path):
    with pytest.raises(InvalidImage, match=r"cannot read 'no/photo\.jpg': No such file"):
        load_pixels("no/photo.jpg", SPEC)
    with pytest.raises(InvalidImage, match="Is a directory"):
        load_pixels(tmp_path, SPEC)
    with pytest.raises(InvalidImage, match="null"):
        load_pixels("photo\0.jpg", SPEC)


@pytest.mark.parametrize("source", [None, 7, np.zeros((50, 50, 3), np.uint8), ("a.jpg", "b.jpg")])
def test_a_source_of_another_type_is_a_mistake_in_the_program(source):
    with pytest.raises(TypeError, match=f"bytes, a path or a PIL image, not {type(source).__name__}"):
        load_pixels(source, SPEC)


# --- reduced decode of JPEG -------------------------------------------------------------------------------------------


def detailed(width: int, height: int) -> Image.Image:
    """An image with structure at every scale, like a photograph: noise whose amplitude falls with frequency."""
    rng = np.random.default_rng(0)
    total = np.zeros((height, width, 3))
    for cells in (4, 16, 64, 256):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC)) / cells**0.5
    low, high = total.min(), total.max()
    return Image.fromarray(((total - low) / (high - low) * 255).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (515, 800), (400, 130), (200, 150), (3000, 70)])
def test_a_jpeg_is_never_decoded_below_the_input_size(width, height):
    data = encoded(detailed(width, height))
    decoded = decode(data, 64)
    assert min(decoded.size) >= min(64, width, height)
    scale = width / decoded.width
    assert round(scale) in (1, 2, 4, 8)
    if scale > 1.5:
        assert min(decoded.size) >= 128  # twice the input
    assert decode(data).size == (width, height)


@pytest.mark.parametrize("size", [64, 96, 112])
@pytest.mark.parametrize(("width", "height"), [(1024, 768), (515, 800)])
def test_the_reduced_decode_is_close_to_the_full_one(width, height, size):
    # Twice the input size remains after the decoder's reduction, so that the resize, not the decoder's box filter,
    # dominates. On photographs the mean difference is 0.4 levels of 255, below JPEG noise.
    data = encoded(detailed(width, height))
    assert decode(data, size).size != (width, height), "nothing was reduced, so the test proves nothing"
    spec = InputSpec(size=size)
    full = np.asarray(resize(decode(data), spec)).astype(int)
    reduced = load_pixels(data, spec).astype(int)
    assert np.abs(full - reduced).mean() < 1
    assert np.abs(full - reduced).max() <= 16
    np.testing.assert_array_equal(load_pixels(Image.open(io.BytesIO(data)), spec), full)  # a PIL image is not reduced


# --- geometry ---------------------------------------------------------------------------------------------------------


def test_squash_fills_the_square():
    left_half = Image.new("RGB", (200, 50), "white")
    left_half.paste((0, 0, 0), (0, 0, 100, 50))
    result = np.asarray(resize(left_half, InputSpec(size=40)))
    assert (result[:, :18] == 0).all()
    assert (result[:, 22:] == 255).all()


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(200, 100, (0, 10, 40, 30)), (100, 200, (10, 0, 30, 40)), (77, 77, (0, 0, 40, 40)), (20, 10, (0, 10, 40, 30))],
    ids=["wide", "high", "square", "small"],
)
def test_pad_keeps_the_ratio_in_the_middle_of_white(width, height, box):
    result = np.asarray(resize(Image.new("RGB", (width, height), (10, 20, 30)), InputSpec(size=40, resize="pad")))
    left, top, right, bottom = box
    expected = np.full((40, 40, 3), 255)
    expected[top:bottom, left:right] = (10, 20, 30)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("width", "height"), [(20_000, 8), (8, 20_000)])
def test_pad_leaves_a_strip_visible(width, height):
    result = np.asarray(resize(Image.new("RGB", (width, height)), InputSpec(size=32, resize="pad")))
    assert result.shape == (32, 32, 3)
    assert (result == 0).sum() == 32 * 3  # one row or column of black


def test_shrinking_averages_and_does_not_alias():
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    result = np.asarray(resize(Image.fromarray(board).convert("RGB"), SPEC))
    assert np.abs(result.astype(int) - 127).max() <= 2


def test_an_image_of_the_input_size_is_not_touched():
    data = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for rule in ("squash", "pad"):
        result = load_pixels(encoded(Image.fromarray(data), "PNG"), InputSpec(size=32, resize=rule))
        np.testing.assert_array_equal(result, data)


# --- normalization ----------------------------------------------------------------------------------------------------

SEED = InputSpec(size=32, mean=(0.6765, 0.6347, 0.6207), std=(0.3284, 0.3371, 0.3379))


@pytest.mark.parametrize("spec", [SPEC, SEED], ids=["ImageNet", "iMaterialist"])
def test_normalize_is_the_textbook_formula(spec):
    batch = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = ((batch / 255 - np.array(spec.mean)) / np.array(spec.std)).transpose(0, 3, 1, 2)
    result = normalize(batch, spec)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_black_and_white_and_the_order_of_the_channels():
    batch = np.zeros((1, 32, 32, 3), np.uint8)
    batch[..., 0] = 255  # red
    result = normalize(batch, SPEC)
    assert result[0, :, 0, 0] == pytest.approx([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], abs=1e-6)


def test_scale_and_shift_are_float32_for_each_channel():
    for values in scale_and_shift(SEED):
        assert values.shape == (3,)
        assert values.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 16}, "16 is out of range; a ResNet takes 32 to 2048"),
        ({"size": 5000}, "5000"),
        ({"resize": "crop"}, "'crop' is unknown; choose 'squash' or 'pad'"),
        ({"mean": (0.5, 0.5)}, "mean .* three values"),
        ({"mean": (120.0, 115.0, 100.0)}, "between 0 and 1"),
        ({"std": (0.2, 0.0, 0.2)}, "zero"),
        ({"std": (0.2, float("nan"), 0.2)}, "std .*nan"),
    ],
    ids=str,
)
def test_an_impossible_input_is_refused_with_the_value_named(values, message):
    with pytest.raises(SettingError, match=message):
        InputSpec(**values)


# --- refused images ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_every_bad_image_is_refused_in_one_line_that_says_why(name):
    case = BAD_IMAGES[name]
    with pytest.raises(InvalidImage) as raised:
        load_pixels(case.data(), SPEC)
    message = str(raised.value)
    assert case.message in message
    assert "\n" not in message
    assert len(message) < 200


def test_the_size_limits_are_exact():
    assert decode(encoded(Image.new("L", (MIN_SIDE, MIN_SIDE)), "PNG")).size == (MIN_SIDE, MIN_SIDE)
    with pytest.raises(InvalidImage, match="7x8"):
        decode(encoded(Image.new("L", (MIN_SIDE - 1, MIN_SIDE)), "PNG"))
    with pytest.raises(InvalidImage, match="megapixels"):
        decode(Image.new("1", (MAX_PIXELS // 8 + 1, 8)))


def test_a_bomb_is_refused_before_it_is_decoded():
    """In a process limited to 400 MB; decoded, the three images take up to 10 GB."""
    program = """
import resource, sys
sys.path[:0] = sys.argv[1:]
from image_files import BAD_IMAGES
from fashion.errors import InvalidImage
from fashion.preprocess import InputSpec, load_pixels
bombs = [BAD_IMAGES[name].data() for name in ("85 megapixels", "120 megapixels", "a header of 60000x60000")]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in bombs:
    try:
        load_pixels(bomb, InputSpec())
    except InvalidImage:
        continue
    sys.exit("answered")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    tests = Path(__file__).parent
    command = [sys.executable, "-W", "error", "-c", program, str(tests), str(tests.parent)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 20_000  # KiB
    assert ended.stderr == ""


FUZZED = {
    "JPEG": lambda: encoded(photo().resize((60, 80))),
    "JPEG with EXIF": lambda: with_orientation(6),
    "JPEG with a color profile": lambda: encoded(photo().resize((60, 80)), icc_profile=display_p3()),
    "PNG": lambda: encoded(photo().resize((60, 80)), "PNG"),
    "palette PNG": ODD_IMAGES["palette with transparency"].data,
    "animated PNG": lambda: animated("PNG"),
    "WebP": lambda: encoded(photo().resize((60, 80)), "WEBP"),
    "GIF": lambda: encoded(photo().resize((60, 80)), "GIF"),
    "TIFF": lambda: encoded(photo().resize((60, 80)), "TIFF"),
    "BMP": lambda: encoded(photo().resize((60, 80)), "BMP"),
    "AVIF": lambda: encoded(photo().resize((60, 80)), "AVIF"),
}


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Change, remove, insert or truncate bytes; half of the time near the beginning, where the headers are."""
    changed = bytearray(data)
    end = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
    position, length = int(rng.integers(end)), int(rng.integers(1, 50))
    match rng.integers(4):
        case 0:
            for i in rng.integers(0, end, rng.integers(1, 6)):
                changed[i] = rng.integers(256)
        case 1:
            del changed[position:]
        case 2:
            del changed[position : position + length]
        case _:
            changed[position:position] = rng.bytes(length)
    return bytes(changed)


@pytest.mark.parametrize("kind", FUZZED)
def test_a_damaged_file_is_pixels_or_an_invalid_image_and_nothing_else(kind):
    data, rng = FUZZED[kind](), np.random.default_rng(0)
    load_pixels(data, SPEC)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(200):
            broken = damaged(data, rng)
            try:
                result = load_pixels(broken, SPEC)
            except InvalidImage:
                refused += 1
            else:
                assert (result.shape, result.dtype) == ((32, 32, 3), np.uint8)
    assert refused > 20


def test_threads_decode_at_the_same_time():
    cases = [case for name, case in ODD_IMAGES.items() if "wide" not in name] * 4
    sources = [case.data() for case in cases]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: load_pixels(data, SPEC), sources))
    for data, result in zip(sources, together, strict=True):
        np.testing.assert_array_equal(result, load_pixels(data, SPEC))
