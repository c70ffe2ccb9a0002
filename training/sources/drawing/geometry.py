"""Outlines in garment units: x to the right, y down; a garment spans about -1 to 1 on its longer side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Points = NDArray[np.float64]  # (N, 2)
Knot = tuple[float, float] | tuple[float, float, int]  # a third value of 1 marks a corner
_T = np.linspace(0, 1, 8, endpoint=False)
# Cubic Hermite basis at the steps _T, for start, its tangent, end and its tangent: (4, 8).
_HERMITE = np.stack([2 * _T**3 - 3 * _T**2 + 1, _T**3 - 2 * _T**2 + _T, 3 * _T**2 - 2 * _T**3, _T**3 - _T**2])


def curve(knots: Sequence[Knot]) -> Points:
    """A smooth open line through the knots (Catmull-Rom), broken at those marked as corners."""
    points = np.array([knot[:2] for knot in knots], dtype=np.float64)
    corners = [i for i, knot in enumerate(knots) if len(knot) > 2 and knot[2]]
    stops = sorted({0, len(knots) - 1, *corners})
    runs = [_smooth(points[a : b + 1]) for a, b in pairwise(stops)]
    return np.concatenate([runs[0], *(run[1:] for run in runs[1:])])


def _smooth(points: Points) -> Points:
    tangents = _slopes(points)
    rows = np.stack([points[:-1], tangents[:-1], points[1:], tangents[1:]])  # (4, N - 1, 2)
    return np.concatenate([np.einsum("ks,knd->nsd", _HERMITE, rows).reshape(-1, 2), points[-1:]])


def _slopes(points: Points) -> Points:
    """Central differences, one-sided at the ends."""
    steps = points[1:] - points[:-1]
    return np.concatenate([steps[:1], (steps[1:] + steps[:-1]) / 2, steps[-1:]])


def _normals(line: Points) -> Points:
    """Unit vectors across the line, on its right where y runs down."""
    along = _slopes(line)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    return along[:, ::-1] * (-1, 1)


def mirror(points: Points) -> Points:
    """The same points on the other side of the vertical middle line."""
    return points * (-1, 1)


def both_halves(half: Sequence[Knot] | Points) -> Points:
    """A closed symmetric outline from its right half, which starts and ends on the middle line."""
    points = half if isinstance(half, np.ndarray) else curve(half)
    return np.concatenate([points, mirror(points)[::-1]])


def across(half: Points) -> Points:
    """An open symmetric line (a neckline, a hem) from its right half, which starts on the middle line."""
    return np.concatenate([mirror(half)[::-1], half[1:]])


def ribbon(line: Points, width: float, side: float = 0.0) -> Points:
    """The closed outline of a band along a line; side -1, 0 or 1 puts it left of, on or right of the line."""
    normal = _normals(line)
    middle = line + normal * side * width / 2
    return np.concatenate([middle + normal * width / 2, (middle - normal * width / 2)[::-1]])


def shifted(points: Points, right: float, down: float) -> Points:
    return points + np.array([right, down])


def ellipse(x: float, y: float, rx: float, ry: float, steps: int = 28) -> Points:
    turn = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=1)


def turned(points: Points, angle: float) -> Points:
    """The points turned around the origin, clockwise (y runs down), by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def stroke(line: Points, width: float) -> Points:
    """The closed outline of a brush stroke: widest in its middle, pointed at its ends."""
    half = np.sin(np.linspace(0, np.pi, len(line)))[:, None] * width / 2
    normal = _normals(line)
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])


class Pose:
    """Placement of the garment in the picture: rotation, shear, scale, position and a slight bend of the cloth.

    The bend is a sum of a few long waves; patterns evaluated on `grid` are bent like the outline.
    """

    def __init__(self, matrix: Points, offset: Points, waves: Points) -> None:
        self._matrix, self._offset, self._waves = matrix, offset, waves
        self.unit = float(np.sqrt(abs(np.linalg.det(matrix))))  # pixels for each garment unit

    @classmethod
    def fit(
        cls,
        outline: Points,
        pixels: int,
        rng: np.random.Generator,
        turn: float,
        fill: tuple[float, float],
        margin_top: float = 0.0,
    ) -> Pose:
        """A random pose that keeps the outline inside a square picture.

        `turn` is the largest angle in radians, `fill` the range of the fraction of the picture that the longer side
        covers, `margin_top` the fraction of the picture left free at the top (for a hanger's hook).
        """
        angle = rng.uniform(-turn, turn)
        shear = rng.uniform(-0.06, 0.06)
        waves = np.stack(
            [
                rng.uniform(0.008, 0.022, 3),
                rng.uniform(-2.6, 2.6, 3),
                rng.uniform(-2.6, 2.6, 3),
                rng.uniform(0, 2 * np.pi, 3),
                rng.uniform(0, 2 * np.pi, 3),
            ],
            axis=1,
        )
        share = rng.uniform(*fill)
        place = rng.uniform(0.12, 0.88, 2)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = matrix @ np.array([[1.0, shear], [0.0, 1.0]])
        placed = cls(matrix, np.zeros(2), waves).to_pixels(outline)
        low, high = placed.min(axis=0), placed.max(axis=0)
        room = np.array([1.0, 1.0 - margin_top]) * pixels
        scale = share * (room / (high - low)).min()
        free = room - scale * (high - low)
        offset = place * free + (0, margin_top * pixels) - scale * low
        return cls(matrix * scale, offset, waves)

    def to_pixels(self, points: Points) -> Points:
        return (points + self._bend(points[:, 0], points[:, 1]).T) @ self._matrix.T + self._offset

    def place(self, lines: Sequence[Points]) -> list[Points]:
        """Each of the lines in pixels, computed in one batch for speed."""
        ends = np.cumsum([len(line) for line in lines])
        return np.split(self.to_pixels(np.concatenate(lines)), ends[:-1])

    def grid(self, pixels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The garment coordinates x, y of every pixel, each (pixels, pixels)."""
        inverse = np.linalg.inv(self._matrix).astype(np.float32)
        steps = np.arange(pixels, dtype=np.float32) + np.float32(0.5)
        dx = steps[None, :] - np.float32(self._offset[0])
        dy = steps[:, None] - np.float32(self._offset[1])
        x = inverse[0, 0] * dx + inverse[0, 1] * dy
        y = inverse[1, 0] * dx + inverse[1, 1] * dy
        # First-order inverse, as the bend is small; evaluated on a coarse grid, as its waves are long.
        coarse = self._bend(x[4::8, 4::8], y[4::8, 4::8])
        bend_x, bend_y = (_enlarged(part, pixels) for part in coarse)
        return x - bend_x, y - bend_y

    def _bend(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
        size, kx, ky, px, py = (column.reshape(-1, *[1] * x.ndim) for column in self._waves.astype(x.dtype).T)
        phase = kx * x + ky * y  # (waves, ...)
        return np.stack([(size * np.sin(phase + px)).sum(axis=0), (size * np.sin(phase + py)).sum(axis=0)])


def _enlarged(values: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(values).resize((pixels, pixels), Image.Resampling.BICUBIC))
