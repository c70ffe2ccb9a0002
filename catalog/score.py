"""Score a catalog: every product's probabilities, answered attributes and embedding, as Parquet.

From the command line:  python -m catalog.score BUNDLE SOURCE --out FOLDER
"""

import argparse
import csv
import fcntl
import io
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from catalog.opening import open_source
from catalog.parts import PartWriter
from catalog.scorer import BATCH, DETAIL, REASON, Scoring, score_here
from catalog.source import ROW, LeftOut, Source
from catalog.table import ID, LEFT_OUT_FILE, Manifest, Origin, stored_embedding, table_schema
from fashion.answers import answered, identity
from fashion.engines import ENGINES
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.files import write_whole
from fashion.model_card import ModelCard

PART_ROWS = 4096
PART_SECONDS = 30.0  # what a crash costs at most
FEW = 500  # rows that are scored in this process: Ray needs longer to start
MOST_PIECE_ROWS = 1024


@dataclass
class Summary:
    """What a scoring did.

    Attributes:
        folder, manifest: what is there now.
        scored: rows of this run; those of earlier ones stayed.
        seconds: of this run, what starts it included.
        left_out: rows that could not be scored.
        gone: how many rows of earlier runs the source does not have any more; they stay.
    """

    folder: Path
    manifest: Manifest
    scored: int
    seconds: float
    left_out: list[LeftOut] = field(default_factory=list)
    gone: int = 0

    def __str__(self) -> str:
        before = self.manifest.rows - self.scored
        parts = [f"{self.folder}: {self.manifest.rows:,} products"]
        if before:
            parts.append(f"{before:,} of them scored before")
        if self.gone:
            parts.append(f"{self.gone:,} not in the source any more but kept (a new folder would not have them)")
        if self.left_out:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.manifest.left_out.items())
            parts.append(f"{len(self.left_out):,} left out ({reasons}), listed in {LEFT_OUT_FILE}")
        if self.scored:
            parts.append(f"{self.scored / self.seconds:,.1f} a second")
        return f"{'; '.join(parts)}. Next: python -m catalog.index {self.folder}"


