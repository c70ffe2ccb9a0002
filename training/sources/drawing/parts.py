"""What a garment is made of: pieces of cloth, lines on them, creases."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.sources.drawing.folds import Folds
from training.sources.drawing.geometry import Points


@dataclass(frozen=True)
class Part:
    """One piece of cloth (or of a hanger, a sole, a button)."""

    outline: Points
    cloth: str = "main"
    angle: float = 0.0  # of the cloth's threads, radians clockwise
    folds: Folds | None = None
    puff: float = 1.0  # how much it is filled; 0 is a flat thing, as a button, that takes no light of its own
    lift: float = 0.5  # how dark a shadow it throws on what lies under it


@dataclass(frozen=True)
class Line:
    """A seam, a row of stitches, a lace. Width in garment units; dash is the length of a stitch, 0 for none."""

    points: Points
    color: tuple[float, float, float] = (0, 0, 0)
    width: float = 0.012
    opacity: float = 0.35
    dash: float = 0.0


@dataclass
class Garment:
    """What is painted, from back to front, and the creases pressed into all of it.

    A hanger or a torso belongs behind parts[front]: over the lining, under all else.
    """

    parts: list[Part | Line] = field(default_factory=list)
    creases: list[tuple[Points, float]] = field(default_factory=list)  # a line and its height, -1 to 1
    front: int = 0
    # half widths of neck and shoulders and how far these slope down, for a hanger or a torso; None without shoulders
    yoke: tuple[float, float, float] | None = None

    def outline(self) -> Points:
        return np.concatenate([part.outline for part in self.parts if isinstance(part, Part)])
