"""Download the photographs of a table with image URLs to where the table's readers look for them."""

import sys
from collections.abc import Iterable
from pathlib import Path

from fashion.fetching.fetch_settings import FetchSettings
from fashion.fetching.many_images import FetchJob, FetchReport, fetch_all
from fashion.tables.image_paths import FETCHED_FOLDER, ImagePaths


def fetch_table_images(cells: Iterable[str | None], folder: Path, settings: FetchSettings) -> FetchReport | None:
    """Download the missing photographs of an image column; return None if none are missing.

    A summary is printed to stderr.

    Args:
        cells: the column's cells, each a URL, several URLs, or a path.
        folder: the table's folder.
        settings: concurrency, timeouts and limits.

    Raises:
        KeyboardInterrupt, OSError: see `fetch_all`.
    """
    out = folder / FETCHED_FOLDER
    jobs: dict[Path, FetchJob] = {}
    for cell in dict.fromkeys(filter(None, cells)):
        paths = ImagePaths(folder, cell)
        path = paths.download_path
        if path is not None and path not in jobs and not _is_there(paths):
            url = paths.url
            assert url is not None
            jobs[path] = FetchJob(url, path)
    if not jobs:
        return None
    out.mkdir(exist_ok=True)
    report = fetch_all(list(jobs.values()), out, settings)
    print(f"note   {report}", file=sys.stderr)
    return report


def _is_there(paths: ImagePaths) -> bool:
    try:
        return any(path.is_file() for path in paths)
    except (OSError, ValueError):  # a file name too long, or with a null byte
        return False
