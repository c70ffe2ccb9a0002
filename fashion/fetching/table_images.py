"""Download the photographs of a table with image URLs to where the table's readers look for them."""

import sys
from collections.abc import Iterable
from pathlib import Path

from fashion.fetching.bounds import FetchSettings
from fashion.fetching.many_images import FetchJob, FetchReport, fetch_all
from fashion.tables.places import FETCHED_FOLDER, ImagePlaces


def fetch_places(cells: Iterable[str | None], folder: Path, settings: FetchSettings) -> FetchReport | None:
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
        places = ImagePlaces(folder, cell)
        path = places.fetched
        if path is not None and path not in jobs and not _is_there(places):
            url = places.address
            assert url is not None
            jobs[path] = FetchJob(path.stem, (url,), path)
    if not jobs:
        return None
    out.mkdir(exist_ok=True)
    report = fetch_all(list(jobs.values()), out, settings)
    print(f"note   {report}", file=sys.stderr)
    return report


def _is_there(places: ImagePlaces) -> bool:
    try:
        return any(path.is_file() for path in places)
    except (OSError, ValueError):  # a file name too long, or with a null byte
        return False
