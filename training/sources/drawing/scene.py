"""Backgrounds of garments: studio paper, wooden floor, carpet, bed sheet, concrete, a wall with a floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from training.sources.drawing.cloth import RGB, Floats

_BICUBIC = Image.Resampling.BICUBIC


def ground(rng: np.random.Generator, size: int) -> Image.Image:
    """Background of a lying garment, seen from above: RGB, size x size."""
    makers: list[Callable[[np.random.Generator, int], Floats]] = [_paper, _wood, _carpet, _sheet, _concrete]
    return _picture(makers[rng.choice(5, p=[0.36, 0.2, 0.14, 0.17, 0.13])](rng, size))


def backdrop(rng: np.random.Generator, size: int) -> Image.Image:
    """Background of a hanging or standing garment: RGB, size x size."""
    return _picture((_paper if rng.random() < 0.45 else _room)(rng, size))


def _picture(values: Floats) -> Image.Image:
    return Image.fromarray(np.uint8(np.clip(values, 0, 1) * 255 + 0.5))


def _noise(rng: np.random.Generator, rows: int, columns: int, size: int) -> Floats:
    """Smooth noise, standard deviation about 1, from a grid of rows x columns, independent of the size."""
    grid = Image.fromarray(rng.normal(size=(rows, columns)).astype(np.float32))
    return np.asarray(grid.resize((size, size), _BICUBIC))


def _pick(rng: np.random.Generator, colors: list[RGB]) -> Floats:
    return np.array(colors[rng.integers(len(colors))], dtype=np.float32) * np.float32(rng.uniform(0.94, 1.04))


def _axes(size: int) -> tuple[Floats, Floats]:
    steps = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return steps[None, :], steps[:, None]


def _paper(rng: np.random.Generator, size: int) -> Floats:
    tones: list[RGB] = [(0.97, 0.97, 0.97), (0.93, 0.93, 0.94), (0.86, 0.87, 0.88), (0.74, 0.76, 0.78)]
    tones += [(0.93, 0.90, 0.86), (0.84, 0.89, 0.92), (0.93, 0.86, 0.85), (0.83, 0.88, 0.83)]
    x, y = _axes(size)
    distance = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.2, 0.6))
    return _pick(rng, tones) * (np.float32(1.03) - np.float32(rng.uniform(0.06, 0.24)) * distance**2)[..., None]


def _wood(rng: np.random.Generator, size: int) -> Floats:
    tones: list[RGB] = [(0.68, 0.50, 0.34), (0.78, 0.64, 0.48), (0.50, 0.35, 0.24), (0.80, 0.75, 0.68)]
    planks = int(rng.integers(5, 9))
    tone = _pick(rng, tones)
    shades, joints = rng.normal(1, 0.06, planks), rng.uniform(0, 1, (planks, 2))
    x, y = _axes(size)
    row = np.minimum((y * planks).astype(int), planks - 1)
    fine, broad = _noise(rng, 150, 5, size), _noise(rng, 40, 3, size)
    grain = np.sin(broad * np.float32(3) + y * np.float32(90)) * np.float32(0.025) + fine * np.float32(0.035)
    value = shades.astype(np.float32)[row] * (1 + grain)
    seam = np.abs(y * planks - np.round(y * planks)) < 0.035
    gaps = np.abs(x[..., None] - joints[row[:, 0]][:, None, :]).min(axis=2) < 0.0035
    value = value * np.where(seam | gaps, np.float32(0.6), np.float32(1))
    floor = tone * value[..., None]
    return np.swapaxes(floor, 0, 1) if rng.random() < 0.6 else floor


def _carpet(rng: np.random.Generator, size: int) -> Floats:
    tones: list[RGB] = [(0.72, 0.68, 0.62), (0.60, 0.61, 0.64), (0.82, 0.79, 0.74), (0.50, 0.55, 0.60)]
    tufts = _noise(rng, 110, 110, size) * np.float32(0.075) + _noise(rng, 6, 6, size) * np.float32(0.025)
    return _pick(rng, tones) * (1 + tufts)[..., None]


def _sheet(rng: np.random.Generator, size: int) -> Floats:
    tones: list[RGB] = [(0.93, 0.93, 0.94), (0.92, 0.89, 0.85), (0.85, 0.89, 0.94), (0.90, 0.87, 0.90)]
    x, y = _axes(size)
    value = np.ones((size, size), dtype=np.float32)
    bent = _noise(rng, 4, 4, size)
    for _ in range(3):
        angle, k = rng.uniform(0, np.pi), rng.uniform(6, 16)
        wave = np.sin(np.float32(k) * (np.cos(angle) * x + np.sin(angle) * y) + bent + rng.uniform(0, 6))
        value += np.float32(0.028) * wave * np.abs(wave)
    return _pick(rng, tones) * value[..., None]


def _concrete(rng: np.random.Generator, size: int) -> Floats:
    tones: list[RGB] = [(0.70, 0.70, 0.69), (0.80, 0.79, 0.77), (0.56, 0.57, 0.58)]
    noise = _noise(rng, 5, 5, size) * np.float32(0.03) + _noise(rng, 22, 22, size) * np.float32(0.018)
    noise += _noise(rng, 90, 90, size) * np.float32(0.016)
    return _pick(rng, tones) * (1 + noise)[..., None]


def _room(rng: np.random.Generator, size: int) -> Floats:
    walls: list[RGB] = [
        (0.90, 0.89, 0.86),
        (0.80, 0.84, 0.86),
        (0.86, 0.80, 0.74),
        (0.74, 0.80, 0.74),
        (0.88, 0.82, 0.82),
    ]
    x, y = _axes(size)
    light = 1.04 - np.float32(rng.uniform(0.1, 0.3)) * np.abs(x - np.float32(rng.uniform(0, 1))) - np.float32(0.08) * y
    room = _pick(rng, walls) * (light + _noise(rng, 60, 60, size) * np.float32(0.006))[..., None]
    if rng.random() < 0.65:
        edge = int(size * rng.uniform(0.8, 0.92))
        board = max(2, int(size * 0.035))
        floor = (_wood if rng.random() < 0.6 else _carpet)(rng, size)
        room[edge:] = floor[edge:] * np.linspace(0.78, 1.0, size - edge, dtype=np.float32)[:, None, None]
        room[edge - board : edge] = np.array((0.93, 0.93, 0.92), dtype=np.float32) * light[edge - board : edge, :, None]
        room[edge - 1 : edge + 1] *= np.float32(0.62)
    return room
