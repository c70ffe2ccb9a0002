"""Segment the product in a photograph: by flood fill on plain backgrounds, by GrabCut on others."""

import cv2
import numpy as np
from PIL import Image

from fashion.colors.plain_background import plain_background
from fashion.preprocess import Source, decode

WORKING = 160  # px, longer side of the image on which colors are measured

SIDE = 64  # px, longer side of the image for GrabCut, whose time is proportional to the number of pixels
ROUNDS = 1  # iterations of GrabCut
FRAME = 0.03  # of a side: border that is definitely background
MARGIN = 0.15  # of a side: the product is probably inside this margin
LEAST = 0.03  # minimum share of the photograph that a product covers


def working_levels(source: Source) -> np.ndarray:
    """Decode a photograph to uint8 (H, W, 3) of at most 160 px. Raises InvalidImage."""
    image = decode(source, WORKING)
    image.thumbnail((WORKING, WORKING), Image.Resampling.BOX)
    return np.asarray(image)


def product_pixels(levels: np.ndarray) -> np.ndarray:
    """Mask of the product in a photograph, bool (H, W).

    Args:
        levels: the photograph, uint8 (H, W, 3).
    """
    ground = plain_background(levels)
    if ground is not None and 1 - ground.mean() >= LEAST:
        return ~ground
    return grabbed_product(levels)


def grabbed_product(levels: np.ndarray, likely: np.ndarray | None = None) -> np.ndarray:
    """Mask of the product by GrabCut (C. Rother, V. Kolmogorov, A. Blake, SIGGRAPH 2004), bool (H, W).

    Args:
        levels: the photograph, uint8 (H, W, 3).
        likely: where the product is likely, bool (H, W); None takes the middle, which is also returned if GrabCut finds
            almost nothing.
    """
    height, width = levels.shape[:2]
    if likely is None:
        likely = _middle((height, width), MARGIN)
    scale = min(1.0, SIDE / max(height, width))
    small = cv2.resize(levels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = small.shape[1::-1]
    inside = cv2.resize(likely.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    seeds = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[~_middle(small.shape[:2], FRAME)] = cv2.GC_BGD
    if (seeds == cv2.GC_PR_FGD).sum() < LEAST * seeds.size:  # too few pixels for a mixture of five Gaussians
        return _middle((height, width), MARGIN)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    everywhere = (0, 0, *size)  # ignored with GC_INIT_WITH_MASK
    cv2.grabCut(small, seeds, everywhere, models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
    whole = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return whole if whole.mean() >= LEAST else _middle((height, width), MARGIN)


def _middle(size: tuple[int, int], margin: float) -> np.ndarray:
    """Mask of all but a margin, given as a fraction of the sides."""
    middle = np.zeros(size, bool)
    top, left = (max(1, round(margin * side)) for side in size)
    middle[top:-top, left:-left] = True
    return middle
