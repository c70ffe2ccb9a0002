"""T-shirts, tank tops, dress shirts, polos and sweaters."""

from __future__ import annotations

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.geometry import Knot, both_halves, curve, ribbon
from training.sources.drawing.parts import Garment, Line, Part
from training.sources.drawing.pieces import (
    Cut,
    armholes,
    body,
    buttons,
    collar,
    hem_line,
    lining,
    neck_band,
    neckline,
    pull_lines,
    sleeves,
    strapped,
)
from training.sources.drawing.wardrobe import Outfit


def _long_or_short(outfit: Outfit, cut: Cut, rng: np.random.Generator, rib: bool = False) -> list[Part | Line]:
    if outfit.sleeve == "Long Sleeved":
        return sleeves(cut, rng, rng.uniform(1.45, 1.6), rng.uniform(0.16, 0.36), rng.uniform(0.22, 0.26), rib=rib)
    return sleeves(cut, rng, rng.uniform(0.42, 0.56), rng.uniform(0.62, 0.9), rng.uniform(0.33, 0.38), rib=rib)


def t_shirt(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(
        rng.uniform(0.21, 0.27), 0.58, rng.uniform(0.54, 0.6), rng.uniform(0.5, 0.58), rng.uniform(0.54, 0.6), 0.9
    )
    neck = neckline(outfit.neckline, cut, rng.uniform(0.17, 0.22))
    parts = lining(cut, neck)
    front = len(parts)
    parts += _long_or_short(outfit, cut, rng)
    parts += [Part(body(cut, neck), "main", folds=folds.soft(rng)), *armholes(cut)]
    parts += [*neck_band(outfit.neckline, neck, 0.055), hem_line(cut, 0.85)]
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def tank_top(outfit: Outfit, rng: np.random.Generator) -> Garment:
    hem = rng.uniform(0.48, 0.56)
    cut = Cut(rng.uniform(0.23, 0.28), rng.uniform(0.38, 0.42), 0.5, 0.46, hem, 0.9, 0.03, -0.28)
    if outfit.style == "Spaghetti Straps":
        sides: list[Knot] = [(cut.waist, 0.3), (cut.hem, 0.87, 1), (cut.hem * 0.5, 0.9), (0, 0.91)]
        neck, outline = strapped(cut, outfit.neckline, sides)
    else:
        neck = neckline(outfit.neckline, cut, 0.4 if outfit.neckline == "Round Neck" else 0.24)
        outline = body(cut, neck)
    parts = lining(cut, neck)[:1] if outfit.style != "Spaghetti Straps" else []
    front = len(parts)
    parts += [Part(outline, "main", folds=folds.soft(rng)), hem_line(cut, 0.85)]
    parts += neck_band(outfit.neckline, neck, 0.03, "trim")
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def dress_shirt(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.2, 0.57, 0.55, rng.uniform(0.48, 0.54), 0.55, 0.9, 0.15)
    neck = neckline("V-Necks", cut, 0.09)
    parts = lining(cut, neck)[:2]
    front = len(parts)
    parts += _long_or_short(outfit, cut, rng)
    parts += [Part(body(cut, neck, 0.14), "main", folds=folds.soft(rng)), *armholes(cut)]
    for x in (-0.045, 0.045):
        parts.append(Line(np.array([[x, -0.66], [x, 0.9]]), opacity=0.3))
    pocket = np.array([[0.17, -0.42], [0.39, -0.42], [0.39, -0.2], [0.28, -0.15], [0.17, -0.2]])
    parts.append(Part(pocket, "main", puff=0.15, lift=0.3))
    light = (0.95, 0.95, 0.95) if sum(outfit.shades[0]) < 2.5 and rng.random() < 0.7 else (0.1, 0.1, 0.1)
    parts += buttons(np.linspace(-0.52, 0.72, 6), light) + collar(cut, 0.32, 0.1)
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def polo(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.2, 0.57, 0.57, 0.55, 0.57, 0.88, 0.14)
    neck = neckline("V-Necks", cut, 0.1)
    parts = lining(cut, neck)
    front = len(parts)
    parts += sleeves(cut, rng, rng.uniform(0.45, 0.55), rng.uniform(0.6, 0.85), 0.34, rib=True)
    parts += [Part(body(cut, neck, 0.02), "main", folds=folds.soft(rng)), *armholes(cut)]
    placket = np.array([[-0.055, -0.72], [0.055, -0.72], [0.055, -0.3], [-0.055, -0.3]])
    parts.append(Part(placket, "ground", puff=0.15, lift=0.3))
    parts += buttons(np.array([-0.55, -0.44, -0.34]), (0.95, 0.95, 0.95), radius=0.022)
    leaves = [
        Part(p.outline, "rib" if p.cloth == "main" else p.cloth, p.angle, lift=0.6)
        for p in collar(cut, 0.24, 0.13)
        if isinstance(p, Part)
    ]
    return Garment([*parts, *leaves, hem_line(cut, 0.83)], pull_lines(cut, rng), front, cut.yoke)


def sweater(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.23, 0.6, 0.57, 0.55, 0.53, 0.8, 0.14)
    high = outfit.neckline == "Turtlenecks"
    neck = neckline(
        "Round Neck" if high else outfit.neckline, cut, 0.06 if high else 0.25 if outfit.neckline == "V-Necks" else 0.2
    )
    parts = [] if high else lining(cut, neck)
    front = len(parts)
    parts += _long_or_short(outfit, cut, rng, rib=True)
    parts += [Part(body(cut, neck, 0.0), "main", folds=folds.soft(rng, 1.2)), *armholes(cut)]
    hem = curve([(-cut.hem, 0.8), (0, 0.82), (cut.hem, 0.8)])
    parts.append(Part(ribbon(hem, 0.13, 0.6), "rib", puff=0.8, lift=0.3))
    if high:
        tube = both_halves(
            [(0, -1.1), (0.16, -1.1), (0.195, -1.08, 1), (0.215, -0.95), (0.25, -0.84, 1), (0.12, -0.76), (0, -0.75)]
        )
        fold = both_halves([(0, -1.11), (0.16, -1.105), (0.205, -1.08, 1), (0.225, -0.95, 1), (0.1, -0.91), (0, -0.9)])
        parts += [Part(tube, "rib", puff=1.2), Part(fold, "rib", puff=1.2)]
    else:
        parts += neck_band(outfit.neckline, neck, 0.065, "rib")
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)
