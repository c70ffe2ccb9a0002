"""Landscapes: skies, mountains, fields, the sea, forests, deserts, the night."""

import numpy as np
from PIL import Image

from training.sources.negatives.surfaces import (
    Color,
    Floats,
    Rng,
    Sketch,
    axes,
    chance,
    color,
    fractal,
    lit,
    mixed,
    noise,
    pick,
    ramp,
)

_BLUES = [(70, 130, 210), (110, 165, 225), (50, 95, 170), (150, 180, 205), (125, 140, 155)]
_GREENS = [(70, 120, 45), (110, 150, 60), (50, 90, 40), (150, 160, 80), (190, 170, 90)]


def clouds(rng: Rng, width: int, height: int) -> Image.Image:
    """A sky; daytime landscapes use it for their upper half."""
    x, y = axes(width, height)
    top = pick(rng, _BLUES)
    sky = ramp(y + 0 * x, [top, mixed(top, (235, 240, 245), 0.7)])
    cover = np.clip((fractal(rng, width, height, 3, 1.8) - rng.uniform(0.3, 0.75)) * 3, 0, 1)
    white = ramp(fractal(rng, width, height, 4), [(170, 175, 185), (250, 250, 250)])
    return Image.composite(white, sky, Image.fromarray(np.uint8(cover * 255)))


def sunset(rng: Rng, width: int, height: int) -> Image.Image:
    x, y = axes(width, height)
    warm = [color(rng, (0.4, 0.8), (0.2, 0.5)), (215, 90, 70), (250, 170, 80), (255, 225, 150)]
    sketch = Sketch(width, height, ramp(y * 1.3 + 0 * x + (fractal(rng, width, height, 2, 3) - 0.5) * 0.3, warm))
    middle = rng.uniform(0.55, 0.7)
    r = rng.uniform(0.04, 0.1)
    sketch.oval(rng.uniform(0.2, 0.8), middle - rng.uniform(0, 0.15), r, r, (255, 240, 190))
    _ridge(sketch, rng, middle, 0.12, mixed((20, 15, 30), warm[0], 0.3))
    return sketch.picture()


def mountains(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, clouds(rng, width, height))
    far, near = mixed(pick(rng, _BLUES), (220, 225, 230), 0.4), mixed(pick(rng, _GREENS), (30, 35, 40), 0.4)
    layers = int(rng.integers(2, 6))
    for layer in range(layers):
        middle = 0.35 + 0.5 * layer / layers
        _ridge(sketch, rng, middle, rng.uniform(0.15, 0.5) * (1 - layer / layers), mixed(far, near, layer / layers))
    return lit(sketch.picture(), 0.75 + 0.35 * fractal(rng, width, height, 6))


def fields(rng: Rng, width: int, height: int) -> Image.Image:
    """Meadows to the horizon, some with rows, some with single trees."""
    horizon = rng.uniform(0.3, 0.65)
    ground = _below(rng, width, height, horizon, pick(rng, _GREENS), 1.0)
    sketch = Sketch(width, height, ground)
    if chance(rng, 0.5):
        _ridge(sketch, rng, horizon, 0.05, mixed(pick(rng, _GREENS), (40, 60, 60), 0.5), horizon + 0.01)
    if chance(rng, 0.4):
        for end in np.linspace(-1.5, 2.5, int(rng.integers(8, 24))):
            sketch.line(
                [(0.5 + (end - 0.5) * 0.05, horizon), (end, 1)], mixed(pick(rng, _GREENS), (60, 40, 20), 0.4), 0.008
            )
    for _ in range(int(rng.integers(0, 5))):
        near = rng.uniform(0, 0.6)
        tree(sketch, rng, rng.uniform(0, 1), horizon + near * (1 - horizon), 0.1 + 0.4 * near)
    return sketch.picture()


def sea(rng: Rng, width: int, height: int) -> Image.Image:
    horizon = rng.uniform(0.25, 0.6)
    sketch = Sketch(width, height, _below(rng, width, height, horizon, color(rng, (0.3, 0.7), (0.3, 0.7)), 5.0))
    if chance(rng, 0.4):
        shore = [(0.0, rng.uniform(0.75, 0.95)), (0.5, rng.uniform(0.75, 0.95)), (1.0, rng.uniform(0.7, 0.95))]
        sketch.polygon([*shore, (1, 1), (0, 1)], (222, 200, 160))
    if chance(rng, 0.4):
        x, y, s = rng.uniform(0.1, 0.9), horizon + 0.02, rng.uniform(0.04, 0.12)
        sketch.polygon([(x, y - 2 * s), (x, y - 0.2 * s), (x + s, y - 0.2 * s)], (245, 245, 240))
        sketch.polygon(
            [(x - s, y - 0.1 * s), (x + s, y - 0.1 * s), (x + 0.6 * s, y + 0.3 * s), (x - 0.6 * s, y + 0.3 * s)],
            (90, 50, 40),
        )
    return sketch.picture()


