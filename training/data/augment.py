"""Data augmentation: random changes to training images, with targets kept correct."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from fashion import preprocess
from fashion.errors import SettingError
from fashion.preprocess import InputSpec, Source
from training.data.backgrounds import replace_background
from training.data.color import change_colors

ASPECTS = (3 / 4, 4 / 3)  # range of a crop's aspect ratio
TRIES = 10  # attempts to draw a crop before the whole image is taken


@dataclass(frozen=True)
class Augment:
    """How strongly training images are varied; each image draws its own values in each epoch.

    The defaults change nothing.

    Attributes:
        flip: probability of a left-right mirror image.
        brightness: factor drawn from [1 - brightness, 1 + brightness].
        contrast: the same for contrast.
        saturation: the same for saturation.
        hue: shift drawn from [-hue, hue], in turns of the color circle; at most 0.5. Colors are labels here: keep it
            near 0.
        crop_scale: smallest fraction of the area that a random crop keeps; 1 does not crop.
        border: half of the images get borders in the color of their top left corner, each up to this fraction of a
            side.
        recolor: probability of an arbitrary hue shift, so that other labels are not learned from colors; the image's
            `color_groups` are then not annotated.
        color_groups: attribute groups that name colors.
        rotate: degrees; the image is rotated by an angle drawn from [-rotate, rotate] and filled with the color of its
            top left corner.
        blank: probability that the image is replaced by a blank wall with a little noise and none of the labels, so
            that a model learns to answer nothing without a product.
        ground: probability that a plain background is replaced, see `training.data.backgrounds`.

    Raises:
        SettingError: a value out of its range.
    """

    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    crop_scale: float = 1.0
    border: float = 0.0
    recolor: float = 0.0
    color_groups: tuple[str, ...] = ("color", "colour")
    rotate: float = 0.0
    blank: float = 0.0
    ground: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("flip", 0, 1),
            ("brightness", 0, 1),
            ("contrast", 0, 1),
            ("saturation", 0, 1),
            ("hue", 0, 0.5),
            ("crop_scale", 0.05, 1),
            ("border", 0, 0.5),
            ("recolor", 0, 1),
            ("rotate", 0, 180),
            ("blank", 0, 1),
            ("ground", 0, 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingError(f"--data.augment.{name} is {value}; it must lie between {low} and {high}")

    def draw(self, generator: torch.Generator | None = None) -> "Change":
        """Draw the change of one image with a generator or torch's global one."""

        def one() -> float:
            return torch.rand((), generator=generator).item()

        flip, *values = _draw_values(5, generator)
        brightness, contrast, saturation, hue = (2 * value - 1 for value in values)  # each in [-1, 1)
        crop = _draw_crop(self.crop_scale, generator) if self.crop_scale < 1 else WHOLE
        recolored = bool(self.recolor) and one() < self.recolor
        turn = 2 * one() - 1 if self.rotate else 0.0
        return Change(
            flip=flip < self.flip,
            crop=_draw_border(crop, self.border, generator) if self.border else crop,
            brightness=1 + self.brightness * brightness,
            contrast=1 + self.contrast * contrast,
            saturation=1 + self.saturation * saturation,
            hue=0.5 * hue if recolored else self.hue * hue,
            recolored=recolored,
            angle=self.rotate * turn,
            blank=bool(self.blank) and one() < self.blank,
            ground=bool(self.ground) and one() < self.ground,
        )


NO_AUGMENT = Augment()


class Box(NamedTuple):
    """A rectangle in fractions of the network's square input: top left corner, width and height."""

    left: float
    top: float
    width: float
    height: float


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Change:
    """The drawn augmentation of one image; the defaults change nothing.

    Attributes:
        flip: whether it is mirrored.
        crop: the part that fills the input; areas beyond the image get the color of its top left corner.
        brightness, contrast, saturation: factors, see `training.data.color.adjust`.
        hue: turns of the color circle, applied last, see `training.data.color.turn_hue`.
        recolored: whether its color labels no longer hold.
        angle: counterclockwise rotation about the center in degrees, after the crop.
        blank: whether it is replaced by a wall, see `wall`.
        ground: whether its plain background is replaced.
    """

    flip: bool = False
    crop: Box = WHOLE
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    recolored: bool = False
    angle: float = 0.0
    blank: bool = False
    ground: bool = False

    def pixels(self, source: Source, spec: InputSpec, generator: torch.Generator | None = None) -> np.ndarray:
        """Decode, augment and resize one image: uint8 (S, S, 3).

        Without changes the result equals `fashion.preprocess.load_pixels`; flipped only, it is its mirror image.
        Walls and backgrounds are drawn with `generator` or torch's global one.

        Raises:
            InvalidImage: see `fashion.preprocess.decode`.
        """
        if self.blank:
            return blank_image(spec.size, generator)
        # A crop needs as many pixels as the whole image would.
        finest = math.ceil(spec.size / min(1.0, self.crop.width, self.crop.height))
        image = crop_and_resize(preprocess.decode_and_crop(source, spec, finest), self.crop, spec)
        if self.angle:
            image = image.rotate(self.angle, Image.Resampling.BILINEAR, fillcolor=image.getpixel((0, 0)))
        if self.ground:
            image = replace_background(image, generator)
        return change_colors(image, self.brightness, self.contrast, self.saturation, self.hue, self.flip)


