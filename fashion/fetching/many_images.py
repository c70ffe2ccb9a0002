"""Download many images concurrently into files, each written atomically; a repeated run resumes an interrupted one."""

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

from fashion.fetching.fetch_settings import FetchBudget, FetchSettings
from fashion.fetching.one_image import DownloadFailure, DownloadStopped, fetch_image, open_session
from fashion.files import LEFTOVERS, write_atomically, write_csv
from fashion.tables.failed_downloads import FAILURES_FILE

DOWNLOADED, ALREADY_THERE, FAILED, LEFT = "downloaded", "already there", "failed", "left for the next run"
_SUCCESSES = (DOWNLOADED, ALREADY_THERE)


@dataclass(frozen=True, slots=True)
class FetchJob:
    """An image to download: its URL and the file to write."""

    url: str
    path: Path


@dataclass(frozen=True, slots=True)
class BoundReached:
    """Outcome of an image that was not requested because the run had reached a limit."""

    bound: str


@dataclass
class FetchReport:
    """Outcomes of a run: counts by outcome, and the failures as (file name without ending, URL, reason)."""

    out: Path
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    bound: str | None = None  # the limit that ended the run early

    def __str__(self) -> str:
        outcomes = (DOWNLOADED, ALREADY_THERE, FAILED, *([LEFT] if self.bound else []))
        counts = ", ".join(f"{self.counts[outcome]:,} {outcome}" for outcome in outcomes)
        listed = f", listed in {FAILURES_FILE}" if self.failures else ""
        reached = f"; the limit of {self.bound} per run was reached" if self.bound else ""
        return f"{self.out}: {self.counts.total():,} images: {counts}{listed}{reached}"

    def add(self, job: FetchJob, outcome: str | BoundReached) -> None:
        """Count an image; any outcome other than success is the reason for its failure."""
        if isinstance(outcome, BoundReached):
            self.counts[LEFT] += 1
            self.bound = self.bound or outcome.bound
        elif outcome in _SUCCESSES:
            self.counts[outcome] += 1
        else:
            self.counts[FAILED] += 1
            self.failures.append((job.path.stem, job.url, outcome))

    def save(self) -> None:
        """Write the list of failures to `FAILURES_FILE`."""
        write_csv(self.out / FAILURES_FILE, ("id", "url", "reason"), self.failures)


def fetch_all(jobs: Sequence[FetchJob], out: Path, settings: FetchSettings) -> FetchReport:
    """Download the missing images. Failures do not stop the run; they are listed in `OUT/download_failures.csv`.

    Args:
        jobs: images to download; the folders of their paths must exist.
        out: folder for the list of failures.
        settings: concurrency, timeouts and limits.

    Raises:
        KeyboardInterrupt: within about a second of ctrl-C.
        OSError: a file cannot be written.
    """
    report = FetchReport(out)
    for folder in {job.path.parent for job in jobs}:
        for leftover in folder.glob(LEFTOVERS):  # from a killed run
            leftover.unlink(missing_ok=True)
    try:
        with (
            tqdm(total=len(jobs), desc="downloading", unit="image") as progress,
            closing(_run_jobs(jobs, settings)) as outcomes,
        ):
            for job, outcome in outcomes:
                report.add(job, outcome)
                progress.set_postfix(failed=len(report.failures), refresh=False)
                progress.update()
    finally:
        report.save()
    return report


def _run_jobs(
    jobs: Sequence[FetchJob], settings: FetchSettings
) -> Generator[tuple[FetchJob, str | BoundReached], None, None]:
    """Run the jobs in threads and yield outcomes as they complete.

    The threads are daemons, so ctrl-C does not wait for a server that does not answer.
    """
    done: SimpleQueue[tuple[FetchJob, str | BoundReached] | Exception] = SimpleQueue()
    todo, lock, stop, budget = iter(jobs), threading.Lock(), threading.Event(), FetchBudget(settings)

    def work() -> None:
        with open_session(settings.allow_private) as session:
            while not stop.is_set():
                with lock:
                    job = next(todo, None)
                if job is None:
                    return
                try:
                    done.put((job, _download(job, session, settings, budget, stop)))
                except Exception as error:
                    done.put(error)
                    return

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(settings.concurrency, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            outcome = done.get()
            if isinstance(outcome, Exception):  # such as a full disk: stop the run
                raise outcome
            yield outcome
    finally:
        stop.set()
        deadline = monotonic() + 0.5  # enough to finish writing a file
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def _download(
    job: FetchJob, session: requests.Session, settings: FetchSettings, budget: FetchBudget, stop: threading.Event
) -> str | BoundReached:
    """Download one image; return the outcome, or the reason for the failure."""
    if job.path.exists():
        return ALREADY_THERE
    bound = budget.take()
    if bound is not None:
        return BoundReached(bound)
    try:
        image = fetch_image(job.url, session, settings.timeout, settings.retries, stop)
    except DownloadFailure as failure:
        return str(failure)
    if stop.is_set():
        raise DownloadStopped
    budget.spend(len(image))
    write_atomically(job.path, image)
    return DOWNLOADED
