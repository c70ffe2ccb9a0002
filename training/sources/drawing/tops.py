"""Shirts, polos, tank tops, hoodies, sweaters and jackets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.canvas import Garment, Line, Part
from training.sources.drawing.cloth import RGB, darker
from training.sources.drawing.geometry import Knot, Points, across, both_halves, curve, ellipse, mirror, ribbon
from training.sources.drawing.wardrobe import Outfit

TOP = -0.86  # y of the neck's side points


@dataclass(frozen=True)
class Cut:
    """Measures of an upper body, half widths in garment units."""

    neck: float
    shoulder: float
    chest: float
    waist: float
    hem: float
    length: float  # y of the hem
    slope: float = 0.13  # how far the shoulder's end lies below the neck
    armpit: float = -0.30

    @property
    def yoke(self) -> tuple[float, float, float]:
        return self.neck, self.shoulder, self.slope


def neckline(kind: str, cut: Cut, depth: float) -> Points:
    """The right half of the neck's edge, from the middle line up to the shoulder."""
    n = cut.neck
    if kind == "V-Necks":
        return curve([(0, TOP + depth * 2.3), (n * 0.55, TOP + depth * 0.95), (n, TOP)])
    if kind == "Square Necked":
        return curve([(0, TOP + depth * 1.35), (n * 0.92, TOP + depth * 1.32, 1), (n, TOP)])
    return curve([(0, TOP + depth), (n * 0.5, TOP + depth * 0.86), (n * 0.88, TOP + depth * 0.42), (n, TOP)])


def body(cut: Cut, neck: Points, curved_hem: float = 0.03) -> Points:
    side = [
        (cut.neck, TOP),
        (cut.shoulder, TOP + cut.slope, 1),
        (cut.shoulder - 0.035, (TOP + cut.slope + cut.armpit) / 2),
        (cut.chest, cut.armpit, 1),
        (cut.waist, (cut.armpit + cut.length) / 2),
        (cut.hem, cut.length - curved_hem, 1),
        (cut.hem * 0.5, cut.length),
        (0, cut.length + 0.01),
    ]
    return both_halves(np.concatenate([neck, curve(side)[1:]]))


def strapped(cut: Cut, kind: str, waist: list[Knot]) -> tuple[Points, Points]:
    """The right half of the front's upper edge and the whole outline of a front on thin straps."""
    n, top = cut.neck, cut.armpit - 0.24
    middle = {"V-Necks": top + 0.2, "Round Neck": top + 0.12}.get(kind, top + 0.02)
    bend = (n * 0.6, top + 0.08) if kind == "Round Neck" else (n * 0.5, (middle + top) / 2)
    neck = curve([(0, middle), bend, (n * 0.97, top, 1), (n, TOP)])
    side: list[Knot] = [
        (n, TOP),
        (n + 0.04, TOP, 1),
        (n + 0.055, top, 1),
        (n + 0.1, top + 0.12),
        (cut.chest, cut.armpit, 1),
    ]
    return neck, both_halves(np.concatenate([neck, curve([*side, *waist])[1:]]))


def lining(cut: Cut, neck: Points) -> list[Part | Line]:
    """The back of the garment seen through the neck, with its label."""
    n, low = cut.neck, float(neck[0, 1])
    half = curve([(0, TOP + 0.05), (n * 0.6, TOP + 0.03), (n, TOP, 1), (n, (TOP + low) / 2), (0, low + 0.05)])
    back = curve([(0, TOP + 0.05), (n * 0.6, TOP + 0.03), (n, TOP)])
    tag = both_halves([(0, TOP + 0.07), (0.05, TOP + 0.068, 1), (0.05, TOP + 0.125, 1), (0, TOP + 0.128)])
    return [
        Part(both_halves(half), "inside", puff=0.3, lift=0.0),
        Part(ribbon(across(back), 0.055, 0.9), "trim", puff=0.6, lift=0.3),
        Part(tag, "label", puff=0.2, lift=0.2),
    ]


