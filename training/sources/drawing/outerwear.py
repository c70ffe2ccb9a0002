"""Hoodies and jackets."""

from __future__ import annotations

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.geometry import across, both_halves, curve, mirror, ribbon, shifted
from training.sources.drawing.parts import Garment, Line, Part
from training.sources.drawing.pieces import (
    TOP,
    Cut,
    armholes,
    body,
    buttons,
    lining,
    neckline,
    pull_lines,
    shade_line,
    sleeves,
)
from training.sources.drawing.wardrobe import Outfit


def hoodie(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.25, 0.62, 0.6, 0.58, 0.54, 0.78, 0.15)
    neck = neckline("V-Necks", cut, 0.08)
    parts = sleeves(cut, rng, rng.uniform(1.42, 1.52), rng.uniform(0.18, 0.36), 0.25, rib=True)
    parts += [Part(body(cut, neck, 0.0), "main", folds=folds.soft(rng, 1.3)), *armholes(cut)]
    hem = curve([(-cut.hem, 0.78), (0, 0.8), (cut.hem, 0.78)])
    parts.append(Part(ribbon(hem, 0.14, 0.6), "rib", puff=0.8, lift=0.3))
    pocket = both_halves([(0, 0.26), (0.24, 0.26, 1), (0.38, 0.52), (0.4, 0.69, 1), (0, 0.7)])
    parts += [Part(pocket, "main", folds=folds.soft(rng, 0.4), puff=0.4, lift=0.45)]
    hood = both_halves([(0, -1.16), (0.2, -1.12), (0.33, -0.97), (0.33, -0.8), (0.2, -0.63), (0.06, -0.52), (0, -0.5)])
    opening = both_halves([(0, -1.04), (0.14, -1.01), (0.215, -0.9), (0.19, -0.77), (0.08, -0.64), (0, -0.60)])
    rim = np.concatenate([opening, opening[:1]])
    parts += [
        Part(hood, "main", folds=folds.soft(rng, 1.2), puff=1.5, lift=0.6),
        Part(opening, "inside", folds=folds.soft(rng, 0.6), puff=0.0, lift=0.0),
        Line(rim, (0, 0, 0), 0.05, 0.22),
        Line(rim, shade_line(outfit.shades[0]), 0.01, 0.3),
    ]
    cord = (0.95, 0.95, 0.93) if sum(outfit.shades[0]) < 2.2 else (0.25, 0.25, 0.27)
    for side in (1, -1):
        end = rng.uniform(-0.28, -0.12)
        string = curve([(0.075, -0.60), (0.115, -0.48), (0.10, (end - 0.48) / 2), (0.12, end)]) * (side, 1)
        parts += [Line(shifted(string, 0.012, 0.014), (0, 0, 0), 0.026, 0.3), Line(string, cord, 0.026, 1.0)]
        parts.append(Line(shifted(string[-3:], 0, 0.02), (0.55, 0.55, 0.57), 0.03, 1.0))
    return Garment(parts, pull_lines(cut, rng, 1.2), yoke=cut.yoke)


def jacket(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.2, 0.6, 0.58, 0.54, 0.53, 0.62, 0.13)
    neck = neckline("V-Necks", cut, 0.13)
    parts = lining(cut, neck)[:2]
    parts += sleeves(cut, rng, rng.uniform(1.38, 1.5), rng.uniform(0.18, 0.36), 0.24, rib=outfit.material == "Cotton")
    parts += [Part(body(cut, neck, 0.0), "main", folds=folds.soft(rng, 1.5)), *armholes(cut)]
    front = {"Leather": _biker, "Denim": _trucker}.get(outfit.material, _bomber)
    parts += front(cut, outfit, rng)
    return Garment(parts, pull_lines(cut, rng, 1.4), 2, cut.yoke)


def _leaf(points: list[tuple[float, ...]]) -> list[Part | Line]:
    leaf = curve(points)  # type: ignore[arg-type]
    return [Part(f(leaf), "main", a, puff=0.9, lift=0.7) for f, a in ((lambda p: p, -0.6), (mirror, 0.6))]


