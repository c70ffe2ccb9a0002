"""Where the evidence for attributes lies, found by covering one part of the photograph after another.

Class activation maps (`fashion.explanation`) cost nothing, and of a network that sees far at each place of its last
feature map they hardly tell a collar from the shirt below it. What an answer loses when a part is covered does (Zeiler
and Fergus 2014, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901); docs/starter.md compares both
with boxes that were drawn by hand. One pass over the photograph serves all labels, at the price of one run of the
network for each part.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

PART = 0.17  # of the side of the input: what is covered at a time
PLACES = 8  # along each side; neighbors overlap
BLUR = 0.05  # of the side: the radius of the Gaussian that covers a part, which leaves no edges that look like a print
BATCH = 16  # covered images in one run
SUREST = 1e-6  # probabilities are kept this far from 0 and 1, where log-odds are infinite


def covered_maps(pixels: np.ndarray, probabilities: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What each label's log-odds lose when a part of the image is covered.

    Args:
        pixels: uint8 (S, S, 3), an image as the network sees it.
        probabilities: the model: uint8 (B, S, S, 3) -> float (B, A).

    Returns:
        float32 (A, 8, 8); positive where the label is seen, negative where something speaks against it.
    """
    covers = _covers(pixels)
    before = _log_odds(probabilities(pixels[None]))
    after = [probabilities(covers[start : start + BATCH]) for start in range(0, len(covers), BATCH)]
    lost = before - _log_odds(np.concatenate(after))
    return lost.T.reshape(-1, PLACES, PLACES).astype(np.float32)


def _covers(pixels: np.ndarray) -> np.ndarray:
    """The image with each of the parts blurred, row by row, uint8 (64, S, S, 3)."""
    side = len(pixels)
    part = max(1, round(PART * side))
    blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(BLUR * side)))
    starts = np.linspace(0, side - part, PLACES).round().astype(int)
    covers = np.repeat(pixels[None], PLACES**2, axis=0)
    for cover, (top, left) in zip(covers, ((top, left) for top in starts for left in starts), strict=True):
        cover[top : top + part, left : left + part] = blurred[top : top + part, left : left + part]
    return covers


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    inside = probabilities.astype(np.float64).clip(SUREST, 1 - SUREST)
    return np.log(inside / (1 - inside))
