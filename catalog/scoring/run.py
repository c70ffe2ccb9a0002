"""A scoring run: select the remaining rows, write the scored ones, and summarize."""

import csv
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from catalog.scored.columns import ID, WRITTEN
from catalog.scored.score_manifest import Manifest, Origin
from catalog.scored.share_corrections import keep_corrections
from catalog.scored.table import LEFT_OUT_FILE, stored_embedding, table_schema
from catalog.scoring.joining import ProductJoiner
from catalog.scoring.journal import PartJournal, recover_parts
from catalog.scoring.parts import PartWriter
from catalog.scoring.refresh import Refreshed, plan_refresh
from catalog.scoring.scorer import DETAIL, MISSING, REASON
from catalog.scoring.source import LAST, PLACE, ROW, ProductSource, UnscoredRow
from fashion.errors import DataError
from fashion.files import write_csv
from fashion.model_card import ModelCard
from fashion.tables.image_paths import ImagePaths

DUPLICATE = "duplicate id"
MOST_PHOTOGRAPHS = 250  # per product, Shopify's limit; a value that more rows share is probably no id


@dataclass
class ScoringSummary:
    """Result of a scoring run.

    Attributes:
        folder, manifest: of the scored catalog.
        scored: products scored in this run; those of earlier runs stay.
        images: photographs scored in this run.
        seconds: duration of this run, start-up included.
        left_out: rows that could not be scored.
        refreshed: changes to products of earlier runs.
    """

    folder: Path
    manifest: Manifest
    scored: int
    images: int
    seconds: float
    left_out: list[UnscoredRow] = field(default_factory=list)
    refreshed: Refreshed = field(default_factory=Refreshed)

    def __str__(self) -> str:
        before = self.manifest.rows - self.scored
        parts = [f"{self.folder}: {self.manifest.rows:,} products"]
        if before:
            parts.append(f"{before:,} of them scored before")
        if self.images > self.scored:
            parts.append(f"{self.images:,} photographs of {self.scored:,} of them scored")
        for count, what in (
            (self.refreshed.changed, "with new values in their columns"),
            (self.refreshed.moved, "scored again, because their photographs changed"),
            (self.refreshed.gone, "removed, because they are no longer in the source"),
        ):
            if count:
                parts.append(f"{count:,} {what}")
        if self.left_out:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.manifest.left_out.items())
            parts.append(f"{len(self.left_out):,} left out ({reasons}), listed in {LEFT_OUT_FILE}")
        if self.scored:
            parts.append(f"{self.images / self.seconds:,.1f} photographs a second")
        return f"{'; '.join(parts)}. Next: python -m catalog.index {self.folder}"


def _with_photographs(rows: int, named: Sequence[Sequence[str]] | None) -> list[int]:
    """Indices of a product's rows that add photographs.

    Args:
        rows: number of rows.
        named: the photographs that each row names; None if all rows hold photographs.
    """
    if named is None:
        return list(range(min(rows, MOST_PHOTOGRAPHS)))
    seen: set[str] = set()
    chosen = []
    for row, names in enumerate(named):
        if not seen.issuperset(names) and len(seen) < MOST_PHOTOGRAPHS:
            chosen.append(row)
            seen.update(names)
    return chosen or [0]


def read_left_out(folder: Path) -> list[UnscoredRow]:
    """The rows of a scored catalog's left_out.csv; none if it is missing or broken."""
    try:
        with (folder / LEFT_OUT_FILE).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [UnscoredRow(*row) for row in list(csv.reader(file))[1:]]
    except (OSError, csv.Error, TypeError):
        return []


