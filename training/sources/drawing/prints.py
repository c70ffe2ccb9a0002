"""Patterns from seamlessly repeating tiles: flowers, hearts, camouflage, leopard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.sources.drawing.cloth import RGB, Floats, Paint, darker
from training.sources.drawing.geometry import Points, ellipse, turned

_Stamp = Callable[[ImageDraw.ImageDraw, Points, float, float], None]  # pen, center, size (pixels), angle


def _bytes(color: RGB) -> tuple[int, int, int]:
    return (round(color[0] * 255), round(color[1] * 255), round(color[2] * 255))


class _Tile:
    """A repeating square of print, `period` garment units wide, rendered at the resolution of the first call."""

    def __init__(self, period: float, draw: Callable[[int], Image.Image]) -> None:
        self._period, self._draw = period, draw
        self._texels: Floats | None = None

    def __call__(self, u: Floats, v: Floats, pixel: float) -> Floats:
        if self._texels is None:
            side = max(32, round(self._period / pixel))
            tile = self._draw(2 * side).reduce(2)
            self._texels = np.moveaxis(np.asarray(tile), 2, 0) * np.float32(1 / 255)
        n = self._texels.shape[1]
        per_unit = np.float32(n / self._period)
        rows = np.floor(v * per_unit).astype(np.int32) % n
        columns = np.floor(u * per_unit).astype(np.int32) % n
        return self._texels.reshape(3, -1).take(rows * n + columns, axis=1)


def _scattered(
    ground: RGB, stamps: Sequence[tuple[_Stamp, float, float, float, float]]
) -> Callable[[int], Image.Image]:
    """Draws stamps (stamp, x, y, size, angle; in fractions of the tile), wrapped around the tile's edges."""

    def draw(side: int) -> Image.Image:
        tile = Image.new("RGB", (side, side), _bytes(ground))
        pen = ImageDraw.Draw(tile)
        for stamp, x, y, size, angle in stamps:
            for dx in (-1, 0, 1):
                for dy in (-1, 0, 1):
                    center = np.array([x + dx, y + dy])
                    if (center > -size).all() and (center < 1 + size).all():
                        stamp(pen, center * side, size * side, angle)
        return tile

    return draw


def _places(rng: np.random.Generator, rows: int, jitter: float) -> list[tuple[float, float]]:
    """A jittered, staggered lattice of rows x rows places in the unit square; rows must be even."""
    step = 1 / rows
    return [
        (
            (column + 0.5 * (row % 2) + rng.uniform(-jitter, jitter)) * step,
            (row + rng.uniform(-jitter, jitter)) * step,
        )
        for row in range(rows)
        for column in range(rows)
    ]


def _flower(petal: RGB, heart: RGB, petals: int) -> _Stamp:
    def stamp(pen: ImageDraw.ImageDraw, center: Points, size: float, angle: float) -> None:
        for i in range(petals):
            leaf = turned(ellipse(0.55 * size, 0, 0.46 * size, 0.36 * size, 16), angle + 2 * np.pi * i / petals)
            fill = petal if i % 2 else darker(petal, 0.88)
            pen.polygon((leaf + center).ravel().tolist(), fill=_bytes(fill))
        pen.polygon((ellipse(0, 0, 0.27 * size, 0.27 * size, 16) + center).ravel().tolist(), fill=_bytes(heart))

    return stamp


def _leaf(color: RGB) -> _Stamp:
    def stamp(pen: ImageDraw.ImageDraw, center: Points, size: float, angle: float) -> None:
        for side in (-0.5, 0.5):
            leaf = turned(ellipse(size * 0.9, 0, size * 0.6, size * 0.22, 16), angle + side)
            pen.polygon((leaf + center).ravel().tolist(), fill=_bytes(color))

    return stamp


