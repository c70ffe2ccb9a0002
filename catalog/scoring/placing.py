"""Where pieces are scored: in this process, or with Ray once it is up, where that pays."""

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from catalog.scoring.scorer import Scorer, Scoring
from catalog.scoring.source import Piece

# Seconds until Ray's first answer: 6 to 8 on a machine that has nothing else to do, 57 beside a training.
RAY_START = 20.0
GPUS = Path("/dev")


def models_side_by_side() -> int:
    """How many models of their own this machine has use for: one for each GPU. One has all cores."""
    return len(list(GPUS.glob("nvidia[0-9]*"))) or 1


def pays(rows: int, seconds_each: float, models: int) -> bool:
    """Whether several models side by side are done before one is, though they begin later.

    Args:
        rows: that remain.
        seconds_each: of one model for a row.
        models: that Ray would run.
    """
    alone = rows * seconds_each
    return RAY_START + alone / models < alone


def score_pieces(
    scoring: Scoring, pieces: Iterable[Piece], rows: int, address: str | None = None, workers: int | None = None
) -> Generator[pa.Table, None, None]:
    """Score pieces, in order; the first ones in this process, whatever does the rest.

    Ray brings models on other machines and on several GPUs. On the cores of one machine it brings nothing: one process
    keeps all of them busy. So without an address or workers it is started only where there are several GPUs and as much
    is left to do as pays.

    Args:
        scoring: how.
        pieces: what to score.
        rows: that they have.
        address, workers: of `catalog.scoring.cluster.score_with_ray`; either one asks for Ray.

    Raises:
        SettingError: no cluster answers there, or more workers than it has cores.
        FashionError: what scoring raises.
    """
    left = iter(pieces)
    models = workers or models_side_by_side()
    asked = address is not None or workers is not None
    if not asked and models == 1:
        yield from Scorer(scoring).each(left)
        return
    from catalog.scoring.cluster import LOCAL, score_with_ray  # imports Ray, which takes seconds

    address = address or LOCAL
    with RayStart(address) as ray:
        if asked:
            ray.begin()
        begun, done = time.perf_counter(), 0
        for table in Scorer(scoring).each(ray.until_ready(left)):
            yield table
            done += len(table)
            if not ray.begun and pays(rows - done, (time.perf_counter() - begun) / done, models):
                ray.begin()
        rest = list(left)
        if rest:
            ray.check()
            yield from score_with_ray(scoring, rest, address, workers)


class RayStart:
    """Ray on its way up in the background; use it as a context manager, which ends Ray.

    Args:
        address: see `catalog.scoring.cluster.score_with_ray`.

    Attributes:
        begun: whether it was asked to start.
    """

    def __init__(self, address: str) -> None:
        self.begun = False
        self._address = address
        self._over = threading.Event()  # it is up, or cannot be
        self._fault: BaseException | None = None
        self._connection = ExitStack()
        self._thread = threading.Thread(target=self._connect, name="ray-start", daemon=True)

    def begin(self) -> None:
        """Start it. Raises SettingError where nothing answers at the address."""
        from catalog.scoring.cluster import LOCAL, check_cluster

        if self._address != LOCAL:
            check_cluster(self._address)
        self.begun = True
        self._thread.start()

    def until_ready(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The pieces that come before Ray is up; the others stay where they are."""
        while not self._over.is_set():
            piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def check(self) -> None:
        """Raises what kept it from starting."""
        if self._fault is not None:
            raise self._fault

    def _connect(self) -> None:
        from catalog.scoring.cluster import connected

        try:
            self._connection.enter_context(connected(self._address))
        except BaseException as error:
            self._fault = error
        finally:
            self._over.set()

    def __enter__(self) -> "RayStart":
        return self

    def __exit__(self, *_: object) -> None:
        if self.begun:
            self._thread.join()
        self._connection.close()
