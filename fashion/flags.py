"""Flags that several commands share, and their types."""

import argparse

from fashion.engines import ENGINES


def add_engine_flag(parser: argparse.ArgumentParser, meaning: str = "engine that runs the network") -> None:
    """Add `--engine`."""
    parser.add_argument("--engine", choices=ENGINES, default="auto", help=f"{meaning} (default: %(default)s)")


def add_address_flags(parser: argparse.ArgumentParser, port: int) -> None:
    """Add `--host` and `--port` of a server; the port stays a text, which the server checks."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=str(port), help="port to listen on (default: %(default)s)")


def at_least_1(text: str) -> int:
    """Type of a flag: a whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; it must be at least 1")
    return int(text)
