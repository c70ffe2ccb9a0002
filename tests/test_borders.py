"""Wide uniform borders: they are found in any color and cropped to a usual margin; nothing else is cropped."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
from image_files import EXIF_ORIENTATION, encoded
from PIL import Image, ImageDraw

from fashion.borders import CONTENT, TOLERANCE, WIDE, crop_border, crop_region
from fashion.errors import SettingError
from fashion.explanation import overlay
from fashion.preprocess import InputSpec, decode, decode_and_crop, load_pixels, resize
from training.data.augment import Box, Change, crop_and_resize

KEEP, CUT = InputSpec(size=64), InputSpec(size=64, border="cut")
WHITE, GRAY, BLACK, PINK = (255, 255, 255), (205, 205, 208), (4, 3, 5), (250, 190, 210)


def garment(width: int, height: int) -> Image.Image:
    """A striped tee that fills the image, RGBA, on a transparent background."""
    image = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(image)
    outline = [(0.3, 0), (0.7, 0), (1, 0.3), (0.85, 0.42), (0.78, 0.35), (0.78, 1), (0.22, 1), (0.22, 0.35)]
    points = [(x * (width - 1), y * (height - 1)) for x, y in [*outline, (0.15, 0.42), (0, 0.3)]]
    draw.polygon(points, fill=(180, 30, 60, 255))
    for y in range(0, height, max(2, height // 8)):
        draw.line((0.25 * width, y, 0.75 * width, y), fill=(30, 40, 120, 255), width=max(1, height // 40))
    return image


def photograph(
    part: float, color=WHITE, size=(600, 600), place=(0.5, 0.5), content=(1.0, 1.0), noise: float = 0.0
) -> Image.Image:
    """A tee covering `part` of the shorter side; `place` is its position between the edges, `content` stretches it."""
    image = Image.new("RGB", size, color)
    side = part * min(size)
    tee = garment(round(side * content[0]), round(side * content[1]))
    left, top = (round(at * (whole - own)) for at, whole, own in zip(place, size, tee.size, strict=True))
    image.paste(tee, (left, top), tee)
    if noise:
        values = np.asarray(image) + np.random.default_rng(0).normal(0, noise, (size[1], size[0], 3))
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    return image


def jpeg(image: Image.Image, quality: int = 80) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, quality=quality))).convert("RGB")


def covered(image: Image.Image, color=WHITE) -> tuple[float, float]:
    """The fractions of the width and of the height that differ from this color."""
    other = (np.abs(np.asarray(image).astype(int) - color) > 3 * TOLERANCE).any(2)
    across, down = (np.flatnonzero(other.any(axis)) for axis in (0, 1))
    return (np.ptp(across) + 1) / image.width, (np.ptp(down) + 1) / image.height


# --- cropped ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", [WHITE, GRAY, BLACK, PINK])
@pytest.mark.parametrize("part", [0.5, 0.35, 0.25, 0.15])
def test_a_small_product_becomes_a_usual_photograph(part, color):
    image = jpeg(photograph(part, color))
    result = crop_border(image)
    assert covered(result, color) == pytest.approx((CONTENT, CONTENT), abs=0.1)  # JPEG ringing counts too
    assert result.width == pytest.approx(result.height, abs=1)


@pytest.mark.parametrize("part", [0.6, 0.7, 0.9, 1.0])
def test_usual_photographs_stay_as_they_are(part):
    image = jpeg(photograph(part))
    assert crop_border(image) is image


def test_a_cropped_white_border_leaves_the_pixels_nearly_unchanged():
    # Four times as wide and high as the product, as for marketplaces that require squares.
    plain = photograph(0.9, size=(300, 300))
    bordered = Image.new("RGB", (1200, 1200), WHITE)
    bordered.paste(plain, (450, 450))
    expected, found, kept = (
        load_pixels(encoded(image), spec).astype(int)
        for image, spec in ((plain, KEEP), (bordered, CUT), (bordered, KEEP))
    )
    assert np.abs(found - expected).mean() < 12
    assert np.abs(kept - expected).mean() > 40


@pytest.mark.parametrize("place", [(0, 0), (1, 0), (0.5, 1), (0.9, 0.2)])
def test_a_product_in_a_corner_is_found(place):
    image = photograph(0.4, place=place)
    result = crop_border(image)
    assert covered(result) == pytest.approx((CONTENT, CONTENT), abs=0.03)


def test_noise_and_a_slight_shadow_are_still_a_border():
    assert crop_region(jpeg(photograph(0.3, GRAY, noise=3))) is not None
    shadow = np.asarray(photograph(0.3, GRAY)).astype(float)
    shadow -= np.linspace(-0.8, 0.8, 600)[:, None, None] * TOLERANCE
    assert crop_region(Image.fromarray(shadow.clip(0, 255).astype(np.uint8))) is not None


@pytest.mark.parametrize(("width", "height"), [(600, 800), (900, 500), (450, 600)])
@pytest.mark.parametrize("content", [(1, 1), (0.3, 1), (1, 0.2)])
def test_the_aspect_ratio_and_the_whole_product_are_kept(width, height, content):
    image = photograph(0.4, size=(width, height), content=content, place=(0.7, 0.3))
    result = crop_border(image)
    ratio = min(max(width / height, 3 / 4), 4 / 3)
    assert result.width / result.height == pytest.approx(ratio, rel=0.02)
    for whole, own, side in zip(covered(image), covered(result), (0, 1), strict=True):
        assert own * result.size[side] == pytest.approx(whole * image.size[side], abs=2)  # nothing of it is cropped


def test_a_banner_loses_the_border_of_its_long_sides():
    image = photograph(0.9, size=(1200, 400))
    result = crop_border(image)
    assert result.size == pytest.approx((533, 400), abs=2)
    middle = image.resize((1200, 400)).crop((334, 0, 866, 400))
    assert np.abs(np.asarray(result.resize((532, 400))).astype(int) - np.asarray(middle)).mean() < 4


# --- not cropped ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", [WHITE, GRAY, BLACK])
def test_a_blank_wall_stays(color):
    wall = Image.new("RGB", (300, 200), color)
    assert crop_border(wall) is wall
    noise = np.random.default_rng(0).normal(0, 3, (200, 300, 3))
    noisy = jpeg(Image.fromarray((np.asarray(wall) + noise).round().clip(0, 255).astype(np.uint8)))
    assert crop_border(noisy) is noisy


def test_dust_on_a_wall_is_not_a_product():
    image = Image.new("RGB", (600, 600), WHITE)
    image.paste(BLACK, (300, 300, 312, 312))
    assert crop_border(image) is image


def test_a_photograph_full_of_things_stays():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    assert crop_border(noise) is noise
    ramp = np.broadcast_to(np.linspace(0, 255, 300)[:, None, None], (300, 300, 3)).astype(np.uint8)
    slope = Image.fromarray(ramp.copy())
    slope.paste((200, 0, 0), (130, 130, 170, 170))
    assert crop_border(slope) is slope


@pytest.mark.parametrize("size", [(8, 8), (8, 4000), (4000, 8), (20, 30)])
def test_odd_sizes_never_give_an_empty_image(size):
    for left, top in ((0, 0), (size[0] - 1, size[1] - 1), (size[0] // 2, size[1] // 2)):
        image = Image.new("RGB", size, WHITE)
        image.putpixel((left, top), BLACK)
        result = crop_border(image)
        assert min(result.size) >= 1
        assert load_pixels(image, CUT).shape == (64, 64, 3)


# --- as an input rule -------------------------------------------------------------------------------------------------


def test_keep_is_the_default_and_other_rules_are_refused():
    assert InputSpec().border == "keep"
    assert InputSpec(**{name: value for name, value in asdict(KEEP).items() if name != "border"}) == KEEP
    with pytest.raises(SettingError, match="'trim' is unknown; choose 'keep' or 'cut'"):
        InputSpec(border="trim")


def test_a_photograph_without_a_border_has_the_same_pixels_under_both_rules():
    data = encoded(photograph(0.8, size=(640, 480)))
    np.testing.assert_array_equal(load_pixels(data, CUT), load_pixels(data, KEEP))


@pytest.mark.parametrize("part", [0.5, 0.25, 0.12])
def test_the_cropped_part_is_decoded_finely_enough(part):
    image = photograph(part, size=(2000, 2000))
    data = encoded(image)
    left = decode_and_crop(data, CUT)
    assert min(left.size) >= min(2 * CUT.size, int(part * 2000))
    assert max(left.size) < 2000 * part / CONTENT * 1.1  # no border is left
    # Compare with the full decode; the window's edges are those of the first, coarser decode.
    found = crop_region(decode(data, CUT.size))
    full = resize(decode(data).crop(found.edges((2000, 2000))), CUT)
    assert np.abs(load_pixels(data, CUT).astype(int) - np.asarray(full)).mean() < 4  # half a pixel of the stripes
    np.testing.assert_allclose(found, crop_region(image), atol=0.015 * part + 0.002)


def test_a_turned_photograph_is_cut_as_the_upright_one(tmp_path):
    upright = photograph(0.3, size=(900, 1200), place=(0.2, 0.7))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif))
    difference = load_pixels(path, CUT).astype(int) - load_pixels(encoded(upright), CUT)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("resize", ["squash", "pad"])
def test_training_crops_like_serving(resize):
    spec = replace(CUT, resize=resize)
    data = encoded(photograph(0.25, size=(1200, 900)))
    np.testing.assert_array_equal(Change().pixels(data, spec), load_pixels(data, spec))
    # A border added by augmentation comes later and stays.
    added = Change(crop=Box(-0.5, -0.5, 2.0, 2.0)).pixels(data, spec)
    np.testing.assert_array_equal(
        added, np.asarray(crop_and_resize(decode_and_crop(data, spec, 64), Box(-0.5, -0.5, 2.0, 2.0), spec))
    )
    assert covered(Image.fromarray(added))[0] < WIDE


def test_a_heat_map_is_aligned_with_the_product():
    image = photograph(0.25, GRAY, size=(400, 400), place=(0.8, 0.2))
    evidence = np.full((8, 8), -1.0)
    evidence[:4, :4] = 2.0  # the upper left quarter of the network's input
    with_color, without = (np.asarray(overlay(image, values, CUT), int) for values in (evidence, 0 * evidence))
    changed = np.abs(with_color - without)
    left, top, right, bottom = (edge / 400 * 384 for edge in crop_region(image).edges(image.size))
    rows, columns = (np.flatnonzero(changed.sum(2).any(axis)) for axis in (1, 0))
    assert (columns[0], rows[0]) == pytest.approx((left, top), abs=2)
    assert columns[-1] == pytest.approx((left + right) / 2, abs=(right - left) / 6)
    assert rows[-1] == pytest.approx((top + bottom) / 2, abs=(bottom - top) / 6)
