"""Background crops from photographs of single garments: corners without any part of the garment."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, UnidentifiedImageError

from fashion.errors import DataError
from fashion.tables.cells import text_cell
from fashion.tables.reading import open_table
from training.sources.negatives.surfaces import Floats, Rng

LARGEST_SHARE = 0.25  # of a side
_SMALLEST_SHARE = 0.14
# Color distances in Pillow's 8-bit CIELAB.
_FLAT = 20.0  # maximum for 98 % of a corner's pixels from its median: excludes edges of a garment
_STRAY = 28.0  # the same for 99.8 %: excludes the tip of a sleeve
_LIKE = 24.0  # maximum between the medians of two corners with the same background
_UNLIKE = 30.0  # minimum of a corner's median from the pixels in the middle, where the garment is
_TINT = 32  # CIELAB levels; colors in the same cube of this side have the same tint
_SHORTEST = 60  # pixels; smaller corners are enlarged


def files_of_split(folder: Path, split: str) -> list[Path]:
    """The photographs in the column `image` of the folder's `train.csv` or `val.csv`.

    Raises:
        DataError: the table or the column is missing, broken or empty.
    """
    path = folder / f"{split}.csv"
    table = open_table(path) if path.is_file() else None
    cells = table.rows(["image"]) if table is not None and "image" in table.columns else ()
    names = [name for name in (text_cell(row["image"]) for _, row in cells) if name]
    if not names:
        raise DataError(
            f"{path} is not a table with a column `image`; --crops takes a folder of train.csv, val.csv, images/"
        )
    return [folder / "images" / name for name in names]


def background_crops(files: list[Path], rng: Rng, wanted: int) -> Iterator[Image.Image]:
    """Up to `wanted` backgrounds, one per photograph, in random order; unreadable files are skipped.

    At most a tenth have the same tint, because hundreds of photographs may share one background sheet.
    """
    made = 0
    tints: Counter[tuple[int, ...]] = Counter()
    for at in rng.permutation(len(files)):
        if made == wanted:
            return
        try:
            with Image.open(files[at]) as opened:
                crop = background_crop(opened.convert("RGB"), rng)
        except (OSError, UnidentifiedImageError):
            continue
        if crop is None:
            continue
        tint = tuple(int(level) // _TINT for level in np.asarray(crop.convert("LAB")).mean(axis=(0, 1)))
        tints[tint] += 1
        if tints[tint] <= max(wanted // 10, 2):
            made += 1
            yield crop


def background_crop(image: Image.Image, rng: Rng) -> Image.Image | None:
    """A corner without garment, at most a quarter of each side, or None if no corner is certain.

    A corner counts as background if it is uniform, differs from the middle of the photograph, and resembles another
    corner.
    """
    share = rng.uniform(_SMALLEST_SHARE, LARGEST_SHARE, 2)
    width, height = int(image.width * share[0]), int(image.height * share[1])
    if min(width, height) < 16:
        return None
    lab = np.asarray(image.filter(ImageFilter.GaussianBlur(2)).convert("LAB"), dtype=np.float32)
    lefts, tops = (0, image.width - width), (0, image.height - height)
    boxes = [(left, top, left + width, top + height) for left in lefts for top in tops]
    medians = [_median(lab[top:bottom, left:right]) for left, top, right, bottom in boxes]
    rows, columns = (slice(int(size * 0.38), int(size * 0.62)) for size in lab.shape[:2])
    middle = lab[rows, columns]
    for at in rng.permutation(4):
        left, top, right, bottom = boxes[at]
        most, nearly_all = np.percentile(_distance(lab[top:bottom, left:right], medians[at]), (98, 99.8))
        alike = sum(_distance(medians[at], other) < _LIKE for other in medians) > 1  # itself is one
        apart = np.percentile(_distance(middle, medians[at]), 20) > _UNLIKE
        if most < _FLAT and nearly_all < _STRAY and alike and apart:
            crop = image.crop(boxes[at])
            grow = max(1.0, _SHORTEST / min(crop.size))
            return crop.resize((round(width * grow), round(height * grow)), Image.Resampling.BICUBIC)
    return None


def _median(lab: Floats) -> Floats:
    return np.median(lab.reshape(-1, 3), axis=0)


def _distance(lab: Floats, color: Floats) -> Floats:
    return np.linalg.norm(lab - color, axis=-1)
