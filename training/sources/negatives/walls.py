"""Surfaces that fill the picture: walls, wood, bricks, tiles, stone."""

import numpy as np
from PIL import Image

from training.sources.negatives.surfaces import (
    Rng,
    Sketch,
    axes,
    chance,
    color,
    falloff,
    fractal,
    lit,
    mixed,
    noise,
    pick,
    ramp,
)

_WOODS = [(173, 128, 87), (199, 163, 122), (128, 89, 61), (204, 191, 173), (92, 60, 40)]
_CLAYS = [(165, 80, 60), (190, 110, 80), (200, 190, 175), (130, 120, 115), (225, 222, 215)]


def wall(rng: Rng, width: int, height: int) -> Image.Image:
    """One color; a third of them are pure white, black or gray, and unlit."""
    if chance(rng, 0.33):
        return Image.new("RGB", (width, height), pick(rng, [(255, 255, 255), (0, 0, 0), 3 * (int(rng.integers(256)),)]))
    return lit(Image.new("RGB", (width, height), color(rng, (0, 0.9), (0.15, 1))), falloff(rng, width, height))


def gradient(rng: Rng, width: int, height: int) -> Image.Image:
    x, y = axes(width, height)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    values = 0.5 + along if chance(rng, 0.6) else np.hypot(x - 0.5, y - 0.5) * rng.uniform(1, 1.6)
    return ramp(values.astype(np.float32), [color(rng) for _ in range(rng.integers(2, 4))])


def plaster(rng: Rng, width: int, height: int) -> Image.Image:
    base = color(rng, (0, 0.4), (0.4, 1))
    rough = fractal(rng, width, height, int(rng.integers(3, 12)), octaves=6)
    return lit(ramp(rough, [mixed(base, (0, 0, 0), rng.uniform(0.05, 0.3)), base]), falloff(rng, width, height))


def marble(rng: Rng, width: int, height: int) -> Image.Image:
    x, y = axes(width, height)
    bent = fractal(rng, width, height, 2) * rng.uniform(4, 9) + x * rng.uniform(1, 5) + y * rng.uniform(-4, 4)
    veins = 1 - np.abs(np.sin(bent)) ** np.float32(0.35)
    base = color(rng, (0, 0.25), (0.2, 1))
    return ramp(veins * np.float32(0.8), [base, mixed(base, pick(rng, [(60, 60, 60), (240, 235, 225)]), 0.8)])


def wood(rng: Rng, width: int, height: int) -> Image.Image:
    """Planks across or along, or one board."""
    flip = chance(rng, 0.5)
    w, h = (height, width) if flip else (width, height)
    planks = int(rng.integers(1, 9))
    _, y = axes(w, h)
    row = np.minimum((y * planks).astype(int), planks - 1)[:, 0]
    broad, fine = noise(rng, w, h, 4, 30), noise(rng, w, h, 8, min(h, 220))
    grain = np.sin(broad * 5 + y * rng.uniform(30, 120) + row[:, None]) * 0.12 + fine * 0.3 + 0.3
    values = grain + rng.uniform(-0.15, 0.25, planks)[row][:, None]
    tone = pick(rng, _WOODS)
    board = ramp(values.astype(np.float32), [mixed(tone, (20, 10, 0), 0.5), tone, mixed(tone, (255, 240, 220), 0.3)])
    seam = np.abs(y * planks - np.round(y * planks)) < 0.02 * planks / 5
    board = lit(board, np.where(seam & (planks > 1), 0.55, falloff(rng, w, h)).astype(np.float32))
    return board.transpose(Image.Transpose.TRANSPOSE) if flip else board


def bricks(rng: Rng, width: int, height: int) -> Image.Image:
    return _laid(rng, width, height, pick(rng, _CLAYS), int(rng.integers(5, 16)), 2.4, 0.5)


def tiles(rng: Rng, width: int, height: int) -> Image.Image:
    """A bathroom's or a kitchen's: squares in straight rows."""
    return _laid(rng, width, height, color(rng, (0, 0.5), (0.4, 1)), int(rng.integers(2, 9)), 1.0, 0.0)


def _laid(
    rng: Rng, width: int, height: int, tone: tuple[int, int, int], rows: int, long: float, shift: float
) -> Image.Image:
    joint = mixed(tone, pick(rng, [(40, 40, 40), (230, 228, 220)]), 0.7)
    sketch = Sketch(width, height, joint)
    tall, gap = 1 / rows, rng.uniform(0.02, 0.06) / rows
    wide = tall * long * height / width
    for row in range(rows + 1):
        for column in range(-1, int(1 / wide) + 2):
            left = (column + shift * (row % 2)) * wide
            shade = mixed(tone, (0, 0, 0), rng.uniform(0, 0.25 * long / 2.4))
            sketch.box(left, row * tall, left + wide - gap * height / width, (row + 1) * tall - gap, shade)
    rough = 1 - fractal(rng, width, height, 20, octaves=3) * np.float32(rng.uniform(0.05, 0.25))
    return lit(sketch.picture(), rough * falloff(rng, width, height))


def gravel(rng: Rng, width: int, height: int) -> Image.Image:
    """Speckled stone, asphalt, sand."""
    base = color(rng, (0, 0.35), (0.2, 0.9))
    grain = int(rng.integers(25, 120))
    values = noise(rng, width, height, grain * width // height + 1, grain) * 0.8 + fractal(rng, width, height) * 0.2
    return lit(
        ramp(values, [mixed(base, (0, 0, 0), 0.5), base, mixed(base, (255, 255, 255), 0.3)]),
        falloff(rng, width, height),
    )


KINDS = {
    "wall": wall,
    "gradient": gradient,
    "plaster": plaster,
    "marble": marble,
    "wood": wood,
    "bricks": bricks,
    "tiles": tiles,
    "gravel": gravel,
}
