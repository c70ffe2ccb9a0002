"""Settings of downloads, their command-line flags, and the remaining budget of a run."""

import argparse
import threading
import time
from dataclasses import dataclass, fields
from typing import Any, Self

from fashion.errors import SettingError

GIGABYTE = 10**9


@dataclass(frozen=True)
class FetchSettings:
    """Settings of downloads.

    Attributes:
        concurrency: number of concurrent downloads.
        timeout: seconds to wait for a server to connect or to send more; a whole image may take four times as long.
        retries: retries after a transient error: a timeout, a broken connection, a busy server.
        most: maximum number of images per run.
        gigabytes: maximum download volume per run.
        minutes: a run starts no further download after this time.
        allow_private: whether URLs of this machine and its network are allowed.

    Raises:
        SettingError: a value out of range.
    """

    concurrency: int = 8
    timeout: float = 10.0
    retries: int = 3
    most: int = 100_000
    gigabytes: float = 20.0
    minutes: float = 600.0
    allow_private: bool = False

    def __post_init__(self) -> None:
        for name, value, least in (
            ("concurrency", self.concurrency, 1),
            ("timeout", self.timeout, 0.1),
            ("retries", self.retries, 0),
            ("most", self.most, 1),
            ("gigabytes", self.gigabytes, 0),
            ("minutes", self.minutes, 0),
        ):
            if not value >= least:
                raise SettingError(f"--fetch-{name} {value} is out of range; it must be at least {least}")

    @classmethod
    def from_flags(cls, options: argparse.Namespace) -> Self | None:
        """The settings given by the flags of `add_fetch_flags`; None without --fetch."""
        if not options.fetch:
            return None
        return cls(**{each.name: getattr(options, f"fetch_{each.name}") for each in fields(cls)})


def add_fetch_flags(parser: argparse.ArgumentParser) -> None:
    """Add --fetch and the flags of `FetchSettings` to a parser."""
    add: Any = parser.add_argument_group("photographs at addresses (URLs)").add_argument
    plain = FetchSettings()
    add("--fetch", action="store_true", help="download the photographs at the table's URLs into its folder `fetched`")
    add(
        "--fetch-concurrency",
        type=int,
        default=plain.concurrency,
        metavar="N",
        help="downloads at a time (%(default)s)",
    )
    add(
        "--fetch-timeout",
        type=float,
        default=plain.timeout,
        metavar="S",
        help="seconds to wait for a server (%(default)s)",
    )
    add("--fetch-retries", type=int, default=plain.retries, metavar="N", help="after transient errors (%(default)s)")
    add("--fetch-most", type=int, default=plain.most, metavar="N", help="most downloads per run (%(default)s)")
    add("--fetch-gigabytes", type=float, default=plain.gigabytes, metavar="N", help="most GB per run (%(default)s)")
    add("--fetch-minutes", type=float, default=plain.minutes, metavar="N", help="most minutes per run (%(default)s)")
    add(
        "--fetch-allow-private",
        action="store_true",
        help="also from this machine and its network; not for tables from untrusted sources",
    )


class FetchBudget:
    """The remaining download budget of a run; thread-safe."""

    def __init__(self, settings: FetchSettings) -> None:
        self._images, self._bytes = settings.most, settings.gigabytes * GIGABYTE
        self._bounds = settings
        self._end = time.monotonic() + 60 * settings.minutes
        self._lock = threading.Lock()

    def take(self) -> str | None:
        """Reserve one image; return None, or the limit that is reached, as text."""
        with self._lock:
            if self._images == 0:
                return f"{self._bounds.most:,} images"
            if self._bytes <= 0:
                return f"{self._bounds.gigabytes:g} GB"
            if time.monotonic() >= self._end:
                return f"{self._bounds.minutes:g} minutes"
            self._images -= 1
            return None

    def spend(self, count: int) -> None:
        """Subtract the bytes of a downloaded image from the budget."""
        with self._lock:
            self._bytes -= count
