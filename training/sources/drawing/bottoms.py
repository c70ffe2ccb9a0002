"""Skirts, trousers, jeans and shorts."""

from __future__ import annotations

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.cloth import RGB
from training.sources.drawing.geometry import Points, across, both_halves, curve, mirror, ribbon, shifted
from training.sources.drawing.parts import Garment, Line, Part
from training.sources.drawing.pieces import buttons, shade_line
from training.sources.drawing.wardrobe import Outfit

_ORANGE: RGB = (0.85, 0.52, 0.20)  # the thread of denim


def _thread(outfit: Outfit) -> tuple[RGB, float, float]:
    """Color, dash and opacity of visible seams."""
    if outfit.material == "Denim":
        return _ORANGE, 0.028, 0.95
    return shade_line(outfit.shades[0]), 0.0, 0.4


def _legs(
    outfit: Outfit, rng: np.random.Generator, waist: float, hip: float, knee: float, hem: float, length: float
) -> Garment:
    """Two legs from the waist at y = -0.95; hip, knee and hem are x of the outer seam."""
    color, dash, opacity = _thread(outfit)
    crotch, gap = -0.30, rng.uniform(0.03, 0.10)
    middle = min((crotch + length) / 2 - 0.05, 0.15)
    leg_hem = knee * 0.16 + gap
    leg = curve(
        [
            (-0.02, -0.93, 1),
            (waist, -0.95, 1),
            (hip, -0.55),
            (hip * 0.99, -0.3),
            (knee, middle),
            (hem, length, 1),
            ((hem + leg_hem) / 2, length + 0.015),
            (leg_hem, length, 1),
            (leg_hem * 0.6 + 0.02, middle),
            (0.012, crotch, 1),
            (-0.02, crotch - 0.02, 1),
        ]
    )
    inside = both_halves([(0, -0.99), (waist * 0.9, -0.985), (waist * 0.97, -0.95, 1), (0, -0.85)])
    band = curve([(0, -0.90), (waist * 0.5, -0.905), (waist + 0.005, -0.93)])
    parts: list[Part | Line] = [Part(inside, "inside", puff=0.3, lift=0)]
    for flip in (mirror, lambda p: p):
        parts.append(Part(flip(leg), "main", 0.0, folds.wrinkled(rng, 0.9), puff=1.2, lift=0.45))
        hem_seam = np.array([[leg_hem, length - 0.05], [hem, length - 0.05]])
        parts.append(Line(flip(hem_seam), color, 0.011, opacity, dash))
        pocket = curve([(waist * 0.58, -0.85), (waist * 0.66, -0.72), (hip * 0.96, -0.66)])
        parts.append(Line(flip(pocket), (0, 0, 0), 0.016, 0.35))
        parts.append(Line(flip(shifted(pocket, -0.018, 0.012)), color, 0.011, opacity, dash))
    fly = curve([(0.085, -0.86), (0.085, -0.56), (0.02, -0.44)])
    parts.append(Line(fly, color, 0.011, opacity, dash))
    parts.append(Line(np.array([[0, -0.86], [0.005, crotch]]), (0, 0, 0), 0.016, 0.4))
    parts.append(Part(ribbon(across(band), 0.10), "main", puff=0.5, lift=0.35))
    parts += _loops(waist, outfit) + buttons(np.array([-0.9]), (0.2, 0.2, 0.2))
    return Garment(parts, _leg_creases(rng, hip, length))


def _loops(waist: float, outfit: Outfit) -> list[Part | Line]:
    color, dash, opacity = _thread(outfit)
    edge = across(curve([(0, -0.86), (waist * 0.5, -0.865), (waist, -0.89)]))
    pieces: list[Part | Line] = [Line(edge, color, 0.010, opacity, dash)]
    for x in (-0.62, 0.62):
        loop = np.array([[-0.018, -0.965], [0.018, -0.965], [0.018, -0.845], [-0.018, -0.845]])
        pieces.append(Part(shifted(loop, x * waist, 0), "main", puff=0.2, lift=0.5))
    return pieces


