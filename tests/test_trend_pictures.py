"""Trends and comparisons as pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageColor
from scored_catalog import products, write_catalog

from catalog.analysis.growth import Trends, trends
from catalog.analysis.portfolios import Comparison, compare
from catalog.analysis.report.pictures import BARS, NAME, PLOTS, ROW, THICK, draw_comparison, draw_trends
from fashion.pictures.pages import THEMES
from fashion.pictures.tiles import RIGHT, SOFT, WRONG, Picture


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products whose first label becomes more frequent over time; Acme sells most of the third label."""
    rows = products(300)
    for row in rows:
        month = row["added"].month
        row["logits"][:] = -3
        row["logits"][0] = 3 if row["price"] is not None and row["price"] % 4 < month else -3
        row["logits"][2] = 3 if row["brand"] == "Acme" else -3
    return write_catalog(tmp_path_factory.mktemp("trends"), rows).folder


@pytest.fixture(scope="module")
def found(catalog: Path) -> Trends:
    return trends(catalog, by="week", column="added")


@pytest.fixture(scope="module")
def shops(catalog: Path) -> Comparison:
    return compare(catalog, split=("brand = Acme", "brand != Acme"))


def pixels(picture: Picture, color: str) -> np.ndarray:
    """Mask of the pixels with exactly this color, (H, W)."""
    return (np.asarray(picture.image) == ImageColor.getrgb(color)).all(axis=2)


def test_trends_come_first(found: Trends) -> None:
    (riser,) = found.risers
    assert not found.fallers
    assert draw_trends(found).image.size == PLOTS.size(6)
    one, two = (draw_trends(found, most) for most in (1, 2))
    assert one.image.width < two.image.width == PLOTS.size(2)[0]
    line = THEMES[0].mark  # drawn only for trends
    captions = pixels(one, RIGHT)[-PLOTS.caption :], pixels(one, WRONG)[-PLOTS.caption :]
    assert [caption.any() for caption in captions] == [True, False]
    assert pixels(two, SOFT)[:, PLOTS.place(1, 2)[0] :].any()
    columns = np.flatnonzero((np.abs(np.asarray(two.image, dtype=int) - ImageColor.getrgb(line)) < 60).all(2).any(0))
    assert columns.max() < PLOTS.place(1, 2)[0]
    assert riser.name == "Dresses"


def test_bars_are_as_long_as_the_shares(shops: Comparison) -> None:
    picture = draw_comparison(shops, most=3)
    assert picture.image.height == 4 * ROW
    first = max(shops.differences, key=lambda row: abs(row.difference))
    lengths = [pixels(picture, color)[ROW : 2 * ROW, NAME:].any(axis=0).sum() for color in BARS]
    assert lengths[0] > 10 * THICK
    assert lengths[1] / lengths[0] == pytest.approx(first.shares[1] / first.shares[0], abs=0.02)
    assert pixels(picture, BARS[0])[:ROW].any()  # the legend
