"""Sneakers from the side, one or a pair."""

from __future__ import annotations

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.cloth import RGB
from training.sources.drawing.geometry import Points, curve, ellipse, mirror, ribbon, shifted
from training.sources.drawing.parts import Garment, Line, Part
from training.sources.drawing.pieces import shade_line
from training.sources.drawing.wardrobe import Outfit


def sneaker(outfit: Outfit, rng: np.random.Generator) -> Garment:
    """The toe points right or left; a second shoe stands a little behind."""
    high, swept = rng.uniform(0.0, 0.3), bool(rng.random() < 0.5)
    shoe = _one(outfit, rng, high, swept)
    parts = []
    if rng.random() < 0.6:
        parts += [_moved(part, (0.22, -0.30), 0.94) for part in _one(outfit, rng, high, swept)]
    parts += shoe
    if rng.random() < 0.5:
        parts = [_moved(part, (0, 0), 1.0, flip=True) for part in parts]
    return Garment(parts, [])


def _moved(part: Part | Line, by: tuple[float, float], scale: float, flip: bool = False) -> Part | Line:
    def move(points: np.ndarray) -> np.ndarray:
        return (mirror(points) if flip else points) * scale + by

    if isinstance(part, Line):
        return Line(move(part.points), part.color, part.width, part.opacity, part.dash)
    return Part(move(part.outline), part.cloth, part.angle, part.folds, part.puff, part.lift)


def _one(outfit: Outfit, rng: np.random.Generator, high: float, swept: bool) -> list[Part | Line]:
    """A shoe whose toe points right, from x = -0.92 to 0.96; high is how far its shaft rises."""
    top = -0.36 - high
    canvas = outfit.material == "Canvas"
    lace = (0.96, 0.96, 0.95) if sum(outfit.shades[0]) < 2.6 else (0.35, 0.36, 0.40)
    seam = shade_line(outfit.shades[0])
    upper = curve(
        [
            (-0.84, 0.32, 1),
            (-0.89, 0.08),
            (-0.84, -0.15),
            (-0.86, top, 1),
            (-0.64, top + 0.07),
            (-0.40, top + 0.01, 1),
            (-0.16, -0.19 - high * 0.35),
            (0.20, -0.03),
            (0.55, 0.035),
            (0.82, 0.14),
            (0.91, 0.32, 1),
        ]
    )
    mouth = curve([(-0.85, top + 0.01, 1), (-0.62, top - 0.045), (-0.40, top + 0.01, 1), (-0.63, top + 0.10)])
    tongue = curve(
        [(-0.50, top + 0.05, 1), (-0.44, top - 0.10), (-0.30, top - 0.12), (-0.16, -0.25 - high * 0.4), (0.1, -0.1, 1)]
    )
    heel = curve([(-0.86, 0.32, 1), (-0.90, 0.08), (-0.855, -0.12, 1), (-0.70, -0.06), (-0.63, 0.32, 1)])
    toe = curve([(0.56, 0.33, 1), (0.54, 0.17), (0.62, 0.05), (0.83, 0.13), (0.925, 0.33, 1)])
    throat = curve([(-0.40, top + 0.01), (-0.16, -0.19 - high * 0.35), (0.20, -0.03)])
    facing = ribbon(throat, 0.13, 1.0)
    parts: list[Part | Line] = [
        Part(tongue, "ground", puff=0.6),
        Part(mouth, "deep", puff=0.1, lift=0),
        Part(upper, "main", folds=folds.soft(rng, 0.7), puff=1.5, lift=0.3),
        *([] if canvas else _side_stripes(lace, swept)),
        Part(heel, "ground", puff=0.5, lift=0.35),
        Line(ribbon(heel, 0.03, -1.0)[len(heel) + 8 : -10], seam, 0.008, 0.5, 0.022),
        Part(facing, "ground", puff=0.4, lift=0.4),
        Line(shifted(throat, -0.085, 0.115), seam, 0.008, 0.6, 0.022),
        Part(toe, "sole" if canvas else "ground", puff=0.9, lift=0.35),
    ]
    return parts + _laces(throat, lace) + _sole(outfit)


def _side_stripes(color: RGB, swept: bool) -> list[Part | Line]:
    if swept:
        sweep = curve([(-0.50, 0.20), (-0.32, 0.24), (-0.05, 0.14), (0.10, 0.04)])
        return [Line(sweep, (0, 0, 0), 0.085, 0.2), Line(sweep, color, 0.07, 0.95)]
    lines = [np.array([[x - 0.14, 0.27], [x, 0.05 - 0.14 * (0.1 - x)]]) for x in (-0.30, -0.17, -0.04)]
    return [Line(line, color, 0.05, 0.95) for line in lines]


def _laces(throat: Points, color: RGB) -> list[Part | Line]:
    """Laces straight across the throat, each from an eyelet."""
    parts: list[Part | Line] = []
    for i in np.linspace(2, len(throat) - 3, 5).astype(int):
        x, y = throat[i]
        lace = curve([(x - 0.055, y + 0.085), (x + 0.01, y + 0.005), (x + 0.06, y - 0.055)])
        parts += [
            Part(ellipse(x - 0.055, y + 0.085, 0.02, 0.02, 10), "metal", puff=0.0, lift=0.3),
            Line(shifted(lace, 0.012, 0.014), (0, 0, 0), 0.04, 0.35),
            Line(lace, color, 0.036, 1.0),
        ]
    return parts


def _sole(outfit: Outfit) -> list[Part | Line]:
    edge = curve(
        [
            (-0.90, 0.29, 1),
            (-0.4, 0.30),
            (0.3, 0.305),
            (0.935, 0.275, 1),
            (0.975, 0.33),
            (0.96, 0.42),
            (0.88, 0.465),
            (0.4, 0.48),
            (-0.4, 0.48),
            (-0.84, 0.47),
            (-0.91, 0.42),
            (-0.925, 0.34),
            (-0.90, 0.29, 1),
        ]
    )
    tread = curve([(-0.90, 0.44), (-0.4, 0.455), (0.4, 0.455), (0.94, 0.435)])
    stripe = curve([(-0.915, 0.345), (-0.4, 0.36), (0.4, 0.36), (0.965, 0.335)])
    return [
        Part(edge, "sole", puff=0.7, lift=0.45),
        Line(stripe, outfit.shades[0], 0.02, 0.8 if outfit.material == "Canvas" else 0.0),
        Line(tread, (0.35, 0.3, 0.25), 0.03, 0.55),
        Line(tread, (0.1, 0.1, 0.1), 0.03, 0.35, 0.02),
    ]