def _leg_creases(rng: np.random.Generator, hip: float, length: float) -> list[tuple[Points, float]]:
    lines = []
    for side in (1, -1):
        for _ in range(3):  # from the crotch outwards
            dx, dy = rng.uniform(0.15, 0.32), rng.uniform(-0.12, 0.12)
            lines.append((curve([(0.02, -0.33), (dx * 0.5, -0.32 + dy * 0.3), (dx, -0.33 + dy)]), 0.6))
        if length > 0.5:
            for _ in range(4):  # behind the knee and above the hem
                x, y = rng.uniform(0.1, 0.2), rng.choice([rng.uniform(0.0, 0.3), rng.uniform(0.7, 0.9)])
                line = curve([(x, y), (x + 0.08, y + 0.02), (x + 0.17, y + rng.uniform(-0.05, 0.05))])
                lines.append((line, float(rng.uniform(-0.7, 0.7))))
        lines = [(line * (side, 1), height) for line, height in lines]
    return lines


def jeans(outfit: Outfit, rng: np.random.Generator) -> Garment:
    slim = rng.uniform(0, 1)
    return _legs(outfit, rng, 0.36, 0.45, 0.42 - 0.05 * slim, 0.44 - 0.10 * slim, 0.98)


def trousers(outfit: Outfit, rng: np.random.Generator) -> Garment:
    garment = _legs(outfit, rng, 0.35, 0.45, 0.42, rng.uniform(0.38, 0.46), 0.98)
    for side in (1, -1):  # pressed creases
        line = curve([(0.25 * side, -0.6), (0.24 * side, 0.1), (0.25 * side, 0.96)])
        garment.creases.append((line, 0.9))
    return garment


def shorts(outfit: Outfit, rng: np.random.Generator) -> Garment:
    return _legs(outfit, rng, 0.40, 0.50, 0.53, rng.uniform(0.54, 0.6), rng.uniform(0.0, 0.25))


def skirt(outfit: Outfit, rng: np.random.Generator) -> Garment:
    color, dash, opacity = _thread(outfit)
    pleats = outfit.style == "Pleated"
    waist = rng.uniform(0.30, 0.38)
    stiff = outfit.material in {"Denim", "Leather"}
    hem = rng.uniform(0.48, 0.62) if stiff else rng.uniform(0.66, 0.9)
    length = rng.uniform(0.15, 0.5)
    hip = waist + (hem - waist) * 0.42
    sway = rng.uniform(0.03, 0.07)
    half = curve(
        [(0, -0.7), (waist, -0.72, 1), (hip, -0.35), (hem, length - sway, 1), (hem * 0.5, length), (0, length + 0.02)]
    )
    if pleats:
        cloth_folds = folds.pleated(rng, (hem / waist - 1) / (length + 0.75) * 0.8)
    else:
        cloth_folds = folds.soft(rng, 0.9) if stiff else folds.draped(rng, -0.7, 1.2)
    parts: list[Part | Line] = [
        Part(both_halves([(0, -0.83), (waist * 0.9, -0.82), (waist * 0.95, -0.75, 1), (0, -0.7)]), "inside", lift=0),
        Part(both_halves(half), "main", folds=cloth_folds, puff=0.9),
    ]
    if pleats:
        parts += _pleat_shadows(cloth_folds, waist, hem, length)
    elif stiff:
        seam = np.array([[0.0, -0.62], [0.0, length]])
        parts += [Line(seam, (0, 0, 0), 0.016, 0.35), Line(shifted(seam, 0.02, 0), color, 0.011, opacity, dash)]
    edge = across(curve([(0, length - 0.05), (hem * 0.5, length - 0.07), (hem * 0.99, length - sway - 0.06)]))
    parts.append(Line(edge, color, 0.010, opacity * 0.8, dash))
    band = across(curve([(0, -0.72), (waist * 0.6, -0.73), (waist + 0.005, -0.755)]))
    parts.append(Part(ribbon(band, 0.12), "ground" if pleats else "main", puff=0.5, lift=0.45))
    if stiff:
        parts += buttons(np.array([-0.72]), (0.2, 0.2, 0.2))
    return Garment(parts, [])


def _pleat_shadows(pleated: folds.Folds, waist: float, hem: float, length: float) -> list[Part | Line]:
    """A shadow along the edge of each pleat, independent of the light's direction."""
    top, bottom = -0.68, length - 0.08
    fan = 1 + pleated.flare * (np.array([top, bottom]) + 1)
    reach = int(0.93 * pleated.pleats * min(waist / fan[0], hem / fan[1]))
    shadows: list[Part | Line] = []
    for pleat in range(-reach, reach + 1):
        edge = np.stack([pleat / pleated.pleats * fan, [top, bottom]], axis=1)
        shadows.append(Line(edge, width=0.022, opacity=0.3))
    return shadows