def _floral(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    rows = 4
    bloom = _flower(colors[1], (0.98, 0.80, 0.25) if colors[1][2] < 0.7 else (0.85, 0.45, 0.2), 5)
    small = _flower(_between(colors[1], (1.0, 1.0, 1.0)), (0.95, 0.75, 0.3), 5)
    green = _leaf((0.25, 0.45, 0.25) if sum(colors[0]) > 0.9 else (0.42, 0.62, 0.38))
    stamps = []
    for i, (x, y) in enumerate(_places(rng, rows, 0.18)):
        angle = rng.uniform(0, 2 * np.pi)
        large = (i + i // rows) % 2 == 0
        size = rng.uniform(0.115, 0.14) if large else rng.uniform(0.06, 0.075)
        stamps.append((green, x, y, size, angle))
        stamps.append((bloom if large else small, x, y, size, angle))
    return _Tile(rng.uniform(0.85, 1.1), _scattered(colors[0], stamps))


def _heart(color: RGB) -> _Stamp:
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    outline = np.stack([16 * np.sin(t) ** 3, y], axis=1) / 16

    def stamp(pen: ImageDraw.ImageDraw, center: Points, size: float, angle: float) -> None:
        pen.polygon((turned(outline * size, angle) + center).ravel().tolist(), fill=_bytes(color))

    return stamp


def _hearts(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    stamp = _heart(colors[1])
    size = rng.uniform(0.085, 0.105)
    stamps = [(stamp, x, y, size, rng.normal(0, 0.2)) for x, y in _places(rng, 4, 0.04)]
    return _Tile(rng.uniform(0.9, 1.2), _scattered(colors[0], stamps))


def _rosette(ring: RGB, middle: RGB, parts: Sequence[tuple[float, float, float]]) -> _Stamp:
    def stamp(pen: ImageDraw.ImageDraw, center: Points, size: float, angle: float) -> None:
        pen.polygon((ellipse(0, 0, 0.8 * size, 0.7 * size, 14) + center).ravel().tolist(), fill=_bytes(middle))
        for at, length, width in parts:
            spot = turned(ellipse(0.8 * size, 0, width * size, length * size, 12), angle + at)
            pen.polygon((spot + center).ravel().tolist(), fill=_bytes(ring))

    return stamp


def _between(one: RGB, other: RGB) -> RGB:
    return ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2, (one[2] + other[2]) / 2)


def _leopard(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    stamps = []
    for x, y in _places(rng, 6, 0.2):
        turns = np.cumsum(rng.uniform(1.4, 2.2, 3)) + rng.uniform(0, 6.28)
        parts = [(float(turn), rng.uniform(0.5, 0.75), rng.uniform(0.26, 0.36)) for turn in turns]
        rosette = _rosette(darker(colors[1], 0.45), _between(colors[0], colors[1]), parts)
        stamps.append((rosette, x, y, rng.uniform(0.065, 0.08), rng.uniform(0, 6.28)))
    return _Tile(rng.uniform(1.0, 1.25), _scattered(darker(colors[0], 0.95), stamps))


def _camouflage(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    fields = rng.normal(size=(3, 64, 64)).astype(np.float32)

    def draw(side: int) -> Image.Image:
        tile = Image.new("RGB", (side, side), _bytes(colors[0]))
        for noise, color, share in zip(fields, colors[1:], (0.62, 0.66, 0.74), strict=False):
            tile.paste(_bytes(color), mask=_blobs(noise, share, side))
        return tile

    return _Tile(rng.uniform(1.3, 1.6), draw)


def _blobs(noise: Floats, share: float, side: int) -> Image.Image:
    """A seamless mask of smooth blobs that leaves `share` of the tile uncovered."""
    frequency = np.fft.fftfreq(64) * 64
    band = np.exp(-((frequency[:, None] * 1.3) ** 2 + frequency[None, :] ** 2) / (2 * 4.2**2))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * band).real
    level = np.sort(smooth, axis=None)[int(smooth.size * share)]
    smooth = np.pad((smooth - level) / smooth.std(), 8, mode="wrap")
    whole = Image.fromarray(smooth.astype(np.float32)).resize((side * 80 // 64,) * 2, Image.Resampling.BICUBIC)
    edge = side * 8 // 64
    mask = Image.fromarray(np.uint8(np.asarray(whole) > 0) * 255).crop((edge, edge, edge + side, edge + side))
    return mask.filter(ImageFilter.GaussianBlur(0.7))


PRINTS: dict[str, Callable[[Sequence[RGB], np.random.Generator], Paint]] = {
    "Floral": _floral,
    "Hearts": _hearts,
    "Leopard And Cheetah": _leopard,
    "Camouflage": _camouflage,
}
