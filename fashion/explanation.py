"""Where in the photograph the evidence for an attribute lies: class activation maps, and pictures of them.

A network whose head is one linear layer on averaged features explains itself (Zhou et al., "Learning Deep Features for
Discriminative Localization", CVPR 2016): the head's weights, applied at each place of the feature map before it is
averaged, give a map whose mean is the attribute's logit without its bias. It needs no gradient and no second run.
"""

import numpy as np
from PIL import Image

from fashion import borders
from fashion.preprocess import InputSpec

# Blue to yellow through red, dark to light, so that it reads in gray and with color blindness too.
_STOPS = np.array([(20, 20, 90), (90, 20, 130), (190, 45, 100), (245, 120, 50), (255, 235, 120)], np.float32)
OVERLAY_SIDE = 384  # px, the longer side of an overlay
OPACITY = 0.75  # of the color where the map is highest; it fades to none where there is no evidence


def activation_maps(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The class activation maps of one image.

    Args:
        features: (E, h, w), the network's last feature map.
        weights: (K, E), the rows of the head of the K labels to explain.

    Returns:
        float32 (K, h, w): evidence in units of the logit; the mean of a map plus the label's bias is its logit.
    """
    depth, height, width = features.shape
    return (weights @ features.reshape(depth, -1)).reshape(-1, height, width).astype(np.float32)


def overlay(image: Image.Image, evidence: np.ndarray, spec: InputSpec) -> Image.Image:
    """The photograph with the evidence for one attribute in color: light where it is strongest, none where it is not.

    Args:
        image: the photograph, RGB, in its own proportions.
        evidence: (h, w), one of `activation_maps`. Of a border that was cut it says nothing: there is no color.
        spec: how the photograph was made the network's input.

    Returns:
        RGB, in the photograph's proportions, its longer side at most 384 px.
    """
    scale = min(1.0, OVERLAY_SIDE / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    strength = evidence.clip(0).astype(np.float32)
    strength = strength / strength.max() if strength.max() > 0 else strength
    window = borders.window(image) if spec.border == "cut" else None
    left, top, right, bottom = window.edges((width, height)) if window else (0, 0, width, height)
    seen = (right - left, bottom - top)  # the network saw this part of the photograph
    box = _covered(strength.shape, seen, spec)
    # Float pixels, so that the steps of an 8-bit map are not seen.
    smooth = Image.fromarray(strength).resize(seen, Image.Resampling.BICUBIC, box=box)
    placed = np.zeros((height, width, 1), np.float32)
    placed[top:bottom, left:right, 0] = np.asarray(smooth).clip(0, 1)
    base = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    mixed = base + (_colors(placed[..., 0]) - base) * placed * OPACITY
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _covered(shape: tuple[int, ...], size: tuple[int, int], spec: InputSpec) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the part of a map that the photograph covers; the rest is padding."""
    height, width = shape
    if spec.resize == "squash":
        return 0, 0, width, height
    across, down = (side / max(size) for side in size)
    left, top = (1 - across) / 2 * width, (1 - down) / 2 * height
    return left, top, width - left, height - top


def _colors(strength: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 (H, W) -> float32 colors (H, W, 3)."""
    places = np.linspace(0, 1, len(_STOPS))
    return np.stack([np.interp(strength, places, _STOPS[:, channel]) for channel in range(3)], axis=-1)
