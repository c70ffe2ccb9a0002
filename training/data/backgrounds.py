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
    pixels = np.asarray(image)
    ground = plain_background(pixels, LEVELS)
    if ground is None or not LEAST <= ground.mean() <= MOST:
        return image
    # Blend the edge, as in a photograph.
    ground = ndimage.binary_dilation(ground)  # covers the halo of the old background
    share = ndimage.uniform_filter(ground.astype(np.float32), 3)[..., None]
    height, width = ground.shape
    mixed = pixels + (_draw(height, width, generator) - pixels) * share
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
