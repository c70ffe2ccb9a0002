"""Scores pieces with Ray Data: on all cores of this machine, or on a cluster."""

import logging
import os
import pickle
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from catalog.scoring.scorer import Scorer, Scoring
from catalog.scoring.source import Piece
from fashion import errors
from fashion.engines import available_cores
from fashion.errors import FashionError, SettingError, one_line

LOCAL = "local"
LOOPBACK = "127.0.0.1"
END_SECONDS = 5.0  # for Ray's processes to end by themselves
STDERR = 2  # file descriptor
PIECE = "piece"  # the column of pickled pieces that the workers get
OBJECT_STORE = 256 * 2**20  # bytes for the pieces and for answers that wait to be written
BLOCK = 256 * 2**10  # bytes of answers that come back together: about 50 rows; Ray's own 128 MiB would be thousands
PACKAGES = ("catalog", "fashion")
_OURS = re.compile(r"fashion\.errors\.(\w+): (.+)")


def score_with_ray(
    scoring: Scoring, pieces: Sequence[Piece], address: str = LOCAL, workers: int | None = None
) -> Generator[pa.Table, None, None]:
    """Score pieces, in order, with one model in each worker, which reads its pieces itself.

    What travels to the workers says where photographs are: there they are read, decoded and scored. On a cluster the
    bundle and the photographs are therefore to be at the same paths on every node.

    Args:
        scoring: how; `threads` is set here.
        pieces: what to score.
        address: of a cluster; `local` is this machine.
        workers: how many models; default is one for each node, or for each GPU where there are any. They share their
            nodes' cores.

    Raises:
        SettingError: no cluster answers there, or more workers than it has cores.
        FashionError: what a worker raised of it.
    """
    with connected(address):
        import ray.data

        share = _share(workers)
        scoring = replace(scoring, threads=share["threads"])
        # In memory from the start: whatever Ray Data would read in tasks of its own would wait for a core for ever,
        # because the models hold all of them.
        rows = [{PIECE: pickle.dumps(piece)} for piece in pieces]
        scored = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker,
            fn_constructor_args=(scoring,),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=share["workers"]),
            num_cpus=share["cpus"],
            num_gpus=share["gpus"],
        )
        try:
            yield from scored.iter_batches(batch_size=None, batch_format="pyarrow")
        except Exception as error:
            raise _mendable(error) or error from None


class _Worker:
    """A model that Ray keeps in a process of its own."""

    def __init__(self, scoring: Scoring) -> None:
        self._scorer = Scorer(scoring)

    def __call__(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Score the pieces in these rows."""
        yield from self._scorer.each(map(pickle.loads, rows[PIECE].to_pylist()))


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Ray, started on this machine or joined; where this process has joined one already, that."""
    _settings(address)
    import ray

    if ray.is_initialized():
        yield
        return
    before = set(psutil.Process().children(recursive=True))
    # Of a socket in it the whole path may have 107 bytes.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp" if len(tempfile.gettempdir()) > 30 else None)
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        with _silence_stderr():
            if address == LOCAL:
                local: dict[str, Any] = {
                    "include_dashboard": False,
                    "object_store_memory": OBJECT_STORE,
                    "_temp_dir": folder,
                    "_node_ip_address": LOOPBACK,
                }
                try:
                    ray.init(LOCAL, num_cpus=available_cores(), **local, **quiet)
                except Exception as error:  # it raises a bare one where its servers take too long
                    raise SettingError(
                        f"Ray did not start on this machine: {one_line(error)[:200]}; run the command again when it "
                        "has less to do, or start ray start --head and give its --address"
                    ) from None
            else:
                parents = [str(Path(__file__).parents[2] / package) for package in PACKAGES]
                try:
                    check_cluster(address)
                    ray.init(address, runtime_env={"py_modules": parents}, **quiet)
                except (OSError, ValueError, RuntimeError) as error:
                    raise _unjoinable(address, error) from None
        yield
    finally:
        started = set(psutil.Process().children(recursive=True)) - before if address == LOCAL else set()
        ray.shutdown(wait_for_processes=True)
        _end(started)
        shutil.rmtree(folder, ignore_errors=True)


def _end(processes: Collection[psutil.Process]) -> None:
    """See that these end: Ray waits for its own children, not for theirs, some of which live on for a minute."""
    _, alive = psutil.wait_procs(processes, timeout=END_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def check_cluster(address: str) -> None:
    """See whether anything answers there; Ray itself would try for minutes. Raises SettingError."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise _unjoinable(address, error) from None


def _unjoinable(address: str, error: Exception) -> SettingError:
    return SettingError(
        f"no Ray cluster can be joined at {address!r}: {one_line(error)[:200]}; start one with ray start --head, or "
        "leave --address out"
    )


@contextmanager
def _silence_stderr() -> Iterator[None]:
    """Nothing on stderr: Ray's C++ tells there which level its log has, whatever that is."""
    sys.stderr.flush()
    kept, nowhere = os.dup(STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR)
    try:
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nowhere)


def _settings(address: str) -> None:
    """What Ray reads from the environment when it is imported."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of each start
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what ends a scoring is raised
    if address == LOCAL:
        # Where all was scored before Ray is up, it ends at once. Three such runs ended with status 1 and no word, a
        # minute after the raylet had, whose first workers were still starting. None starts before it has work to do.
        os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
        # Its servers run what they are sent: they listen on the loopback address alone, and ask for a password.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        if "RAY_AUTH_MODE" not in os.environ:
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what goes wrong is raised too
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the command shows its own
    context.print_on_execution_start = False
    context.raise_original_map_exception = True
    context.execution_options.preserve_order = True
    context.target_max_block_size = BLOCK


def _share(workers: int | None) -> dict[str, int]:
    """Workers, and what each takes of its node: CPUs, GPUs, threads."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    workers = workers or gpus or max(1, len(nodes))
    at_most = -(-workers // max(1, len(nodes)))  # on one node
    cpus = int(min((node["CPU"] for node in nodes), default=0)) // at_most
    if cpus < 1:
        cores = int(sum(node["CPU"] for node in nodes))
        raise SettingError(f"{workers} workers are too many for the {cores} cores of {len(nodes)} nodes; ask for fewer")
    return {"workers": workers, "cpus": cpus, "gpus": 1 if gpus >= workers else 0, "threads": cpus}


def _mendable(error: BaseException) -> FashionError | None:
    """The error of ours that Ray carried here; it keeps no more than the text where a worker could not begin."""
    found = _OURS.search(str(error))
    kind = getattr(errors, found[1], None) if found else None
    return kind(found[2].strip()) if found and kind else None
