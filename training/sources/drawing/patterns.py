"""Patterns that repeat by a formula: stripes, dots, plaid, checks. Edges are softened over one pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.sources.drawing.cloth import RGB, Floats, Paint, darker, ink
from training.sources.drawing.prints import PRINTS

_THREAD = 0.6  # opacity of the thin lines of a plaid
_Maker = Callable[[Sequence[RGB], np.random.Generator], Paint]


def pattern(name: str, colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    """The paint of a pattern of the taxonomy in the given colors, ground first."""
    return _PATTERNS[name](colors, rng)


def _edge(distance: Floats, pixel: float) -> Floats:
    """Antialiased step: 1 where distance is positive, 0 where negative, a ramp of about one pixel between."""
    return np.clip(distance / np.float32(1.5 * pixel) + np.float32(0.5), 0, 1)


def _mix(ground: Floats | RGB, other: RGB, share: Floats) -> Floats:
    below = ink(ground) if isinstance(ground, tuple) else ground
    return below + (ink(other) - below) * share


def _band(x: Floats, period: float, width: float, pixel: float, at: float = 0.0) -> Floats:
    """1 inside bands of the width that repeat with the period."""
    phase = (x - np.float32(at)) / np.float32(period)
    distance = np.abs(phase - np.round(phase)) * np.float32(period)
    return _edge(np.float32(width / 2) - distance, pixel)


def _stripes(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    period = rng.uniform(0.15, 0.28)
    width = period * rng.uniform(0.38, 0.55)
    upright = rng.random() < 0.25
    fine = rng.random() < 0.3

    def paint(u: Floats, v: Floats, pixel: float) -> Floats:
        x = u if upright else v
        color = _mix(colors[0], colors[1], _band(x, period, width, pixel))
        if fine:
            color = _mix(color, darker(colors[1], 0.8), _band(x, period, 0.022, pixel, at=period / 2))
        return color

    return paint


def _dots(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    pitch = rng.uniform(0.17, 0.27)
    radius = pitch * rng.uniform(0.27, 0.34)

    def paint(u: Floats, v: Floats, pixel: float) -> Floats:
        row = np.round(v / np.float32(pitch))
        x = u / np.float32(pitch) + np.float32(0.5) * (row % 2)
        distance = np.hypot(x - np.round(x), v / np.float32(pitch) - row) * np.float32(pitch)
        return _mix(colors[0], colors[1], _edge(np.float32(radius) - distance, pixel))

    return paint


def _plaid(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    period = rng.uniform(0.36, 0.5)
    wide, narrow = period * rng.uniform(0.3, 0.4), period * 0.055
    thread = darker(colors[1], 0.35) if sum(colors[0]) > 1.2 else (0.95, 0.93, 0.85)

    def paint(u: Floats, v: Floats, pixel: float) -> Floats:
        share = (_band(u, period, wide, pixel) + _band(v, period, wide, pixel)) * np.float32(0.5)
        color = _mix(colors[0], colors[1], share)
        for x in (u, v):
            color = _mix(color, thread, np.float32(_THREAD) * _band(x, period, narrow, pixel, at=period / 2))
            color = _mix(color, darker(colors[1], 0.6), np.float32(_THREAD) * _band(x, period, narrow, pixel))
        return color

    return paint


def _checks(colors: Sequence[RGB], rng: np.random.Generator) -> Paint:
    cell = rng.uniform(0.10, 0.16)
    gingham = rng.random() < 0.5  # three tones instead of a chessboard's two

    def paint(u: Floats, v: Floats, pixel: float) -> Floats:
        a, b = _band(u, 2 * cell, cell, pixel), _band(v, 2 * cell, cell, pixel)
        share = (a + b) * np.float32(0.5) if gingham else 1 - a - b + 2 * a * b
        return _mix(colors[0], colors[1], share)

    return paint


_PATTERNS: dict[str, _Maker] = {
    "Stripes": _stripes,
    "Polka Dot": _dots,
    "Plaid": _plaid,
    "Checkered": _checks,
    **PRINTS,
}
