"""Check the photographs of a scored catalog: by their pixels, by the model's answers, and for duplicates."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.checking.copies import copies
from catalog.checking.faults import DUPLICATE, NO_PRODUCT, TITLE, UNREADABLE, Fault, Limits, measured_faults
from catalog.checking.measures import PhotographMeasures, measure_photograph
from catalog.checking.titles import TitleReader, title_column, title_probability
from catalog.scored.columns import ID, IMAGE, PROBABILITIES, PRODUCT_COLUMN, vector_rows
from catalog.scored.table import Scored
from catalog.words.vocabulary import Vocabulary
from fashion.engines import available_cores
from fashion.errors import InvalidImage, one_line
from fashion.tables.image_paths import ImagePaths
from fashion.tables.stored import photograph_source

AT_ONCE = 256  # photographs in progress
NO_FILE = "the catalog does not say where the photograph is; its pixels were not checked"


@dataclass(frozen=True)
class CatalogCheck:
    """A check of a catalog.

    Attributes:
        scored: the catalog.
        photographs: folder of photographs that are no longer where they were scored, or None.
        limits: of the measures.
        today: date that selects the size limits.
        title: the column of titles, or None.
        skipped: checks to skip.
    """

    scored: Scored
    photographs: Path | None = None
    limits: Limits = field(default_factory=Limits)
    today: date = field(default_factory=date.today)
    title: str | None = None
    skipped: frozenset[str] = frozenset()

    @classmethod
    def with_defaults(
        cls, scored: Scored, photographs: Path | None = None, title: str | None = None, skipped: Iterable[str] = ()
    ) -> "CatalogCheck":
        """A check with default limits; the title column is the given one, or one with a usual name."""
        return cls(
            scored, photographs, title=title or title_column(scored.manifest.columns), skipped=frozenset(skipped)
        )

    def faults(self) -> Iterator[list[Fault]]:
        """The faults of each product, in the catalog's order; an empty list for one without faults."""
        twins = {} if DUPLICATE in self.skipped else self._twins()
        rows = self._rows(self.scored.batches(self._columns()))
        with ThreadPoolExecutor(available_cores(), thread_name_prefix="checks") as threads:
            while some := list(islice(rows, AT_ONCE)):
                measured = threads.map(self._measured, [row[IMAGE] or "" for row in some])
                for row, found in zip(some, measured, strict=True):
                    yield self._faults(row, *found, twins)

    def faults_of(self, id: str) -> list[Fault]:
        """The faults of one product, without a check for duplicates; empty if the catalog does not have it."""
        rows = self._rows(self.scored.rows_of([id], self._columns()).to_batches())
        return [fault for row in rows for fault in self._faults(row, *self._measured(row[IMAGE] or ""), {})]

    def _faults(
        self,
        row: dict[str, Any],
        image: str,
        measures: PhotographMeasures | str,
        twins: dict[str, tuple[str, float]],
    ) -> list[Fault]:
        found = self._of_row(row, measures, twins)
        return [Fault(row[ID], image, *each) for each in found if each[0] not in self.skipped]

    def _of_row(
        self, row: dict[str, Any], measures: PhotographMeasures | str, twins: dict[str, tuple[str, float]]
    ) -> Iterator[tuple[str, float | None, float | None, str]]:
        if isinstance(measures, str):
            yield UNREADABLE, None, None, measures
        else:
            yield from measured_faults(measures, self.limits, self.today)
        product = row.get(PRODUCT_COLUMN)
        if product is not None and product < self.limits.product:
            yield NO_PRODUCT, product, self.limits.product, f"the photograph shows no product ({product:.2f})"
        if row[ID] in twins:
            other, cosine = twins[row[ID]]
            yield DUPLICATE, cosine, None, f"near-identical to the photograph of {other}"
        if self.title and row[TITLE] is not None and row[TITLE][1] < self.limits.title:
            named, probability, seen = row[TITLE]
            reason = f"not what its title says: {named} is {probability:.3f} likely, the photograph shows {seen}"
            yield TITLE, probability, self.limits.title, reason

    def _columns(self) -> list[str]:
        own = [name for name in (self.title, PRODUCT_COLUMN) if name and name in self.scored.schema.names]
        return list(dict.fromkeys([ID, IMAGE, PROBABILITIES, *own]))

    def _rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
        """Rows with id, image, product probability; under TITLE the named label, its probability and the top label."""
        taxonomy = self.scored.manifest.taxonomy
        reader = TitleReader(Vocabulary(taxonomy), taxonomy.groups)
        for batch in batches:
            probabilities = vector_rows(batch.column(PROBABILITIES)).astype(np.float32)
            cells = {name: batch.column(name).to_pylist() for name in self._columns() if name != PROBABILITIES}
            for i in range(len(batch)):
                row = {name: values[i] for name, values in cells.items()}
                title = row.get(self.title) if self.title else None
                labels = reader.labels(str(title)) if title else []
                row[TITLE] = None
                if labels:
                    likely = title_probability(labels, taxonomy.index, probabilities[i])
                    indices = taxonomy.indices(labels[0].group)
                    seen = taxonomy.labels[indices[probabilities[i][indices].argmax()]].name
                    row[TITLE] = (labels[0].name, likely, seen)
                yield row

    def _twins(self) -> dict[str, tuple[str, float]]:
        ids = [id for batch in self.scored.batches([ID]) for id in batch.column(ID).to_pylist()]
        return {id: (other, cosine) for id, other, cosine in copies(ids, self.scored.vectors("embedding"))}

    def _measured(self, image: str) -> tuple[str, PhotographMeasures | str]:
        """The photograph's name, and its measures or the reason why there are none."""
        if not image:
            return "", NO_FILE
        source = photograph_source(image)
        if isinstance(source, Path) and self.photographs is not None and not source.is_file():
            source = next((place for place in ImagePaths(self.photographs, image) if place.is_file()), source)
        name = str(source) if isinstance(source, Path) else image
        try:
            return name, measure_photograph(source)
        except InvalidImage as error:
            return name, one_line(error)