class ScoringRun:
    """A scoring run: selects the remaining rows and writes the scored ones.

    Raises:
        DataError: more than a fifth of the products in `out` are gone, without `allow_removal`; or see
            `catalog.scoring.refresh.plan_refresh` and `catalog.scoring.parts.PartWriter`.
    """

    def __init__(
        self,
        out: Path,
        card: ModelCard,
        origin: Origin,
        source: ProductSource,
        part_rows: int,
        allow_removal: bool = False,
    ) -> None:
        self.out, self.card, self.origin, self.source = out, card, origin, source
        self.part_rows, self.allow_removal = part_rows, allow_removal
        self.left_out: list[UnscoredRow] = list(source.left_out)
        self._scored: set[str] = set()  # ids scored in this run
        self._rows: dict[str, int] = {}  # number of rows to score by id, if more than one
        recover_parts(out)  # of a run that was killed
        # Without parts the embedding's length is unknown yet; with 0 the schema still detects clashing column names.
        length = stored_embedding(out)
        schema = table_schema(
            card.taxonomy.groups, len(card.labels), length or 0, source.columns, card.gates, source.several
        )
        self.refresh = plan_refresh(out, origin, source)
        if not allow_removal:
            self.refresh.check_gone()
        self.writer = PartWriter(out, origin, schema, refreshed=True)
        self.left_out += self._of_kept_products()

    def _of_kept_products(self) -> Iterator[UnscoredRow]:
        """Photographs of products that need no scoring which were left out when those were scored."""
        ids = self.source.ids if self.refresh.missing else ()
        for position, place in self.refresh.missing:
            message = ImagePaths(self.source.folder, place).missing_message()
            yield UnscoredRow(self.source.row(position), ids[position], MISSING, message)
        if self.source.holds_photographs:  # whether they are usable is only known from the last run
            before = read_left_out(self.out)
            yield from (row for row in before if row.id in self.refresh.kept and row.reason != DUPLICATE)

    def remaining(self) -> np.ndarray:
        """Positions of the rows to score, grouped by product.

        Rows that repeat an id without a further photograph are left out.
        """
        ids = self.source.ids
        if len(set(ids)) == len(ids):
            wanted = (position for position, name in enumerate(ids) if name not in self.refresh.kept)
            return np.fromiter(wanted, dtype=np.int64)
        positions: list[int] = []
        for name, rows in self._products().items():
            if name not in self.refresh.kept:
                positions += rows
                if len(rows) > 1:
                    self._rows[name] = len(rows)
        return np.asarray(positions, dtype=np.int64)

    def _products(self) -> dict[str, list[int]]:
        """Positions of the rows that add photographs, by id; other rows with the id are listed as left out."""
        rows: dict[str, list[int]] = {}
        for position, name in enumerate(self.source.ids):
            rows.setdefault(name, []).append(position)
        repeated = {name: positions for name, positions in rows.items() if len(positions) > 1}
        if repeated:
            places = None if self.source.holds_photographs else self.source.source_columns()[PLACE]
            for name, positions in repeated.items():
                named = None if places is None else [places[position].as_py() for position in positions]
                rows[name] = [positions[i] for i in _with_photographs(len(positions), named)]
                self._list_repeats(name, sorted({*positions} - {*rows[name]}))
        return rows

    def _list_repeats(self, name: str, positions: Sequence[int]) -> None:
        detail = f"repeated id without another photograph, or with more than {MOST_PHOTOGRAPHS} photographs before it"
        self.left_out += [UnscoredRow(self.source.row(position), name, DUPLICATE, detail) for position in positions]

    def take(self, tables: Iterable[pa.Table], progress: tqdm) -> ScoringSummary:
        """Write scored photographs as products, part by part; then update the earlier parts and write the manifest.

        Raises:
            DataError: no image can be used, or too many products would be dropped because theirs no longer can.
        """
        waiting: list[pa.Table] = []
        joiner = ProductJoiner(self.card, self.origin.profile, self._rows, self.source.several)
        scored, images, start = 0, 0, time.perf_counter()
        journal = PartJournal(self.writer.next_part(), self.origin)
        try:
            for table in tables:
                faults = table.filter(pc.is_valid(table[REASON]))
                self._list(faults)
                complete = self.writer.select(joiner.take(table))
                waiting.append(complete)
                scored += len(complete)
                images += len(table) - len(faults)
                progress.update(pc.sum(table[LAST]).as_py())
                if sum(map(len, waiting)) >= self.part_rows:
                    self._write(waiting)
                    journal.remove()
                    waiting, journal = [], PartJournal(self.writer.next_part(), self.origin)
                elif len(complete):
                    journal.append(complete)
            self._write(waiting)
            journal.remove()
        finally:
            journal.close()
        seconds = time.perf_counter() - start
        return ScoringSummary(self.out, self._finish(), scored, images, seconds, self.left_out, self.refresh.counts)

    def _write(self, tables: list[pa.Table]) -> None:
        tables = [table for table in tables if len(table)]
        if not tables:
            return
        rows = pa.concat_tables(tables)
        for first in range(0, len(rows), self.part_rows):
            self.writer.write(rows.slice(first, self.part_rows))
        self._scored.update(rows[ID].to_pylist())

    def _list(self, rows: pa.Table) -> None:
        cells = (rows[name].to_pylist() for name in (ROW, ID, REASON, DETAIL))
        self.left_out += [UnscoredRow(*entry) for entry in zip(*cells, strict=True)]

    def _finish(self) -> Manifest:
        counts = Counter(entry.reason for entry in self.left_out)
        if not self.refresh.kept and not self._scored:
            # A duplicate does not explain why the first row of its id was left out.
            first = next((entry for entry in self.left_out if entry.reason != DUPLICATE), self.left_out[0])
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
            raise DataError(
                f"no image of {self.source.name} can be used ({reasons}); the first, {first.row}: {first.detail}"
            )
        write_csv(self.out / LEFT_OUT_FILE, UnscoredRow._fields, self.left_out)
        if not self.allow_removal:
            self.refresh.check_lost(self._scored)
        self.refresh.apply()
        self.writer.count()
        length = stored_embedding(self.out)
        names = [column.name for column in self.source.columns if not column.name.startswith(WRITTEN)]
        keep_corrections(self.out, self.card)
        return self.writer.finish(self.card.labels, length or 0, names, dict(counts.most_common()))
