"""Pictures made of tiles: layout, text width, and notebook output."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from fashion.errors import SettingError
from fashion.pictures.tiles import (
    EMPTY,
    GROUND,
    LINE,
    MARGIN,
    MARK,
    SMALL,
    TITLE,
    Picture,
    SheetLayout,
    Tile,
    fit_to_box,
    font,
    legend,
    sheet,
    side_by_side,
    stacked,
    truncate_text,
    wrap_names,
)

LAYOUT = SheetLayout(side=60, columns=3, lines=2)
RED = (200, 30, 30)


def color(name: str) -> tuple[int, ...]:
    return ImageColor.getrgb(name)


def test_tiles_are_laid_out_in_rows() -> None:
    photo = Image.new("RGB", (30, 30), RED)
    image = sheet([Tile(photo, [])] * 4, LAYOUT).image
    across, down = 60 + MARGIN, 60 + SheetLayout(60, 3, lines=0).caption + MARGIN  # without captions, no space for them
    assert image.size == (MARGIN + 2 * across, MARGIN + 2 * down)
    middles = [(MARGIN + 30 + x * across, MARGIN + 30 + y * down) for y in range(2) for x in range(2)]
    assert [image.getpixel(middle) == RED for middle in middles] == [True] * 4
    assert [LAYOUT.across(tiles) for tiles in (0, 1, 3, 4, 5, 6, 7, 9, 10)] == [1, 1, 3, 2, 3, 3, 3, 3, 3]
    assert sheet([Tile(photo, [])], LAYOUT).image.width == MARGIN + across  # no wider than its content


def test_a_photograph_keeps_its_proportions_and_is_centered() -> None:
    image = sheet([Tile(Image.new("RGB", (30, 10), RED), [], MARK)], LAYOUT).image
    column = [image.getpixel((MARGIN + 30, MARGIN + y)) for y in range(60)]
    assert [y for y, pixel in enumerate(column) if pixel == RED] == list(range(20, 40))
    assert image.getpixel((MARGIN - 1, MARGIN + 30)) == color(MARK)
    assert fit_to_box(Image.new("RGB", (1, 4000)), 60, 60).size == (1, 60)


def test_captions_have_the_height_of_the_longest() -> None:
    captions = [[], [("one", MARK)], [("one", MARK), ("two", MARK)], [("one", MARK)] * 3]
    heights = [sheet([Tile(None, []), Tile(None, lines)], LAYOUT).image.height for lines in captions]
    assert [height - heights[0] for height in heights] == [0, LINE, 2 * LINE, 2 * LINE]


def test_tiles_that_are_wider_than_high() -> None:
    layout = SheetLayout(side=60, columns=2, lines=0, height=20)
    image = sheet([Tile(Image.new("RGB", (30, 10), RED), [])] * 3, layout).image
    assert image.size == layout.size(3) == (MARGIN + 2 * (60 + MARGIN), MARGIN + 2 * (20 + layout.caption + MARGIN))
    red = (np.asarray(image) == RED).all(axis=2)
    assert red.sum() == 3 * 60 * 20
    assert red[MARGIN : MARGIN + 20, MARGIN : MARGIN + 60].all()


def test_no_photograph() -> None:
    image = sheet([Tile(None, [("gone", MARK)])], LAYOUT).image
    assert image.getpixel((MARGIN + 2, MARGIN + 2)) == color(EMPTY)


def test_a_title_is_above_and_moves_the_rest_down() -> None:
    tiles = [Tile(Image.new("RGB", (30, 30), RED), [])]
    plain, titled = (sheet(tiles, LAYOUT, title).image for title in ("", "nearest by color"))
    assert titled.height == plain.height + TITLE
    assert titled.crop((0, MARGIN + TITLE, *titled.size)).tobytes() == plain.crop((0, MARGIN, *plain.size)).tobytes()
    assert len(set(titled.crop((0, 0, titled.width, MARGIN + TITLE - 4)).getcolors())) > 1


def test_text_is_truncated_to_its_width() -> None:
    names = ["Hosiery, Stockings, Tights", "Black", "White", "Long Sleeved", "V-Necks"]
    assert wrap_names(names, 10_000, 3) == [", ".join(names)]
    lines = wrap_names(names, 120, 2)
    assert len(lines) == 2
    assert max(font(SMALL).getlength(line) for line in lines) <= 120
    assert lines[1].endswith("…")
    assert truncate_text("Écru", 100, SMALL) == "Écru"


def test_beside_and_a_legend() -> None:
    left, right = (Picture(Image.new("RGB", size, RED)) for size in ((10, 20), (30, 5)))
    image = side_by_side([left, right]).image
    assert image.size == (40, 20)
    assert (image.getpixel((39, 4)), image.getpixel((39, 6))) == (RED, color(GROUND))
    one, several = (legend([("short words in a row " * times, MARK)], 300).image for times in (1, 5))
    assert several.width == 300
    assert several.height > one.height
    assert color(MARK) in {pixel for _, pixel in several.getcolors(100_000)}


def test_stacked() -> None:
    narrow, wide = (Picture(Image.new("RGB", size, RED)) for size in ((10, 20), (30, 5)))
    image = stacked([narrow, wide]).image
    assert image.size == (30, 25)
    assert image.getpixel((20, 10)) == color(GROUND)


def test_the_notebook_representation_is_one_jpeg() -> None:
    picture = Picture(Image.effect_noise((300, 200), 40).convert("RGB"))
    with Image.open(io.BytesIO(picture._repr_jpeg_())) as shown:
        assert (shown.format, shown.size) == ("JPEG", (300, 200))
    assert not hasattr(picture, "_repr_png_")  # both would be stored in the notebook file


def test_endings_that_cannot_be_written(tmp_path) -> None:
    picture = Picture(Image.new("RGB", (30, 30)))
    for ending in (".txt", ".psd", ".fits"):
        with pytest.raises(SettingError, match=rf"^--out '.*sheet\{ending}' must end in \.jpg, \.png"):
            picture.write(tmp_path / f"sheet{ending}", "--out")
    for ending in (".xbm", ".hdf", ".blp"):
        with pytest.raises(
            SettingError, match=rf"^--out '.*sheet\{ending}' cannot be written: .*; let it end in \.png$"
        ):
            picture.write(tmp_path / f"sheet{ending}", "--out")
    with pytest.raises(SettingError, match=r"sheet\.jpg' cannot be written"):
        Picture(Image.new("RGB", (1, 65_600))).write(tmp_path / "sheet.jpg")
    assert not list(tmp_path.iterdir())
    with Image.open(picture.write(tmp_path / "new" / "sheet.png")) as written:
        assert written.size == (30, 30)