def score(
    bundle: str | Path,
    names: Sequence[str],
    out: str | Path,
    *,
    profile: str | None = None,
    id_column: str | None = None,
    image_column: str | None = None,
    engine: str = "auto",
    batch: int = BATCH,
    address: str | None = None,
    workers: int | None = None,
    part_rows: int = PART_ROWS,
) -> Summary:
    """Score the products of a source that `out` does not hold yet.

    Args:
        bundle: folder written by python -m training.export.
        names: the source, see `catalog.opening.open_source`.
        out: folder of the scored catalog; made, or gone on with.
        profile: thresholds of the answered attributes; None takes the model card's default.
        id_column, image_column: of a table; None looks for a usual name.
        engine: what runs the network.
        batch: photographs of one step.
        address: of a Ray cluster; `local` starts Ray here, None does so unless the rows are few.
        workers: models side by side; see `catalog.cluster.score_with_ray`.
        part_rows: the most rows of a Parquet file.

    Raises:
        DataError: the source cannot be used, `out` is of another model or source, or no image is good.
        BundleError, SettingError: the bundle or a setting cannot be used.
    """
    card = ModelCard.load(Path(bundle))
    answered(card, np.zeros((1, len(card.labels)), np.float32), profile)  # an unknown profile, before anything is read
    source = open_source(names, id_column, image_column)
    out = Path(out)
    with _alone(out):
        origin = Origin(identity(card), source.name, profile or card.default_profile)
        run = _Run(out, card, origin, source, part_rows)
        positions = run.remaining()
        scoring = Scoring(str(Path(bundle).absolute()), str(source.folder), engine, None, profile, batch)
        pieces = source.pieces(positions, max(batch, min(MOST_PIECE_ROWS, len(positions) // 256)))
        tables: Generator[pa.Table, None, None]
        if not len(positions):
            tables = _nothing()
        elif address is None and workers is None and len(positions) <= FEW:
            tables = score_here(scoring, pieces)
        else:
            from catalog.cluster import LOCAL, score_with_ray

            tables = score_with_ray(scoring, list(pieces), address or LOCAL, workers)
        total = len(positions)
        bar = tqdm(desc=f"scoring {names[0]}", total=total, unit="image", smoothing=0.05, disable=not total)
        with closing(tables), bar:
            return run.take(tables, bar)


class _Run:
    """One run of the scoring: which rows remain, and where the scored ones go."""

    def __init__(self, out: Path, card: ModelCard, origin: Origin, source: Source, part_rows: int) -> None:
        self.out, self.card, self.origin, self.source = out, card, origin, source
        self.part_rows = part_rows
        self.left_out: list[LeftOut] = []
        self.gone = 0
        # How long an embedding is, only the parts or the model itself know; 0 finds clashes of names all the same.
        length = stored_embedding(out)
        schema = table_schema(card.taxonomy.groups, len(card.labels), length or 0, source.columns)
        self.writer = PartWriter(out, origin, schema)

    def remaining(self) -> np.ndarray:
        """Positions of the rows to score; rows whose id came before are left out."""
        positions: list[int] = []
        seen: set[str] = set()
        for position, name in enumerate(self.source.ids):
            if name in seen:
                row = self.source.row(position)
                self.left_out.append(LeftOut(row, name, "duplicate id", "an earlier row has this id"))
            elif name not in self.writer.ids:
                positions.append(position)
            seen.add(name)
        self.gone = len(self.writer.ids - seen)
        return np.asarray(positions, dtype=np.int64)

    def take(self, tables: Iterable[pa.Table], progress: tqdm) -> Summary:
        """Write what comes, part by part, and the manifest at the end."""
        waiting: list[pa.Table] = []
        scored, start, last = 0, time.perf_counter(), time.perf_counter()
        for table in tables:
            good = table.filter(pc.is_null(table[REASON]))
            self._list(table.filter(pc.is_valid(table[REASON])))
            waiting.append(good)
            scored += len(good)
            progress.update(len(table))
            now = time.perf_counter()
            if sum(map(len, waiting)) >= self.part_rows or now - last > PART_SECONDS:
                self._write(waiting)
                waiting, last = [], now
        self._write(waiting)
        seconds = time.perf_counter() - start
        return Summary(self.out, self._finish(), scored, seconds, self.left_out, self.gone)

    def _write(self, tables: list[pa.Table]) -> None:
        tables = [table for table in tables if len(table)]
        if not tables:
            return
        rows = pa.concat_tables(tables)
        for first in range(0, len(rows), self.part_rows):
            self.writer.write(rows.slice(first, self.part_rows))

    def _list(self, rows: pa.Table) -> None:
        cells = (rows[name].to_pylist() for name in (ROW, ID, REASON, DETAIL))
        self.left_out += [LeftOut(*entry) for entry in zip(*cells, strict=True)]

    def _finish(self) -> Manifest:
        counts = Counter(entry.reason for entry in self.left_out)
        if not self.writer.parts:
            first = self.left_out[0]
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
            raise DataError(
                f"no image of {self.source.name} can be used ({reasons}); the first, {first.row}: {first.detail}"
            )
        file = io.StringIO(newline="")
        writer = csv.writer(file)
        writer.writerow(LeftOut._fields)
        writer.writerows(self.left_out)
        write_whole(self.out / LEFT_OUT_FILE, file.getvalue().encode(errors="surrogateescape"))
        length = stored_embedding(self.out)
        names = [column.name for column in self.source.columns]
        return self.writer.finish(self.card.labels, length or 0, names, dict(counts.most_common()))


def _nothing() -> Generator[pa.Table, None, None]:
    yield from ()


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """See that no other process scores into this folder; the lock goes when its process does."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingError(f"another process is scoring into {out}; wait for it, or choose another --out") from None
        yield


def main(arguments: Sequence[str] | None = None) -> None:
    """Score as the command line says; a mistake of the user's ends in one line on stderr and exit status 2."""
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
                )
            )
        except KeyboardInterrupt:
            print("run the same command again to go on where this one stopped", file=sys.stderr)
            raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m catalog.score", description="Score a catalog; a run that was cut off is gone on with."
    )
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument(
        "source", nargs="+", help="a folder of photographs; a CSV or Parquet file; or globs, quoted, of photographs"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make or to go on with")
    parser.add_argument("--profile", help="thresholds of the answered attributes (default: the model card's)")
    parser.add_argument("--id", metavar="COLUMN", help="column of the ids (default: a usual name)")
    parser.add_argument("--image", metavar="COLUMN", help="column of paths or bytes (default: a usual name)")
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the network (%(default)s)")
    parser.add_argument("--batch", type=_at_least_1, default=BATCH, help="photographs of one step (%(default)s)")
    parser.add_argument("--part", type=_at_least_1, default=PART_ROWS, help="most rows of a file (%(default)s)")
    parser.add_argument(
        "--address", metavar="RAY", help=f"of a Ray cluster (default: Ray on this machine; up to {FEW} rows without it)"
    )
    parser.add_argument("--workers", type=_at_least_1, metavar="N", help="models side by side (default: one a node)")
    return parser


def _at_least_1(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; it must be at least 1")
    return int(text)


if __name__ == "__main__":
    main()
