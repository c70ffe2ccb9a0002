"""Animals, plants, food and machines: shaded solids on a plain background, in a room or a landscape."""

import numpy as np
from PIL import Image

from training.sources.negatives import indoors, outdoors, walls
from training.sources.negatives.surfaces import Color, Rng, Sketch, chance, color, mixed, pick

_FURS = [(60, 55, 52), (150, 110, 75), (210, 165, 110), (225, 220, 212), (120, 118, 116), (190, 110, 55)]
_DARK = (22, 20, 20)


def cat(rng: Rng, width: int, height: int) -> Image.Image:
    """A cat, or a dog if the ears hang: head and body from the front, or only the head."""
    sketch, fur = _scene(rng, width, height, (outdoors.fields, indoors.room, walls.wood)), pick(rng, _FURS)
    a, d, x, y, r = _placed(rng, sketch, 0.16, 0.3)
    dark = mixed(fur, _DARK, 0.35)
    if chance(rng, 0.6):
        sketch.ball(x + rng.uniform(-0.5, 0.5) * r * a, y + 1.7 * r * d, 1.2 * r, 1.4 * r, fur, 0.15)
        for side in (-0.5, 0.5):
            sketch.ball(x + side * r * a, y + 2.7 * r * d, 0.35 * r, 0.3 * r, dark, 0.15)
    hanging = chance(rng, 0.5)
    for side in (-1, 1):
        if hanging:
            sketch.ball(x + side * r * a, y + 0.1 * r * d, 0.32 * r, 0.75 * r, dark, 0.1)
        else:
            ear = [(0.95, -0.2), (0.85, -1.35), (0.2, -0.8)]
            sketch.polygon([(x + side * u * r * a, y + v * r * d) for u, v in ear], dark)
    sketch.ball(x, y, r, 0.88 * r, fur, 0.2)
    sketch.ball(x, y + 0.35 * r * d, 0.42 * r, 0.32 * r, mixed(fur, (255, 250, 245), 0.5), 0.2)
    _eyes(sketch, x, y - 0.12 * r * d, 0.4 * r, 0.14 * r, color(rng, (0.4, 0.9), (0.4, 0.8)))
    sketch.polygon(
        [(x - 0.1 * r * a, y + 0.2 * r * d), (x + 0.1 * r * a, y + 0.2 * r * d), (x, y + 0.33 * r * d)], _DARK
    )
    for side in (-1, 1):
        for rise in (-0.1, 0.05, 0.2):
            ends = [(x + side * 0.2 * r * a, y + 0.35 * r * d), (x + side * 1.1 * r * a, y + (0.35 + rise) * r * d)]
            sketch.line(ends, mixed(fur, (240, 240, 240), 0.5), 0.004)
    return sketch.picture()


def sheep(rng: Rng, width: int, height: int) -> Image.Image:
    """An animal on four legs from the side: wool in balls, or a smooth cow or horse."""
    sketch, fur = _scene(rng, width, height, (outdoors.fields, outdoors.mountains)), pick(rng, _FURS)
    a, d, x, y, r = _placed(rng, sketch, 0.13, 0.22)
    for leg in (-0.9, -0.6, 0.6, 0.9):
        sketch.box(x + (leg - 0.08) * r * a, y, x + (leg + 0.08) * r * a, y + 1.7 * r * d, mixed(fur, _DARK, 0.5))
    if chance(rng, 0.5):
        for _ in range(40):
            u, v = rng.normal(0, 0.5), rng.normal(0, 0.3)
            sketch.ball(x + u * r * a, y + v * r * d, 0.35 * r, 0.3 * r, fur, 0.2)
    else:
        sketch.ball(x, y, 1.4 * r, 0.75 * r, fur, 0.2)
        for u, v in rng.uniform(-0.6, 0.6, (4, 2)):
            sketch.ball(x + u * r * a, y + v * 0.6 * r * d, 0.25 * r, 0.18 * r, mixed(fur, _DARK, 0.6), 0.1)
    sketch.ball(x + 1.5 * r * a, y - 0.6 * r * d, 0.5 * r, 0.38 * r, mixed(fur, _DARK, 0.25), 0.2)
    sketch.oval(x + 1.6 * r * a, y - 0.7 * r * d, 0.06 * r, 0.06 * r, _DARK)
    return sketch.picture()


