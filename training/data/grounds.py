"""Plain grounds of shop photographs replaced by others, so that a model learns the product and not its white ground."""

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from fashion.colors.plain_ground import plain_ground

LEVELS = 12  # of 255, how far a pixel of the ground may lie from its color: JPEG noise, no shadows
LEAST, MOST = 0.05, 0.9  # parts of the image that a ground may cover


def replace_ground(image: Image.Image, generator: torch.Generator | None = None) -> Image.Image:
    """The image with another ground: gray or colored, plain, shaded or grainy; unchanged where it has no plain one.

    The new one is drawn at random.

    Args:
        image: RGB.
        generator: what it is drawn with; None takes torch's global one.
    """
    pixels = np.asarray(image)
    ground = plain_ground(pixels, LEVELS)
    if ground is None or not LEAST <= ground.mean() <= MOST:
        return image
    # A soft edge: photographs have no staircase between product and ground.
    ground = ndimage.binary_dilation(ground)  # the halo of the old ground
    share = ndimage.uniform_filter(ground.astype(np.float32), 3)[..., None]
    height, width = ground.shape
    mixed = pixels + (_draw(height, width, generator) - pixels) * share
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _draw(height: int, width: int, generator: torch.Generator | None) -> np.ndarray:
    """A ground, float32 (H, W, 3): mostly gray, lit from one side, with the grain of a camera or of a fabric."""
    gray, colored, slope, grain, tint = torch.rand(8, generator=generator).split([1, 1, 2, 1, 3])
    color = 255 * (tint if colored < 0.3 else 0.85 * gray + 0.15 * tint)
    down = torch.linspace(-0.5, 0.5, height)[:, None]
    across = torch.linspace(-0.5, 0.5, width)[None, :]
    light = 80 * ((slope[0] - 0.5) * down + (slope[1] - 0.5) * across)
    noise = 15 * grain**3 * torch.randn(height, width, generator=generator)
    return (color + (light + noise)[..., None]).numpy().astype(np.float32)