def sleeves(
    cut: Cut, rng: np.random.Generator, length: float, angle: float, cuff: float, puff: float = 0.0, rib: bool = False
) -> list[Part | Line]:
    """Both sleeves: length along the arm, angle from straight down (radians), cuff's width."""
    pieces: list[Part | Line] = []
    for side in (1, -1):
        a = angle + rng.normal(0, 0.05)
        d, n = np.array([np.sin(a), np.cos(a)]), np.array([np.cos(a), -np.sin(a)])
        top = np.array([cut.shoulder - 0.03, TOP + cut.slope - 0.012])
        pit = np.array([cut.chest - 0.03, cut.armpit + 0.03])
        outer = top + d * length + n * 0.03
        inner = outer - n * cuff
        bulge = top + d * length * 0.4 + n * (0.065 + puff)
        pieces_outline = curve(
            [
                (cut.shoulder - 0.16, TOP + cut.slope * 0.6),
                _knot(top + d * 0.01 + n * 0.012),
                _knot(top + d * 0.10 + n * (0.055 + puff * 0.6)),
                _knot(bulge),
                _knot(top + d * length * 0.72 + n * (0.045 + puff * 0.9)),
                (*_knot(outer), 1),
                _knot((outer + inner) / 2 + d * 0.012),
                (*_knot(inner), 1),
                _knot((pit * 0.55 + inner * 0.45) - n * (0.005 + puff * 0.4)),
                (*_knot(pit), 1),
                (cut.chest - 0.16, cut.armpit - 0.1),
                (cut.shoulder - 0.16, TOP + cut.slope + 0.1),
            ]
        )
        edge = np.stack([outer + n * 0.004, (outer + inner) / 2 + d * 0.012, inner - n * 0.004])
        turn = -a if side > 0 else a
        flip = (lambda p: p) if side > 0 else mirror
        wrinkles = folds.wrinkled(rng, 1.3 if length > 0.7 else 0.8)
        pieces.append(Part(flip(pieces_outline), "main", turn, wrinkles, lift=0.35))
        if rib:
            band = ribbon(edge - d * 0.045, 0.10)
            pieces.append(Part(flip(band), "rib", turn, puff=0.6, lift=0.25))
        else:
            pieces.append(Line(flip(edge - d * 0.055)))
    return pieces


def _knot(point: Points) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def armholes(cut: Cut) -> list[Part | Line]:
    seam = curve([(cut.shoulder, TOP + cut.slope), (cut.shoulder - 0.04, -0.52), (cut.chest, cut.armpit)])
    return [Line(seam, opacity=0.3), Line(mirror(seam), opacity=0.3)]


def collar(cut: Cut, reach: float, spread: float) -> list[Part | Line]:
    """Two leaves that fold over the neck's edge."""
    n = cut.neck
    leaf = curve(
        [
            (0.012, TOP + 0.17, 1),
            (n * 0.62, TOP + 0.04),
            (n * 0.95, TOP - 0.04),
            (n + 0.065, TOP + 0.03),
            (n * 0.9 + spread, TOP + reach * 0.62),
            (n * 0.52 + spread, TOP + reach, 1),
            (0.10, TOP + 0.24),
        ]
    )
    stand = both_halves(
        [(0, TOP + 0.02), (n * 0.7, TOP - 0.035), (n, TOP - 0.05, 1), (n, TOP + 0.07, 1), (0, TOP + 0.1)]
    )
    pieces: list[Part | Line] = [Part(stand, "inside", puff=0.4, lift=0.2)]
    for angle, flip in ((-0.6, lambda p: p), (0.6, mirror)):
        pieces.append(Part(flip(leaf), "main", angle, puff=0.8, lift=0.6))
        pieces.append(Line(flip(leaf[24:48] * 0.985 + (0, -0.014)), opacity=0.22, width=0.008))
    return pieces