def dunes(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, clouds(rng, width, height))
    sand = pick(rng, [(215, 175, 120), (235, 240, 248), (190, 120, 80)])  # or snow
    for middle in np.linspace(0.45, 0.95, int(rng.integers(3, 6))):
        x = np.linspace(0, 1, 40)
        y = middle + rng.uniform(0.02, 0.1) * np.sin(x * rng.uniform(2, 7) + rng.uniform(0, 6))
        sketch.polygon([*zip(x, y, strict=True), (1, 1), (0, 1)], mixed(sand, (60, 50, 70), rng.uniform(0, 0.35)))
    return lit(sketch.picture(), 0.9 + 0.15 * noise(rng, width, height, 60, 60))


def forest(rng: Rng, width: int, height: int) -> Image.Image:
    """Trunks in the mist, or the edge of a wood."""
    sketch = Sketch(
        width, height, ramp(fractal(rng, width, height, 8), [(40, 70, 40), (150, 175, 130), (215, 225, 205)])
    )
    for depth in np.linspace(0.2, 1, int(rng.integers(6, 20))):
        x, wide = rng.uniform(0, 1), rng.uniform(0.02, 0.06) * depth
        if chance(rng, 0.5):
            bark = mixed((190, 200, 190), (50, 38, 28), depth)
            sketch.polygon(
                [(x - wide / 2, 0), (x + wide / 2, 0), (x + wide, 0.6 + 0.4 * depth), (x - wide, 0.6 + 0.4 * depth)],
                bark,
            )
        else:
            tree(sketch, rng, x, 0.55 + 0.45 * depth, 0.3 + 0.5 * depth)
    return sketch.picture()


def night(rng: Rng, width: int, height: int) -> Image.Image:
    """Stars, with a moon or over hills."""
    base = color(rng, (0.5, 0.9), (0.08, 0.3))
    sketch = Sketch(width, height, ramp(fractal(rng, width, height, 2), [(3, 4, 12), base]))
    for _ in range(int(rng.integers(40, 200))):
        size, bright = rng.uniform(0.001, 0.005), int(rng.integers(120, 256))
        sketch.oval(rng.random(), rng.random(), size, size, (bright, bright, min(255, bright + 20)))
    if chance(rng, 0.5):
        r = rng.uniform(0.05, 0.12)
        sketch.ball(rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.4), r, r, (225, 222, 205))
    if chance(rng, 0.6):
        _ridge(sketch, rng, 0.8, 0.3, (5, 6, 10))
    return sketch.picture()


def tree(sketch: Sketch, rng: Rng, x: float, foot: float, tall: float) -> None:
    """A fir or a leafy tree; `tall` is a share of the picture's height."""
    leaf = mixed(pick(rng, _GREENS), (20, 40, 20), rng.uniform(0, 0.6))
    wide = tall * sketch.across / sketch.down / 4
    sketch.box(x - wide / 9, foot - tall / 2, x + wide / 9, foot, (80, 55, 35))
    if chance(rng, 0.5):
        for step in range(4):
            y, w = foot - tall * (0.2 + 0.2 * step), wide * (1 - 0.2 * step)
            sketch.polygon([(x - w, y), (x + w, y), (x, y - tall * 0.35)], mixed(leaf, (0, 0, 0), 0.1 * step))
    else:
        length = tall / sketch.down
        for _ in range(14):
            dx, dy, r = rng.normal(0, 0.35) * wide, rng.normal(0, 0.09) * tall, rng.uniform(0.06, 0.14) * length
            sketch.ball(x + dx, foot - tall * 0.7 + dy, r, r, mixed(leaf, (0, 0, 0), rng.uniform(0, 0.3)), 0.15)


def _below(rng: Rng, width: int, height: int, horizon: float, tone: Color, stretch: float) -> Image.Image:
    """A sky over a plain of the tone, which brightens toward the horizon."""
    image = clouds(rng, width, height)
    top = int(height * horizon)
    rough = fractal(rng, width, height - top, 10, stretch, 6) * 0.6 + 0.3 - axes(width, height - top)[1] * 0.2
    image.paste(ramp(rough, [mixed(tone, (0, 10, 20), 0.6), tone, mixed(tone, (255, 255, 240), 0.5)]), (0, top))
    return image


def _ridge(sketch: Sketch, rng: Rng, middle: float, rough: float, fill: Color, foot: float = 1.0) -> None:
    """A skyline by midpoint displacement (Fournier, Fussell and Carpenter, 1982), filled down to the foot."""
    line: Floats = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
    for step in range(7):
        between = (line[:-1] + line[1:]) / 2 + rng.uniform(-1, 1, len(line) - 1) * 0.55**step
        line = np.insert(line, range(1, len(line)), between)
    x = np.linspace(0, 1, len(line))
    sketch.polygon([*zip(x, middle + line * rough / 2, strict=True), (1, foot), (0, foot)], fill)


KINDS = {
    "clouds": clouds,
    "sunset": sunset,
    "mountains": mountains,
    "fields": fields,
    "sea": sea,
    "dunes": dunes,
    "forest": forest,
    "night": night,
}
