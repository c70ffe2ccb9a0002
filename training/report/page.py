"""The HTML page of a report; it needs only the PNGs and photographs beside it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fashion.pictures.pages import render_page
from fashion.text_tables import number_cell
from training.report import plots, sheets


def render(report: dict[str, Any], ids: Mapping[int, str], sizes: Mapping[int, tuple[int, int]]) -> str:
    """Render the page.

    Args:
        report: see `training.report.contents`.
        ids: of the photographs shown, by row.
        sizes: width and height of their thumbnails, by row.
    """
    return render_page(
        Path(__file__).with_name("page.html.j2"),
        {"score": partial(number_cell, absent="–"), "span": _span, "percent": _percent, "count": _count},
        report=report,
        ids=ids,
        sizes=sizes,
        files=plots.files,
        copy_file=sheets.copy_file,
        group_numbers={entry["group"]: number for number, entry in enumerate(report["groups"])},
        confusions_shown=sheets.CONFUSIONS_SHOWN,
        noise_shown=sheets.NOISE_SHOWN,
        pairs_shown=sheets.PAIRS_SHOWN,
        excluding_shown=sheets.EXCLUDING_SHOWN,
    )


def _span(interval: list[float]) -> str:
    return f"{interval[0]:.3f}–{interval[1]:.3f}"


def _percent(share: float) -> str:
    """Whole percent; values near the ends are shown as <1% and >99%, not 0% and 100%."""
    if share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def _count(number: int) -> str:
    return f"{number:,}"
