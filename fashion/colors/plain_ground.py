"""A ground of one color around a product: found by a flood fill from the photograph's border."""

import numpy as np

TOLERANCE = 6  # levels of 255 in a channel between the ground and its color: noise of JPEG, not a white shirt's seams
PLAIN = 0.6  # of the border that must have the ground's color; the rest may be a product that is cut off


def ground_color(levels: np.ndarray) -> np.ndarray:
    """The median of each channel along the border of a photograph, uint8 (H, W, 3) -> int16 (3,)."""
    return np.median(_edge(levels), axis=0).astype(np.int16)


def ground_share(levels: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """Which part of the border of a photograph, uint8 (H, W, 3), has the border's most usual color, from 0 to 1."""
    return float((np.abs(_edge(levels) - ground_color(levels)).max(axis=-1) <= tolerance).mean())


def plain_ground(levels: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray | None:
    """The ground around a product, bool (H, W); None where it is not plain.

    What has the ground's color inside of the product's outline belongs to the product.

    Args:
        levels: the photograph, uint8 (H, W, 3).
        tolerance: levels that the ground may differ from its color in a channel.
    """
    alike = _alike(levels, tolerance)
    return flood(alike) if _edge(alike).mean() >= PLAIN else None


def flood(passable: np.ndarray) -> np.ndarray:
    """The places of a mask, bool (H, W), that are reached from the border through it, up, down and sideways."""
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
    """Go on along an axis from all places that are reached, as far as the mask lets."""
    shape = (-1, 1) if axis == 0 else (1, -1)
    places = np.arange(passable.shape[axis], dtype=np.int16).reshape(shape)
    last = np.maximum.accumulate(np.where(reached, places, np.int16(-1)), axis)
    wall = np.maximum.accumulate(np.where(passable, np.int16(-1), places), axis)
    return passable & (last > wall)


def _alike(levels: np.ndarray, tolerance: float) -> np.ndarray:
    return np.abs(levels - ground_color(levels)).max(axis=-1) <= tolerance


def _edge(mask: np.ndarray) -> np.ndarray:
    return np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
