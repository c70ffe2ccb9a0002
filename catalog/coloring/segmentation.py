"""Which pixels of a photograph show its product: a flood fill on plain grounds, GrabCut on all others."""

import cv2
import numpy as np
from PIL import Image

from fashion.colors.plain_ground import plain_ground
from fashion.preprocess import Source, decode

WORKING = 160  # px, the longer side of what colors are measured on

SIDE = 64  # px, the longer side of what is segmented: GrabCut takes as long as it has pixels
ROUNDS = 1  # of GrabCut
FRAME = 0.03  # of a side, along the border, that is ground for sure
MARGIN = 0.15  # of a side, beyond which the product is likely
LEAST = 0.03  # of the photograph that a product covers


def working_levels(source: Source) -> np.ndarray:
    """A photograph as it is looked at, uint8 (H, W, 3) of at most 160 px. Raises InvalidImage."""
    image = decode(source, WORKING)
    image.thumbnail((WORKING, WORKING), Image.Resampling.BOX)
    return np.asarray(image)


def product_pixels(levels: np.ndarray) -> np.ndarray:
    """The product in a photograph, bool (H, W).

    Args:
        levels: the photograph, uint8 (H, W, 3).
    """
    ground = plain_ground(levels)
    if ground is not None and 1 - ground.mean() >= LEAST:
        return ~ground
    return grabbed_product(levels)


def grabbed_product(levels: np.ndarray, likely: np.ndarray | None = None) -> np.ndarray:
    """The product by GrabCut (C. Rother, V. Kolmogorov, A. Blake, SIGGRAPH 2004), bool (H, W).

    Args:
        levels: the photograph, uint8 (H, W, 3).
        likely: where the product is likely, bool (H, W); None takes the middle, which is also the answer where GrabCut
            finds next to nothing.
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
    if (seeds == cv2.GC_PR_FGD).sum() < LEAST * seeds.size:  # too few for a mixture of five colors
        return _middle((height, width), MARGIN)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    everywhere = (0, 0, *size)  # which GC_INIT_WITH_MASK does not look at
    cv2.grabCut(small, seeds, everywhere, models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
    whole = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return whole if whole.mean() >= LEAST else _middle((height, width), MARGIN)


def _middle(size: tuple[int, int], margin: float) -> np.ndarray:
    """All but a margin, in parts of the sides."""
    middle = np.zeros(size, bool)
    top, left = (max(1, round(margin * side)) for side in size)
    middle[top:-top, left:-left] = True
    return middle
