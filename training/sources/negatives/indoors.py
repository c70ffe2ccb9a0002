"""Rooms, buildings and streets, by the lines of one-point perspective."""

import numpy as np
from PIL import Image

from training.sources.negatives.outdoors import clouds, tree
from training.sources.negatives.surfaces import Color, Rng, Sketch, chance, color, falloff, fractal, lit, mixed, pick
from training.sources.negatives.walls import tiles, wood

_DARK, _LIGHT = (25, 25, 30), (240, 238, 232)


def room(rng: Rng, width: int, height: int) -> Image.Image:
    """A back wall, side walls, floor and ceiling; a window, a lamp, a box of furniture or two."""
    paint = color(rng, (0, 0.35), (0.5, 1))
    sketch = Sketch(width, height, mixed(paint, (0, 0, 0), 0.1))
    left, right, top, floor = rng.uniform(0, 0.3), rng.uniform(0.7, 1), rng.uniform(0, 0.2), rng.uniform(0.6, 0.8)
    sketch.polygon([(0, 0), (1, 0), (right, top), (left, top)], mixed(paint, (255, 255, 255), 0.7))
    boards = pick(rng, [(150, 110, 75), (200, 195, 185), (110, 110, 115), (190, 160, 120)])
    sketch.polygon([(0, 1), (1, 1), (right, floor), (left, floor)], boards)
    for end in np.linspace(-0.5, 1.5, int(rng.integers(0, 16))):
        sketch.line(
            [((left + right) / 2 + (end - 0.5) * (right - left), floor), (end * 2 - 0.5, 1)],
            mixed(boards, _DARK, 0.25),
            0.004,
        )
    sketch.box(left, top, right, floor, paint)
    sketch.line([(left, floor), (right, floor)], _LIGHT, 0.015)
    if chance(rng, 0.7):
        x, y = rng.uniform(left, right - 0.2), top + rng.uniform(0.05, 0.15)
        window(sketch, rng, x, y, x + rng.uniform(0.12, 0.3), y + rng.uniform(0.2, 0.3))
    for _ in range(int(rng.integers(1, 4))):
        _furniture(sketch, rng, rng.uniform(0.02, 0.7), floor + rng.uniform(0.03, 0.2))
    if chance(rng, 0.5):
        x = rng.uniform(left, right)
        sketch.line([(x, 0), (x, 0.15)], _DARK, 0.006)
        sketch.polygon([(x - 0.03, 0.15), (x + 0.03, 0.15), (x + 0.07, 0.22), (x - 0.07, 0.22)], (250, 225, 150))
    return lit(sketch.picture(), falloff(rng, width, height))


def corridor(rng: Rng, width: int, height: int) -> Image.Image:
    """Frames that shrink toward the vanishing point."""
    near, far = color(rng, (0, 0.5), (0.4, 1)), color(rng, (0, 0.4), (0.1, 0.9))
    sketch = Sketch(width, height, near)
    x, y = rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65)
    steps = int(rng.integers(5, 14))
    for step in range(steps):
        s, shade = 0.75**step, mixed(near, far, step / steps)
        corners = [
            (x - x * s, y - y * s),
            (x + (1 - x) * s, y - y * s),
            (x + (1 - x) * s, y + (1 - y) * s),
            (x - x * s, y + (1 - y) * s),
        ]
        for side, dark in enumerate((0.0, 0.15, 0.35, 0.2)):
            sketch.polygon(
                [corners[side], corners[(side + 1) % 4], (x, y)], mixed(shade, _DARK, dark + 0.1 * (step % 2))
            )
    return lit(sketch.picture(), falloff(rng, width, height))


def shelf(rng: Rng, width: int, height: int) -> Image.Image:
    """Books."""
    tone = pick(rng, [(120, 85, 55), (235, 232, 225), (60, 60, 65)])
    sketch = Sketch(width, height, mixed(tone, _DARK, 0.6))
    rows = int(rng.integers(2, 6))
    for row in range(rows):
        foot, x = (row + 1) / rows - 0.02, 0.0
        while x < 1:
            wide, tall, spine = (
                rng.uniform(0.02, 0.06),
                rng.uniform(0.55, 0.9) / rows,
                color(rng, (0.1, 0.8), (0.15, 0.9)),
            )
            sketch.box(x, foot - tall, x + wide - 0.004, foot, spine)
            sketch.box(x + 0.006, foot - tall * 0.8, x + wide - 0.01, foot - tall * 0.7, mixed(spine, _LIGHT, 0.6))
            x += wide if chance(rng, 0.95) else 3 * wide
        sketch.box(0, foot, 1, foot + 0.025, tone)
    return lit(sketch.picture(), falloff(rng, width, height))


