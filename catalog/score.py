"""Score a catalog: write every product's probabilities, answered attributes and embedding to Parquet.

From the command line:  python -m catalog.score BUNDLE SOURCE --out FOLDER
"""

import argparse
import fcntl
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from catalog.scored.score_manifest import Origin
from catalog.scoring.opening import open_source
from catalog.scoring.placement import score_pieces
from catalog.scoring.refresh import MOST_LOST
from catalog.scoring.run import ScoringRun, ScoringSummary
from catalog.scoring.scorer import BATCH, Scoring
from catalog.scoring.source import PLACE
from fashion.answers import identity
from fashion.errors import SettingError, one_line_errors
from fashion.fetching.fetch_settings import FetchSettings, add_fetch_flags
from fashion.fetching.table_images import fetch_table_images
from fashion.flags import add_engine_flag, at_least_1
from fashion.model_card import INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, checked_file
from fashion.tables.cells import photographs

PART_ROWS = 4096
MOST_PIECE_ROWS = 1024
PIECE_STEPS = 4  # minimum steps per piece: a Ray worker overlaps steps only within a piece
LOCK = ".lock"
ENGINE_FILES = {"int8": INT8_FILE, "onnx": ONNX_FILE, "torch": STATE_DICT_FILE}  # `auto` takes the one that exists


def score(
    bundle: str | Path,
    names: Sequence[str],
    out: str | Path,
    *,
    profile: str | None = None,
    id_column: str | None = None,
    image_column: str | Sequence[str] = (),
    engine: str = "auto",
    batch: int = BATCH,
    address: str | None = None,
    workers: int | None = None,
    part_rows: int = PART_ROWS,
    allow_removal: bool = False,
    fetch: FetchSettings | None = None,
) -> ScoringSummary:
    """Score the products of a source that `out` does not hold yet.

    Args:
        bundle: folder written by python -m training.export.
        names: the source, see `catalog.scoring.opening.open_source`.
        out: folder of the scored catalog; created, or resumed.
        profile: name of the thresholds that choose the answered attributes; None takes the model card's default.
        id_column: of a table; None looks for a usual name.
        image_column: of a table, one or several; none looks for usual names.
        engine: inference engine.
        batch: photographs per step.
        address: of a Ray cluster; `local` starts Ray here, None does so if it is faster.
        workers: number of models in parallel with Ray; see `catalog.scoring.cluster.score_with_ray`.
        part_rows: maximum number of rows per Parquet file.
        allow_removal: allow dropping more than a fifth of the products in `out`, because the source no longer has them
            or their photographs cannot be used any more.
        fetch: download settings for photographs that a table names by URL; None downloads nothing.

    Raises:
        DataError: the source cannot be used, `out` is of another model or source, no image can be used, or too many
            products would be dropped.
        BundleError, SettingError: the bundle or a setting is invalid.
    """
    card = ModelCard.load(Path(bundle))
    card.threshold_row(profile)  # raises for an unknown profile before anything is read
    images = [image_column] if isinstance(image_column, str) else image_column
    source = open_source(names, id_column, images, fetch is not None)
    out = Path(out)
    with _lock_folder(out):
        origin = Origin(identity(card), source.name, profile or card.default_profile)
        run = ScoringRun(out, card, origin, source, part_rows, allow_removal)
        positions = run.remaining()
        if len(positions):
            _check_engine(Path(bundle), card, engine)
        if fetch is not None:
            cells = source.source_columns()[PLACE].take(positions).to_pylist()
            named = [place for cell in cells for place in photographs(cell) if isinstance(place, str)]
            missing = [place for _, place in run.refresh.missing]
            fetch_table_images([*named, *missing], source.folder, fetch)
            if missing:  # products that have more photographs now are scored again
                run = ScoringRun(out, card, origin, source, part_rows, allow_removal)
                positions = run.remaining()
        scoring = Scoring(str(Path(bundle).absolute()), str(source.folder), engine, None, profile, batch)
        pieces = source.pieces(positions, max(PIECE_STEPS * batch, min(MOST_PIECE_ROWS, len(positions) // 256)))
        tables = score_pieces(scoring, pieces, len(positions), address, workers) if len(positions) else _nothing()
        total = len(positions)
        bar = tqdm(desc=f"scoring {names[0]}", total=total, unit="image", smoothing=0.05, disable=not total)
        with closing(tables), bar:
            return run.take(tables, bar)


def _nothing() -> Generator[pa.Table, None, None]:
    yield from ()


def _check_engine(bundle: Path, card: ModelCard, engine: str) -> None:
    """Check that the engine's model file exists, before workers are started. Raises BundleError."""
    name = ENGINE_FILES.get(engine)
    if name and not (bundle / name).is_file():
        checked_file(bundle, card, name)  # raises an error that lists the files that exist


@contextmanager
def _lock_folder(out: Path) -> Iterator[None]:
    """Lock the folder against other scoring processes; the lock ends with its process.

    If the run fails before it has written anything, the lock file and a newly created folder are removed.
    """
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    path = out / LOCK
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = os.path.samestat(os.fstat(lock.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            taken = False
        if not taken:  # also if a run that has just failed removed the lock file
            raise SettingError(f"another process is scoring into {out}; wait for it, or choose another --out")
        try:
            yield
        except BaseException:
            if os.listdir(out) == [LOCK]:
                path.unlink()
                if made:
                    out.rmdir()
            raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Score as the command line says; user errors end with one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        try:
            print(
                score(
                    options.bundle,
                    options.source,
                    options.out,
                    profile=options.profile,
                    id_column=options.id,
                    image_column=options.image,
                    engine=options.engine,
                    batch=options.batch,
                    address=options.address,
                    workers=options.workers,
                    part_rows=options.part,
                    allow_removal=options.allow_removal,
                    fetch=FetchSettings.from_flags(options),
                )
            )
        except KeyboardInterrupt:
            print("run the same command again to go on where this one stopped", file=sys.stderr)
            raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m catalog.score", description="Score a catalog, or continue an interrupted run."
    )
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument(
        "source",
        nargs="+",
        help="a folder of photographs; a table (CSV, JSON, Excel, Parquet); or globs, quoted",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="output folder, new or of an interrupted run"
    )
    parser.add_argument("--profile", help="thresholds of the answered attributes (default: the model card's)")
    parser.add_argument("--id", metavar="COLUMN", help="column of the ids (default: a usual name)")
    parser.add_argument(
        "--image",
        metavar="COLUMN",
        action="append",
        default=[],
        help="column of paths or bytes; again for columns of further photographs (default: usual names)",
    )
    add_engine_flag(parser)
    parser.add_argument("--batch", type=at_least_1, default=BATCH, help="photographs per step (%(default)s)")
    parser.add_argument(
        "--part", type=at_least_1, default=PART_ROWS, help="maximum number of rows per file (%(default)s)"
    )
    parser.add_argument(
        "--allow-removal",
        action="store_true",
        help="remove products that are no longer in the source, even if they are more than "
        f"{MOST_LOST:.0%}% of the catalog",
    )
    parser.add_argument(
        "--address",
        metavar="RAY",
        help="address of a Ray cluster (default: this machine, with Ray where it has several GPUs)",
    )
    add_fetch_flags(parser)
    parser.add_argument("--workers", type=at_least_1, metavar="N", help="models in parallel (default: one per node)")
    return parser


if __name__ == "__main__":
    main()
