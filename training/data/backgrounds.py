"""Augmentation: replaces plain backgrounds of shop photographs, so that a model does not rely on white ones."""

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from fashion.colors.plain_background import plain_background

LEVELS = 12  # of 255, largest distance of a background pixel from its color: covers JPEG noise, not shadows
LEAST, MOST = 0.05, 0.9  # fraction of the image that the background may cover


def replace_background(image: Image.Image, generator: torch.Generator | None = None) -> Image.Image:
    """Replace a plain background by a random one: gray or colored, plain, shaded or grainy.

    An image without a plain background is returned unchanged.

    Args:
        image: RGB.
        generator: random generator; None takes torch's global one.
    """
    share = _share_of_background(image)
    if share is None:
        return image
    return _mixed(image, _draw(image.height, image.width, generator), share)


def place_in_front(
    image: Image.Image, scene: Image.Image, generator: torch.Generator | None = None
) -> Image.Image | None:
    """Replace a plain background by a random part of another picture; None if the image has no plain background.

    Args:
        image: RGB.
        scene: RGB; at least 0.4 of its shorter side is taken, without distortion.
        generator: random generator; None takes torch's global one.
    """
    share = _share_of_background(image)
    if share is None:
        return None
    size, across, down = torch.rand(3, generator=generator).tolist()
    scale = (0.4 + 0.6 * size) * min(scene.width / image.width, scene.height / image.height)
    width, height = image.width * scale, image.height * scale
    left, top = across * (scene.width - width), down * (scene.height - height)
    part = scene.resize(image.size, Image.Resampling.BICUBIC, (left, top, left + width, top + height), reducing_gap=2.0)
    return _mixed(image, np.asarray(part, dtype=np.float32), share)


def _share_of_background(image: Image.Image) -> np.ndarray | None:
    """How much of each pixel is plain background, float32 (H, W, 1); None without one, or with hardly anything else."""
    ground = plain_background(np.asarray(image), LEVELS)
    if ground is None or not LEAST <= ground.mean() <= MOST:
        return None
    # Blend the edge, as in a photograph.
    ground = ndimage.binary_dilation(ground)  # covers the halo of the old background
    return ndimage.uniform_filter(ground.astype(np.float32), 3)[..., None]


def _mixed(image: Image.Image, background: np.ndarray, share: np.ndarray) -> Image.Image:
    pixels = np.asarray(image)
    mixed = pixels + (background - pixels) * share
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _draw(height: int, width: int, generator: torch.Generator | None) -> np.ndarray:
    """Draw a background, float32 (H, W, 3): mostly gray, lit from one side, with the grain of a camera or fabric."""
    gray, colored, slope, grain, tint = torch.rand(8, generator=generator).split([1, 1, 2, 1, 3])
    color = 255 * (tint if colored < 0.3 else 0.85 * gray + 0.15 * tint)
    down = torch.linspace(-0.5, 0.5, height)[:, None]
    across = torch.linspace(-0.5, 0.5, width)[None, :]
    light = 80 * ((slope[0] - 0.5) * down + (slope[1] - 0.5) * across)
    noise = 15 * grain**3 * torch.randn(height, width, generator=generator)
    return (color + (light + noise)[..., None]).numpy().astype(np.float32)
