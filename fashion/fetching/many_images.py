"""Many images fetched side by side into files, each whole or not at all; interrupted and run again, it goes on."""

import csv
import io
import secrets
import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from os import replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

import requests
from tqdm import tqdm

from fashion.fetching.bounds import FetchBudget, FetchSettings
from fashion.fetching.one_image import DownloadStopped, Failure, fetch_image, open_session
from fashion.files import write_whole

FAILURES_FILE = "download_failures.csv"
PARTIAL = ".part"
DOWNLOADED, ALREADY_THERE, FAILED, LEFT = "downloaded", "already there", "failed", "left for the next run"
_SUCCESSES = (DOWNLOADED, ALREADY_THERE)


@dataclass(frozen=True, slots=True)
class FetchJob:
    """An image to fetch: its id, the URLs that may have it, and its place on the disk."""

    id: str
    urls: tuple[str, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class BoundReached:
    """An image that was not asked for, as the run had what it may have."""

    bound: str


@dataclass
class FetchReport:
    """What became of the images: how many by outcome, and the failed ones as (id, url, reason)."""

    out: Path
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    bound: str | None = None  # what ended the run before its end

    def __str__(self) -> str:
        outcomes = (DOWNLOADED, ALREADY_THERE, FAILED, *([LEFT] if self.bound else []))
        counts = ", ".join(f"{self.counts[outcome]:,} {outcome}" for outcome in outcomes)
        listed = f", listed in {FAILURES_FILE}" if self.failures else ""
        reached = f"; a run's bound of {self.bound} was reached" if self.bound else ""
        return f"{self.out}: {self.counts.total():,} images: {counts}{listed}{reached}"

    def add(self, job: FetchJob, outcome: str | BoundReached) -> None:
        """Count an image; an outcome that is no success is the reason of its failure."""
        if isinstance(outcome, BoundReached):
            self.counts[LEFT] += 1
            self.bound = self.bound or outcome.bound
        elif outcome in _SUCCESSES:
            self.counts[outcome] += 1
        else:
            self.counts[FAILED] += 1
            self.failures.append((job.id, " ".join(job.urls), outcome))

    def save(self) -> None:
        """Write the list of failures."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(("id", "url", "reason"))
        writer.writerows(self.failures)
        write_whole(self.out / FAILURES_FILE, text.getvalue().encode(errors="surrogateescape"))


def fetch_all(
    jobs: Sequence[FetchJob], out: Path, settings: FetchSettings, failed: Mapping[FetchJob, str] | None = None
) -> FetchReport:
    """Fetch what is not there yet. Failures never stop it; they are listed in `OUT/download_failures.csv`.

    Args:
        jobs: the folders of their paths exist.
        out: for the list.
        settings: how, and when it is enough.
        failed: what is not to be asked for, with the reason.

    Raises:
        KeyboardInterrupt: within about a second of ctrl-C.
        OSError: a file cannot be written.
    """
    report = FetchReport(out)
    for job, reason in (failed or {}).items():
        report.add(job, reason)
    for folder in {job.path.parent for job in jobs}:
        for leftover in folder.glob(f".*{PARTIAL}"):  # of a run that was killed
            leftover.unlink(missing_ok=True)
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


def _do_all(
    jobs: Sequence[FetchJob], settings: FetchSettings
) -> Generator[tuple[FetchJob, str | BoundReached], None, None]:
    """Do the jobs in threads and yield their outcomes as they come.

    The threads are daemons, so that ctrl-C need not wait for a server that does not answer.
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
                    done.put((job, _do(job, session, settings, budget, stop)))
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


def _do(
    job: FetchJob, session: requests.Session, settings: FetchSettings, budget: FetchBudget, stop: threading.Event
) -> str | BoundReached:
    """Fetch one image; return the outcome, or the reason of the failure."""
    if job.path.exists():
        return ALREADY_THERE
    bound = budget.take()
    if bound is not None:
        return BoundReached(bound)
    reason = "no URL"
    for url in job.urls:
        try:
            image = fetch_image(url, session, settings.timeout, settings.retries, stop)
        except Failure as failure:
            reason = str(failure)
        else:
            if stop.is_set():
                raise DownloadStopped
            budget.spend(len(image))
            _save(image, job.path)
            return DOWNLOADED
    return reason


def _save(image: bytes, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        partial.write_bytes(image)
        replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
