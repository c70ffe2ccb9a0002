"""Synthetic dates and shops for the products of a labeled data set, with known trends to test trend detection."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from fashion.files import write_csv
from training.sources.extract import ENDING, as_photographs, true_labels
from training.sources.opening import is_training_format
from training.sources.writer import SPLITS

TABLE_FILE, PHOTOGRAPHS = "products.csv", "photographs"
YEAR, MONTHS = 2026, 12
SHOPS = ("North", "South")
LEANING = 0.8  # share of the products with the label `leaning` that are in the first shop


def dated_catalog(
    folder: Path | str, out: Path | str, rising: str, falling: str, leaning: str, splits: Sequence[str] = SPLITS
) -> Path:
    """Write a table of products with synthetic dates and shops, for testing trend detection.

    Dates are uniform over the months of 2026, except for products with the label `rising`, which are twelve times as
    likely in December as in January, with a linear increase between, and for `falling` the reverse. Half of the
    products are in the shop North, but 80 % of those with the label `leaning`; the others are in South. Labels are the
    annotations of the data set, not a model's answers.

    Args:
        folder: in the training format; anything else has its own dates and is returned unchanged.
        out: folder for `products.csv` and the photographs.
        rising, falling, leaning: names of labels, of any group.
        splits: the splits to use.

    Raises:
        DataError: the folder does not exist or has none of the splits.
    """
    out = Path(out)
    photographs = as_photographs(folder, out / PHOTOGRAPHS, splits)
    if not is_training_format(Path(folder)):
        return photographs
    rng = np.random.default_rng(0)
    rows = []
    for photo in sorted(photographs.glob(f"*{ENDING}")):
        names = {name for labels in true_labels(photo).values() for name in labels or ()}
        shop = SHOPS[int(rng.random() >= (LEANING if leaning in names else 0.5))]
        day = _day(rng, (rising in names) - (falling in names))
        rows.append((photo.stem, f"{PHOTOGRAPHS}/{photo.name}", day.isoformat(), shop))
    return write_csv(out / TABLE_FILE, ("id", "image", "date", "shop"), rows)


def _day(rng: np.random.Generator, trend: int) -> date:
    """A random day of the year: uniform months, or more likely late for `trend` 1 and early for -1."""
    months = np.arange(1, MONTHS + 1)
    weights = np.ones(MONTHS) if not trend else months if trend > 0 else months[::-1]
    month = int(rng.choice(months, p=weights / weights.sum()))
    return date(YEAR, month, 1) + timedelta(days=int(rng.integers(28)))
