"""Sneakers from the side, one or a pair."""

from __future__ import annotations

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.canvas import Garment, Line, Part
from training.sources.drawing.geometry import curve, ellipse, mirror, shifted
from training.sources.drawing.wardrobe import Outfit


def sneaker(outfit: Outfit, rng: np.random.Generator) -> Garment:
    """The toe points right or left; a second shoe stands a little behind."""
    high = rng.uniform(0.0, 0.3)
    shoe = _one(outfit, rng, high)
    parts = []
    if rng.random() < 0.6:
        parts += [_moved(part, (0.22, -0.30), 0.94) for part in _one(outfit, rng, high)]
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


def _one(outfit: Outfit, rng: np.random.Generator, high: float) -> list[Part | Line]:
    top = -0.40 - high
    upper = curve(
        [
            (-0.86, 0.30, 1),
            (-0.90, 0.0),
            (-0.83, top + 0.05, 1),
            (-0.6, top + 0.10),
            (-0.36, top - 0.02, 1),
            (-0.1, -0.22 - high * 0.3),
            (0.25, -0.04),
            (0.62, 0.03),
            (0.88, 0.18),
            (0.90, 0.31, 1),
            (0, 0.33),
        ]
    )
    mouth = curve([(-0.83, top + 0.05, 1), (-0.6, top - 0.03), (-0.36, top - 0.02, 1), (-0.6, top + 0.11)])
    sole = curve(
        [
            (-0.92, 0.27, 1),
            (0, 0.29),
            (0.94, 0.26, 1),
            (0.96, 0.38),
            (0.88, 0.46, 1),
            (0, 0.47),
            (-0.86, 0.46, 1),
            (-0.93, 0.38),
        ]
    )
    toe = curve([(0.55, 0.31, 1), (0.56, 0.14), (0.68, 0.045), (0.86, 0.15), (0.92, 0.31, 1)])
    tongue = curve([(-0.42, top - 0.02, 1), (-0.34, top - 0.12), (-0.22, top - 0.06), (0.05, -0.2), (-0.1, -0.05, 1)])
    heel = curve([(-0.87, 0.30, 1), (-0.91, 0.0), (-0.86, -0.16, 1), (-0.66, -0.08), (-0.62, 0.3, 1)])
    stays = curve(
        [
            (-0.40, top + 0.02, 1),
            (-0.1, -0.21 - high * 0.3),
            (0.24, -0.04, 1),
            (0.22, 0.06),
            (-0.1, -0.06),
            (-0.3, top + 0.22, 1),
        ]
    )
    parts: list[Part | Line] = [
        Part(tongue, "ground", puff=0.8),
        Part(mouth, "deep", puff=0.1, lift=0),
        Part(upper, "main", folds=folds.soft(rng, 0.8), puff=2.0, lift=0.3),
        Part(heel, "ground", puff=0.7, lift=0.35),
        Part(stays, "ground", puff=0.6, lift=0.45),
        Part(toe, "sole" if outfit.material == "Canvas" else "ground", puff=1.2, lift=0.35),
        Part(sole, "sole", puff=1.1, lift=0.4),
        Line(curve([(-0.90, 0.36), (0, 0.38), (0.93, 0.35)]), outfit.shades[0], 0.022, 0.75),
    ]
    lace = (0.96, 0.96, 0.95) if sum(outfit.shades[0]) < 2.6 else (0.35, 0.36, 0.4)
    rows = 5 if high > 0.15 else 4
    for t in np.linspace(0.12, 0.9, rows):
        x, y = -0.40 + 0.6 * t, (top + 0.02) * (1 - t) + (-0.06) * t
        band = np.array([[x - 0.03, y - 0.07], [x + 0.09, y + 0.13]])
        parts += [Line(shifted(band, 0.012, 0.014), (0, 0, 0), 0.045, 0.3), Line(band, lace, 0.04, 1.0)]
    stripe = curve([(-0.55, 0.2), (-0.2, 0.12), (0.12, 0.0)])
    if rng.random() < 0.5 and outfit.material == "Leather":
        parts.append(Line(stripe, lace, 0.07, 0.95))
    elif outfit.material == "Canvas":
        parts.append(Line(heel[8:40], (0.9, 0.9, 0.88), 0.012, 0.7, 0.03))
        for x, y in ((-0.45, 0.08), (-0.38, 0.2)):
            parts.append(Part(ellipse(x, y, 0.025, 0.025, 12), "metal", lift=0.2))
    return parts