def bird(rng: Rng, width: int, height: int) -> Image.Image:
    sketch, plume = _scene(rng, width, height, (outdoors.clouds, outdoors.sea)), color(rng, (0.2, 0.9), (0.3, 0.95))
    a, d, x, y, r = _placed(rng, sketch, 0.15, 0.25)
    sketch.polygon(
        [(x - 0.8 * r * a, y), (x - 2 * r * a, y - 0.3 * r * d), (x - 1.9 * r * a, y + 0.3 * r * d)],
        mixed(plume, _DARK, 0.4),
    )
    for leg in (-0.2, 0.2):
        sketch.line([(x + leg * r * a, y), (x + leg * r * a, y + 1.2 * r * d)], (210, 140, 50), 0.01)
    sketch.line([(0, y + 1.2 * r * d), (1, y + 1.15 * r * d)], (95, 70, 50), 0.03)
    sketch.ball(x, y, 1.1 * r, 0.75 * r, plume)
    sketch.ball(x - 0.25 * r * a, y - 0.05 * r * d, 0.7 * r, 0.4 * r, mixed(plume, _DARK, 0.3))
    beak = [(1.25, -0.75), (1.85, -0.5), (1.2, -0.4)]
    sketch.polygon([(x + u * r * a, y + v * r * d) for u, v in beak], (235, 165, 50))
    sketch.ball(x + 0.85 * r * a, y - 0.6 * r * d, 0.5 * r, 0.48 * r, plume)
    sketch.oval(x + 1.0 * r * a, y - 0.7 * r * d, 0.08 * r, 0.08 * r, _DARK)
    return sketch.picture()


def fish(rng: Rng, width: int, height: int) -> Image.Image:
    water = color(rng, (0.4, 0.8), (0.3, 0.8))
    sketch = Sketch(width, height, mixed(water, (20, 60, 120), 0.5) if chance(rng, 0.7) else (255, 255, 255))
    for _ in range(int(rng.integers(1, 6))):
        scale, (x, y), r = color(rng, (0.3, 1), (0.4, 1)), rng.uniform(0.15, 0.85, 2), rng.uniform(0.07, 0.18)
        a, d, way = sketch.across, sketch.down, rng.choice([-1, 1])
        tail = [(-0.8, 0), (-1.9, -0.6), (-1.6, 0), (-1.9, 0.6)]
        sketch.polygon([(x + way * u * r * a, y + v * r * d) for u, v in tail], mixed(scale, _DARK, 0.3))
        sketch.ball(x, y, 1.2 * r, 0.6 * r, scale)
        sketch.oval(x + way * 0.8 * r * a, y - 0.12 * r * d, 0.13 * r, 0.13 * r, (250, 250, 250))
        sketch.oval(x + way * 0.83 * r * a, y - 0.12 * r * d, 0.07 * r, 0.07 * r, _DARK)
    return sketch.picture()


