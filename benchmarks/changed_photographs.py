"""Robustness of a model's answers to changes of photographs that keep their labels valid."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from tqdm import tqdm

from fashion.answers import answered_mask
from fashion.jpeg import jpeg_bytes
from fashion.predictor import Predictor

Change = Callable[[Image.Image], Image.Image]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image after JPEG compression."""
    return Image.open(io.BytesIO(jpeg_bytes(image, quality))).convert("RGB")


def cropped(image: Image.Image, part: float) -> Image.Image:
    """The image cropped by that part of each dimension, half of it on each side."""
    across, down = image.width * part / 2, image.height * part / 2
    return image.crop((round(across), round(down), round(image.width - across), round(image.height - down)))


def padded(image: Image.Image, part: float) -> Image.Image:
    """The image with a border in the color of its corner; the border adds that part of each dimension."""
    corner: Any = image.getpixel((0, 0))
    across, down = round(image.width * part / 2), round(image.height * part / 2)
    return ImageOps.expand(image, (across, down, across, down), corner)


# Changes after which a person would give the product the same labels.
CHANGES: Mapping[str, Change] = {
    "mirrored": ImageOps.mirror,
    "10 % cropped away": lambda image: cropped(image, 0.1),
    "a border of 10 %": lambda image: padded(image, 0.1),
    "15 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "15 % darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "JPEG of quality 50": lambda image: jpeg(image, 50),
    "twice as large": lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC),
}
# After these too, but the product becomes small in the network's input.
WIDE_BORDERS: Mapping[str, Change] = {
    "half as wide and high as a border around it": lambda image: padded(image, 1.0),
    "a quarter as wide and high as a border around it": lambda image: padded(image, 3.0),
}


def kept(before: np.ndarray, after: np.ndarray) -> float:
    """The share of the answers before or after a change that are given both times; bool (N, A) each."""
    either = (before | after).sum()
    return float((before & after).sum() / either) if either else 1.0


def changed_answers(
    predictor: Predictor, images: Sequence[Image.Image], profile: str, changes: Mapping[str, Change] | None = None
) -> dict[str, float]:
    """For each change the share of answers that stay the same.

    Args:
        predictor: the model.
        images: RGB.
        profile: whose answers.
        changes: default is `CHANGES`.
    """

    def answers(change: Change) -> np.ndarray:
        found = predictor.predict([change(image) for image in images])
        probabilities, gates = (np.stack([getattr(p, name) for p in found]) for name in ("probabilities", "gates"))
        return answered_mask(predictor.card, probabilities, profile, gates)

    chosen = CHANGES if changes is None else changes
    before = answers(lambda image: image)
    return {name: kept(before, answers(change)) for name, change in tqdm(chosen.items(), "changes", unit="change")}


def recolored(image: Image.Image) -> Image.Image:
    """The image with every hue rotated by nearly half the circle: the same product in another color."""
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda h: (h + 120) % 256), saturation, value)).convert("RGB")


def likeliest(predictor: Predictor, images: Sequence[Image.Image], group: str) -> list[str]:
    """The most probable label of a group for each image."""
    indices = predictor.taxonomy.indices(group)
    found = predictor.predict(list(images))
    return [predictor.taxonomy.labels[indices[p.probabilities[indices].argmax()]].name for p in found]


def stays_when_recolored(predictor: Predictor, images: Sequence[Image.Image], group: str) -> float:
    """The share of recolored images whose most probable label of a group is unchanged."""
    before = likeliest(predictor, images, group)
    after = likeliest(predictor, [recolored(image) for image in images], group)
    return float(np.mean([one == other for one, other in zip(before, after, strict=True)]))
