"""Finds reports of trends and comparisons, and the content security policy under which their pages work."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from fashion.errors import DataError
from fashion.pictures import pages

PAGE = "index.html"
KINDS = {"trends.json": "Trends", "compare.json": "Comparison"}  # files beside the page of a report
SCRIPT = Path(pages.__file__).with_name("page.js")


def find_reports(scored: Path, others: Iterable[Path] = ()) -> dict[str, Path]:
    """Report pages by link name: those in subfolders of a scored catalog, and others. Equal names are numbered.

    Raises:
        DataError: one of `others` is not a report.
    """
    found: dict[str, Path] = {}
    for folder in sorted(path for path in scored.iterdir() if path.is_dir()):
        if kind := _kind(folder):
            _add(found, kind, folder)
    for folder in others:
        kind = _kind(folder)
        if not kind:
            raise DataError(f"{folder} is not the folder of a report of python -m catalog.trends or catalog.compare")
        _add(found, kind, folder)
    return found


def report_policy() -> str:
    """The content security policy of a report: inline styles and pictures, and only this project's script.

    The script is allowed by its sha256, including the line breaks that the reports' template puts around it.
    """
    digest = hashlib.sha256(f"\n{SCRIPT.read_text(encoding='utf-8')}".encode()).digest()
    script = f"'sha256-{base64.b64encode(digest).decode()}'"
    return (
        f"default-src 'none'; script-src {script}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def _add(found: dict[str, Path], kind: str, folder: Path) -> None:
    path = folder.resolve() / PAGE
    if path in found.values():
        return  # it is named twice
    name = f"{kind}: {folder.name}"
    names = [name, *(f"{name} ({number})" for number in range(2, len(found) + 2))]
    found[next(each for each in names if each not in found)] = path


def _kind(folder: Path) -> str | None:
    kinds = [kind for name, kind in KINDS.items() if (folder / name).is_file()]
    return kinds[0] if kinds and (folder / PAGE).is_file() else None
