"""training.data.augment: the changes, their limits and the distributions of drawn values."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_bundle import garments

from fashion.preprocess import InputSpec, decode, load_pixels, resize
from training.data.augment import NO_AUGMENT, WHOLE, Augment, Box, Change, crop_and_resize

SQUASH, PAD = InputSpec(size=64), InputSpec(size=64, resize="pad")
STRONG = Augment(flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1, crop_scale=0.5)


def photograph(width: int, height: int) -> bytes:
    """A JPEG of smooth colors, none of them white."""
    small = np.random.default_rng(1).integers(20, 200, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize("spec", [SQUASH, PAD])
@pytest.mark.parametrize("size", [(90, 130), (700, 400)])  # the second is decoded at half size
def test_without_augmentation_training_pixels_equal_serving_pixels(spec: InputSpec, size: tuple[int, int]) -> None:
    image = photograph(*size)
    assert np.array_equal(NO_AUGMENT.draw().pixels(image, spec), load_pixels(image, spec))
    assert np.array_equal(Change(flip=True).pixels(image, spec), load_pixels(image, spec)[:, ::-1])


@pytest.mark.parametrize("spec", [SQUASH, PAD])
def test_a_crop_is_that_part_of_the_resized_image(spec: InputSpec) -> None:
    image = decode(photograph(90, 130))
    part = crop_and_resize(image, Box(0.25, 0.125, 0.5, 0.5), spec)
    # Reference: resize the whole image to four times the size, so that no detail is lost, crop, and resize again.
    large = resize(image, replace(spec, size=256)).crop((64, 32, 192, 160)).resize((64, 64), Image.Resampling.BILINEAR)
    difference = np.abs(np.asarray(part).astype(int) - np.asarray(large))
    inside = difference[:, 4:-4] if spec.resize == "squash" else difference[:, 8:56]
    assert inside.max() <= 6
    assert difference.mean() < 2


def test_a_crop_of_the_padding_is_white() -> None:
    tall = decode(photograph(40, 400))
    assert np.asarray(crop_and_resize(tall, Box(0.0, 0.0, 0.3, 0.3), PAD)).min() == 255
    half = np.asarray(
        crop_and_resize(tall, Box(0.25, 0.25, 0.5, 0.5), PAD)
    )  # the image covers a tenth of the padded width
    assert (half < 255).any(2).all(0).nonzero()[0].tolist() == list(range(26, 38))


def test_a_crop_is_decoded_finely_enough() -> None:
    image = photograph(1200, 1200)
    box = Box(0.4, 0.4, 0.25, 0.25)
    fine = np.asarray(crop_and_resize(decode(image), box, SQUASH)).astype(int)
    assert np.abs(Change(crop=box).pixels(image, SQUASH) - fine).max() <= 4


def test_flips_come_at_the_stated_rate() -> None:
    torch.manual_seed(0)
    flips = [Augment(flip=0.3).draw().flip for _ in range(2000)]
    assert np.mean(flips) == pytest.approx(0.3, abs=0.031)  # three standard deviations
    assert not any(Augment().draw().flip for _ in range(200))
    assert all(Augment(flip=1).draw().flip for _ in range(200))


def test_values_fill_their_ranges() -> None:
    torch.manual_seed(0)
    changes = [STRONG.draw() for _ in range(1000)]
    for name, middle, reach in (("brightness", 1, 0.2), ("contrast", 1, 0.2), ("saturation", 1, 0.2), ("hue", 0, 0.1)):
        values = np.array([getattr(change, name) for change in changes])
        assert values.min() == pytest.approx(middle - reach, abs=reach / 50)
        assert values.max() == pytest.approx(middle + reach, abs=reach / 50)
        assert values.mean() == pytest.approx(middle, abs=reach / 10)
    one_each = np.corrcoef([[change.brightness, change.contrast, change.hue] for change in changes], rowvar=False)
    assert np.abs(one_each - np.eye(3)).max() < 0.15


def test_crops_have_the_stated_area_and_lie_inside() -> None:
    torch.manual_seed(0)
    boxes = [STRONG.draw().crop for _ in range(1000)]
    areas = [box.width * box.height for box in boxes]
    assert 0.5 <= min(areas) < 0.52
    assert 0.95 < max(areas) <= 1
    for box in boxes:
        assert 0 <= box.left <= box.left + box.width <= 1 + 1e-9
        assert 0 <= box.top <= box.top + box.height <= 1 + 1e-9
        assert 3 / 4 - 1e-9 <= box.width / box.height <= 4 / 3 + 1e-9
    assert Augment(flip=0.5).draw().crop == WHOLE


def test_borders_have_the_color_of_a_corner_and_the_stated_width() -> None:
    torch.manual_seed(0)
    crops = [Augment(border=0.2).draw().crop for _ in range(400)]
    assert 0.4 < np.mean([crop == WHOLE for crop in crops]) < 0.6
    margins = np.array([[-c.left, -c.top, c.left + c.width - 1, c.top + c.height - 1] for c in crops if c != WHOLE])
    assert margins.min() >= 0
    assert 0.19 < margins.max() <= 0.2
    image = Image.new("RGB", (64, 64), (10, 200, 30))
    image.paste((0, 0, 255), (16, 16, 48, 48))
    found = np.asarray(crop_and_resize(image, Box(-0.5, -0.5, 2.0, 2.0), SQUASH))  # half as large, in the middle
    assert (found[:16] == (10, 200, 30)).all()
    assert (found[30:34, 30:34] == (0, 0, 255)).all()


def test_recolored_images_turn_to_any_hue_at_the_stated_rate() -> None:
    torch.manual_seed(0)
    changes = [Augment(recolor=0.25, hue=0.01).draw() for _ in range(800)]
    assert 0.2 < np.mean([change.recolored for change in changes]) < 0.3
    turned = [change.hue for change in changes if change.recolored]
    assert min(turned) < -0.4
    assert max(turned) > 0.4
    assert max(abs(change.hue) for change in changes if not change.recolored) <= 0.01


def test_the_same_seed_draws_the_same_changes() -> None:
    image = photograph(100, 100)
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append([STRONG.draw().pixels(image, SQUASH) for _ in range(3)])
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0][0], drawn[0][1])


def test_walls_replace_images_at_the_stated_rate() -> None:
    torch.manual_seed(0)
    changes = [Augment(blank=0.25).draw() for _ in range(800)]
    assert 0.2 < np.mean([change.blank for change in changes]) < 0.3
    image = Image.fromarray(garments(1, 64, seed=1)[0])
    walls = [Change(blank=True).pixels(image, SQUASH) for _ in range(20)]
    assert {(found.shape, found.dtype) for found in walls} == {((64, 64, 3), np.dtype(np.uint8))}
    assert max(found.std((0, 1)).max() for found in walls) < 30  # no edges, only light and noise
    means = [float(found.mean()) for found in walls]
    assert max(means) - min(means) > 100