def kitchen(rng: Rng, width: int, height: int) -> Image.Image:
    """A tiled wall over cupboards."""
    sketch = Sketch(width, height, tiles(rng, width, height))
    front, top = color(rng, (0, 0.5), (0.3, 1)), rng.uniform(0.5, 0.65)
    sketch.box(0, top, 1, 1, front)
    sketch.box(0, top, 1, top + 0.04, pick(rng, [(70, 65, 62), (190, 160, 120), (235, 235, 235)]))
    for x in np.arange(0, 1, rng.uniform(0.18, 0.35)):
        sketch.line([(x, top + 0.05), (x, 1)], mixed(front, _DARK, 0.5), 0.008)
        sketch.box(x + 0.03, top + 0.09, x + 0.1, top + 0.105, (170, 170, 175))
    x = rng.uniform(0.1, 0.8)
    sketch.box(x, top - 0.14, x + 0.15, top, mixed(color(rng), (180, 180, 185), 0.6), 0.01)
    return lit(sketch.picture(), falloff(rng, width, height))


def table(rng: Rng, width: int, height: int) -> Image.Image:
    """A wooden desk from above with papers, a keyboard, a cup."""
    sketch = Sketch(width, height, wood(rng, width, height))
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(-0.05, 0.7), rng.uniform(-0.05, 0.7)
        sketch.box(x, y, x + 0.3, y + 0.35, (245, 244, 238))
        for line in np.arange(y + 0.05, y + 0.3, 0.04):
            sketch.line([(x + 0.03, line), (x + rng.uniform(0.15, 0.27), line)], (120, 120, 130), 0.005)
    if chance(rng, 0.6):
        x, y = rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.7)
        sketch.box(x, y, x + 0.5, y + 0.2, (50, 52, 56), 0.015)
        for row in range(4):
            for key in range(11):
                sketch.box(
                    x + 0.02 + key * 0.042,
                    y + 0.02 + row * 0.042,
                    x + 0.055 + key * 0.042,
                    y + 0.053 + row * 0.042,
                    (90, 92, 98),
                )
    x, y, r = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.07, 0.12)
    for share, fill in ((1.0, _LIGHT), (0.82, (190, 188, 184)), (0.76, (75, 45, 25))):
        sketch.oval(x, y, r * share, r * share, fill)
    return lit(sketch.picture(), falloff(rng, width, height))


def skyline(rng: Rng, width: int, height: int) -> Image.Image:
    dark = chance(rng, 0.4)
    ground = (
        Image.new("RGB", (width, height), color(rng, (0.3, 0.8), (0.08, 0.3))) if dark else clouds(rng, width, height)
    )
    sketch = Sketch(width, height, ground)
    for depth in range(3):
        x = rng.uniform(-0.1, 0)
        while x < 1:
            wide, top = rng.uniform(0.06, 0.2), rng.uniform(0.15, 0.6) + 0.13 * depth
            front = mixed(
                color(rng, (0, 0.3), (0.1, 0.25) if dark else (0.35, 0.85)),
                (150, 165, 185),
                0 if dark else 0.5 - 0.25 * depth,
            )
            sketch.box(x, top, x + wide, 1, front)
            _panes(sketch, rng, x, top, wide, front, dark)
            x += wide * rng.uniform(0.8, 1.3)
    return sketch.picture()


def street(rng: Rng, width: int, height: int) -> Image.Image:
    """Houses on both sides that shrink toward the end of the street."""
    sketch = Sketch(width, height, clouds(rng, width, height))
    x, y = rng.uniform(0.4, 0.6), rng.uniform(0.45, 0.65)
    _way(sketch, rng, x, y, (150, 148, 145))
    for side in (0.0, 1.0):
        edge, near = side, 1.0
        tall = rng.uniform(0.6, 1.2)
        while near > 0.12:
            far, front = near * rng.uniform(0.6, 0.8), color(rng, (0, 0.5), (0.35, 0.9))
            a, b = x + (edge - x) * near, x + (edge - x) * far
            sketch.polygon(
                [(a, y - tall * near * 0.8), (b, y - tall * far * 0.8), (b, y + far * 0.3), (a, y + near * 0.3)], front
            )
            for u in (0.2, 0.6):
                for v in (-0.6, -0.3, 0.0):
                    s, t = near + (far - near) * u, near + (far - near) * (u + 0.2)
                    p, q = x + (edge - x) * s, x + (edge - x) * t
                    pane = [
                        (p, y + v * s * tall),
                        (q, y + v * t * tall),
                        (q, y + (v + 0.15) * t * tall),
                        (p, y + (v + 0.15) * s * tall),
                    ]
                    sketch.polygon(pane, mixed(front, (40, 50, 65), 0.8))
            near = far
    return sketch.picture()


