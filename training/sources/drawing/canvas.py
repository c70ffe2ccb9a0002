"""Paints the parts of a garment: antialiased outlines, cloth, folds under a light, shadows between parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.sources.drawing.cloth import Cloth
from training.sources.drawing.folds import Folds
from training.sources.drawing.geometry import Points, Pose, shifted, stroke

Floats = NDArray[np.float32]
_CREASE = 0.045  # width of a crease in garment units
OVERSAMPLING = 2  # of the canvas over the picture; outlines are drawn at twice the canvas again


@dataclass(frozen=True)
class Part:
    """One piece of cloth (or of a hanger, a sole, a button)."""

    outline: Points
    cloth: str = "main"
    angle: float = 0.0  # of the cloth's threads, radians clockwise
    folds: Folds | None = None
    puff: float = 1.0  # how round the edges are
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


@dataclass(frozen=True)
class Light:
    """Direction in the picture's plane (unit vector towards the light) and the contrast of relief."""

    direction: tuple[float, float]
    contrast: float = 1.0


class Canvas:
    """A square picture of `pixels` canvas pixels, float RGB 0 to 1, that parts are painted on."""

    def __init__(self, background: Image.Image, pose: Pose, light: Light, cloths: Mapping[str, Cloth]) -> None:
        self.pixels = background.width
        self.rgb: Floats = np.asarray(background, dtype=np.float32) / np.float32(255)
        self._pose, self._light, self._cloths = pose, light, cloths
        self._x, self._y = pose.grid(self.pixels)
        self._creases: Floats | None = None

    def paint(self, garment: Garment) -> None:
        self._creases = self._crease_relief(garment.creases)
        for part in garment.parts:
            if isinstance(part, Line):
                self._paint_line(part)
            else:
                self._paint_part(part)

    def throw_shadow(self, garment: Garment, distance: float, blur: float, darkness: float) -> None:
        """Darkens the ground by the garment's shadow; distance and blur in shares of the picture."""
        small = Image.new("L", (self.pixels // 2, self.pixels // 2))
        pen = ImageDraw.Draw(small)
        shift = -np.array(self._light.direction) * distance * self.pixels
        for part in garment.parts:
            if isinstance(part, Part):
                outline = (self._pose.to_pixels(part.outline) + shift) / 2
                pen.polygon(outline.ravel().tolist(), fill=255)
        small = small.filter(ImageFilter.GaussianBlur(blur * small.width))
        shadow = np.asarray(small.resize((self.pixels, self.pixels), Image.Resampling.BILINEAR))
        self.rgb = self.rgb * (1 - shadow.astype(np.float32) * np.float32(darkness / 255))[..., None]

    def picture(self) -> Image.Image:
        """The canvas at the picture's size."""
        full = Image.fromarray(np.uint8(np.clip(self.rgb, 0, 1) * 255 + 0.5))
        size = self.pixels // OVERSAMPLING
        return full.resize((size, size), Image.Resampling.LANCZOS)

    def _box(self, points: Points, margin: float) -> tuple[int, int, int, int]:
        """left, top, right, bottom around the points; even, so that it halves exactly."""
        low = np.floor((points.min(axis=0) - margin) / 2).astype(int) * 2
        high = np.ceil((points.max(axis=0) + margin) / 2).astype(int) * 2
        left, top = np.clip(low, 0, self.pixels - 2)
        right, bottom = np.clip(high, (left + 2, top + 2), self.pixels)
        return int(left), int(top), int(right), int(bottom)

    def _paint_part(self, part: Part) -> None:
        outline = self._pose.to_pixels(part.outline)
        unit = self._pose.unit
        left, top, right, bottom = box = self._box(outline, 0.09 * unit)
        area = np.s_[top:bottom, left:right]
        mask = _filled(outline, box)
        alpha = (np.asarray(mask, dtype=np.float32) / 255)[..., None]
        small = mask.reduce(2)

        target = self.rgb[area]
        if part.lift:
            target *= self._shadow(small, box, part.lift)
        c, s = np.float32(np.cos(part.angle)), np.float32(np.sin(part.angle))
        x, y = self._x[area], self._y[area]
        u, v = c * x + s * y, c * y - s * x
        cloth = self._cloths[part.cloth]
        relief = self._relief(part, small, u[::2, ::2], v[::2, ::2], area)
        shade = self._shade(relief)[..., None]
        # Folds move the pattern as well, a little, as cloth that rises takes more of it.
        bend = _doubled(relief) * np.float32(0.12)
        color = cloth.color(u + bend, v + bend, 1.0 / unit) * np.minimum(shade, 1.5)
        if cloth.gloss:
            color += cloth.gloss * np.clip(shade - 1.0, 0, 0.7) ** 1.5
        target += (color - target) * alpha

    def _shadow(self, small: Image.Image, box: tuple[int, int, int, int], lift: float) -> Floats:
        unit = self._pose.unit / 2
        shift = -np.array(self._light.direction) * 0.022 * unit
        moved = small.transform(
            small.size, Image.Transform.AFFINE, (1, 0, -shift[0], 0, 1, -shift[1]), Image.Resampling.BILINEAR
        ).filter(ImageFilter.GaussianBlur(0.028 * unit))
        dark = np.asarray(moved.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR))
        return (1 - dark.astype(np.float32) * np.float32(lift / 255))[..., None]

    def _relief(self, part: Part, small: Image.Image, u: Floats, v: Floats, area: tuple[slice, slice]) -> Floats:
        """Height of the cloth over the ground in garment units, at half the canvas's resolution."""
        unit = self._pose.unit / 2
        edge = _domed(small, 0.018 * unit) * np.float32(0.022)  # the cloth's own thickness
        height = edge + _domed(small, 0.12 * unit) * np.float32(0.13 * part.puff)  # what fills it
        if part.folds is not None:
            height += part.folds.height(u, v)
            if self._creases is not None:
                rows, columns = area
                height += self._creases[rows.start // 2 : rows.stop // 2, columns.start // 2 : columns.stop // 2]
        return height

    def _shade(self, relief: Floats) -> Floats:
        """Brightness of the lit relief, 1 where flat (Lambert's law to first order), at full resolution."""
        down, right = np.gradient(relief * np.float32(self._pose.unit / 2))
        toward_x, toward_y = self._light.direction
        slope = -(right * np.float32(toward_x) + down * np.float32(toward_y)) * np.float32(self._light.contrast * 0.55)
        # Shadows may grow deeper than lights grow bright, as in a photograph.
        shade = np.where(slope > 0, np.tanh(slope * 1.3) * 0.42, np.tanh(slope * 1.1) * 0.6)
        return _doubled(1 + shade.astype(np.float32))

    def _crease_relief(self, creases: Sequence[tuple[Points, float]]) -> Floats | None:
        if not creases:
            return None
        half = self.pixels // 2
        unit = self._pose.unit / 2
        layer = Image.new("L", (half, half), 128)
        pen = ImageDraw.Draw(layer)
        for line, height in creases:
            # a ridge, and beside it the valley that it was drawn up from
            for shift, sign in ((-0.5, -0.6), (0.5, 1.0)):
                outline = stroke(shifted(line, shift * _CREASE, shift * _CREASE), 1.4 * _CREASE)
                points = (self._pose.to_pixels(outline) / 2).ravel().tolist()
                pen.polygon(points, fill=int(128 + 127 * height * sign))
        layer = layer.filter(ImageFilter.GaussianBlur(0.4 * _CREASE * unit))
        return (np.asarray(layer, dtype=np.float32) - 128) * np.float32(0.045 / 127)

    def _paint_line(self, line: Line) -> None:
        points = self._pose.to_pixels(line.points)
        unit = self._pose.unit
        left, top, right, bottom = self._box(points, line.width * unit + 2)
        layer = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
        pen = ImageDraw.Draw(layer)
        width = max(1, round(2 * line.width * unit))
        for piece in _dashes(points, line.dash * unit):
            pen.line(((piece - (left, top)) * 2).ravel().tolist(), fill=255, width=width, joint="curve")
        alpha = np.asarray(layer.reduce(2), dtype=np.float32)[..., None] * np.float32(line.opacity / 255)
        target = self.rgb[top:bottom, left:right]
        target += (np.array(line.color, dtype=np.float32) - target) * alpha


def _filled(outline: Points, box: tuple[int, int, int, int]) -> Image.Image:
    """The outline's antialiased mask inside the box, drawn at twice the resolution."""
    left, top, right, bottom = box
    layer = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
    ImageDraw.Draw(layer).polygon(((outline - (left, top)) * 2).ravel().tolist(), fill=255)
    return layer.reduce(2)


def _domed(mask: Image.Image, radius: float) -> Floats:
    """Rises from the mask's edge to 1 within about twice the radius (pixels), without a kink that would show."""
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
    soft *= np.float32(1 / 255)
    return soft * (2 - soft)


def _doubled(values: Floats) -> Floats:
    height, width = values.shape
    return np.asarray(Image.fromarray(values).resize((width * 2, height * 2), Image.Resampling.BILINEAR))


def _dashes(points: Points, dash: float) -> list[Points]:
    """The line cut into stitches of length dash with gaps of half of it; whole where dash is 0."""
    if not dash:
        return [points]
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    starts = np.arange(0, lengths[-1], 1.5 * dash)
    stops = np.minimum(starts + dash, lengths[-1])
    ends = [np.stack([np.interp(at, lengths, points[:, axis]) for axis in (0, 1)], 1) for at in (starts, stops)]
    return [np.stack(piece) for piece in zip(*ends, strict=True)]
