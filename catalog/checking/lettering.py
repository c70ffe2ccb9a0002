"""Detect text and watermarks beside a product: letters of similar height in a row on a plain background."""

import cv2
import numpy as np

from fashion.colors.plain_background import background_color

CONTRAST = 12  # minimum difference from the background, in levels of 255; a faint watermark has 20
HEIGHT = (0.012, 0.15)  # range of letter heights, as a fraction of the photograph's height
LEAST = 4  # px; below that most are specks of the product. Of small photographs only: 0.012 is more from 334 px on
LARGEST = 0.02  # maximum share of the photograph that a letter covers
ALIKE = 0.6  # minimum ratio of the heights of neighboring letters
# Of the larger neighbor's height:
LEVEL = 0.35  # maximum vertical distance of the centers
OVERLAP = 0.2  # maximum horizontal overlap, for slanted letters
GAP = 1.2  # maximum gap


def letters_in_a_row(levels: np.ndarray) -> int:
    """The largest number of letters in a row on the background of a photograph, uint8 (H, W, 3).

    Letters are connected components that differ from the background color. Print on the product is part of the
    product's component, so only the part of a watermark beside the product is detected.
    """
    height, width = levels.shape[:2]
    off = np.abs(levels - background_color(levels)).max(axis=-1) > CONTRAST
    _, _, stats, _ = cv2.connectedComponentsWithStats(off.astype(np.uint8), connectivity=8)
    left, top, across, down, area = stats[1:].T
    low, high = (part * height for part in HEIGHT)
    letter = (down >= max(low, LEAST)) & (down <= high) & (across <= 2 * down)
    letter &= (area >= 0.1 * across * down) & (area <= LARGEST * height * width)
    boxes = np.stack([left, top, across, down], axis=1)[letter]
    return _longest_row(boxes[np.argsort(boxes[:, 0], kind="stable")])


def _longest_row(boxes: np.ndarray) -> int:
    """The longest chain of neighbors among boxes (N, 4): left, top, width and height, sorted by their left edge."""
    length = np.ones(len(boxes), np.int64)
    rights, middles, heights = boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3] / 2, boxes[:, 3]
    for i in range(1, len(boxes)):
        gap, larger = boxes[i, 0] - rights[:i], np.maximum(heights[:i], heights[i])
        beside = (gap >= -OVERLAP * larger) & (gap <= GAP * larger)
        beside &= np.abs(middles[:i] - middles[i]) <= LEVEL * larger
        beside &= np.minimum(heights[:i], heights[i]) >= ALIKE * larger
        length[i] = 1 + (length[:i][beside].max() if beside.any() else 0)
    return int(length.max(initial=0))
