"""Color names: twelve basic colors, finer names, and the basic color that a shop's label means.

The basic colors are the eleven basic terms of English (B. Berlin, P. Kay: Basic Color Terms, 1969) and beige, which
shops use like one. `names.csv` has finer names with sRGB values from the xkcd color survey of 2010, in which 222,500
people named colors (https://xkcd.com/color/rgb.txt, CC0): the names that a shop could use, each with a basic color by
this project's judgment. `labels.csv` has the basic color of shop labels whose last word does not give it.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashion.colors.cielab import ciede2000, hex_to_lab

BASIC_COLORS = (
    *("black", "white", "grey", "red", "green", "blue"),
    *("yellow", "brown", "orange", "pink", "purple", "beige"),
)
# Bonus subtracted from a basic color's CIEDE2000 distance. The names were given to colors on a screen, but black cloth,
# for example, is photographed as dark gray. `benchmarks.colors --fit` fits these values on training photographs; those
# of red, yellow, brown and beige were set by hand so that screen colors keep their names.
REACH = {
    "black": 14.0,
    "white": -6.0,
    "grey": -9.0,
    "red": 3.0,
    "green": 9.0,
    "blue": 3.0,
    "yellow": 3.0,
    "orange": 1.0,
    "pink": -1.0,
}
NEUTRAL = 4.0  # chroma C* below which a color can only be black, grey or white
COLORFUL = 12.0  # chroma C* from which a color can be none of these: navy blue is not black
NEUTRAL_COLORS = ("black", "white", "grey")

_FOLDER = Path(__file__).parent


class ColorNames(NamedTuple):
    """The table of finer color names.

    Attributes:
        names: N names.
        lab: L*, a*, b*, float32 (N, 3).
        basic: index of each name's basic color in `BASIC_COLORS`, (N,).
    """

    names: tuple[str, ...]
    lab: np.ndarray
    basic: np.ndarray


@cache
def color_names() -> ColorNames:
    """Load the table of finer names."""
    rows = _rows("names.csv")
    basic = np.array([BASIC_COLORS.index(row["basic"]) for row in rows])
    return ColorNames(tuple(row["name"] for row in rows), np.stack([hex_to_lab(row["hex"]) for row in rows]), basic)


def nearest_basic(distances: np.ndarray, chroma: np.ndarray, reach: Mapping[str, float]) -> np.ndarray:
    """Index of the nearest basic color in `BASIC_COLORS`, (...).

    Args:
        distances: CIEDE2000 differences to the nearest name of each basic color, (..., 12).
        chroma: C* of the colors, (...).
        reach: amount subtracted from each basic color's distance, see `REACH`.
    """
    colorful = np.array([name not in NEUTRAL_COLORS for name in BASIC_COLORS])
    refused = np.where(colorful, (chroma < NEUTRAL)[..., None], (chroma >= COLORFUL)[..., None])
    return np.where(refused, np.inf, distances - [reach.get(name, 0.0) for name in BASIC_COLORS]).argmin(axis=-1)


def basic_distances(lab: np.ndarray) -> np.ndarray:
    """CIEDE2000 differences between colors (N, 3) and the nearest name of each basic color, (N, 12)."""
    return _nearest_names(ciede2000(lab[:, None, :], color_names().lab))


def name_colors(lab: np.ndarray) -> list[tuple[str, str]]:
    """Basic color and finer name of colors (N, 3): the nearest basic color, then the nearest name within it."""
    table = color_names()
    found = ciede2000(lab[:, None, :], table.lab)
    basic = nearest_basic(_nearest_names(found), np.hypot(lab[:, 1], lab[:, 2]), REACH)
    finer = np.where(table.basic == basic[:, None], found, np.inf).argmin(axis=1)
    return [(BASIC_COLORS[i], table.names[j]) for i, j in zip(basic, finer, strict=True)]


def basic_of_label(label: str) -> str | None:
    """The basic color that a shop's label means, such as blue for `Navy Blue`; None for `Multi` and unknown ones."""
    text = " ".join(label.lower().replace("-", " ").split())
    listed = _labels()
    if text in listed:
        return listed[text] or None
    last = text.rpartition(" ")[2].replace("gray", "grey")
    return last if last in BASIC_COLORS else None


def _nearest_names(distances: np.ndarray) -> np.ndarray:
    """Differences to all names (N, names) -> to the nearest name of each basic color (N, 12)."""
    basic = color_names().basic
    return np.stack([distances[:, basic == i].min(axis=1) for i in range(len(BASIC_COLORS))], axis=1)


@cache
def _labels() -> dict[str, str]:
    table = color_names()
    found = {name: BASIC_COLORS[i] for name, i in zip(table.names, table.basic, strict=True)}
    return found | {row["label"].lower(): row["basic"] for row in _rows("labels.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
