"""Compare measures of photographs with limits, and describe the faults."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from catalog.checking.measures import PhotographMeasures
from fashion.text_tables import percent_cell

SIZES = Path(__file__).with_name("google_image_sizes.csv")
SMALL, SMALL_SOON, BLURRED, DARK = "small", "small soon", "blurred", "dark"
CUT, GROUND, TEXT = "cut off", "ground", "text"
NO_PRODUCT, DUPLICATE, TITLE, UNREADABLE = "no product", "duplicate", "title", "unreadable"
CHECKS = (SMALL, SMALL_SOON, BLURRED, DARK, CUT, GROUND, TEXT, NO_PRODUCT, DUPLICATE, TITLE, UNREADABLE)


@dataclass(frozen=True)
class Fault:
    """A fault of a photograph.

    Attributes:
        id, image: of the product.
        check: one of `CHECKS`.
        value, limit: the measured value and its limit, or None.
        reason: description of the fault.
    """

    id: str
    image: str
    check: str
    value: float | None
    limit: float | None
    reason: str


@dataclass(frozen=True)
class Limits:
    """Limits for photographs. The defaults were chosen on training photographs, see docs/checks.md.

    Attributes:
        blur: maximum of `catalog.checking.measures.blur`.
        brightest: minimum L* of the brightest places.
        ground: minimum share of the border that has one color.
        cut: maximum share of a side that the product covers without a gap.
        letters: maximum number of letters in a row beside the product.
        product: minimum probability that the photograph shows a product.
        title: minimum probability of the label that the title names.
    """

    blur: float = 0.45
    brightest: float = 70.0
    ground: float = 0.6
    cut: float = 0.24
    letters: int = 1
    product: float = 0.5
    title: float = 0.05


@cache
def least_sizes() -> tuple[tuple[date, int], ...]:
    """Minimum px of both sides for Google Merchant Center, with start dates; the CSV file names the sources."""
    with SIZES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return tuple(sorted((date.fromisoformat(row["from"]), int(row["pixels"])) for row in rows))


def measured_faults(
    measures: PhotographMeasures, limits: Limits, today: date
) -> Iterator[tuple[str, float, float, str]]:
    """The faults of a photograph by its measures: check, value, limit and reason."""
    yield from _too_small(measures, today)
    if measures.blur > limits.blur:
        yield BLURRED, measures.blur, limits.blur, f"blurred: {measures.blur:.2f}, at most {limits.blur:.2f} is sharp"
    if measures.brightest < limits.brightest:
        reason = f"dark: its brightest parts have a lightness of {measures.brightest:.0f} of 100"
        yield DARK, measures.brightest, limits.brightest, reason
    if measures.ground < limits.ground:
        reason = f"not on a plain background: only {percent_cell(measures.ground)} of the border has one color"
        yield GROUND, measures.ground, limits.ground, reason
    else:  # on other backgrounds the outline of the product is unknown
        side, run = max(measures.cut.items(), key=lambda each: each[1])
        if run > limits.cut:
            yield CUT, run, limits.cut, f"cut off at the {side}: the product covers {percent_cell(run)} of that side"
        if measures.letters > limits.letters:
            reason = f"text or a watermark: {measures.letters} letters in a row beside the product"
            yield TEXT, measures.letters, limits.letters, reason


def _too_small(measures: PhotographMeasures, today: date) -> Iterator[tuple[str, float, float, str]]:
    size = f"{measures.width} x {measures.height} px"
    now = max(pixels for start, pixels in least_sizes() if start <= today)
    if measures.shorter < now:
        yield (
            SMALL,
            measures.shorter,
            now,
            f"too small for Google Merchant: {size}, {now} x {now} are required",
        )
    for start, pixels in least_sizes():
        if start > today and measures.shorter < pixels:
            reason = f"too small for Google Merchant from {start} on: {size}, {pixels} x {pixels} will be required"
            yield SMALL_SOON, measures.shorter, pixels, reason
            return
