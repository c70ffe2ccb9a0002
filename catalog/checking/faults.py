"""From measures to faults: which limits there are, and what is said where one is not kept."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from catalog.checking.measures import PhotographMeasures

SIZES = Path(__file__).with_name("google_image_sizes.csv")
SMALL, SMALL_SOON, BLURRED, DARK = "small", "small soon", "blurred", "dark"
CUT, GROUND, TEXT = "cut off", "ground", "text"
NO_PRODUCT, DUPLICATE, TITLE, UNREADABLE = "no product", "duplicate", "title", "unreadable"
CHECKS = (SMALL, SMALL_SOON, BLURRED, DARK, CUT, GROUND, TEXT, NO_PRODUCT, DUPLICATE, TITLE, UNREADABLE)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a photograph.

    Attributes:
        id, image: of the product.
        check: one of `CHECKS`.
        value, limit: what was found, and what it should have kept; None where a number says nothing.
        reason: the same in words.
    """

    id: str
    image: str
    check: str
    value: float | None
    limit: float | None
    reason: str


@dataclass(frozen=True)
class Limits:
    """What a photograph must keep. The defaults were chosen on training photographs, see docs/checks.md.

    Attributes:
        blur: most that `catalog.checking.measures.blur` may be.
        brightest: least L* of the brightest places.
        ground: least part of the border that has one color.
        cut: most of a side that the product may cover without a gap.
        letters: most letters in a row beside the product.
        product: least probability that there is a product.
        title: least probability of what the title names.
    """

    blur: float = 0.45
    brightest: float = 70.0
    ground: float = 0.6
    cut: float = 0.24
    letters: int = 3
    product: float = 0.5
    title: float = 0.05


@cache
def least_sizes() -> tuple[tuple[date, int], ...]:
    """From when on Google Merchant Center asks for how many px on both sides; the file names its sources."""
    with SIZES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return tuple(sorted((date.fromisoformat(row["from"]), int(row["pixels"])) for row in rows))


def measured_faults(
    measures: PhotographMeasures, limits: Limits, today: date
) -> Iterator[tuple[str, float, float, str]]:
    """What is wrong with a photograph by its measures: check, value, limit and reason."""
    yield from _too_small(measures, today)
    if measures.blur > limits.blur:
        yield BLURRED, measures.blur, limits.blur, f"blurred: {measures.blur:.2f}, at most {limits.blur:.2f} is sharp"
    if measures.brightest < limits.brightest:
        said = f"dark: its brightest places have a lightness of {measures.brightest:.0f} of 100"
        yield DARK, measures.brightest, limits.brightest, said
    if measures.ground < limits.ground:
        said = f"not on a plain ground: {_percent(measures.ground)} of the border have one color"
        yield GROUND, measures.ground, limits.ground, said
    else:  # of other grounds nobody can say where the product ends
        side, run = max(measures.cut.items(), key=lambda each: each[1])
        if run > limits.cut:
            yield CUT, run, limits.cut, f"cut off at the {side}: the product covers {_percent(run)} of that side"
        if measures.letters > limits.letters:
            said = f"text or a watermark: {measures.letters} letters in a row beside the product"
            yield TEXT, measures.letters, limits.letters, said


def _too_small(measures: PhotographMeasures, today: date) -> Iterator[tuple[str, float, float, str]]:
    size = f"{measures.width} x {measures.height} px"
    now = max(pixels for start, pixels in least_sizes() if start <= today)
    if measures.shorter < now:
        yield (
            SMALL,
            measures.shorter,
            now,
            f"too small for Google Merchant: {size}, {now} x {now} are asked for",
        )
        return
    for start, pixels in least_sizes():
        if start > today and measures.shorter < pixels:
            said = f"too small for Google Merchant from {start} on: {size}, {pixels} x {pixels} will be asked for"
            yield SMALL_SOON, measures.shorter, pixels, said
            return


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
