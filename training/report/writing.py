"""Writes the folder of a report atomically: page, plots, photographs and JSON."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fashion.errors import SettingError
from fashion.files import write_json
from fashion.folders import atomic_folder, check_replaceable
from training.report import sheets
from training.report.contents import contents
from training.report.evidence import Evidence
from training.report.page import render
from training.report.plots import LARGE, draw_curve, draw_reliability

PAGE_FILE, JSON_FILE = "index.html", "report.json"
PLOTS, PHOTOS = "plots", "photos"
_ANALYSES = 5  # number of steps that `contents` reports


def check_report_folder(out: Path) -> None:
    """Check that `out` is missing, empty or a report. Raises SettingError otherwise."""
    check_replaceable(out, _is_report, "report", "--report", SettingError)


def write_report(evidence: Evidence, scores: dict[str, Any], header: dict[str, Any], out: Path) -> Path:
    """Write a report of a model on labeled photographs, with a progress bar.

    Args:
        evidence: photographs and answers.
        scores: by profile, the result of `training.profiles.scores.score` with `average_precision`.
        header: facts on model, data and environment, see `training.report.contents`.
        out: the folder; an existing report is replaced when the new one is complete.

    Returns:
        The page, `out/index.html`. Beside it are `report.json`, `plots/` (PNG) and `photos/` (JPEG).

    Raises:
        SettingError: `out` exists and is not a report.
    """
    check_report_folder(out)
    with atomic_folder(out) as folder, tqdm(desc="report", unit="step", total=_ANALYSES) as bar:

        def step(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        report = contents(evidence, scores, header, step)
        drawings, rows = _drawings(report), sheets.rows_shown(report)
        bar.total = _ANALYSES + len(drawings) + len(rows)
        for name in (PLOTS, PHOTOS):
            (folder / name).mkdir()
        for draw in drawings:
            step("plots")
            draw(folder / PLOTS)
        sizes = {}
        for row in rows:
            step("photographs")
            sizes[row] = sheets.write_copy(evidence.photographs, row, folder / PHOTOS)
        page = render(report, {row: evidence.ids[row] for row in rows}, sizes)
        (folder / PAGE_FILE).write_text(page, encoding="utf-8")
        write_json(folder / JSON_FILE, report, allow_nan=False)
    return out / PAGE_FILE


def _drawings(report: dict[str, Any]) -> list[Callable[[Path], None]]:
    """For each plot of the page, a function that draws it into a folder."""
    curves, bins = report["curves"], report["reliability"]
    drawings: list[Callable[[Path], None]] = []

    def curve(name: str, found: dict[str, Any] | None, scores: dict[str, Any], **options: Any) -> None:
        if found:
            point = (scores["recall"], scores["precision"])
            drawings.append(partial(draw_curve, name=name, curve=found, point=point, **options))

    curve("curve-all", curves["all"], report["profiles"][report["profile"]], size=LARGE)
    if bins["all"]:
        drawings.append(partial(draw_reliability, name="reliability-all", bins=bins["all"], size=LARGE))
    for number, group in enumerate(report["groups"]):
        curve(f"curve-group-{number}", curves["groups"][group["group"]], group, reference=curves["all"])
        if bins["groups"][group["group"]]:
            found = bins["groups"][group["group"]]
            drawings.append(partial(draw_reliability, name=f"reliability-group-{number}", bins=found))
    labels = {(label["group"], label["name"]): label for label in report["labels"]}
    for number, label in enumerate(curves["labels"]):
        curve(f"curve-label-{number}", label["curve"], labels[label["group"], label["name"]])
    return drawings


def _is_report(folder: Path) -> bool:
    """Whether a folder was written by `write_report`."""
    try:
        written = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (folder / PAGE_FILE).is_file() and isinstance(written, dict) and {"schema", "reliability"} <= written.keys()
