"""What holds a garment up: a hanger, a clip hanger, a dressmaker's torso."""

from __future__ import annotations

import numpy as np

from training.sources.drawing.canvas import Line, Part
from training.sources.drawing.geometry import both_halves, curve, ellipse, ribbon
from training.sources.drawing.tops import TOP

_STEEL = (0.55, 0.56, 0.58)


def _hook(x: float, y: float) -> list[Part | Line]:
    hook = curve(
        [(x, y), (x, y - 0.10), (x + 0.055, y - 0.15), (x + 0.05, y - 0.235), (x - 0.01, y - 0.25), (x - 0.05, y - 0.2)]
    )
    return [Part(ribbon(hook, 0.03), "metal", puff=0.3, lift=0.2), Line(hook, _STEEL, 0.012, 0.6)]


def hanger(shoulder: float, slope: float) -> list[Part | Line]:
    """A wooden hanger within the shoulders; the garment's front is painted over it."""
    half = curve(
        [
            (0, TOP - 0.06),
            (0.12, TOP - 0.04),
            (shoulder * 0.9, TOP + slope + 0.03, 1),
            (shoulder * 0.86, TOP + slope + 0.1, 1),
            (0.1, TOP + 0.05),
            (0, TOP + 0.045),
        ]
    )
    return [*_hook(0.0, TOP - 0.05), Part(both_halves(half), "hanger", puff=0.8, lift=0.4)]


def clips(waist: float, top: float) -> list[Part | Line]:
    """A bar with two clips above a waistband at y = top."""
    y = top - 0.13
    bar = np.array([[-waist * 0.95, y], [waist * 0.95, y]])
    parts: list[Part | Line] = [*_hook(0.0, y), Part(ribbon(bar, 0.035), "metal", puff=0.5, lift=0.2)]
    for x in (-waist * 0.7, waist * 0.7):
        parts.append(
            Part(
                np.array([[-0.03, y - 0.02], [0.03, y - 0.02], [0.035, top + 0.05], [-0.035, top + 0.05]]) * (1, 1)
                + (x, 0),
                "hanger",
                puff=0.4,
                lift=0.4,
            )
        )
    return parts


def torso(neck: float, shoulder: float, slope: float, bottom: float) -> list[Part | Line]:
    """A dressmaker's torso with a cap on its neck; the garment is painted over it."""
    half = curve(
        [
            (0, TOP - 0.24),
            (neck * 0.55, TOP - 0.23, 1),
            (neck * 0.58, TOP - 0.1),
            (neck * 0.95, TOP + 0.0),
            (shoulder * 0.94, TOP + slope + 0.05),
            (shoulder * 0.80, -0.45),
            (shoulder * 0.66, min(bottom, 0.1) * 0.5),
            (shoulder * 0.7, bottom, 1),
            (0, bottom + 0.02),
        ]
    )
    cap = ellipse(0, TOP - 0.24, neck * 0.56, 0.035)
    knob = ellipse(0, TOP - 0.30, 0.035, 0.045)
    return [
        Part(both_halves(half), "torso", puff=2.0, lift=0.2),
        Part(cap, "hanger", puff=0.6),
        Part(knob, "hanger", puff=0.8),
    ]
