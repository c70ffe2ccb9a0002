"""Casual dresses: a bodice, a waist and a skirt, with or without sleeves."""

from __future__ import annotations

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.geometry import Knot, across, both_halves, curve, mirror, ribbon
from training.sources.drawing.parts import Garment, Line, Part
from training.sources.drawing.pieces import TOP, Cut, armholes, lining, neck_band, neckline, sleeves, strapped
from training.sources.drawing.wardrobe import Outfit


def dress(outfit: Outfit, rng: np.random.Generator) -> Garment:
    bare, thin = outfit.sleeve == "Sleeveless", outfit.style == "Spaghetti Straps"
    shoulder = 0.40 if bare else 0.45
    cut = Cut(0.24, shoulder, 0.40, 0.32, 0.0, 0.0, 0.05 if bare else 0.1, -0.42)
    waist, hem, length = rng.uniform(0.29, 0.33), rng.uniform(0.58, 0.85), rng.uniform(0.85, 1.25)
    depth = {"V-Necks": 0.17, "Square Necked": 0.17}.get(outfit.neckline, 0.19)
    neck = neckline(outfit.neckline, cut, depth)

    parts = [] if thin else lining(cut, neck)[: 1 if bare else 2]
    front = len(parts)
    parts += _sleeves(outfit, cut, rng)
    half = curve(
        [
            (0, 0.0),
            (waist, -0.02, 1),
            (waist + (hem - waist) * 0.45, 0.33),
            (hem, length - 0.05, 1),
            (hem * 0.5, length),
            (0, length + 0.015),
        ]
    )
    parts.append(Part(both_halves(half), "main", folds=folds.draped(rng, -0.05, 1.3), puff=0.9))
    parts.append(_hem(hem, length))
    sides: list[Knot] = [(waist + 0.02, -0.15), (waist, 0.02, 1), (0, 0.03)]
    if thin:
        neck, bodice = strapped(cut, outfit.neckline, sides)
    else:
        armhole: list[Knot] = [(cut.neck, TOP), (shoulder, TOP + cut.slope, 1), (shoulder - 0.04, -0.6)]
        side = curve([*armhole, (cut.chest, cut.armpit, 1), *sides])
        bodice = both_halves(np.concatenate([neck, side[1:]]))
    parts.append(Part(bodice, "main", folds=folds.soft(rng, 0.9), lift=0.25))
    if not bare:
        parts += armholes(cut)
    parts += neck_band(outfit.neckline, neck, 0.028, "ground")
    parts += _waist(waist, rng)
    creases = []
    for _ in range(6):  # gathers below the waist
        x = rng.uniform(-waist * 0.9, waist * 0.9)
        line = curve([(x, 0.04), (x * 1.3, 0.2), (x * 1.6, rng.uniform(0.35, 0.6))])
        creases.append((line, float(rng.choice([-0.7, 0.7]))))
    return Garment(parts, creases, front, cut.yoke)


def _sleeves(outfit: Outfit, cut: Cut, rng: np.random.Generator) -> list[Part | Line]:
    if outfit.sleeve == "Short Sleeves":
        return sleeves(cut, rng, 0.36, rng.uniform(0.55, 0.8), 0.25)
    if outfit.sleeve == "Puff Sleeves":
        return sleeves(cut, rng, 0.36, rng.uniform(0.5, 0.65), 0.22, puff=0.13)
    if outfit.sleeve == "Long Sleeved":
        return sleeves(cut, rng, rng.uniform(1.1, 1.2), rng.uniform(0.2, 0.4), 0.19)
    return []


def _hem(hem: float, length: float) -> Line:
    return Line(
        across(curve([(0, length - 0.04), (hem * 0.5, length - 0.055), (hem * 0.97, length - 0.1)])), opacity=0.2
    )


def _waist(waist: float, rng: np.random.Generator) -> list[Part | Line]:
    line = across(curve([(0, 0.01), (waist * 0.6, 0.0), (waist + 0.005, -0.02)]))
    style = rng.integers(3)
    if style == 0:
        return [Line(line, opacity=0.4)]
    if style == 1:
        return [Part(ribbon(line, 0.07), "ground", puff=0.5, lift=0.4)]
    tie = curve([(0.0, 0.02), (0.05, 0.16), (0.03, 0.34)])
    bow = curve([(0, 0.01), (0.08, -0.06), (0.15, -0.02), (0.08, 0.045), (0, 0.02)])
    knots: list[Part | Line] = [Part(ribbon(line, 0.06), "ground", puff=0.5, lift=0.4)]
    for flip in (lambda p: p, mirror):
        knots += [Part(flip(ribbon(tie, 0.035)), "ground", puff=0.4), Part(flip(bow), "ground", puff=0.7)]
    return knots
