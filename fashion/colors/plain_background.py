"""Find a plain background around a product by a flood fill from the photograph's border."""

import numpy as np

TOLERANCE = 6  # largest difference per channel, of 255, from the background's color: JPEG noise, no white shirt's seams
PLAIN = 0.6  # least fraction of the border with the background's color; the product may cover the rest


def background_color(levels: np.ndarray) -> np.ndarray:
    """The median of each channel along the border of a photograph, uint8 (H, W, 3) -> int16 (3,)."""
    return np.median(_edge(levels), axis=0).astype(np.int16)


def background_share(levels: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """Fraction of a photograph's border that has the border's median color, uint8 (H, W, 3) -> 0 to 1."""
    return float((np.abs(_edge(levels) - background_color(levels)).max(axis=-1) <= tolerance).mean())


def plain_background(levels: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray | None:
    """Mask of the background around a product, bool (H, W); None if the background is not plain.

    Areas of the background's color inside the product's outline count as product.

    Args:
        levels: the photograph, uint8 (H, W, 3).
        tolerance: largest difference per channel from the background's color.
    """
    alike = _alike(levels, tolerance)
    return flood(alike) if _edge(alike).mean() >= PLAIN else None


def flood(passable: np.ndarray) -> np.ndarray:
    """The pixels of a mask, bool (H, W), that are 4-connected to the border through the mask."""
    reached = np.zeros_like(passable)
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        reached[side] = passable[side]
    before = -1
    while before != (before := int(reached.sum())):
        for axis in (0, 1):
            reached = _swept(reached, passable, axis)
            reached = np.flip(_swept(np.flip(reached, axis), np.flip(passable, axis), axis), axis)
    return reached


def _swept(reached: np.ndarray, passable: np.ndarray, axis: int) -> np.ndarray:
    """Extend the reached pixels forward along an axis until the mask ends."""
    shape = (-1, 1) if axis == 0 else (1, -1)
    places = np.arange(passable.shape[axis], dtype=np.int16).reshape(shape)
    last = np.maximum.accumulate(np.where(reached, places, np.int16(-1)), axis)
    wall = np.maximum.accumulate(np.where(passable, np.int16(-1), places), axis)
    return passable & (last > wall)


def _alike(levels: np.ndarray, tolerance: float) -> np.ndarray:
    return np.abs(levels - background_color(levels)).max(axis=-1) <= tolerance


def _edge(mask: np.ndarray) -> np.ndarray:
    return np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