def flower(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = _scene(rng, width, height, (outdoors.fields, walls.plaster, outdoors.forest))
    for _ in range(int(rng.integers(1, 7))):
        petal, petals = color(rng, (0.3, 1), (0.6, 1)), int(rng.integers(5, 14))
        a, d, x, y, r = _placed(rng, sketch, 0.06, 0.2)
        sketch.line([(x, y), (x + rng.uniform(-0.1, 0.1), 1.1)], (70, 120, 50), 0.015)
        sketch.ball(x + 0.06, min(0.9, y + 2 * r * d), 0.6 * r, 0.25 * r, (80, 140, 60))
        for turn in np.linspace(0, 2 * np.pi, petals, endpoint=False):
            sketch.ball(x + np.cos(turn) * r * a, y + np.sin(turn) * r * d, 3 * r / petals, 3 * r / petals, petal)
        sketch.ball(x, y, 0.5 * r, 0.5 * r, pick(rng, [(235, 190, 50), (90, 60, 30)]))
    return sketch.picture()


def fruit(rng: Rng, width: int, height: int) -> Image.Image:
    """Apples, oranges, lemons, grapes, alone or in a heap."""
    sketch = _scene(rng, width, height, (walls.wood, indoors.kitchen))
    for _ in range(int(rng.integers(1, 9))):
        skin = pick(rng, [(190, 40, 40), (230, 130, 30), (235, 210, 60), (130, 170, 50), (90, 40, 90)])
        a, d, x, y, r = _placed(rng, sketch, 0.07, 0.2)
        sketch.ball(x + 0.01, y + 0.9 * r * d, r, 0.2 * r, mixed(skin, _DARK, 0.7), 0)
        sketch.ball(x, y, r, r * rng.uniform(0.8, 1.2), skin, 0.7)
        sketch.line([(x, y - 0.85 * r * d), (x + 0.2 * r * a, y - 1.25 * r * d)], (90, 65, 40), 0.012)
    return sketch.picture()


def meal(rng: Rng, width: int, height: int) -> Image.Image:
    """A plate from above: a pizza, or heaps of things."""
    sketch = _scene(rng, width, height, (walls.wood, walls.marble))
    x, y, r = rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.5)
    for share, fill in ((1, (235, 235, 232)), (0.97, (250, 250, 248)), (0.7, (238, 238, 235))):
        sketch.oval(x, y, r * share, r * share, fill)
    if chance(rng, 0.4):
        sketch.oval(x, y, 0.8 * r, 0.8 * r, (205, 150, 85))
        sketch.oval(x, y, 0.72 * r, 0.72 * r, (235, 195, 90))
    for _ in range(int(rng.integers(8, 50))):
        turn, far, size = rng.uniform(0, 2 * np.pi), 0.62 * r * np.sqrt(rng.random()), r * rng.uniform(0.06, 0.2)
        fill = pick(rng, [(190, 50, 35), (100, 140, 50), (225, 190, 110), (130, 80, 45), (240, 225, 190)])
        at = x + far * np.cos(turn) * sketch.across, y + far * np.sin(turn) * sketch.down
        sketch.ball(*at, size, size * rng.uniform(0.5, 1), fill)
    return sketch.picture()


def car(rng: Rng, width: int, height: int) -> Image.Image:
    """From the side: a car, a van or a bus."""
    sketch, paint = _scene(rng, width, height, (indoors.road, indoors.skyline)), color(rng, (0, 0.9), (0.2, 1))
    a, d, x, y, r = _placed(rng, sketch, 0.13, 0.2)
    roof = [[(-1.1, -0.4), (-0.7, -1.1), (0.5, -1.1), (1.1, -0.4)], [(-2, -0.4), (-2, -1.4), (1.4, -1.4), (1.8, -0.4)]][
        rng.integers(2)
    ]
    sketch.polygon([(x + u * r * a, y + v * r * d) for u, v in roof], paint)
    sketch.polygon([(x + u * 0.85 * r * a, y + (v * 0.85 - 0.08) * r * d) for u, v in roof], (90, 110, 130))
    sketch.box(x - 2.1 * r * a, y - 0.4 * r * d, x + 2.1 * r * a, y + 0.35 * r * d, paint, 0.03)
    sketch.line([(x, y - 1.0 * r * d), (x, y + 0.3 * r * d)], mixed(paint, _DARK, 0.3), 0.012)
    for wheel in (-1.25, 1.25):
        for share, fill in ((0.5, (30, 30, 32)), (0.28, (175, 175, 180))):
            sketch.oval(x + wheel * r * a, y + 0.35 * r * d, share * r, share * r, fill)
    sketch.oval(x + 2.0 * r * a, y - 0.15 * r * d, 0.12 * r, 0.12 * r, (250, 240, 190))
    return sketch.picture()


