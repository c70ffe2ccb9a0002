"""Write the folder of a report atomically: index.html, plots/, CSV tables and JSON.

The page embeds its plots, so it can be sent alone; the PNGs are for other uses.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from catalog.analysis.comparison import ComparedShare, Comparison
from catalog.analysis.label_trends import LabelTrend, Trends
from catalog.analysis.report.plots import draw_differences, draw_trend, drawable, files
from catalog.analysis.tabular import (
    COUNTED,
    RATE,
    percent,
    points,
    significance,
    write_compare_csv,
    write_periods_csv,
    write_trends_csv,
)
from fashion.errors import SettingError
from fashion.files import write_json
from fashion.folders import atomic_folder, check_replaceable
from fashion.pictures.pages import render_page

PAGE_FILE, PLOTS = "index.html", "plots"
TRENDS_FILE, COMPARE_FILE = "trends.json", "compare.json"
MOVING, STEADY = 24, 6  # maximum number of plots: risers and fallers each, and other labels per group
DIFFERENCES, LISTED = 20, 200  # maximum number in the plot and in the table of differences
FREQUENT = 0.01  # labels with at least this share on either side are listed even if they do not differ
FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "significance": significance,
    "count": "{:,}".format,
    "points": points,
}


def check_report_folder(out: Path) -> None:
    """Raise SettingError if `out` exists and is not a report."""
    check_replaceable(out, _is_report, "report of trends or a comparison", "--report", SettingError)


def write_trends(found: Trends, out: Path) -> Path:
    """Write a report of `catalog.analysis.growth.trends`; return its page.

    The folder also has `trends.json`, `trends.csv` (a line per label), `shares.csv` (a line per label and period) and
    `plots/`.

    Raises:
        SettingError: `out` exists and is not a report.
    """
    check_report_folder(out)
    moving = {"rise": found.risers[:MOVING], "fall": found.fallers[:MOVING]}
    steady = {group: _steady(found, group) for group in dict.fromkeys(label.group for label in found.labels)}
    drawn = [label for labels in (*moving.values(), *steady.values()) for label in labels]
    names = {(label.group, label.name): f"share-{number:03}" for number, label in enumerate(drawn)}
    with atomic_folder(out) as folder:
        (folder / PLOTS).mkdir()
        for label in tqdm(drawn, desc="plots", unit="plot", disable=None):
            draw_trend(folder / PLOTS, names[label.group, label.name], label, found.starts)
        write_trends_csv(folder / "trends.csv", found)
        write_periods_csv(folder / "shares.csv", found)
        _write_page(folder, "trends", found.to_json(), found=found, moving=moving, steady=steady, names=names)
    return out / PAGE_FILE


def write_comparison(found: Comparison, out: Path) -> Path:
    """Write a report of `catalog.analysis.portfolios.compare`; return its page.

    The folder also has `compare.json`, `compare.csv` and `plots/`.

    Raises:
        SettingError: `out` exists and is not a report.
    """
    check_report_folder(out)
    singles = [row for row in found.differences if len(row.names) == 1]
    pairs = [row for row in found.differences if len(row.names) == 2]
    with atomic_folder(out) as folder:
        (folder / PLOTS).mkdir()
        for name, rows in (("labels", singles), ("combinations", pairs)):
            if rows:
                draw_differences(folder / PLOTS, name, rows[:DIFFERENCES])
        write_compare_csv(folder / "compare.csv", found)
        contents = {"parts": {"labels": singles, "combinations": pairs}, "frequent": _frequent(found)}
        _write_page(folder, "compare", found.to_json(), found=found, drawn=DIFFERENCES, listed=LISTED, **contents)
    return out / PAGE_FILE


def _frequent(found: Comparison) -> list[ComparedShare]:
    """Labels with a share of at least `FREQUENT` on either side, the most frequent first."""
    singles = [row for row in found.rows if len(row.names) == 1 and max(row.shares) >= FREQUENT]
    return sorted(singles, key=lambda row: -max(row.shares))


def _steady(found: Trends, group: str) -> list[LabelTrend]:
    """The most frequent labels of a group without a significant trend."""
    labels = [label for label in found.labels if label.group == group and not label.trend]
    return sorted(labels, key=lambda label: -label.share)[:STEADY]


def _write_page(folder: Path, kind: str, content: dict[str, Any], **contents: Any) -> None:
    write_json(folder / f"{kind}.json", content, allow_nan=False)

    def embedded(name: str) -> dict[str, str]:
        return {
            theme: "data:image/png;base64," + base64.b64encode((folder / PLOTS / file).read_bytes()).decode()
            for theme, file in files(name).items()
        }

    page = render_page(
        Path(__file__).with_name(f"{kind}.html.j2"),
        FILTERS,
        embedded=embedded,
        rate=RATE,
        counted=COUNTED,
        drawable=drawable,
        **contents,
    )
    (folder / PAGE_FILE).write_text(page, encoding="utf-8")


def _is_report(folder: Path) -> bool:
    """Whether a folder is such a report."""
    return (folder / PAGE_FILE).is_file() and any((folder / name).is_file() for name in (TRENDS_FILE, COMPARE_FILE))