def buttons(ys: np.ndarray, color: RGB, x: float = 0.0, radius: float = 0.024) -> list[Part | Line]:
    pieces: list[Part | Line] = []
    for y in ys:
        disc = ellipse(x, float(y), radius, radius, 14)
        pieces.append(Part(disc, "label" if sum(color) > 1.5 else "deep", puff=0.5, lift=0.55))
        pieces.append(Line(np.array([[x - 0.007, y], [x + 0.007, y]]), (0.2, 0.2, 0.2), 0.008, 0.6))
    return pieces


def pull_lines(cut: Cut, rng: np.random.Generator, strength: float = 1.0) -> list[tuple[Points, float]]:
    """Creases that run from the armpits down and towards the middle, and a few at the waist."""
    lines = []
    for side in (1, -1):
        for _ in range(rng.integers(2, 4)):
            x, y = cut.chest * rng.uniform(0.75, 0.95), cut.armpit + rng.uniform(-0.05, 0.15)
            dx, dy = rng.uniform(0.12, 0.35), rng.uniform(0.15, 0.5)
            line = curve([(x, y), (x - dx * 0.45, y + dy * 0.6), (x - dx, y + dy)])
            lines.append((line * (side, 1), float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.8) * strength)))
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(-0.4, 0.4), rng.uniform(0.25, 0.75)
        dx, dy = rng.uniform(-0.3, 0.3), rng.uniform(0.02, 0.2)
        line = curve([(x, y), (x + dx * 0.5, y + dy * 0.3), (x + dx, y + dy)])
        lines.append((line, float(rng.uniform(-0.6, 0.6) * strength)))
    return lines


def hem_line(cut: Cut, y: float) -> Line:
    return Line(curve([(-cut.hem, y - 0.02), (0, y), (cut.hem, y - 0.02)]), opacity=0.25)


def _long_or_short(outfit: Outfit, cut: Cut, rng: np.random.Generator, rib: bool = False) -> list[Part | Line]:
    if outfit.sleeve == "Long Sleeved":
        return sleeves(cut, rng, rng.uniform(1.45, 1.6), rng.uniform(0.16, 0.36), rng.uniform(0.22, 0.26), rib=rib)
    return sleeves(cut, rng, rng.uniform(0.42, 0.56), rng.uniform(0.62, 0.9), rng.uniform(0.33, 0.38), rib=rib)


