"""Occlusion maps: locate the evidence for attributes by covering one part of the photograph after another.

Class activation maps (`fashion.explanation`) are free, but in a network with a large receptive field they hardly
separate a collar from the shirt below it. The drop in a label's log-odds when a part is covered does (Zeiler and Fergus
2014, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901); docs/starter.md compares both with boxes
drawn by hand. One pass serves all labels, at the cost of one inference for each part.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

PART = 0.17  # side of a covered part, as a fraction of the input's side
PARTS_PER_SIDE = 8  # parts along each side; neighbors overlap
BLUR = 0.05  # Gaussian radius, as a fraction of the side; a blurred part has no edges that could look like a print
BATCH = 16  # covered images in one inference
PROBABILITY_MARGIN = 1e-6  # probabilities are kept this far from 0 and 1, where log-odds are infinite


def occlusion_maps(pixels: np.ndarray, probabilities: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The drop in each label's log-odds when a part of the image is covered.

    Args:
        pixels: uint8 (S, S, 3), an image at the network's input size.
        probabilities: the model: uint8 (B, S, S, 3) -> float (B, A).

    Returns:
        float32 (A, 8, 8); positive for evidence for the label, negative for evidence against it.
    """
    covers = _covers(pixels)
    before = _log_odds(probabilities(pixels[None]))
    after = [probabilities(covers[start : start + BATCH]) for start in range(0, len(covers), BATCH)]
    lost = before - _log_odds(np.concatenate(after))
    return lost.T.reshape(-1, PARTS_PER_SIDE, PARTS_PER_SIDE).astype(np.float32)


def _covers(pixels: np.ndarray) -> np.ndarray:
    """Copies of the image, each with one part blurred, parts in row-major order, uint8 (64, S, S, 3)."""
    side = len(pixels)
    part = max(1, round(PART * side))
    blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(BLUR * side)))
    starts = np.linspace(0, side - part, PARTS_PER_SIDE).round().astype(int)
    covers = np.repeat(pixels[None], PARTS_PER_SIDE**2, axis=0)
    for cover, (top, left) in zip(covers, ((top, left) for top in starts for left in starts), strict=True):
        cover[top : top + part, left : left + part] = blurred[top : top + part, left : left + part]
    return covers


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    inside = probabilities.astype(np.float64).clip(PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return np.log(inside / (1 - inside))
