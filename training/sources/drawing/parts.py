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
    puff: float = 1.0  # how much it bulges; 0 for flat things such as buttons, which are not shaded
    lift: float = 0.5  # darkness of the shadow on the parts below


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
    """Parts in painting order, from back to front, and creases over the whole garment.

    A hanger or a torso is inserted before parts[front]: above the lining, below everything else.
    """

    parts: list[Part | Line] = field(default_factory=list)
    creases: list[tuple[Points, float]] = field(default_factory=list)  # a line and its height, -1 to 1
    front: int = 0
    # Half widths of neck and shoulders and the drop of the shoulders, for a hanger or a torso; None without shoulders.
    yoke: tuple[float, float, float] | None = None

    def outline(self) -> Points:
        return np.concatenate([part.outline for part in self.parts if isinstance(part, Part)])
