"""Dates and shops for the products of a labeled data set, drawn at random with something planted for others to find."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from fashion.files import write_whole
from training.sources.extract import ENDING, as_photographs, true_labels
from training.sources.opening import is_training_format
from training.sources.writer import SPLITS

TABLE_FILE, PHOTOGRAPHS = "products.csv", "photographs"
YEAR, MONTHS = 2026, 12
SHOPS = ("North", "South")
LEANING = 0.8  # of the products with the label that the first shop leans to, the share that it has


def dated_catalog(
    folder: Path | str, out: Path | str, rising: str, falling: str, leaning: str, splits: Sequence[str] = SPLITS
) -> Path:
    """A table of products with dates and shops, for trying out what looks for trends.

    A product is equally likely to come in each month of 2026, but for those that have the label `rising`: these are
    twelve times as likely to come in December as in January, with even steps between; for those that have `falling` it
    is the reverse. Half of the products are in the shop North, of those that have the label `leaning` 80 %; the others
    are in South. What a product has is told by the data set's own labels, not by a model.

    Args:
        folder: in the training format; anything else has its own dates and is returned as it is.
        out: where `products.csv` and the photographs are written to.
        rising, falling, leaning: names of labels, of any group.
        splits: those that are taken.

    Raises:
        DataError: there is no such folder, or it has none of the splits.
    """
    out = Path(out)
    photographs = as_photographs(folder, out / PHOTOGRAPHS, splits)
    if not is_training_format(Path(folder)):
        return photographs
    rng = np.random.default_rng(0)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("id", "image", "date", "shop"))
    for photo in sorted(photographs.glob(f"*{ENDING}")):
        names = {name for labels in true_labels(photo).values() for name in labels or ()}
        shop = SHOPS[int(rng.random() >= (LEANING if leaning in names else 0.5))]
        day = _day(rng, (rising in names) - (falling in names))
        writer.writerow((photo.stem, f"{PHOTOGRAPHS}/{photo.name}", day.isoformat(), shop))
    return write_whole(out / TABLE_FILE, file.getvalue())


def _day(rng: np.random.Generator, trend: int) -> date:
    """A day of the year: any, or rather a late one where `trend` is 1, or an early one where it is -1."""
    months = np.arange(1, MONTHS + 1)
    weights = np.ones(MONTHS) if not trend else months if trend > 0 else months[::-1]
    month = int(rng.choice(months, p=weights / weights.sum()))
    return date(YEAR, month, 1) + timedelta(days=int(rng.integers(28)))
