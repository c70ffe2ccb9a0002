"""The pieces that upper garments are sewn from: bodies, necklines, sleeves, collars, buttons, creases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.sources.drawing import folds
from training.sources.drawing.cloth import RGB, darker
from training.sources.drawing.geometry import Knot, Points, across, both_halves, curve, ellipse, mirror, ribbon
from training.sources.drawing.parts import Line, Part

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
    slope: float = 0.13  # drop from the neck to the shoulder's end
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
    side: list[Knot] = [
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
    """A front on thin straps: the right half of its upper edge, and its whole outline."""
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


def neck_band(kind: str, neck: Points, width: float, cloth: str = "trim") -> list[Part | Line]:
    """The band along the neck's edge; at the point of a V its left end overlaps the right one."""
    if kind != "V-Necks":
        return [Part(ribbon(across(neck), width, -0.4), cloth, puff=0.5, lift=0.25)]
    overlap = neck[0] + (neck[0] - neck[2]) / np.hypot(*(neck[0] - neck[2])) * width * 0.6
    right = ribbon(np.concatenate([overlap[None], neck]), width, -0.4)
    return [Part(right, cloth, puff=0.5, lift=0.25), Part(mirror(right), cloth, puff=0.5, lift=0.25)]


def lining(cut: Cut, neck: Points) -> list[Part | Line]:
    """The back of the garment seen through the neck, with its label."""
    n, low = cut.neck, float(neck[0, 1])
    half = curve([(0, TOP + 0.05), (n * 0.6, TOP + 0.03), (n, TOP, 1), (n, low + 0.02, 1), (0, low + 0.05)])
    back = curve([(0, TOP + 0.05), (n * 0.6, TOP + 0.03), (n, TOP)])
    tag = both_halves([(0, TOP + 0.07), (0.05, TOP + 0.068, 1), (0.05, TOP + 0.125, 1), (0, TOP + 0.128)])
    return [
        Part(both_halves(half), "inside", puff=0.3, lift=0.0),
        Part(ribbon(across(back), 0.055, 0.9), "trim", puff=0.6, lift=0.3),
        Part(tag, "label", puff=0.0, lift=0.2),
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
        pieces.append(Part(disc, "label" if sum(color) > 1.5 else "deep", puff=0.0, lift=0.55))
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


def shade_line(shade: RGB) -> RGB:
    """A seam's color on cloth of that shade: darker, but lighter on black."""
    return darker(shade, 0.35) if sum(shade) > 0.6 else (0.45, 0.45, 0.47)
