"""Class activation maps: where in the photograph the evidence for an attribute lies, and overlays of the maps.

For a linear head on averaged features (Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR
2016), the head's weights, applied at each position of the feature map before averaging, give a map whose mean is the
attribute's logit minus its bias. This needs no gradient and no second inference.
"""

import numpy as np
from PIL import Image

from fashion import borders
from fashion.preprocess import InputSpec

# Blue to yellow through red, dark to light: readable in grayscale and with color blindness.
_STOPS = np.array([(20, 20, 90), (90, 20, 130), (190, 45, 100), (245, 120, 50), (255, 235, 120)], np.float32)
OVERLAY_SIDE = 384  # px, the longer side of an overlay
OPACITY = 0.75  # of the overlay at the map's maximum; it falls to 0 where there is no evidence


def activation_maps(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The class activation maps of one image.

    Args:
        features: (E, h, w), the network's last feature map.
        weights: (K, E), the head's weights for the K labels to explain.

    Returns:
        float32 (K, h, w): evidence in units of the logit; the mean of a map plus the label's bias is its logit.
    """
    depth, height, width = features.shape
    return (weights @ features.reshape(depth, -1)).reshape(-1, height, width).astype(np.float32)


def overlay(image: Image.Image, evidence: np.ndarray, spec: InputSpec) -> Image.Image:
    """Overlay a photograph with the evidence for one attribute in color, lightest where it is strongest.

    Args:
        image: the photograph, RGB, at its own aspect ratio.
        evidence: (h, w), one of `activation_maps`. A border that was cropped gets no color.
        spec: how the photograph was preprocessed.

    Returns:
        RGB at the photograph's aspect ratio, its longer side at most 384 px.
    """
    scale = min(1.0, OVERLAY_SIDE / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    strength = upsampled_evidence(evidence, image, (width, height), spec)[..., None]
    base = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    mixed = base + (_colors(strength[..., 0]) - base) * strength * OPACITY
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def upsampled_evidence(evidence: np.ndarray, image: Image.Image, size: tuple[int, int], spec: InputSpec) -> np.ndarray:
    """Upsample the positive evidence for one attribute to the pixels of a photograph.

    Args:
        evidence: (h, w), one of `activation_maps`.
        image: the photograph, RGB.
        size: width and height of the result, at the photograph's aspect ratio.
        spec: how the photograph was preprocessed.

    Returns:
        float32 (height, width) from 0 to 1, the map's maximum; 0 in a cropped border, and 0 everywhere if no evidence
        is positive.
    """
    strength = evidence.clip(0).astype(np.float32)
    strength = strength / strength.max() if strength.max() > 0 else strength
    window = borders.crop_region(image) if spec.border == "cut" else None
    left, top, right, bottom = window.edges(size) if window else (0, 0, *size)
    seen = (right - left, bottom - top)  # the network saw this part of the photograph
    # Float pixels avoid visible 8-bit quantization steps.
    smooth = Image.fromarray(strength).resize(seen, Image.Resampling.BICUBIC, box=_covered(strength.shape, seen, spec))
    placed = np.zeros((size[1], size[0]), np.float32)
    placed[top:bottom, left:right] = np.asarray(smooth).clip(0, 1)
    return placed


def _covered(shape: tuple[int, ...], size: tuple[int, int], spec: InputSpec) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the photograph within a map; the rest is padding."""
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
