"""Cloth: named colors with natural variation, and the surface of cotton, denim, knit and leather."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
RGB = tuple[float, float, float]
# (u, v (h, w) in garment units, pixel size in garment units) -> color (3, h, w) or (3, 1, 1), 0 to 1
Paint = Callable[[Floats, Floats, float], Floats]
# Same arguments -> brightness (h, w), about 1
Surface = Callable[[Floats, Floats, float], Floats]

RIBS = 24.0  # of rib knit, per unit of width

# Hue, saturation and value ranges (0 to 1) of each color name; distinguishable at 64 px
COLORS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "Beige": ((0.095, 0.125), (0.20, 0.30), (0.82, 0.90)),
    "Black": ((0.55, 0.70), (0.02, 0.14), (0.10, 0.15)),
    "Blue": ((0.585, 0.635), (0.62, 0.85), (0.45, 0.78)),
    "Brown": ((0.045, 0.075), (0.50, 0.68), (0.33, 0.46)),
    "Gray": ((0.55, 0.65), (0.01, 0.06), (0.46, 0.60)),
    "Green": ((0.33, 0.42), (0.45, 0.75), (0.36, 0.58)),
    "Pink": ((0.93, 0.965), (0.30, 0.48), (0.90, 0.97)),
    "Purple": ((0.74, 0.79), (0.42, 0.62), (0.42, 0.62)),
    "Red": ((0.985, 1.005), (0.78, 0.90), (0.70, 0.82)),
    "White": ((0.08, 0.14), (0.0, 0.04), (0.93, 0.97)),
    "Yellow": ((0.125, 0.148), (0.68, 0.85), (0.92, 0.98)),
}
_DENIM: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "Blue": ((0.590, 0.615), (0.42, 0.65), (0.36, 0.66)),
    "Black": ((0.60, 0.66), (0.06, 0.14), (0.13, 0.18)),
    "Gray": ((0.58, 0.62), (0.03, 0.08), (0.45, 0.58)),
    "White": ((0.10, 0.14), (0.01, 0.04), (0.92, 0.96)),
}


@dataclass(frozen=True)
class Cloth:
    """The cloth of a part; gloss is the strength of its highlights."""

    paint: Paint | Floats  # an array (3, 1, 1) for a uniform color
    gloss: float = 0.0


def shade_of(name: str, rng: np.random.Generator, material: str = "") -> RGB:
    """A random shade (RGB, 0 to 1) of a named color."""
    ranges = (_DENIM if material == "Denim" else COLORS)[name]
    hue, saturation, value = (rng.uniform(*limits) for limits in ranges)
    return colorsys.hsv_to_rgb(hue % 1, saturation, value)


def darker(color: RGB, by: float) -> RGB:
    return (color[0] * by, color[1] * by, color[2] * by)


def ink(color: RGB) -> Floats:
    """The color as an array (3, 1, 1), which broadcasts to a picture (3, h, w)."""
    return np.array(color, dtype=np.float32).reshape(3, 1, 1)


def plain(color: RGB, gloss: float = 0.0, surface: Surface | None = None) -> Cloth:
    value = ink(color)
    if surface is None:
        return Cloth(value, gloss)
    return covered(lambda u, v, pixel: value, surface, gloss)


def covered(paint: Paint, surface: Surface | None, gloss: float = 0.0) -> Cloth:
    """A pattern on a surface."""
    if surface is None:
        return Cloth(paint, gloss)
    return Cloth(lambda u, v, pixel: paint(u, v, pixel) * surface(u, v, pixel), gloss)


def surface(material: str, rng: np.random.Generator) -> tuple[Surface | None, float]:
    """The surface of a material of the taxonomy and its gloss."""
    if material == "Denim":
        return _denim(rng), 0.0
    if material == "Knit":
        return (_cables(rng) if rng.random() < 0.5 else _stitches(rng)), 0.0
    if material == "Leather":
        return _leather(rng), 2.6
    return None, 0.0


def ribbed(color: RGB) -> Cloth:
    """Rib knit, as on cuffs and collars: fine lines along v."""

    def lines(u: Floats, v: Floats, pixel: float) -> Floats:
        return 1 + np.float32(0.10) * np.sin(u * np.float32(2 * np.pi * RIBS))

    return plain(color, surface=lines)


class _Noise:
    """Periodic smooth noise: mean 0, standard deviation about 1; a tile of 64 x 64 grains is `period` garment units."""

    def __init__(self, rng: np.random.Generator, period: float) -> None:
        self._grains = rng.normal(size=(64, 64)).astype(np.float32)
        self._period = period
        self._texels: Floats | None = None

    def __call__(self, u: Floats, v: Floats, pixel: float) -> Floats:
        if self._texels is None:
            n = max(32, round(self._period / pixel))
            padded = Image.fromarray(np.pad(self._grains, 4, mode="wrap"))
            box = (4, 4, 68, 68)
            self._texels = np.asarray(padded.resize((n, n), Image.Resampling.BICUBIC, box=box))
        n = self._texels.shape[0]
        per_unit = np.float32(n / self._period)
        rows = np.floor(v * per_unit).astype(np.int32) % n
        return self._texels[rows, np.floor(u * per_unit).astype(np.int32) % n]


def _denim(rng: np.random.Generator) -> Surface:
    grains = _Noise(rng, 1.4)
    faded = rng.uniform(0.0, 0.28)  # strength of fading along the middle of the part

    def twill(u: Floats, v: Floats, pixel: float) -> Floats:
        lines = np.sin((u + v * np.float32(0.8)) * np.float32(2 * np.pi * 33))
        value = 1 + np.float32(0.075) * lines + np.float32(0.055) * grains(u, v, pixel)
        middle = np.abs(u) - np.float32(0.22)
        return value + np.float32(faded) * np.exp(-((middle / 0.12) ** 2) - ((v + 0.25) / 0.45) ** 2)

    return twill


def _stitches(rng: np.random.Generator) -> Surface:
    columns = rng.uniform(11, 15)

    def stockinette(u: Floats, v: Floats, pixel: float) -> Floats:
        across = u * np.float32(columns)
        across = np.abs(across - np.floor(across) - np.float32(0.5))
        along = np.sin((v * np.float32(columns * 0.95) - across * np.float32(1.1)) * np.float32(2 * np.pi))
        return np.float32(0.95) + np.float32(0.13) * along - np.float32(0.22) * (across > 0.38)

    return stockinette


def _cables(rng: np.random.Generator) -> Surface:
    pitch = rng.uniform(3.0, 3.8)

    def cables(u: Floats, v: Floats, pixel: float) -> Floats:
        across = u * np.float32(pitch)
        cell = across - np.floor(across) - np.float32(0.5)
        in_cable = np.abs(cell) < 0.27
        twist = np.sin((v * np.float32(4.2) + np.abs(cell) * 1.5 * np.sign(cell)) * np.float32(2 * np.pi))
        rope = np.float32(1.04) + np.float32(0.17) * twist - np.float32(1.9) * cell * cell
        rib = np.float32(0.90) + np.float32(0.12) * np.sin(u * np.float32(2 * np.pi * pitch * 6))
        return np.where(in_cable, rope, rib)

    return cables


def _leather(rng: np.random.Generator) -> Surface:
    grains = _Noise(rng, 1.1)

    def grain(u: Floats, v: Floats, pixel: float) -> Floats:
        return 1 + np.float32(0.028) * grains(u, v, pixel)

    return grain