def t_shirt(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(
        rng.uniform(0.21, 0.27), 0.58, rng.uniform(0.54, 0.6), rng.uniform(0.5, 0.58), rng.uniform(0.54, 0.6), 0.9
    )
    neck = neckline(outfit.neckline, cut, rng.uniform(0.17, 0.22))
    parts = lining(cut, neck)
    front = len(parts)
    parts += _long_or_short(outfit, cut, rng)
    parts += [Part(body(cut, neck), "main", folds=folds.soft(rng)), *armholes(cut)]
    parts += [Part(ribbon(across(neck), 0.055, -0.4), "trim", puff=0.5, lift=0.25), hem_line(cut, 0.85)]
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def tank_top(outfit: Outfit, rng: np.random.Generator) -> Garment:
    hem = rng.uniform(0.48, 0.56)
    cut = Cut(rng.uniform(0.23, 0.28), rng.uniform(0.38, 0.42), 0.5, 0.46, hem, 0.9, 0.03, -0.28)
    if outfit.style == "Spaghetti Straps":
        sides: list[Knot] = [(cut.waist, 0.3), (cut.hem, 0.87, 1), (cut.hem * 0.5, 0.9), (0, 0.91)]
        neck, outline = strapped(cut, outfit.neckline, sides)
    else:
        neck = neckline(outfit.neckline, cut, 0.4 if outfit.neckline == "Round Neck" else 0.24)
        outline = body(cut, neck)
    parts = lining(cut, neck)[:1] if outfit.style != "Spaghetti Straps" else []
    front = len(parts)
    parts += [Part(outline, "main", folds=folds.soft(rng)), hem_line(cut, 0.85)]
    parts.append(Part(ribbon(across(neck), 0.03, -0.4), "trim", puff=0.5, lift=0.2))
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def dress_shirt(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.2, 0.57, 0.55, rng.uniform(0.48, 0.54), 0.55, 0.9, 0.15)
    neck = neckline("V-Necks", cut, 0.09)
    parts = lining(cut, neck)[:2]
    front = len(parts)
    parts += _long_or_short(outfit, cut, rng)
    parts += [Part(body(cut, neck, 0.14), "main", folds=folds.soft(rng)), *armholes(cut)]
    for x in (-0.045, 0.045):
        parts.append(Line(np.array([[x, -0.66], [x, 0.9]]), opacity=0.3))
    pocket = np.array([[0.17, -0.42], [0.39, -0.42], [0.39, -0.2], [0.28, -0.15], [0.17, -0.2]])
    parts.append(Part(pocket, "main", puff=0.15, lift=0.3))
    light = (0.95, 0.95, 0.95) if sum(outfit.shades[0]) < 2.5 and rng.random() < 0.7 else (0.1, 0.1, 0.1)
    parts += buttons(np.linspace(-0.52, 0.72, 6), light) + collar(cut, 0.32, 0.1)
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def polo(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.2, 0.57, 0.57, 0.55, 0.57, 0.88, 0.14)
    neck = neckline("V-Necks", cut, 0.1)
    parts = lining(cut, neck)
    front = len(parts)
    parts += sleeves(cut, rng, rng.uniform(0.45, 0.55), rng.uniform(0.6, 0.85), 0.34, rib=True)
    parts += [Part(body(cut, neck, 0.02), "main", folds=folds.soft(rng)), *armholes(cut)]
    placket = np.array([[-0.055, -0.72], [0.055, -0.72], [0.055, -0.3], [-0.055, -0.3]])
    parts.append(Part(placket, "ground", puff=0.15, lift=0.3))
    parts += buttons(np.array([-0.55, -0.44, -0.34]), (0.95, 0.95, 0.95), radius=0.022)
    leaves = [
        Part(p.outline, "rib" if p.cloth == "main" else p.cloth, p.angle, lift=0.6)
        for p in collar(cut, 0.24, 0.13)
        if isinstance(p, Part)
    ]
    return Garment([*parts, *leaves, hem_line(cut, 0.83)], pull_lines(cut, rng), front, cut.yoke)


def sweater(outfit: Outfit, rng: np.random.Generator) -> Garment:
    cut = Cut(0.23, 0.6, 0.57, 0.55, 0.53, 0.8, 0.14)
    high = outfit.neckline == "Turtlenecks"
    neck = neckline("Round Neck" if high else outfit.neckline, cut, 0.06 if high else 0.19)
    parts = [] if high else lining(cut, neck)
    front = len(parts)
    parts += _long_or_short(outfit, cut, rng, rib=True)
    parts += [Part(body(cut, neck, 0.0), "main", folds=folds.soft(rng, 1.2)), *armholes(cut)]
    hem = curve([(-cut.hem, 0.8), (0, 0.82), (cut.hem, 0.8)])
    parts.append(Part(ribbon(hem, 0.13, 0.6), "rib", puff=0.8, lift=0.3))
    if high:
        tube = both_halves(
            [(0, -1.1), (0.16, -1.1), (0.195, -1.08, 1), (0.215, -0.95), (0.25, -0.84, 1), (0.12, -0.76), (0, -0.75)]
        )
        fold = both_halves([(0, -1.11), (0.16, -1.105), (0.205, -1.08, 1), (0.225, -0.95, 1), (0.1, -0.91), (0, -0.9)])
        parts += [Part(tube, "rib", puff=1.2), Part(fold, "rib", puff=1.2)]
    else:
        parts.append(Part(ribbon(across(neck), 0.08, -0.4), "rib", puff=0.7, lift=0.3))
    return Garment(parts, pull_lines(cut, rng), front, cut.yoke)


def shade_line(shade: RGB) -> RGB:
    """A seam's color on cloth of that shade: darker, but lighter on black."""
    return darker(shade, 0.35) if sum(shade) > 0.6 else (0.45, 0.45, 0.47)
