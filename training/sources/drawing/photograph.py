"""Draws a photograph-like picture of a garment and its labels from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from training.sources.drawing import scene, supports
from training.sources.drawing.bottoms import jeans, shorts, skirt, trousers
from training.sources.drawing.canvas import OVERSAMPLING, Canvas, Light
from training.sources.drawing.dresses import dress
from training.sources.drawing.geometry import Pose
from training.sources.drawing.outerwear import hoodie, jacket
from training.sources.drawing.parts import Garment
from training.sources.drawing.shoes import sneaker
from training.sources.drawing.tops import dress_shirt, polo, sweater, t_shirt, tank_top
from training.sources.drawing.wardrobe import Outfit, choose, cloths_of

_SHAPES: dict[str, Callable[[Outfit, np.random.Generator], Garment]] = {
    "T-Shirts": t_shirt,
    "Dress Shirts": dress_shirt,
    "Polos": polo,
    "Tank Tops": tank_top,
    "Hoodies & Sweatshirts": hoodie,
    "Pullover Sweaters": sweater,
    "Casual Dresses": dress,
    "Skirts": skirt,
    "Jeans": jeans,
    "Shorts": shorts,
    "Jackets": jacket,
    "Trousers": trousers,
    "Sneakers": sneaker,
}
_HIGH = {"Turtlenecks", ""}  # necklines (and hoods) that hide a hanger except its hook
# By category, half the waist and the y of the waistband's upper edge, for clips.
_WAISTS = {"Skirts": (0.33, -0.8), "Jeans": (0.36, -0.96), "Trousers": (0.35, -0.96), "Shorts": (0.40, -0.96)}


def draw(seed: int, size: int = 160) -> tuple[Image.Image, dict[str, list[str]]]:
    """A photograph-like picture of one garment, RGB, size x size pixels, and its true labels.

    The labels are lists of names of the iMaterialist taxonomy by group, empty if none applies. The same seed gives the
    same garment in the same scene at every size, and the same pixels at the same size.
    """
    rng = np.random.default_rng(seed)
    outfit = choose(rng)
    garment = _SHAPES[outfit.category](outfit, rng)
    held = _support(outfit, garment, rng)
    pixels = size * OVERSAMPLING
    background = (scene.backdrop if held else scene.ground)(rng, size)
    background = background.resize((pixels, pixels), Image.Resampling.BICUBIC)
    turn = 0.05 if held or outfit.category == "Sneakers" else rng.choice([0.12, 0.45])
    pose = Pose.fit(garment.outline(), pixels, rng, turn, (0.80, 0.95))
    light = Light(_direction(rng), rng.uniform(0.8, 1.15))
    canvas = Canvas(background, garment, pose, light, cloths_of(outfit, rng))
    far, soft = (0.035, 0.030) if held else (0.012, 0.016)
    canvas.throw_shadows([(far, soft, rng.uniform(0.25, 0.42)), (0.004, 0.006, 0.28)])
    canvas.paint()
    return _developed(canvas.picture(), rng), outfit.labels()


def _support(outfit: Outfit, garment: Garment, rng: np.random.Generator) -> str:
    """Put the garment on a "hanger" or "torso" half of the time; else "" for a garment lying flat."""
    support = "" if rng.random() < 0.5 else str(rng.choice(["hanger", "torso"]))
    if outfit.category in _WAISTS and support:
        garment.parts[:0] = supports.clips(*_WAISTS[outfit.category])
        return "hanger"
    if garment.yoke is None or not support:
        return ""
    if support == "torso":
        garment.parts[garment.front : garment.front] = supports.torso(*garment.yoke)
    else:
        garment.parts[garment.front : garment.front] = supports.hanger(*garment.yoke, covered=outfit.neckline in _HIGH)
    return support


def _direction(rng: np.random.Generator) -> tuple[float, float]:
    """Unit vector towards the light: from above, tilted to either side."""
    angle = rng.uniform(-1.1, 1.1)
    return float(np.sin(angle)), float(-np.cos(angle))


def _developed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Camera effects: white balance, exposure, vignette, slight blur and noise."""
    warmth = rng.normal(0, 0.022)
    balance = np.array([1 + warmth, 1 + rng.normal(0, 0.006), 1 - warmth]) * rng.uniform(0.94, 1.05)
    blur, grain, corner = rng.uniform(0, 0.0022), rng.uniform(0.002, 0.012), rng.uniform(0, 0.22)
    size = picture.width
    if blur * size > 0.15:
        picture = picture.filter(ImageFilter.GaussianBlur(blur * size))
    steps = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    vignette = 1 - np.float32(corner / 2) * (steps[None, :] + steps[:, None]) ** 2 / 2
    values = np.asarray(picture, dtype=np.float32) * (balance.astype(np.float32) * vignette[..., None])
    values += rng.standard_normal((size, size, 1), dtype=np.float32) * np.float32(grain * 255)
    return Image.fromarray(np.uint8(np.clip(values + np.float32(0.5), 0, 255)))
