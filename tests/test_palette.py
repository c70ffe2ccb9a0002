"""Dominant colors of drawn products: shares, names, background excluded."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from catalog.coloring.segmentation import grabbed_product, product_pixels
from fashion.colors.cielab import ciede2000, hex_to_lab
from fashion.colors.naming import BASIC_COLORS, basic_of_label, color_names, name_colors
from fashion.colors.palette import MOST, basic_color, basic_shares, dominant_colors
from fashion.colors.plain_background import background_share, flood, plain_background


def drawn(product: str, ground: str = "#ffffff", stripe: str | None = None) -> np.ndarray:
    """A garment of 80 x 100 px in the middle of 120 x 160, optionally with a stripe over its lower half."""
    image = Image.new("RGB", (120, 160), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 30, 99, 129), product)
    if stripe:
        draw.rectangle((20, 80, 99, 129), stripe)
    return np.asarray(image)


def carpet(levels: np.ndarray) -> np.ndarray:
    """The same on a checkered carpet, with noise everywhere."""
    rng = np.random.default_rng(0)
    squares = np.kron(rng.integers(0, 2, (20, 15)), np.ones((8, 8)))[..., None]
    ground = np.where(squares, [150, 30, 30], [190, 160, 60])
    outside = (levels == 255).all(axis=-1)[..., None]
    return np.clip(np.where(outside, ground, levels) + rng.normal(0, 5, levels.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("color", "basic"),
    [
        *(("#1a1a1a", "black"), ("#f4f4f4", "white"), ("#808080", "grey"), ("#c01020", "red"), ("#207a30", "green")),
        *(("#1f4fa0", "blue"), ("#f2d21b", "yellow"), ("#6b4226", "brown"), ("#f07a12", "orange")),
        *(("#f49ac1", "pink"), ("#6a2c91", "purple"), ("#e0cfae", "beige"), ("#1f2b4a", "blue"), ("#7a1f2b", "red")),
    ],
)
def test_a_product_of_one_color(color, basic):
    levels = drawn(color, "#d0e8d0" if basic == "white" else "#ffffff")
    (found,) = dominant_colors(levels, product_pixels(levels))
    assert found.basic == basic
    assert found.share == pytest.approx(1)
    assert ciede2000(hex_to_lab(found.hex), hex_to_lab(color)) < 1


def test_the_background_is_not_a_color_of_the_product():
    levels = drawn("#1f4fa0", "#f0e0c0")
    assert {color.basic for color in dominant_colors(levels, product_pixels(levels))} == {"blue"}
    everything = np.ones(levels.shape[:2], bool)
    assert {color.basic for color in dominant_colors(levels, everything)} == {"blue", "beige"}


def test_two_colors_have_their_shares():
    levels = drawn("#c01020", stripe="#1f4fa0")
    red, blue = sorted(dominant_colors(levels, product_pixels(levels)), key=lambda color: color.basic, reverse=True)
    assert (red.basic, blue.basic) == ("red", "blue")
    assert red.share + blue.share == pytest.approx(1)
    assert 0.4 < red.share < 0.6


def test_shades_of_a_color_count_together():
    levels = drawn("#0b2a6b", stripe="#5f93d9").copy()
    levels[30:60, 20:100] = (150, 20, 20)
    colors = dominant_colors(levels, product_pixels(levels))
    assert basic_color(colors) == "blue"
    assert basic_shares(colors)[BASIC_COLORS.index("blue")] > basic_shares(colors)[BASIC_COLORS.index("red")] > 0


def test_noise_gives_few_colors_and_the_same_twice():
    levels = np.random.default_rng(1).integers(0, 256, (160, 120, 3)).astype(np.uint8)
    everything = np.ones(levels.shape[:2], bool)
    found = dominant_colors(levels, everything)
    assert 1 <= len(found) <= MOST
    assert found == dominant_colors(levels, everything)


def test_without_a_product_the_whole_photograph_counts():
    levels = drawn("#c01020")
    nothing = np.zeros(levels.shape[:2], bool)
    assert dominant_colors(levels, nothing) == dominant_colors(levels, ~nothing)


def test_the_inside_of_a_white_product_is_not_background():
    levels = drawn("#ffffff").copy()
    levels[30:130, 20], levels[30:130, 99], levels[30, 20:100], levels[129, 20:100] = 200, 200, 200, 200
    ground = plain_background(levels)
    assert ground is not None
    assert not ground[40:120, 30:90].any()
    assert ground[:30].all()


def test_flood_goes_around_corners():
    maze = np.ones((9, 9), bool)
    maze[1:8, 1], maze[1:8, 7], maze[1, 1:8], maze[7, 1:7] = False, False, False, False  # one opening, at the bottom
    maze[7, 6] = True
    assert flood(maze)[4, 4]
    maze[7, 6] = False
    assert not flood(maze)[4, 4]


def test_grabcut_finds_a_product_on_a_carpet():
    levels = carpet(drawn("#1f4fa0"))
    assert plain_background(levels) is None
    truth = np.zeros(levels.shape[:2], bool)
    truth[30:130, 20:100] = True
    found = grabbed_product(levels)
    assert (found & truth).sum() / (found | truth).sum() > 0.9
    assert basic_color(dominant_colors(levels, product_pixels(levels))) == "blue"


def test_the_background_share_detects_a_product_at_the_border():
    assert background_share(drawn("#c01020")) == 1
    levels = drawn("#c01020").copy()
    levels[130:, 20:100] = (192, 16, 32)
    assert 0.8 < background_share(levels) < 0.9


def test_names_are_of_their_basic_color():
    names = color_names()
    assert len(set(names.names)) == len(names.names) > 250
    assert set(names.basic) == set(range(len(BASIC_COLORS)))
    basic, name = name_colors(hex_to_lab("#01153e")[None])[0]
    assert basic == "blue"
    assert names.basic[names.names.index(name)] == BASIC_COLORS.index("blue")


@pytest.mark.parametrize(
    ("label", "basic"),
    [
        *(("Navy Blue", "blue"), ("navy", "blue"), ("Grey Melange", "grey"), ("Maroon", "red"), ("Off White", "white")),
        *(("Gray", "grey"), ("Dark-Green", "green"), ("Rose gold", "pink"), ("Multi", None), ("Paisley", None)),
    ],
)
def test_labels_of_shops(label, basic):
    assert basic_of_label(label) == basic
