"""The list of downloads that failed, beside the downloaded photographs: why a photograph is missing."""

import csv
import os
from functools import lru_cache
from pathlib import Path

FAILURES_FILE = "download_failures.csv"  # columns: id, url, reason


def failed_download(folder: Path, url: str) -> str | None:
    """Why the last run with downloads into `folder` did not get this URL; None if it did, or did not try."""
    path = folder / FAILURES_FILE
    try:
        return _reasons(path, os.stat(path).st_mtime_ns).get(url)
    except (OSError, ValueError, csv.Error):  # no list, or a broken one
        return None


@lru_cache(4)
def _reasons(path: Path, changed: int) -> dict[str, str]:
    """Reasons by URL, cached until the file's modification time changes."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {row[1]: row[2] for row in csv.reader(file) if len(row) > 2}
