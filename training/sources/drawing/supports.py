"""Supports of a garment: a hanger, a clip hanger, a dressmaker's torso."""

from __future__ import annotations

import numpy as np

from training.sources.drawing.geometry import both_halves, curve, ellipse, ribbon
from training.sources.drawing.parts import Line, Part
from training.sources.drawing.pieces import TOP

_STEEL = (0.55, 0.56, 0.58)


def _hook(x: float, y: float) -> list[Part | Line]:
    hook = curve(
        [(x, y), (x, y - 0.10), (x + 0.055, y - 0.15), (x + 0.05, y - 0.235), (x - 0.01, y - 0.25), (x - 0.05, y - 0.2)]
    )
    return [Part(ribbon(hook, 0.03), "metal", puff=0.3, lift=0.2), Line(hook, _STEEL, 0.012, 0.6)]


def hanger(neck: float, shoulder: float, slope: float, covered: bool) -> list[Part | Line]:
    """A wooden hanger within the shoulders; the garment's front is painted over it. covered: only its hook shows."""
    reach = max(shoulder * 0.9, 0.42)
    half = curve(
        [
            (0, TOP - 0.05),
            (neck * 0.6, TOP - 0.035),
            (reach, TOP + 0.10, 1),
            (reach * 0.97, TOP + 0.17, 1),
            (neck * 0.6, TOP + 0.05),
            (0, TOP + 0.04),
        ]
    )
    parts = _hook(0.0, TOP - 0.04 - (0.22 if covered else 0.0))
    return parts if covered else [*parts, Part(both_halves(half), "hanger", puff=0.4, lift=0.4)]


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


def torso(neck: float, shoulder: float, slope: float) -> list[Part | Line]:
    """A dressmaker's torso with a cap on its neck; the garment is painted over it."""
    width = max(shoulder, 0.44)
    half = curve(
        [
            (0, TOP - 0.20),
            (0.125, TOP - 0.195, 1),
            (0.13, TOP - 0.10),
            (0.20, TOP - 0.01),
            (width * 0.9, TOP + 0.14),
            (width * 0.86, TOP + 0.3),
            (min(width, 0.5) * 0.74, -0.3),
            (0.28, 0.0, 1),
            (0, 0.02),
        ]
    )
    cap, knob = ellipse(0, TOP - 0.20, 0.127, 0.03), ellipse(0, TOP - 0.25, 0.028, 0.035)
    return [
        Part(both_halves(half), "torso", puff=1.6, lift=0.1),
        Part(knob, "hanger", puff=0.6),
        Part(cap, "hanger", puff=0.4),
    ]
