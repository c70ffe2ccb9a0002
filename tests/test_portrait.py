"""Pictures of photographs with the model's answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from photos import photo
from PIL import Image, ImageColor

from fashion.errors import InvalidImage, SettingError
from fashion.pictures.portrait import BAR, FULL, MARGIN, WEAK, WIDTH, gallery, heat_maps, portrait
from fashion.pictures.tiles import HEAT_MAP_LAYOUT, MARK, RIGHT, WRONG, Picture
from fashion.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_bundle(bundle, engine="int8")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(photo(i))
    return paths


def pixels(picture: Picture | Image.Image, color: str) -> int:
    """The number of pixels with exactly this color."""
    image = picture.image if isinstance(picture, Picture) else picture
    return int((np.asarray(image) == ImageColor.getrgb(color)).all(axis=2).sum())


def column(picture: Picture, number: int) -> Image.Image:
    left = MARGIN + number * (WIDTH + MARGIN)
    return picture.image.crop((left, MARGIN, left + WIDTH, MARGIN + WIDTH))


def close(one: Image.Image, other: Image.Image) -> bool:
    small = [np.asarray(image.resize((16, 16)), dtype=int) for image in (one, other)]
    return bool(np.abs(small[0] - small[1]).mean() < 8)


def test_a_portrait_shows_the_photograph_the_bars_and_two_maps(predictor: Predictor, photos: Sequence[Path]) -> None:
    picture = portrait(predictor, photos[1])
    assert picture.image.width == 4 * (WIDTH + MARGIN) + MARGIN
    original = Image.open(photos[1]).convert("RGB")
    assert close(column(picture, 0), original)
    evidence = [[np.asarray(image.resize((16, 16)), int) for image in (column(picture, i), original)] for i in (2, 3)]
    assert max(np.abs(one - other).max() for one, other in evidence) > 60  # there is color somewhere
    answers = predictor.answer(predictor.predict(photos[1]))["attributes"]
    length = sum(round(WIDTH * attribute["probability"]) for attribute in answers)
    assert pixels(picture, FULL) == pytest.approx(8 * length, rel=0.05)  # except for pixels covered by marks


def test_groups_without_an_answer_show_the_best_guess_in_gray(predictor: Predictor, photos: Sequence[Path]) -> None:
    strict, loose = (portrait(predictor, photos[1], profile=profile) for profile in ("1.0", "0.0"))
    assert max(pixels(strict, FULL), pixels(loose, WEAK)) < 50  # text has a few pixels of any color
    assert min(pixels(strict, WEAK), pixels(loose, FULL)) > 500
    assert strict.image.height < loose.image.height  # one of each group, and every attribute
    assert pixels(strict, MARK) > 50 > pixels(loose, MARK)  # a threshold of 0 has no mark


def test_maps_of_the_groups_that_are_named(predictor: Predictor, photos: Sequence[Path]) -> None:
    assert portrait(predictor, photos[0], groups=["sleeve"]).image.width == 3 * (WIDTH + MARGIN) + MARGIN
    assert heat_maps(predictor, photos[0]).image.size == HEAT_MAP_LAYOUT.size(1 + 3)
    assert heat_maps(predictor, photos[0], ["color"]).image.size == HEAT_MAP_LAYOUT.size(1 + 1)
    for draw in (portrait, heat_maps):
        with pytest.raises(SettingError, match=r"group 'collar' is unknown; the model has: category, color, sleeve"):
            draw(predictor, photos[0], ["collar"])
        with pytest.raises(InvalidImage):
            draw(predictor, photos[0].with_name("missing.jpg"))


def test_a_gallery_marks_right_and_wrong_answers(predictor: Predictor, photos: Sequence[Path]) -> None:
    plain = gallery(predictor, photos)
    assert plain.image.width == 4 * (WIDTH + MARGIN) + MARGIN
    assert pixels(plain, BAR) > 0
    assert pixels(plain, RIGHT) == pixels(plain, WRONG) == 0
    named = [predictor.answer(predictor.predict(path))["attributes"] for path in photos]
    right = [{a["group"]: [b["name"] for b in found if b["group"] == a["group"]] for a in found} for found in named]
    judged = gallery(predictor, photos, right)
    assert (pixels(judged, RIGHT) > 100, pixels(judged, WRONG)) == (True, 0)
    # No label is true, so all answers are wrong. A group unknown to the model counts neither way.
    judged = gallery(predictor, photos, [{"category": [], "color": [], "sleeve": [], "brand": ["Acme"]}] * 5)
    assert (pixels(judged, RIGHT), pixels(judged, WRONG) > 100) == (0, True)
    assert judged.image.size == plain.image.size
    assert gallery(predictor, photos, [{}] * 5).image.tobytes() == plain.image.tobytes()


def test_missed_labels_are_shown(predictor: Predictor, photos: Sequence[Path]) -> None:
    answers = predictor.answer(predictor.predict(photos[0]))["attributes"]
    others = [label for label in predictor.card.labels if label.name not in [answer["name"] for answer in answers]]
    truth = {others[0].group: [others[0].name]}
    assert gallery(predictor, photos[:1], [truth]).image.height > gallery(predictor, photos[:1]).image.height
