"""Downloads the images of the iMaterialist challenge from the URLs of its JSON files; most of those are dead by now."""

import csv
import os
import secrets
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

import requests
from tqdm import tqdm

from fashion.errors import DataError, SettingError
from training.sources.fetch import DownloadStopped, Failure, fetch_image, open_session
from training.sources.imaterialist import FILES, find_files, is_file_name, read_entries

FAILURES_FILE = "download_failures.csv"
PARTIAL = ".part"
DOWNLOADED, ALREADY_THERE, FAILED = "downloaded", "already there", "failed"


@dataclass(frozen=True)
class DownloadSettings:
    """How to download.

    Attributes:
        concurrency: downloads at a time.
        timeout: seconds to wait for a server to connect or to go on; a whole image may take four times as long.
        retries: further tries after a fault that may pass: a timeout, a broken connection, a busy server.
        limit: images to take of each split, the first ones of its file; None takes all.

    Raises:
        SettingError: a value out of range.
    """

    concurrency: int = 32
    timeout: float = 10.0
    retries: int = 3
    limit: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("concurrency", self.concurrency, 1),
            ("timeout", self.timeout, 0.1),
            ("retries", self.retries, 0),
            ("limit", 1 if self.limit is None else self.limit, 1),
        ):
            if not value >= least:
                raise SettingError(f"--{name} {value} is out of range; it must be at least {least}")


@dataclass(frozen=True, slots=True)
class Job:
    """An image to fetch: its id, the URLs that may have it, and its place on the disk."""

    id: str
    urls: tuple[str, ...]
    path: Path


@dataclass
class Report:
    """What became of the images: how many by outcome, and the failed ones as (id, url, reason)."""

    out: Path
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[outcome]:,} {outcome}" for outcome in (DOWNLOADED, ALREADY_THERE, FAILED))
        listed = f", listed in {FAILURES_FILE}" if self.failures else ""
        return f"{self.out}: {self.counts.total():,} images: {counts}{listed}"

    def add(self, job: Job, outcome: str) -> None:
        """Count an image; an outcome that is no success is the reason of its failure."""
        if outcome in (DOWNLOADED, ALREADY_THERE):
            self.counts[outcome] += 1
        else:
            self.counts[FAILED] += 1
            self.failures.append((job.id, " ".join(job.urls), outcome))

    def save(self) -> None:
        """Write the list of failures."""
        path = self.out / FAILURES_FILE
        partial = path.with_suffix(PARTIAL)
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "url", "reason"))
            writer.writerows(self.failures)
        os.replace(partial, path)


def download(source: Path, out: Path | None = None, settings: DownloadSettings | None = None) -> Report:
    """Fetch the images of the challenge's JSON files to `OUT/train/ID.jpg`, `OUT/validation/ID.jpg` and so on.

    Failures never stop it; they are listed in `OUT/download_failures.csv`. Interrupted and run again, it fetches only
    what is missing. A file is there whole, and an image, or not at all.

    Args:
        source: the folder of the JSON files, or one of them.
        out: the folder for the images; None takes the folder of the JSON files, where the importer looks for them.
        settings: see `DownloadSettings`.

    Raises:
        DataError: no JSON file, or one that is not the challenge's.
        KeyboardInterrupt: within about a second of ctrl-C.
        OSError: a file cannot be written.
    """
    settings = settings or DownloadSettings()
    files = {_split_of(source): source} if source.is_file() else find_files(source)
    report = Report(out or (source.parent if source.is_file() else source))
    jobs: list[Job] = []
    for split, path in files.items():
        entries = read_entries(path)[: settings.limit]
        folder = report.out / ("validation" if split == "val" else split)
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f".*{PARTIAL}"):  # of a run that was killed
            leftover.unlink(missing_ok=True)
        jobs += [Job(entry.id, entry.urls, folder / f"{entry.id}.jpg") for entry in entries]
    try:
        with (
            tqdm(total=len(jobs), desc="downloading", unit="image") as progress,
            closing(_do_all(jobs, settings)) as outcomes,
        ):
            for job, outcome in outcomes:
                report.add(job, outcome)
                progress.set_postfix(failed=len(report.failures), refresh=False)
                progress.update()
    finally:
        report.save()
    return report


def _do_all(jobs: Sequence[Job], settings: DownloadSettings) -> Generator[tuple[Job, str], None, None]:
    """Do the jobs in threads and yield their outcomes as they come.

    The threads are daemons, so that ctrl-C need not wait for a server that does not answer.
    """
    done: SimpleQueue[tuple[Job, str] | Exception] = SimpleQueue()
    todo, lock, stop = iter(jobs), threading.Lock(), threading.Event()

    def work() -> None:
        with open_session() as session:
            while not stop.is_set():
                with lock:
                    job = next(todo, None)
                if job is None:
                    return
                try:
                    done.put((job, _do(job, session, settings, stop)))
                except Exception as error:
                    done.put(error)
                    return

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(settings.concurrency, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            outcome = done.get()
            if isinstance(outcome, Exception):  # such as a full disk: the others need not go on
                raise outcome
            yield outcome
    finally:
        stop.set()
        deadline = monotonic() + 0.5  # enough to finish a file that is being written
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def _do(job: Job, session: requests.Session, settings: DownloadSettings, stop: threading.Event) -> str:
    """Fetch one image; return the outcome, or the reason of the failure."""
    if not is_file_name(job.id):
        return "bad id"
    if job.path.exists():
        return ALREADY_THERE
    reason = "no URL"
    for url in job.urls:
        try:
            image = fetch_image(url, session, settings.timeout, settings.retries, stop)
        except Failure as failure:
            reason = str(failure)
        else:
            if stop.is_set():
                raise DownloadStopped
            _save(image, job.path)
            return DOWNLOADED
    return reason


def _save(image: bytes, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        partial.write_bytes(image)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _split_of(path: Path) -> str:
    for split, names in FILES.items():
        if path.name in names:
            return split
    raise DataError(f"{path} is not named as a file of the challenge: {', '.join(sum(FILES.values(), ()))}")
