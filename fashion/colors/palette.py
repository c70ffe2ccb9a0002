"""The dominant colors of a product in a photograph: k-means in CIELAB, with shares and names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion.colors.cielab import ciede2000, lab_to_hex, rgb_to_lab
from fashion.colors.naming import BASIC_COLORS, name_colors

PIXELS = 3000  # most pixels of the product sampled; shares are then accurate to 2 %
CLUSTERS = 8  # before similar ones are merged
ROUNDS = 6  # iterations of k-means
HUE = 1.5  # weight of a* and b* relative to L* in k-means: a fold's shadow is the same color
JOINED = 8.0  # CIEDE2000 difference below which two clusters are merged
LEAST = 0.05  # smallest share of a color that is reported
MOST = 5  # most colors reported for a product
SPREAD = (0.42, 0.55)  # Gaussian center weight: standard deviations across and down, in half sides


@dataclass(frozen=True)
class DominantColor:
    """A color of a product.

    Attributes:
        share: fraction of the product's pixels, weighted toward the photograph's center; 0 to 1.
        hex: such as `#7a1f2b`, sRGB.
        name: the finer name, such as `burgundy`.
        basic: one of the twelve basic colors.
    """

    share: float
    hex: str
    name: str
    basic: str


def dominant_colors(levels: np.ndarray, product: np.ndarray) -> list[DominantColor]:
    """The colors of a product, largest share first.

    Args:
        levels: the photograph, uint8 (H, W, 3); about 160 px a side are enough.
        product: mask of the product's pixels, bool (H, W); if it is empty, the whole photograph is used.
    """
    centers, shares = merge_similar(*clusters(levels, product))
    found: dict[str, DominantColor] = {}
    for i, (basic, name) in sorted(enumerate(name_colors(centers)), key=lambda each: -shares[each[0]]):
        if name in found:  # clusters of the same name add up; the largest one gives the hex color
            found[name] = replace(found[name], share=found[name].share + float(shares[i]))
        else:
            found[name] = DominantColor(float(shares[i]), lab_to_hex(centers[i]), name, basic)
    ranked = sorted(found.values(), key=lambda color: -color.share)
    return [color for i, color in enumerate(ranked[:MOST]) if not i or color.share >= LEAST]


def basic_shares(colors: Sequence[DominantColor]) -> np.ndarray:
    """The share of each basic color, (12,)."""
    found = np.zeros(len(BASIC_COLORS))
    for color in colors:
        found[BASIC_COLORS.index(color.basic)] += color.share
    return found


def basic_color(colors: Sequence[DominantColor]) -> str:
    """The basic color with the largest share; shades of one basic color add up."""
    return BASIC_COLORS[int(basic_shares(colors).argmax())]


def clusters(levels: np.ndarray, product: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """K-means of the product's pixels in CIELAB: centers (K, 3) and their shares (K,)."""
    chosen = np.flatnonzero(product) if product.any() else np.arange(product.size)
    chosen = chosen[:: -(-len(chosen) // PIXELS)]
    stretch = np.array([1, HUE, HUE], np.float32)
    space = rgb_to_lab(levels.reshape(-1, 3)[chosen]) * stretch
    mass = _middle_weight(product.shape).reshape(-1)[chosen]
    centers = _initial_centers(space, mass)
    for _ in range(ROUNDS):
        nearest = ((centers**2).sum(axis=1) - 2 * space @ centers.T).argmin(axis=1)
        counts = np.bincount(nearest, mass, len(centers))
        sums = np.stack([np.bincount(nearest, mass * axis, len(centers)) for axis in space.T], axis=1)
        nonempty = counts > 0
        centers, counts = (sums[nonempty] / counts[nonempty, None]).astype(np.float32), counts[nonempty]
    return centers / stretch, counts / counts.sum()


def merge_similar(centers: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge the two most similar clusters until no two are within `JOINED` of each other."""
    while len(centers) > 1:
        apart = ciede2000(centers[:, None], centers[None]) + np.diag(np.full(len(centers), np.inf))
        one, other = np.unravel_index(apart.argmin(), apart.shape)
        if apart[one, other] >= JOINED:
            break
        both = shares[[one, other]]
        centers[one] = both @ centers[[one, other]] / both.sum()
        shares[one] = both.sum()
        centers, shares = np.delete(centers, other, axis=0), np.delete(shares, other)
    return centers, shares


def _initial_centers(space: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Initial centers: the mean, then repeatedly the pixel farthest from all centers, weighted by mass."""
    centers = [np.average(space, axis=0, weights=mass)]
    far = ((space - centers[0]) ** 2).sum(axis=1)
    for _ in range(CLUSTERS - 1):
        centers.append(space[int((far * mass).argmax())])
        far = np.minimum(far, ((space - centers[-1]) ** 2).sum(axis=1))
    return np.stack(centers).astype(np.float32)


def _middle_weight(size: tuple[int, ...]) -> np.ndarray:
    """Weight of each pixel, float32 (H, W): other garments, legs and faces are away from the center."""
    down, across = (np.linspace(-1, 1, side, dtype=np.float32) for side in size)
    x, y = across / SPREAD[0], down / SPREAD[1]
    return np.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2)
