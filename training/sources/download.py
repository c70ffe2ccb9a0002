"""Downloads the images of the iMaterialist challenge from the URLs in its JSON files; most are dead by now."""

import math
from dataclasses import dataclass
from pathlib import Path

from fashion.errors import DataError, SettingError
from fashion.fetching.fetch_settings import FetchSettings
from fashion.fetching.many_images import FetchJob, FetchReport, fetch_all
from training.sources.imaterialist import FILES, find_files, is_file_name, read_entries


@dataclass(frozen=True)
class DownloadSettings(FetchSettings):
    """Download settings: `FetchSettings` without limits on number, size and time, for the challenge's million images.

    Attributes:
        limit: take the first `limit` images of each split's file; None takes all.

    Raises:
        SettingError: a value is out of range.
    """

    concurrency: int = 32
    most: int | None = None
    gigabytes: float = math.inf
    minutes: float = math.inf
    limit: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit is not None and not self.limit >= 1:
            raise SettingError(f"--limit {self.limit} is out of range; it must be at least 1")

    def _flag(self, name: str) -> str:
        return name


def download(source: Path, out: Path | None = None, settings: DownloadSettings | None = None) -> FetchReport:
    """Download the images of the challenge's JSON files to `OUT/train/ID.jpg`, `OUT/validation/ID.jpg` and so on.

    Failures do not stop it; they are listed in `OUT/download_failures.csv`. Run again after an interrupt, it downloads
    only what is missing. Files are checked to be images and written atomically.

    Args:
        source: the folder of the JSON files, or one of them.
        out: the folder for the images; None takes the folder of the JSON files, where the importer looks for them.
        settings: see `DownloadSettings`.

    Raises:
        DataError: no JSON file, or not one of the challenge.
        KeyboardInterrupt: within about a second of ctrl-C.
        OSError: a file cannot be written.
    """
    settings = settings or DownloadSettings()
    files = {_split_of(source): source} if source.is_file() else find_files(source)
    out = out or (source.parent if source.is_file() else source)
    jobs: list[FetchJob] = []
    bad: list[FetchJob] = []
    for split, path in files.items():
        entries = read_entries(path)[: settings.limit]
        folder = out / ("validation" if split == "val" else split)
        folder.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            job = FetchJob(entry.id, entry.urls, folder / f"{entry.id}.jpg")
            (jobs if is_file_name(entry.id) else bad).append(job)
    return fetch_all(jobs, out, settings, dict.fromkeys(bad, "bad id"))


def _split_of(path: Path) -> str:
    for split, names in FILES.items():
        if path.name in names:
            return split
    raise DataError(f"{path} is not named as a file of the challenge: {', '.join(sum(FILES.values(), ()))}")
