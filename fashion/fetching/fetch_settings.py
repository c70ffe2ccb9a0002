"""Settings of downloads, their command-line flags, and the remaining budget of a run."""

import argparse
import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any, Self

from fashion.errors import SettingError

GIGABYTE = 10**9


def _number(default: float, least: float, metavar: str, meaning: str) -> Any:
    """A field with its least value, and the metavar and help of its flag."""
    return field(default=default, metadata={"least": least, "metavar": metavar, "help": meaning})


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

    concurrency: int = _number(8, 1, "N", "downloads at a time")
    timeout: float = _number(10.0, 0.1, "S", "seconds to wait for a server")
    retries: int = _number(3, 0, "N", "after transient errors")
    most: int = _number(100_000, 1, "N", "most downloads per run")
    gigabytes: float = _number(20.0, 0, "N", "most GB per run")
    minutes: float = _number(600.0, 0, "N", "most minutes per run")
    allow_private: bool = False

    def __post_init__(self) -> None:
        for number in _NUMBERS:
            value, least = getattr(self, number.name), number.metadata["least"]
            if not value >= least:
                raise SettingError(f"--fetch-{number.name} {value} is out of range; it must be at least {least}")

    @classmethod
    def from_flags(cls, options: argparse.Namespace) -> Self | None:
        """The settings given by the flags of `add_fetch_flags`; None without --fetch."""
        if not options.fetch:
            return None
        return cls(**{each.name: getattr(options, f"fetch_{each.name}") for each in fields(cls)})


_NUMBERS = [each for each in fields(FetchSettings) if each.metadata]


def add_fetch_flags(parser: argparse.ArgumentParser) -> None:
    """Add --fetch and the flags of `FetchSettings` to a parser."""
    add: Any = parser.add_argument_group("photographs at addresses (URLs)").add_argument
    add("--fetch", action="store_true", help="download the photographs at the table's URLs into its folder `fetched`")
    for number in _NUMBERS:
        add(
            f"--fetch-{number.name}",
            type=type(number.default),
            default=number.default,
            metavar=number.metadata["metavar"],
            help=f"{number.metadata['help']} (%(default)s)",
        )
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