def house(rng: Rng, width: int, height: int) -> Image.Image:
    sketch, front = _scene(rng, width, height, (outdoors.fields, outdoors.mountains)), color(rng, (0, 0.5), (0.5, 1))
    a, d, x, y, r = _placed(rng, sketch, 0.22, 0.36)
    sketch.polygon(
        [(x - 1.15 * r * a, y - 0.4 * r * d), (x, y - 1.2 * r * d), (x + 1.15 * r * a, y - 0.4 * r * d)], (140, 65, 50)
    )
    sketch.box(x - r * a, y - 0.4 * r * d, x + r * a, y + 0.8 * r * d, front)
    sketch.box(x - 0.15 * r * a, y + 0.2 * r * d, x + 0.15 * r * a, y + 0.8 * r * d, (95, 65, 45))
    for u in (-0.6, 0.6):
        indoors.window(sketch, rng, x + (u - 0.2) * r * a, y - 0.1 * r * d, x + (u + 0.2) * r * a, y + 0.3 * r * d)
    outdoors.tree(sketch, rng, rng.uniform(0, 1), y + 0.8 * r * d, 0.5)
    return sketch.picture()


def planet(rng: Rng, width: int, height: int) -> Image.Image:
    """A planet or a ball, on any background."""
    sketch = _scene(rng, width, height, (outdoors.night, outdoors.night, outdoors.fields))
    a, d, x, y, r = _placed(rng, sketch, 0.1, 0.4)
    sketch.ball(x, y, r, r, color(rng, (0, 0.9), (0.4, 1)))
    for _ in range(int(rng.integers(0, 9))):
        turn, far = rng.uniform(0, 6.3), r * rng.uniform(0, 0.7)
        at = x + far * np.cos(turn) * a, y + far * np.sin(turn) * d
        sketch.ball(*at, r * 0.12, r * 0.1, color(rng, (0, 0.4), (0.3, 0.6)), 0.1)
    return sketch.picture()


def screen(rng: Rng, width: int, height: int) -> Image.Image:
    """A phone, a television or a laptop, switched on."""
    sketch = _scene(rng, width, height, (indoors.table, walls.wood, indoors.room))
    a, d, x, y, r = _placed(rng, sketch, 0.2, 0.36)
    wide, tall = ((0.5, 1.0), (1.2, 0.7))[rng.integers(2)]
    case = pick(rng, [(25, 25, 28), (220, 220, 224), (60, 62, 66)])
    sketch.box(x - wide * r * a, y - tall * r * d, x + wide * r * a, y + tall * r * d, case, 0.03)
    wide, tall = wide - 0.06, tall - 0.06
    sketch.box(x - wide * r * a, y - tall * r * d, x + wide * r * a, y + tall * r * d, color(rng, (0.2, 0.9), (0.2, 1)))
    for row in np.linspace(-0.7, 0.5, 4):
        for column in (-0.6, 0, 0.6):
            spot = x + column * wide * r * a, y + row * tall * r * d
            sketch.box(
                *spot, spot[0] + 0.2 * wide * r * a, spot[1] + 0.2 * tall * r * d, color(rng, (0, 0.6), (0.6, 1)), 0.01
            )
    return sketch.picture()


def _scene(rng: Rng, width: int, height: int, scenes: tuple) -> Sketch:
    """A background: white or one color half of the time, so that these do not give away product photographs."""
    if chance(rng, 0.55):
        plain: Color = (255, 255, 255) if chance(rng, 0.6) else color(rng, (0, 0.6), (0.5, 1))
        return Sketch(width, height, plain)
    return Sketch(width, height, scenes[rng.integers(len(scenes))](rng, width, height))


def _placed(rng: Rng, sketch: Sketch, least: float, most: float) -> tuple[float, float, float, float, float]:
    """A length's shares of width and height, the position of a thing, and its radius."""
    x, y = rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65)
    return sketch.across, sketch.down, x, y, rng.uniform(least, most)


def _eyes(sketch: Sketch, x: float, y: float, apart: float, size: float, iris: Color) -> None:
    for side in (-1, 1):
        for share, fill in ((1.0, (245, 245, 240)), (0.8, iris), (0.45, _DARK)):
            sketch.oval(x + side * apart * sketch.across, y, size * share, size * share, fill)


KINDS = {
    "cat": cat,
    "sheep": sheep,
    "bird": bird,
    "fish": fish,
    "flower": flower,
    "fruit": fruit,
    "meal": meal,
    "car": car,
    "house": house,
    "planet": planet,
    "screen": screen,
}
