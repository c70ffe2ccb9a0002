"""Score pieces with Ray Data, on all cores of this machine or on a cluster."""

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
END_SECONDS = 5.0  # grace period for Ray's processes to exit
STDERR = 2  # file descriptor
PIECE = "piece"  # column of the pickled pieces sent to workers
OBJECT_STORE = 256 * 2**20  # bytes, for pieces and for answers that wait to be written
BLOCK = 256 * 2**10  # bytes per block of answers: about 50 rows; Ray's default of 128 MiB would be thousands
PACKAGES = ("catalog", "fashion")
_OURS = re.compile(r"fashion\.errors\.(\w+): (.+)")


def score_with_ray(
    scoring: Scoring, pieces: Sequence[Piece], address: str = LOCAL, workers: int | None = None
) -> Generator[pa.Table, None, None]:
    """Score pieces, in order, with one model per worker.

    Only the places of photographs are sent to the workers, which read, decode and score them. On a cluster the bundle
    and the photographs must therefore be at the same paths on every node.

    Args:
        scoring: settings; `threads` is replaced.
        pieces: the pieces to score.
        address: of a cluster; `local` is this machine.
        workers: number of models; default is one per GPU, or one per node if there is no GPU. Workers on a node share
            its cores.

    Raises:
        SettingError: no cluster answers at the address, or there are more workers than cores.
        FashionError: raised in a worker.
    """
    with connected(address):
        import ray.data

        share = _share(workers)
        scoring = replace(scoring, threads=share["threads"])
        # The rows are built in memory: a read task of Ray Data would wait forever for a core, because the models
        # reserve all of them.
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
            raise _project_error(error) or error from None


class _Worker:
    """A model in a Ray worker process."""

    def __init__(self, scoring: Scoring) -> None:
        self._scorer = Scorer(scoring)

    def __call__(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Score the pieces in these rows."""
        yield from self._scorer.score_each(map(pickle.loads, rows[PIECE].to_pylist()))


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Start Ray on this machine or join a cluster; reuse the connection if this process already has one."""
    _settings(address)
    import ray

    if ray.is_initialized():
        yield
        return
    before = set(psutil.Process().children(recursive=True))
    # The path of a Unix socket in the folder may have at most 107 bytes.
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
                except Exception as error:  # Ray raises a plain Exception if its servers take too long
                    raise SettingError(
                        f"Ray did not start on this machine: {one_line(error)[:200]}; run the command again when the "
                        "machine is less busy, or run ray start --head and give its --address"
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
        _end_processes(started)
        shutil.rmtree(folder, ignore_errors=True)


def _end_processes(processes: Collection[psutil.Process]) -> None:
    """Kill processes that do not exit in time: Ray waits for its children only, and grandchildren may live a minute."""
    _, alive = psutil.wait_procs(processes, timeout=END_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def check_cluster(address: str) -> None:
    """Check that the address accepts connections, since Ray itself would retry for minutes. Raises SettingError."""
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
    """Silence the stderr file descriptor: Ray's C++ code prints its log level there at any log level."""
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
    """Set the environment variables that Ray reads at import, and the options of Ray Data."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # errors that end a scoring are raised
    if address == LOCAL:
        # Ray is shut down at once if everything is scored before it is up. In three such runs this process exited with
        # status 1, without a message, a minute after the raylet, whose first workers were still starting. So no worker
        # is started before there is work.
        os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
        # Ray's servers execute code that they are sent, so they listen on loopback only and require a token.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        if "RAY_AUTH_MODE" not in os.environ:
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised as well
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the command shows its own
    context.print_on_execution_start = False
    context.raise_original_map_exception = True
    context.execution_options.preserve_order = True
    context.target_max_block_size = BLOCK


def _share(workers: int | None) -> dict[str, int]:
    """The number of workers, and the CPUs, GPUs and threads of each."""
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


def _project_error(error: BaseException) -> FashionError | None:
    """Rebuild our exception from Ray's message, which is all that remains if a worker failed to start."""
    found = _OURS.search(str(error))
    kind = getattr(errors, found[1], None) if found else None
    return kind(found[2].strip()) if found and kind else None
