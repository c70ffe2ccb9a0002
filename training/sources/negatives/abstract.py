"""Abstract pictures: Voronoi cells, fractals, plasma, polygons, defocused lights, noise, blur."""

import numpy as np
from PIL import Image, ImageFilter

from training.sources.negatives.surfaces import Floats, Rng, Sketch, axes, chance, color, fractal, noise, ramp


def voronoi(rng: Rng, width: int, height: int) -> Image.Image:
    count = int(rng.integers(6, 40))
    x, y = axes(width, height)
    across, down = rng.random((2, count, 1, 1), dtype=np.float32)
    far = (x - across) ** 2 + (y - down) ** 2
    tones = np.array([color(rng) for _ in range(count)], dtype=np.uint8)
    return Image.fromarray(tones[far.argmin(axis=0)])


def mandelbrot(rng: Rng, width: int, height: int) -> Image.Image:
    middle = [-0.745 + 0.11j, -1.25 + 0.02j, -0.16 + 1.03j, 0.28 + 0.01j, -0.6 + 0j][rng.integers(5)]
    plane = middle + _plane(width, height) * np.complex64(rng.uniform(0.03, 1.5))
    return _escape(rng, np.zeros_like(plane), plane)


def julia(rng: Rng, width: int, height: int) -> Image.Image:
    at = [-0.8 + 0.156j, -0.4 + 0.6j, 0.285 + 0.01j, -0.7269 + 0.1889j, -0.835 - 0.2321j][rng.integers(5)]
    plane = _plane(width, height) * np.complex64(rng.uniform(0.6, 1.6) * np.exp(1j * rng.uniform(0, 3)))
    return _escape(rng, plane, np.complex64(at))


def plasma(rng: Rng, width: int, height: int) -> Image.Image:
    return ramp(
        fractal(rng, width, height, int(rng.integers(1, 8)), rng.uniform(0.5, 3)), [color(rng) for _ in range(4)]
    )


def polygons(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, color(rng))
    for _ in range(int(rng.integers(4, 40))):
        x, y, r = rng.random(), rng.random(), rng.uniform(0.05, 0.4)
        if chance(rng, 0.3):
            sketch.oval(x, y, r / 2, r / 2, color(rng))
        else:
            corners = rng.normal((x, y), r, (int(rng.integers(3, 6)), 2))
            sketch.polygon(corners, color(rng))
    return sketch.picture()


def lights(rng: Rng, width: int, height: int) -> Image.Image:
    """Lamps at night, far out of focus."""
    sketch = Sketch(width, height, color(rng, (0.2, 0.9), (0.03, 0.35)))
    for _ in range(int(rng.integers(8, 50))):
        r = rng.uniform(0.02, 0.12)
        sketch.oval(rng.random(), rng.random(), r, r, color(rng, (0.1, 0.7), (0.3, 1)))
    return sketch.blurred(rng.uniform(0.004, 0.03))


def grains(rng: Rng, width: int, height: int) -> Image.Image:
    """Noise of each pixel or of blocks, colored or gray."""
    block = int(rng.integers(1, 12))
    shape = (height // block + 1, width // block + 1, 3 if chance(rng, 0.6) else 1)
    values = np.broadcast_to(rng.integers(0, 256, shape, dtype=np.uint8), (*shape[:2], 3))
    return Image.fromarray(values).resize((width, height), Image.Resampling.NEAREST)


def blur(rng: Rng, width: int, height: int) -> Image.Image:
    """Blur, as of a camera that moved or was too close."""
    layers = [noise(rng, width, height, 4, 4) * 0.4 + rng.uniform(-0.1, 0.6) for _ in range(3)]
    image = Image.fromarray(np.uint8(np.clip(np.stack(layers, axis=2), 0, 1) * 255))
    return image.filter(ImageFilter.BoxBlur(rng.uniform(0.02, 0.1) * min(width, height)))


def _plane(width: int, height: int) -> np.ndarray:
    x, y = axes(width, height)
    return ((x - 0.5) * 2 + 1j * (y - 0.5) * 2 * height / width).astype(np.complex64)


def _escape(rng: Rng, z: np.ndarray, c: np.ndarray | np.complex64) -> Image.Image:
    """Steps until |z| > 2 under z <- z^2 + c, as colors."""
    steps: Floats = np.zeros(z.shape, dtype=np.float32)
    for _ in range(40):
        z = np.where(np.abs(z) < 2, z * z + c, z)
        steps += np.abs(z) < 2
    return ramp(np.sqrt(steps / 40), [color(rng) for _ in range(5)])


KINDS = {
    "voronoi": voronoi,
    "mandelbrot": mandelbrot,
    "julia": julia,
    "plasma": plasma,
    "polygons": polygons,
    "lights": lights,
    "grains": grains,
    "blur": blur,
}
