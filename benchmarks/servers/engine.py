"""Runs `benchmarks.servers.in_process` in a separate process, with the interface of a measured server."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.load import Answer, Load
from benchmarks.servers.in_process import READY
from benchmarks.servers.running import NotStarted, last_line, spawned


@dataclass(frozen=True)
class EngineProcess:
    """The process, and the pipes to it."""

    process: psutil.Process
    pipes: subprocess.Popen[str]

    def measure(self, photographs: Sequence[bytes], concurrency: int, seconds: float) -> Load:
        """See `benchmarks.servers.running.Running`; the process has the photographs already, concurrency is ignored."""
        assert self.pipes.stdin is not None
        assert self.pipes.stdout is not None
        print(seconds, file=self.pipes.stdin, flush=True)
        line = self.pipes.stdout.readline()
        if not line:
            raise NotStarted(f"the engine in process {self.process.pid} ended with status {self.pipes.wait()}")
        found = json.loads(line)
        answers = [
            Answer(number, seconds, 200, json.dumps(answer).encode())
            for number, seconds, answer in zip(found["numbers"], found["seconds"], found["answers"], strict=True)
        ]
        return Load(answers, sum(found["seconds"]), 0.0)


@contextmanager
def engine(way: str, bundle: Path, photographs: Path, log: Path, python: Path | None = None) -> Iterator[EngineProcess]:
    """Start the process, and end it with the block.

    Args:
        way: a key of `benchmarks.servers.in_process.WAYS`.
        bundle: whose int8 file is run.
        photographs: folder of JPEG files, used in the order of their names.
        log: file for its output.
        python: the interpreter with the packages it needs; default is this one.

    Raises:
        NotStarted: it does not become ready; the message is its last line of output.
    """
    command = [str(python or sys.executable), "-m", "benchmarks.servers.in_process"]
    command += [str(bundle.resolve()), str(photographs.resolve()), "--way", way]
    with spawned(command, log, pipes=True) as pipes:
        assert pipes.stdout is not None
        if pipes.stdout.readline().strip() != READY:
            raise NotStarted(last_line(log))
        yield EngineProcess(psutil.Process(pipes.pid), pipes)