def blank_image(size: int, generator: torch.Generator | None = None) -> np.ndarray:
    """A blank wall, uint8 (S, S, 3): gray or nearly so, lit from one side, with the noise of a camera."""
    gray, tint, slope, noise = torch.rand(7, generator=generator).split([1, 3, 2, 1])
    across = torch.linspace(-0.5, 0.5, size)
    light = 60 * ((slope[0] - 0.5) * across[:, None] + (slope[1] - 0.5) * across[None, :])
    color = 255 * gray + 20 * (tint - 0.5)
    grain = 6 * noise * torch.randn(size, size, 1, generator=generator)
    return (color + light[..., None] + grain).clamp(0, 255).to(torch.uint8).numpy()


def crop_and_resize(image: Image.Image, crop: Box, spec: InputSpec) -> Image.Image:
    """The part `crop` of the result of `fashion.preprocess.resize`, at S x S, from an RGB image with one resampling."""
    if crop == WHOLE:
        return preprocess.resize(image, spec)
    content = WHOLE if spec.resize == "squash" else _padded(image)
    seen = _intersection(content, crop)
    ground: Any = (255, 255, 255) if spec.resize == "pad" else image.getpixel((0, 0))
    result = Image.new("RGB", (spec.size, spec.size), ground)
    if seen is None:  # the crop lies in the white padding
        return result
    # Its position in the result and in the image, px.
    left, right = (round((x - crop.left) / crop.width * spec.size) for x in (seen.left, seen.left + seen.width))
    top, bottom = (round((y - crop.top) / crop.height * spec.size) for y in (seen.top, seen.top + seen.height))
    x_scale, y_scale = image.width / content.width, image.height / content.height
    box = (
        max(0.0, (seen.left - content.left) * x_scale),
        max(0.0, (seen.top - content.top) * y_scale),
        min(float(image.width), (seen.left + seen.width - content.left) * x_scale),
        min(float(image.height), (seen.top + seen.height - content.top) * y_scale),
    )
    size = (max(1, right - left), max(1, bottom - top))
    part = image.resize(size, spec.filter, box)
    if size == result.size:
        return part
    result.paste(part, (left, top))
    return result


def _padded(image: Image.Image) -> Box:
    """Position of an image in its padded square."""
    side = max(image.size)
    width, height = image.width / side, image.height / side
    return Box((1 - width) / 2, (1 - height) / 2, width, height)


def _intersection(a: Box, b: Box) -> Box | None:
    left, top = max(a.left, b.left), max(a.top, b.top)
    right, bottom = min(a.left + a.width, b.left + b.width), min(a.top + a.height, b.top + b.height)
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def _draw_values(count: int, generator: torch.Generator | None) -> list[float]:
    return torch.rand(count, dtype=torch.float64, generator=generator).tolist()


def _draw_border(crop: Box, most: float, generator: torch.Generator | None) -> Box:
    """Extend half of the crops by a border on each side, up to `most` of the crop's width or height."""
    whether, left, top, right, bottom = _draw_values(5, generator)
    if whether < 0.5:
        return crop
    width, height = crop.width * most, crop.height * most
    return Box(
        crop.left - left * width,
        crop.top - top * height,
        crop.width + (left + right) * width,
        crop.height + (top + bottom) * height,
    )


def _draw_crop(least: float, generator: torch.Generator | None) -> Box:
    """Draw a crop with an area in [least, 1] and an aspect ratio of 3:4 to 4:3, as torchvision does."""
    for _ in range(TRIES):
        area, aspect, x, y = _draw_values(4, generator)
        area = least + (1 - least) * area
        ratio = math.exp(math.log(ASPECTS[0]) + math.log(ASPECTS[1] / ASPECTS[0]) * aspect)
        width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if width <= 1 and height <= 1:
            return Box(x * (1 - width), y * (1 - height), width, height)
    return WHOLE
