"""Choose where pieces are scored: in this process, or with Ray if that is faster."""

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from catalog.scoring.scorer import Scorer, Scoring
from catalog.scoring.source import Piece

# Seconds until Ray's first answer. Measured: 6 to 8 on an idle machine, 57 during a training.
RAY_START = 20.0
GPUS = Path("/dev")


def parallel_models() -> int:
    """How many models this machine can run in parallel: one per GPU, otherwise one, which uses all cores."""
    return len(list(GPUS.glob("nvidia[0-9]*"))) or 1


def is_ray_faster(rows: int, seconds_each: float, models: int) -> bool:
    """Whether several models in parallel finish before one, despite Ray's start-up time.

    Args:
        rows: remaining rows.
        seconds_each: seconds per row with one model.
        models: number of models with Ray.
    """
    alone = rows * seconds_each
    return RAY_START + alone / models < alone


def score_pieces(
    scoring: Scoring, pieces: Iterable[Piece], rows: int, address: str | None = None, workers: int | None = None
) -> Generator[pa.Table, None, None]:
    """Score pieces, in order: the first ones in this process, the rest possibly with Ray.

    Ray is useful for several machines or several GPUs. On one machine's CPUs it is not, since one process keeps all
    cores busy. Without an address or workers it is therefore started only if there are several GPUs and enough rows
    are left.

    Args:
        scoring: settings.
        pieces: the pieces to score.
        rows: their number of rows.
        address, workers: of `catalog.scoring.cluster.score_with_ray`; either one requests Ray.

    Raises:
        SettingError: no cluster answers at the address, or there are more workers than cores.
        FashionError: raised by the scoring.
    """
    left = iter(pieces)
    models = workers or parallel_models()
    asked = address is not None or workers is not None
    if not asked and models == 1:
        yield from Scorer(scoring).score_each(left)
        return
    from catalog.scoring.cluster import LOCAL, score_with_ray  # imports Ray, which takes seconds

    address = address or LOCAL
    with RayStart(address) as ray:
        if asked:
            ray.begin()
        begun, done = time.perf_counter(), 0
        for table in Scorer(scoring).score_each(ray.until_ready(left)):
            yield table
            done += len(table)
            if not ray.begun and is_ray_faster(rows - done, (time.perf_counter() - begun) / done, models):
                ray.begin()
        rest = list(left)
        if rest:
            ray.check()
            yield from score_with_ray(scoring, rest, address, workers)


class RayStart:
    """Start Ray in a background thread; a context manager that shuts it down.

    Args:
        address: see `catalog.scoring.cluster.score_with_ray`.

    Attributes:
        begun: whether the start was requested.
    """

    def __init__(self, address: str) -> None:
        self.begun = False
        self._address = address
        self._over = threading.Event()  # set when the start has succeeded or failed
        self._fault: BaseException | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._connect, name="ray-start", daemon=True)

    def begin(self) -> None:
        """Start Ray. Raises SettingError if no cluster answers at the address."""
        from catalog.scoring.cluster import LOCAL, check_cluster

        if self._address != LOCAL:
            check_cluster(self._address)
        self.begun = True
        self._thread.start()

    def until_ready(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Yield pieces until Ray is up; the rest stay in the iterator."""
        while not self._over.is_set():
            piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def check(self) -> None:
        """Raise the error that prevented the start, if any."""
        if self._fault is not None:
            raise self._fault

    def _connect(self) -> None:
        from catalog.scoring.cluster import connected

        try:
            with connected(self._address):
                self._over.set()
                self._closing.wait()  # Linux kills the processes that a thread started for Ray when that thread ends
        except BaseException as error:
            self._fault = error
        finally:
            self._over.set()

    def __enter__(self) -> "RayStart":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self.begun:
            self._thread.join()