def road(rng: Rng, width: int, height: int) -> Image.Image:
    """Through open country."""
    sketch = Sketch(width, height, clouds(rng, width, height))
    x, y = rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.6)
    _way(sketch, rng, x, y, pick(rng, [(100, 135, 60), (170, 155, 95), (200, 175, 130), (225, 228, 232)]))
    for near in np.sort(rng.uniform(0.1, 0.9, int(rng.integers(0, 8)))):
        side = rng.choice([-1, 1])
        tree(sketch, rng, x + side * near * 0.7, y + near * (1 - y) * 0.7, 0.1 + 0.5 * near)
    return lit(sketch.picture(), 0.88 + 0.2 * fractal(rng, width, height, 16))


def window(sketch: Sketch, rng: Rng, left: float, top: float, right: float, bottom: float) -> None:
    """A frame with daylight behind it."""
    sketch.box(left, top, right, bottom, (245, 245, 242))
    glass = mixed(color(rng, (0.1, 0.5), (0.7, 1)), (200, 225, 245), 0.7)
    middle, gap = (left + right) / 2, 0.012
    for a, b in ((left, middle), (middle, right)):
        sketch.box(a + gap, top + gap, b - gap / 2, bottom - gap, glass)


def _furniture(sketch: Sketch, rng: Rng, x: float, foot: float) -> None:
    """A box with a front and a top: a chest of drawers, a sofa, a table."""
    tone, wide, tall = color(rng, (0, 0.6), (0.2, 0.85)), rng.uniform(0.15, 0.35), rng.uniform(0.08, 0.3)
    deep = 0.05
    top = foot - tall
    sketch.polygon(
        [(x, top), (x + deep, top - deep), (x + wide + deep, top - deep), (x + wide, top)], mixed(tone, _LIGHT, 0.3)
    )
    sketch.polygon(
        [(x + wide, top), (x + wide + deep, top - deep), (x + wide + deep, foot - deep), (x + wide, foot)],
        mixed(tone, _DARK, 0.4),
    )
    sketch.box(x, top, x + wide, foot, tone)
    for y in np.linspace(top, foot, int(rng.integers(1, 5)))[:-1]:
        sketch.box(x + 0.01, y + 0.012, x + wide - 0.01, y + 0.018, mixed(tone, _DARK, 0.4))
        sketch.oval(x + wide / 2, y + 0.04, 0.01, 0.01, mixed(tone, _DARK, 0.6))


def _panes(sketch: Sketch, rng: Rng, x: float, top: float, wide: float, front: Color, dark: bool) -> None:
    step = rng.uniform(0.022, 0.04)
    for row in np.arange(top + 0.02, 1, step * 1.3):
        for column in np.arange(x + 0.01, x + wide - step / 2, step):
            shining = dark and chance(rng, 0.4)
            sketch.box(
                column,
                row,
                column + step * 0.6,
                row + step * 0.7,
                (250, 220, 140) if shining else mixed(front, _DARK, 0.45),
            )


def _way(sketch: Sketch, rng: Rng, x: float, y: float, beside: Color) -> None:
    """Asphalt with a dashed line, from the lower edge to the vanishing point."""
    sketch.box(0, y, 1, 1, beside)
    wide = rng.uniform(0.25, 0.5)
    sketch.polygon(
        [(x - 0.01, y), (x + 0.01, y), (0.5 + wide, 1), (0.5 - wide, 1)],
        mixed((90, 90, 94), _DARK, rng.uniform(0, 0.4)),
    )
    for near in 0.7 ** np.arange(0, 9):
        far = near * 0.85
        ends = [
            (x + (0.5 - x) * s + side * 0.012 * s, y + (1 - y) * s)
            for s, side in ((near, -1), (near, 1), (far, 1), (far, -1))
        ]
        sketch.polygon(ends, (235, 232, 220))


KINDS = {
    "room": room,
    "corridor": corridor,
    "shelf": shelf,
    "kitchen": kitchen,
    "table": table,
    "skyline": skyline,
    "street": street,
    "road": road,
}
