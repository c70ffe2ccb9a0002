"""training.data.color: the same colors as torchvision's functions applied one after the other."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from training.data.color import adjust, change_colors, turn_hue


def noise(low: int, high: int) -> Image.Image:
    """Pixels of all hues between two levels, including grays and pure colors."""
    image = np.random.default_rng(0).integers(low, high + 1, (60, 70, 3), dtype=np.uint8)
    ends = (low, high)
    image[0, :8] = [(red, green, blue) for red in ends for green in ends for blue in ends]
    return Image.fromarray(image)


def planes(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize(
    "factors", [(1.2, 1, 1), (1, 0.8, 1), (1, 1, 1.2), (1.15, 0.85, 0.8), (0.8, 1.2, 1.2), (1, 1, 0)]
)
def test_one_matrix_equals_three_passes(factors: tuple[float, float, float]) -> None:
    image = noise(70, 170)  # mid-range, so that no intermediate result is clipped
    brightness, contrast, saturation = factors
    found = np.asarray(adjust(image, *factors)).astype(int)
    # In floating point they differ by our rounding only; on bytes torchvision truncates after each pass.
    for scale, within in ((1 / 255, 1.0), (None, 3.0)):
        expected = planes(image) if scale is None else planes(image).double() * scale
        expected = functional.adjust_brightness(expected, brightness)
        expected = functional.adjust_contrast(expected, contrast)
        expected = functional.adjust_saturation(expected, saturation).permute(1, 2, 0) / (scale or 1)
        assert np.abs(found - expected.numpy()).max() <= within


def test_only_the_end_result_is_clipped() -> None:
    image = Image.new("RGB", (8, 8), (240, 240, 240))
    image.paste((200, 200, 200), (0, 0, 4, 8))
    light, dark = np.asarray(adjust(image, 1.3, 0.5, 1))[0, [7, 0], 0]  # 312 and 260, about their mean of 286
    assert (light, dark) == (255, 255)
    light, dark = np.asarray(adjust(image, 1.1, 0.5, 1))[0, [7, 0], 0]  # 264 and 220, about 242
    assert (light, dark) == (253, 231)


@pytest.mark.parametrize("turns", [0.02, -0.02, 0.1, -0.1, 1 / 6, 0.3, -0.45, 0.5, -0.5])
def test_hues_rotate_as_in_hsv(turns: float) -> None:
    image = noise(0, 255)
    step = round(384 * turns) / 384
    exact = functional.adjust_hue(planes(image).double() / 255, step).permute(1, 2, 0).numpy() * 255
    assert np.abs(turn_hue(image, turns) - exact).max() <= 0.51  # half a level is the rounding
    levels = functional.adjust_hue(planes(image), step).permute(1, 2, 0).numpy().astype(int)
    assert np.abs(turn_hue(image, turns) - levels).max() <= 1
    here = functional.adjust_hue(planes(image).double() / 255, turns).permute(1, 2, 0).numpy() * 255
    assert np.abs(turn_hue(image, turns) - here).max() <= 2.5  # half a step is 1/128 of 255 levels


def test_hue_rotation_does_not_overflow_16_bits() -> None:
    """Black, white and all levels between, over the whole hue circle: no 16-bit overflow."""
    levels = np.array([0, 1, 127, 128, 254, 255], np.uint8)
    image = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 6, 3))
    for step in range(-192, 193):
        exact = functional.adjust_hue(planes(image).double() / 255, step / 384).permute(1, 2, 0).numpy() * 255
        assert np.abs(turn_hue(image, step / 384) - exact).max() <= 0.51


@pytest.mark.parametrize("factors", [(1, 1, 1), (1.2, 0.9, 1.1)])
@pytest.mark.parametrize("turns", [0, 0.1, -0.4])
def test_the_combined_adjustment_equals_the_sequence(factors: tuple[float, float, float], turns: float) -> None:
    image = noise(0, 255)
    adjusted = adjust(image, *factors)
    expected = turn_hue(adjusted, turns) if turns else np.asarray(adjusted)
    assert np.array_equal(change_colors(image, *factors, turns), expected)
    assert np.array_equal(change_colors(image, *factors, turns, mirrored=True), expected[:, ::-1])


def test_hues_of_pure_colors_and_grays() -> None:
    image = Image.new("RGB", (3, 1), (200, 0, 0))
    image.putpixel((1, 0), (90, 90, 90))
    image.putpixel((2, 0), (0, 0, 200))
    assert turn_hue(image, 1 / 6)[0].tolist() == [[200, 200, 0], [90, 90, 90], [200, 0, 200]]
    assert turn_hue(image, -1 / 3)[0].tolist() == [[0, 0, 200], [90, 90, 90], [0, 200, 0]]


def test_all_parts_of_a_large_image_are_turned() -> None:
    image = noise(0, 255).resize((300, 300))  # 90,000 pixels, more than one part
    top = image.crop((0, 0, 300, 10)), image.crop((0, 290, 300, 300))
    turned = turn_hue(image, 0.2)
    assert np.array_equal(turned[:10], turn_hue(top[0], 0.2))
    assert np.array_equal(turned[290:], turn_hue(top[1], 0.2))
