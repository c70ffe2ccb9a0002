"""Colors, noise, gradients and a drawing pen, shared by all kinds of pictures."""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Floats = NDArray[np.float32]
Color = tuple[int, int, int]
Rng = np.random.Generator
_OVERSAMPLING = 2  # sketch pixels per picture pixel: Pillow's pen has no antialiasing
_SYLLABLES = (
    *("ka", "lo", "mi", "ter", "ran", "be", "su", "no", "vi", "pel", "do", "es", "an", "tri"),
    *("mar", "in", "gel", "fo", "tu", "re", "sha", "cli", "on", "wo"),
)


def color(rng: Rng, saturation: tuple[float, float] = (0, 1), value: tuple[float, float] = (0, 1)) -> Color:
    """A color of any hue, its saturation and value (0 to 1) uniform in the ranges."""
    hue, s, v = rng.uniform(0, 6), rng.uniform(*saturation), rng.uniform(*value)
    levels = [v * (1 - s * np.clip(min(k, 4 - k), 0, 1)) for k in ((n + hue) % 6 for n in (5, 3, 1))]
    return int(levels[0] * 255), int(levels[1] * 255), int(levels[2] * 255)


def mixed(first: Color, second: Color, share: float) -> Color:
    """Blend the first color with a share of the second."""
    r, g, b = (int(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


def chance(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


def pick(rng: Rng, choices: Sequence[Color]) -> Color:
    return choices[int(rng.integers(len(choices)))]


def axes(width: int, height: int) -> tuple[Floats, Floats]:
    """Coordinates of the pixels' centers: x (1, width) and y (height, 1), 0 to 1."""
    x, y = ((np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) for size in (width, height))
    return x[None, :].astype(np.float32), y[:, None].astype(np.float32)


def noise(rng: Rng, width: int, height: int, columns: int, rows: int) -> Floats:
    """Smooth noise from a grid of random values, about 0 to 1: (height, width)."""
    grid = Image.fromarray(rng.random((max(rows, 2), max(columns, 2)), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def fractal(rng: Rng, width: int, height: int, cells: int = 3, stretch: float = 1.0, octaves: int = 5) -> Floats:
    """Fractal noise, exactly 0 to 1: octaves of half the size and half the weight; `stretch` widens its shapes."""
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        rows = min(cells * 2**octave, height)
        total += noise(rng, width, height, min(int(rows / stretch * width / height) + 1, width), rows) / 2**octave
    return (total - total.min()) / max(float(np.ptp(total)), 1e-6)


def ramp(values: Floats, colors: Sequence[Color]) -> Image.Image:
    """Map values 0 to 1 to a gradient of evenly spaced colors."""
    table = np.array(colors, dtype=np.float32)
    stops = np.linspace(0, 1, len(colors))
    levels = np.stack([np.interp(np.linspace(0, 1, 256), stops, table[:, channel]) for channel in range(3)], axis=1)
    return Image.fromarray(levels.astype(np.uint8)[(np.clip(values, 0, 1) * 255).astype(np.uint8)])


def lit(image: Image.Image, light: Floats) -> Image.Image:
    """Multiply the image by a brightness per pixel, (height, width)."""
    return Image.fromarray(np.uint8(np.clip(np.asarray(image, dtype=np.float32) * light[..., None], 0, 255)))


def falloff(rng: Rng, width: int, height: int) -> Floats:
    """Brightness of a wall that a lamp or a window lights: (height, width), about 0.5 to 1.1."""
    x, y = axes(width, height)
    distance = np.hypot(x - rng.uniform(-0.3, 1.3), y - rng.uniform(-0.3, 1.3)).astype(np.float32)
    return np.float32(1.08) - np.float32(rng.uniform(0, 0.5)) * distance


def words(rng: Rng, count: int) -> str:
    """Text of made-up words and occasional numbers."""
    made = []
    for _ in range(count):
        syllables = "".join(rng.choice(_SYLLABLES, rng.integers(1, 4)))
        made.append(str(rng.integers(1, 3000)) if chance(rng, 0.1) else syllables)
    return " ".join(made)


class Sketch:
    """A picture to draw on: positions are fractions of its width and height, lengths of its shorter side."""

    def __init__(self, width: int, height: int, ground: Color | Image.Image) -> None:
        self.size = width, height
        large = width * _OVERSAMPLING, height * _OVERSAMPLING
        if isinstance(ground, Image.Image):
            self.image = ground.resize(large, Image.Resampling.BILINEAR)
        else:
            self.image = Image.new("RGB", large, ground)
        self.unit = min(large)
        self.across, self.down = self.unit / large[0], self.unit / large[1]  # a length as a share of width, of height
        self._pen = ImageDraw.Draw(self.image)

    def polygon(self, points: Iterable[Sequence[float] | NDArray[np.floating]], fill: Color) -> None:
        self._pen.polygon(self._placed(points), fill)

    def line(self, points: Iterable[Sequence[float]], fill: Color, width: float = 0.01) -> None:
        self._pen.line(self._placed(points), fill, max(1, int(width * self.unit)), joint="curve")

    def box(self, left: float, top: float, right: float, bottom: float, fill: Color, rounded: float = 0) -> None:
        corners = self._placed([(left, top), (right, bottom)])
        if corners[1][0] >= corners[0][0] and corners[1][1] >= corners[0][1]:
            self._pen.rounded_rectangle(corners, rounded * self.unit, fill)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Color) -> None:
        self._pen.ellipse(self._bounds(x, y, rx, ry), fill)

    def slice(self, x: float, y: float, radius: float, start: float, stop: float, fill: Color) -> None:
        """A sector of a disk; angles in degrees, clockwise from the right."""
        self._pen.pieslice(self._bounds(x, y, radius, radius), start, stop, fill)

    def ball(self, x: float, y: float, rx: float, ry: float, fill: Color, gloss: float = 0.4) -> None:
        """An ellipsoid that is lit from its upper left."""
        left, top, right, bottom = (int(edge) for edge in self._bounds(x, y, rx, ry))
        width, height = max(right - left, 2), max(bottom - top, 2)
        u, v = axes(width, height)
        u, v = 2 * u - 1, 2 * v - 1
        facing = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
        light = np.clip(0.62 * facing - 0.35 * u - 0.45 * v, 0, 1)
        colors = (mixed(fill, (0, 0, 0), 0.55), fill, mixed(fill, (255, 255, 255), gloss))
        mask = Image.fromarray(np.uint8(255 * (u**2 + v**2 < 1)))
        self.image.paste(ramp(light, colors), (left, top), mask)

    def text(
        self, x: float, y: float, text: str, height: float, fill: Color, face: str = "", anchor: str = "la"
    ) -> None:
        font = typeface(face, max(6, int(height * self.unit)))
        self._pen.text(self._placed([(x, y)])[0], text, fill, font, anchor=anchor)

    def picture(self) -> Image.Image:
        return self.image.reduce(_OVERSAMPLING)

    def blurred(self, radius: float) -> Image.Image:
        return self.picture().filter(ImageFilter.GaussianBlur(radius * min(self.size)))

    def _placed(self, points: Iterable[Sequence[float] | NDArray[np.floating]]) -> list[tuple[float, float]]:
        return [(float(x) * self.image.width, float(y) * self.image.height) for x, y in points]

    def _bounds(self, x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
        (x, y), rx, ry = self._placed([(x, y)])[0], rx * self.unit, ry * self.unit
        return x - rx, y - ry, x + rx, y + ry


def typeface(face: str, pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """`Sans`, `Sans-Bold`, `SansMono`, `Serif` of DejaVu where matplotlib is installed; "" is Pillow's own."""
    place = find_spec("matplotlib") if face else None
    if place is None or place.origin is None:
        return ImageFont.load_default(pixels)
    return ImageFont.truetype(Path(place.origin).parent / f"mpl-data/fonts/ttf/DejaVu{face}.ttf", pixels)
