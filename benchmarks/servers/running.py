"""A measured process: started for the benchmark, frozen while others are measured, ended by its id."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
import requests

from benchmarks.interpreters import environment
from benchmarks.load import OCTETS, Load, send
from benchmarks.memory import family
from fashion.errors import FashionError
from serving.connection import open_session
from serving.ports import free_ports
from serving.processes import end_server

START_TIMEOUT = 180.0  # s
POLL = 0.2  # s


class NotStarted(FashionError):
    """A server cannot be started here, for example because a package is not installed."""


class Running(Protocol):
    """Anything that answers photographs."""

    @property
    def process(self) -> psutil.Process:
        """The process that was started; its workers are its children."""
        ...

    def measure(self, photographs: Sequence[bytes], concurrency: int, seconds: float) -> Load:
        """Send photographs for a number of seconds."""
        ...


@dataclass(frozen=True)
class Server:
    """A running HTTP server.

    Attributes:
        url: for posting photographs.
        process: see `Running`.
        body: converts a photograph to this server's request body.
        content_type: of that body.
    """

    url: str
    process: psutil.Process
    body: Callable[[bytes], bytes] = bytes
    content_type: str = OCTETS

    def measure(self, photographs: Sequence[bytes], concurrency: int, seconds: float) -> Load:
        """See `Running.measure`."""
        bodies = [self.body(photograph) for photograph in photographs]
        return send(self.url, bodies, concurrency, seconds, content_type=self.content_type)


def freeze(process: psutil.Process) -> None:
    """Stop a process and its children with SIGSTOP: some idle servers poll or collect metrics."""
    _signal(process, signal.SIGSTOP)


def thaw(process: psutil.Process) -> None:
    """Continue a process and its children."""
    _signal(process, signal.SIGCONT)


def _signal(process: psutil.Process, number: int) -> None:
    for member in family(process):
        try:
            os.kill(member.pid, number)
        except ProcessLookupError:  # it has ended; if it was needed, the next request fails
            continue


@contextmanager
def python_server(
    module: str,
    bundle: Path,
    log: Path,
    python: Path | None = None,
    path: str = "/predict",
    body: Callable[[bytes], bytes] = bytes,
    content_type: str = OCTETS,
) -> Iterator[Server]:
    """Run `python -m MODULE BUNDLE --port PORT` until the block ends.

    Args:
        module: of this project; it must answer any request at its port once it is ready.
        bundle: the model to serve.
        log: file for its output; it runs in that file's folder.
        python: the interpreter with the packages it needs; default is this one.
        path: for posting photographs.
        body, content_type: see `Server`.

    Raises:
        NotStarted: it ended, or does not answer; the message is its last line of output.
    """
    (port,) = free_ports(1)
    command = [str(python or sys.executable), "-m", module, str(bundle.resolve()), "--port", str(port)]
    with spawned(command, log) as popen:
        _wait(popen, f"http://127.0.0.1:{port}/", log)
        yield Server(f"http://127.0.0.1:{port}{path}", psutil.Process(popen.pid), body, content_type)


@contextmanager
def spawned(command: Sequence[str], log: Path, pipes: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Run a command in its log's folder, with this project's modules importable, until the block ends.

    Args:
        command: the program and its arguments.
        log: file for its output.
        pipes: whether to open pipes to its standard input and output; the log then has its standard error only.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command,
            cwd=log.parent,
            env=environment(),
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else output,
            stderr=output,
            text=True,
            # Its own session, so that ctrl-C in the terminal reaches only the benchmark, which then ends the servers.
            start_new_session=True,
        )
    process = psutil.Process(popen.pid)
    try:
        yield popen
    finally:
        thaw(process)  # a frozen process does not end
        end_server(process)
        popen.communicate()


def _wait(popen: subprocess.Popen[str], url: str, log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT
    with open_session(url) as session:
        while time.monotonic() < end:
            if popen.poll() is not None:
                raise NotStarted(f"it ended with status {popen.returncode}: {last_line(log)}")
            try:
                session.get(url, timeout=5)
                return
            except requests.RequestException:
                time.sleep(POLL)
    raise NotStarted(f"no answer after {START_TIMEOUT:.0f} s: {last_line(log)}")


def last_line(log: Path) -> str:
    """The last line of a log, for an error message."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it printed nothing"