def _biker(cut: Cut, outfit: Outfit, rng: np.random.Generator) -> list[Part | Line]:
    zipper = curve([(0.0, -0.35), (0.10, -0.1), (0.12, cut.length)])
    metal = (0.78, 0.78, 0.80)
    parts: list[Part | Line] = [Line(zipper, (0, 0, 0), 0.06, 0.35), Line(zipper, metal, 0.026, 0.95, 0.018)]
    for start, end in (
        ((0.28, 0.02), (0.46, -0.1)),
        ((-0.28, 0.02), (-0.46, -0.1)),
        ((0.2, 0.38), (0.42, 0.26)),
        ((-0.2, 0.38), (-0.42, 0.26)),
    ):
        slit = np.array([start, end])
        parts += [Line(slit, (0, 0, 0), 0.045, 0.4), Line(slit, metal, 0.02, 0.9, 0.016)]
    belt = curve([(-cut.hem, 0.56), (0, 0.58), (cut.hem, 0.56)])
    parts.append(Part(ribbon(belt, 0.13), "main", puff=0.6, lift=0.4))
    # wide lapels below, the collar above
    parts += _leaf([(0.015, -0.22, 1), (0.20, -0.42), (0.36, -0.56, 1), (0.26, -0.72), (0.20, TOP, 1), (0.1, -0.6)])
    parts += _leaf([(0.13, -0.62, 1), (0.18, TOP - 0.05, 1), (0.28, TOP + 0.04), (0.34, -0.66, 1), (0.24, -0.6)])
    return parts


def _trucker(cut: Cut, outfit: Outfit, rng: np.random.Generator) -> list[Part | Line]:
    orange, dash = (0.85, 0.52, 0.20), 0.028
    parts: list[Part | Line] = [Line(np.array([[x, -0.66], [x, 0.6]]), orange, 0.011, 0.9, dash) for x in (-0.05, 0.05)]
    parts.append(Line(np.array([[0.065, -0.66], [0.065, 0.6]]), (0, 0, 0), 0.016, 0.4))
    yoke = curve([(0.06, -0.38), (0.3, -0.37), (0.55, -0.40)])
    for flip in (lambda p: p, mirror):
        parts += [
            Line(flip(yoke), (0, 0, 0), 0.016, 0.35),
            Line(flip(shifted(yoke, 0, 0.022)), orange, 0.011, 0.9, dash),
        ]
        flap = np.array([[0.17, -0.37], [0.42, -0.37], [0.42, -0.28], [0.295, -0.24], [0.17, -0.28]])
        parts += [
            Part(flip(flap), "main", puff=0.25, lift=0.5),
            *buttons(np.array([-0.28]), (0.2, 0.2, 0.2), 0.295 * flip(np.ones((1, 2)))[0, 0]),
        ]
        for x0, x1 in ((0.17, 0.14), (0.42, 0.34)):
            parts.append(Line(flip(np.array([[x0, -0.24], [x1, 0.5]])), orange, 0.011, 0.9, dash))
    band = curve([(-cut.hem, 0.56), (0, 0.58), (cut.hem, 0.56)])
    parts.append(Part(ribbon(band, 0.13), "main", puff=0.6, lift=0.4))
    parts += buttons(np.linspace(-0.55, 0.56, 6), (0.2, 0.2, 0.2), radius=0.026)
    parts += _leaf([(0.012, TOP + 0.2, 1), (0.18, TOP - 0.05, 1), (0.28, TOP + 0.03), (0.36, -0.62, 1), (0.2, -0.58)])
    return parts


def _bomber(cut: Cut, outfit: Outfit, rng: np.random.Generator) -> list[Part | Line]:
    zipper = np.array([[0.0, -0.72], [0.0, 0.64]])
    parts: list[Part | Line] = [
        Line(zipper, (0, 0, 0), 0.075, 0.25),
        Line(zipper, (0.75, 0.75, 0.77), 0.028, 0.95, 0.018),
    ]
    for side in (1, -1):
        slit = np.array([[0.24, 0.36], [0.42, 0.12]]) * (side, 1)
        parts += [Line(slit, (0, 0, 0), 0.06, 0.22), Line(slit, (0, 0, 0), 0.02, 0.5)]
    band = across(curve([(0.02, 0.56), (cut.hem * 0.5, 0.56), (cut.hem, 0.55)]))
    parts.append(Part(ribbon(band, 0.15), "rib", puff=0.8, lift=0.3))
    leaves = _leaf([(0.02, TOP + 0.18, 1), (0.18, TOP - 0.06, 1), (0.27, TOP + 0.02), (0.30, -0.66, 1), (0.14, -0.6)])
    return parts + leaves
