"""Paints the parts of a garment: antialiased outlines, cloth, lit folds, shadows between parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.sources.drawing.cloth import Cloth
from training.sources.drawing.geometry import Points, Pose, shifted, stroke
from training.sources.drawing.parts import Garment, Line, Part

Floats = NDArray[np.float32]
_CREASE = 0.045  # width of a crease in garment units
OVERSAMPLING = 2  # canvas pixels per picture pixel; outlines are drawn at twice the canvas resolution


@dataclass(frozen=True)
class Light:
    """Direction in the picture's plane (unit vector towards the light) and the contrast of relief."""

    direction: tuple[float, float]
    contrast: float = 1.0


class Canvas:
    """A square picture of `pixels` canvas pixels, float RGB 0 to 1, that parts are painted on."""

    def __init__(
        self, background: Image.Image, garment: Garment, pose: Pose, light: Light, cloths: Mapping[str, Cloth]
    ) -> None:
        self.pixels = background.width
        # (3, h, w): numpy multiplies planes by a mask eight times as fast as interleaved channels
        self.rgb: Floats = np.moveaxis(np.asarray(background), 2, 0) * np.float32(1 / 255)
        self._garment, self._pose, self._light, self._cloths = garment, pose, light, cloths
        self._placed = pose.place([part.outline if isinstance(part, Part) else part.points for part in garment.parts])
        self._x, self._y = pose.grid(self.pixels)
        self._creases = self._crease_relief()

    def paint(self) -> None:
        """Paints the garment, part over part."""
        for part, points in zip(self._garment.parts, self._placed, strict=True):
            if isinstance(part, Line):
                self._paint_line(part, points)
            else:
                self._paint_part(part, points)

    def throw_shadows(self, shadows: Sequence[tuple[float, float, float]]) -> None:
        """Darkens the background by shadows (distance, blur, darkness; the first two as fractions of the picture)."""
        quarter = self.pixels // 4
        silhouette = Image.new("L", (quarter, quarter))
        pen = ImageDraw.Draw(silhouette)
        for part, points in zip(self._garment.parts, self._placed, strict=True):
            if isinstance(part, Part):
                pen.polygon((points / 4).ravel().tolist(), fill=255)
        light = np.ones((quarter, quarter), dtype=np.float32)
        for distance, blur, darkness in shadows:
            right, down = np.array(self._light.direction) * distance * quarter
            moved = silhouette.transform(
                silhouette.size, Image.Transform.AFFINE, (1, 0, right, 0, 1, down), Image.Resampling.BILINEAR
            )
            dark = np.asarray(moved.filter(ImageFilter.GaussianBlur(blur * quarter)), dtype=np.float32)
            light *= 1 - dark * np.float32(darkness / 255)
        whole = Image.fromarray(light).resize((self.pixels, self.pixels), Image.Resampling.BICUBIC)
        self.rgb *= np.asarray(whole)

    def picture(self) -> Image.Image:
        """The canvas, reduced to the picture's size."""
        values = np.clip(self.rgb * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
        full = Image.fromarray(np.ascontiguousarray(np.moveaxis(values, 0, 2)))
        size = self.pixels // OVERSAMPLING
        return full.resize((size, size), Image.Resampling.LANCZOS)

    def _box(self, points: Points, margin: float) -> tuple[int, int, int, int]:
        """left, top, right, bottom around the points; even numbers, so that it can be halved."""
        low = np.floor((points.min(axis=0) - margin) / 2).astype(int) * 2
        high = np.ceil((points.max(axis=0) + margin) / 2).astype(int) * 2
        left, top = np.clip(low, 0, self.pixels - 2)
        right, bottom = np.clip(high, (left + 2, top + 2), self.pixels)
        return int(left), int(top), int(right), int(bottom)

    def _paint_part(self, part: Part, outline: Points) -> None:
        left, top, right, bottom = box = self._box(outline, 0.09 * self._pose.unit)
        area = np.s_[top:bottom, left:right]
        mask = _filled(outline, box)
        alpha = np.asarray(mask, dtype=np.float32) * np.float32(1 / 255)
        small = mask.reduce(2)
        color = self._lit(part, small, area)
        under = 1 - alpha
        if part.lift:
            under *= self._shadow(small, box, part.lift)
        target = self.rgb[:, *area]
        target *= under
        target += color * alpha

    def _lit(self, part: Part, small: Image.Image, area: tuple[slice, slice]) -> Floats:
        """The part's cloth with its folds in the light: (3, h, w), or (3, 1, 1) for a flat thing."""
        cloth = self._cloths[part.cloth]
        if not part.puff and isinstance(cloth.paint, np.ndarray):
            return cloth.paint
        relief = self._relief(part, small, area)
        shade = self._shade(relief)
        if isinstance(cloth.paint, np.ndarray):
            color = cloth.paint * shade
        else:
            # Folds shift the pattern a little: rising cloth takes more of it.
            bend = _doubled(relief) * np.float32(0.12)
            u, v = _turned(self._x[area] + bend, self._y[area] + bend, part.angle)
            color = cloth.paint(u, v, 1.0 / self._pose.unit) * shade
        if cloth.gloss:
            color += cloth.gloss * np.maximum(shade - 1, 0) ** 1.5
        return color

    def _shadow(self, small: Image.Image, box: tuple[int, int, int, int], lift: float) -> Floats:
        unit = self._pose.unit / 2
        if min(small.size) > 16:
            small, unit = small.reduce(2), unit / 2
        shift = -np.array(self._light.direction) * 0.022 * unit
        moved = small.transform(
            small.size, Image.Transform.AFFINE, (1, 0, -shift[0], 0, 1, -shift[1]), Image.Resampling.BILINEAR
        ).filter(ImageFilter.GaussianBlur(0.028 * unit))
        dark = np.asarray(moved.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR))
        return 1 - dark.astype(np.float32) * np.float32(lift / 255)

    def _relief(self, part: Part, small: Image.Image, area: tuple[slice, slice]) -> Floats:
        """Height of the cloth above the background in garment units, at half the canvas's resolution."""
        unit = self._pose.unit / 2
        edge = _domed(small, 0.018 * unit) * np.float32(0.022)  # the cloth's own thickness
        height = edge + _domed(small, 0.12 * unit) * np.float32(0.13 * part.puff)  # what fills it
        if part.folds is not None:
            rows, columns = area
            halves = slice(rows.start, rows.stop, 2), slice(columns.start, columns.stop, 2)
            height += part.folds.height(*_turned(self._x[halves], self._y[halves], part.angle))
            if self._creases is not None:
                height += self._creases[rows.start // 2 : rows.stop // 2, columns.start // 2 : columns.stop // 2]
        return height

    def _shade(self, relief: Floats) -> Floats:
        """Brightness of the lit relief, 1 where flat (Lambert's law to first order), at full resolution."""
        down, right = np.gradient(relief * np.float32(self._pose.unit / 2))
        toward_x, toward_y = self._light.direction
        slope = -(right * np.float32(toward_x) + down * np.float32(toward_y)) * np.float32(self._light.contrast * 0.55)
        slope /= 1 + np.abs(slope)
        # Shadows may grow deeper than lights grow bright, as in a photograph.
        return _doubled(1 + slope * np.where(slope > 0, np.float32(0.55), np.float32(0.72)))

    def _crease_relief(self) -> Floats | None:
        """Height of the creases in garment units, at half the canvas's resolution."""
        creases = self._garment.creases
        if not creases:
            return None
        half, unit = self.pixels // 2, self._pose.unit / 2
        layer = Image.new("L", (half, half), 128)
        pen = ImageDraw.Draw(layer)
        # Each crease is a ridge with a valley beside it.
        sides = [(line, height, sign) for line, height in creases for sign in (-0.6, 1.0)]
        outlines = [stroke(shifted(line, *2 * [np.sign(s) * _CREASE / 2]), 1.4 * _CREASE) for line, _, s in sides]
        for (_, height, sign), outline in zip(sides, self._pose.place(outlines), strict=True):
            pen.polygon((outline / 2).ravel().tolist(), fill=int(128 + 127 * height * sign))
        layer = layer.filter(ImageFilter.GaussianBlur(0.4 * _CREASE * unit))
        return (np.asarray(layer, dtype=np.float32) - 128) * np.float32(0.045 / 127)

    def _paint_line(self, line: Line, points: Points) -> None:
        unit = self._pose.unit
        left, top, right, bottom = self._box(points, line.width * unit + 2)
        layer = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
        pen = ImageDraw.Draw(layer)
        width = max(1, round(2 * line.width * unit))
        for piece in _dashes(points, line.dash * unit):
            pen.line(((piece - (left, top)) * 2).ravel().tolist(), fill=255, width=width, joint="curve")
        cover = np.asarray(layer.reduce(2))
        rows, columns = np.nonzero(cover)  # a line covers few of the pixels of its box
        alpha = cover[rows, columns].astype(np.float32) * np.float32(line.opacity / 255)
        target = self.rgb[:, top:bottom, left:right]
        below = target[:, rows, columns]
        target[:, rows, columns] = below + (np.array(line.color, dtype=np.float32)[:, None] - below) * alpha


def _filled(outline: Points, box: tuple[int, int, int, int]) -> Image.Image:
    """The outline's antialiased mask inside the box, drawn at twice the resolution."""
    left, top, right, bottom = box
    layer = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
    ImageDraw.Draw(layer).polygon(((outline - (left, top)) * 2).ravel().tolist(), fill=255)
    return layer.reduce(2)


def _domed(mask: Image.Image, radius: float) -> Floats:
    """Rises from the mask's edge to 1 within about twice the radius (pixels), without a kink that would show."""
    size = mask.size
    if radius > 4 and min(size) > 8:  # a wide blur loses nothing at half the resolution
        mask, radius = mask.reduce(2), radius / 2
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
    soft *= np.float32(1 / 255)
    dome = soft * (2 - soft)
    if mask.size != size:
        return np.array(Image.fromarray(dome).resize(size, Image.Resampling.BICUBIC))
    return dome


def _turned(x: Floats, y: Floats, angle: float) -> tuple[Floats, Floats]:
    """Coordinates across and along threads rotated by the angle."""
    if not angle:
        return x, y
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _doubled(values: Floats) -> Floats:
    height, width = values.shape
    return np.asarray(Image.fromarray(values).resize((width * 2, height * 2), Image.Resampling.BILINEAR))


def _dashes(points: Points, dash: float) -> list[Points]:
    """Split the line into stitches of length `dash` with gaps of half that; not split if `dash` is 0."""
    if not dash:
        return [points]
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    starts = np.arange(0, lengths[-1], 1.5 * dash)
    stops = np.minimum(starts + dash, lengths[-1])
    ends = [np.stack([np.interp(at, lengths, points[:, axis]) for axis in (0, 1)], 1) for at in (starts, stops)]
    return [np.stack(piece) for piece in zip(*ends, strict=True)]
