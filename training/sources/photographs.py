"""Reads and checks the photographs of a source in parallel before they are written."""

from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from fashion.engines import available_cores
from fashion.errors import InvalidImage
from fashion.fetching.one_image import CHECK_SIZE
from fashion.preprocess import decode
from fashion.tables.image_paths import ImagePaths
from training.sources.holdout import hold_out_one
from training.sources.writer import ImportSummary, ProductRow, UnusedRow, write_dataset

CHUNK = 16  # rows per task: for small images the overhead of a task is as large as decoding


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row whose photograph was not checked yet: its bytes, or the paths where its file may be."""

    split: str
    row: str
    id: str
    image: bytes | Iterable[Path]
    cells: Mapping[str, Sequence[str] | None]


def write_checked(
    candidates: Iterable[Candidate | UnusedRow],
    total: int,
    out: Path,
    groups: Sequence[str],
    source: str,
    workers: int | None = None,
    hold_out: bool = False,
) -> ImportSummary:
    """Check the photographs of `candidates` and write the good rows; the others are listed as left out.

    Args:
        candidates: rows in order; `total` of them, for the progress bar.
        out, groups, source: see `write_dataset`, whose errors this raises too.
        workers: threads that decode (the decoders release the GIL); None takes one per core.
        hold_out: ensure that at least one product is for validation.
    """
    with (
        closing(check_photographs(candidates, workers)) as rows,
        tqdm(rows, total=total, desc=f"importing {source}", unit="row") as progress,
    ):
        return write_dataset(hold_out_one(progress) if hold_out else progress, out, groups, source)


def check_photographs(
    candidates: Iterable[Candidate | UnusedRow], workers: int | None = None
) -> Generator[ProductRow | UnusedRow, None, None]:
    """Yield rows in the order of `candidates`, each with its image file's bytes, or as an `UnusedRow`."""
    workers = workers or available_cores()
    remaining = iter(candidates)
    pending: deque[Future[list[ProductRow | UnusedRow]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while chunk := list(islice(remaining, CHUNK)):
                pending.append(pool.submit(_check_all, chunk))
                if len(pending) > 2 * workers:  # bounds the memory
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_all(candidates: list[Candidate | UnusedRow]) -> list[ProductRow | UnusedRow]:
    return [check_photograph(candidate) for candidate in candidates]


def check_photograph(candidate: Candidate | UnusedRow) -> ProductRow | UnusedRow:
    """Read the photograph of one candidate and check that it can be decoded."""
    if isinstance(candidate, UnusedRow):
        return candidate
    split, row, name = candidate.split, candidate.row, candidate.id
    try:
        image = candidate.image if isinstance(candidate.image, bytes) else _read_first(candidate.image)
    except FileNotFoundError as error:
        return UnusedRow(split, row, name, "missing file", str(error))
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        return UnusedRow(split, row, name, "unreadable file", str(error))
    try:
        decode(image, CHECK_SIZE)
    except InvalidImage as error:
        return UnusedRow(split, row, name, "broken image", str(error))
    return ProductRow(split, name, image, candidate.cells, row)


def _read_first(paths: Iterable[Path]) -> bytes:
    tried = []
    for path in paths:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            tried.append(path)
    if isinstance(paths, ImagePaths):
        raise FileNotFoundError(paths.missing_message())
    folders = dict.fromkeys(str(path.parent) for path in tried)
    raise FileNotFoundError(f"{tried[0].name} is not in {', nor in '.join(folders)}")
