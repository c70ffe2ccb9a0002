"""Text and watermarks beside a product: letters of one height in a row on a plain ground."""

import cv2
import numpy as np

from fashion.colors.plain_ground import ground_color

CONTRAST = 12  # levels of 255 between a letter and the ground: a faint watermark has 20
HEIGHT = (0.012, 0.15)  # of a letter, in parts of the photograph's height
LARGEST = 0.02  # of the photograph, that a letter covers
ALIKE = 0.6  # of two neighboring letters the smaller one's height by the larger one's
LEVEL = 0.35  # of a letter's height, by which the middles of neighbors lie apart up or down
GAP = 1.2  # of a letter's height, between neighbors at most


def letters_in_a_row(levels: np.ndarray) -> int:
    """The most letters that stand beside each other on the ground of a photograph, uint8 (H, W, 3).

    Letters are parts that differ from the ground's color and hang together with nothing else. So print on the product
    is none, and of a watermark across it only what stands beside it counts.
    """
    height, width = levels.shape[:2]
    off = np.abs(levels.astype(np.int16) - ground_color(levels)).max(axis=-1) > CONTRAST
    _, _, stats, _ = cv2.connectedComponentsWithStats(off.astype(np.uint8), connectivity=8)
    low, high = (part * height for part in HEIGHT)
    boxes = [
        (left, top, across, down)
        for left, top, across, down, area in stats[1:].tolist()
        if low <= down <= high
        and across <= 2 * down
        and area <= LARGEST * height * width
        and area >= 0.1 * across * down
    ]
    return _longest_row(sorted(boxes))


def _longest_row(boxes: list[tuple[int, int, int, int]]) -> int:
    """The longest chain of neighbors among boxes (left, top, width, height) that are sorted by their left edge."""
    length = [1] * len(boxes)
    for i, (left, top, _, down) in enumerate(boxes):
        for j in range(i):
            before, above, wide, tall = boxes[j]
            gap, larger = left - (before + wide), max(down, tall)
            level = abs((top + down / 2) - (above + tall / 2)) <= LEVEL * larger
            if level and -0.2 * larger <= gap <= GAP * larger and min(down, tall) >= ALIKE * larger:
                length[i] = max(length[i], length[j] + 1)
    return max(length, default=0)
