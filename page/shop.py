"""A scored catalog opened for the page: its columns in memory, and its index if there is one."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from catalog import open_index
from catalog.engines.store import InUse
from catalog.filters.columns import Columns
from catalog.filters.filtering import RowFilter, columns_of, kinds
from catalog.index import INDEX_FOLDER
from catalog.scored.columns import ATTRIBUTE, ID, IMAGE, PHOTOGRAPHS, PROBABILITIES, vector_rows
from catalog.scored.correction_store import CorrectionStore
from catalog.scored.table import Scored
from catalog.similar.following import follow_corrections
from catalog.similar.matching import Index
from catalog.words.searching import PRICES
from fashion.answers import identity
from fashion.errors import DataError
from fashion.model_card import ModelCard
from fashion.tables.columns import TITLE_COLUMNS, usual_name


class Shop:
    """A scored catalog opened for the page. Create one with `Shop.open`.

    Attributes:
        scored: the catalog.
        index: its index, or None.
        columns: the columns that filters can use.
        store: the corrections of reviewers.
        lock: hold it while querying the index; requests run in several threads.
    """

    def __init__(self, scored: Scored, index: Index | None) -> None:
        self.scored, self.index = scored, index
        self.columns: Columns = columns_of(scored)
        self.lock = Lock()
        self.store = CorrectionStore(scored.folder)
        own = [name for name, kind in kinds(scored).items() if kind]
        self.title_column = usual_name(own, TITLE_COLUMNS)
        self.price_column = usual_name(own, PRICES)
        self._several = PHOTOGRAPHS in scored.schema.names
        several = [PHOTOGRAPHS] * self._several
        self._names = [ID, IMAGE, *several, *(ATTRIBUTE + group for group in scored.manifest.groups), *own]
        self._last = self.store.last()
        self._batch = self._read()
        ids = self._batch.column(ID).to_pylist()
        self._rows = {id: row for row, id in enumerate(ids)}
        self._ids = np.array(ids, object)

    def refresh(self) -> None:
        """Reload corrections made since the last call, by this process or others.

        Raises:
            DataError: the catalog cannot be read, or holds other products than when it was opened.
        """
        with self.lock:
            last = self.store.last()
            if last != self._last:
                batch = self._read()
                if not batch.column(ID).equals(self._batch.column(ID)):
                    raise DataError(f"{self.scored.folder} has been scored again; restart the page")
                self._batch, self._last = batch, last
            if self.index and last != self.index.manifest.corrections:
                with suppress(InUse):  # another process has the index open; the next call tries again
                    follow_corrections(self.index)

    def _read(self) -> pa.RecordBatch:
        return pa.Table.from_batches(self.scored.batches(self._names)).combine_chunks().to_batches()[0]

    @classmethod
    def open(cls, folder: Path, card: ModelCard) -> "Shop":
        """Open a scored catalog, and its index if there is one.

        Args:
            folder: written by `python -m catalog.score`; its index is in the subfolder `index`.
            card: of the model; it must be the one that scored the catalog.

        Raises:
            DataError: the catalog is missing, empty or of another model, or its index is in use or incomplete.
        """
        scored = Scored.open(folder)
        scored.check_model(identity(card))
        if not scored.rows:
            raise DataError(f"{folder} holds no product")
        place = folder / INDEX_FOLDER
        return cls(scored, open_index(place) if place.is_dir() else None)

    def __len__(self) -> int:
        return len(self._ids)

    def filter_mask(self, where: str) -> np.ndarray:
        """Which products pass a filter, bool (rows,). Raises FilterError for an invalid filter."""
        if not where.strip():
            return np.ones(len(self), bool)
        return RowFilter(where, self.scored).keeps(self._batch)

    def values(self, column: str) -> pa.Array:
        """A column of the scored table, all rows."""
        return self._batch.column(column)

    def ids(self, rows: Sequence[int] | np.ndarray) -> list[str]:
        """The product ids of rows."""
        return list(self._ids[rows])

    def row(self, id: str) -> int:
        """The row of a product. Raises DataError if there is none."""
        if id not in self._rows:
            raise DataError(f"the catalog has no product {id[:60]!r}")
        return self._rows[id]

    def rows(self, ids: Sequence[str]) -> list[int]:
        """The rows of products; unknown ids are skipped."""
        return [self._rows[id] for id in ids if id in self._rows]

    def photographs(self, id: str) -> list[str]:
        """The names of a product's photographs, see `fashion.tables.stored`; empty if the catalog has none.

        Raises:
            DataError: as `row`.
        """
        row = self.row(id)
        several = self._batch.column(PHOTOGRAPHS)[row].as_py() if self._several else None
        return [name for name in several or [self._batch.column(IMAGE)[row].as_py()] if name]

    def attributes(self, row: int) -> dict[str, list[str]]:
        """The answered labels of a product by group."""
        return {
            group: self._batch.column(ATTRIBUTE + group)[row].as_py() or [] for group in self.scored.manifest.groups
        }

    def source(self, row: int) -> dict[str, Any]:
        """The values of a product in the source's own columns, without empty ones and the title."""
        found = {column.name: self._batch.column(column.name)[row].as_py() for column in self.columns.source}
        return {
            name: value for name, value in found.items() if value not in (None, "", []) and name != self.title_column
        }

    def probabilities(self, row: int) -> np.ndarray:
        """The probability of each label, float32 (A,)."""
        found = self.scored.rows_of([self._ids[row]], [PROBABILITIES])[PROBABILITIES]
        return vector_rows(found.combine_chunks())[0].astype(np.float32)

    def title(self, row: int) -> str:
        """The title of a product, or its id."""
        named = self._batch.column(self.title_column)[row].as_py() if self.title_column else None
        return str(named or self._ids[row])

    def price(self, row: int) -> str:
        """Its price as text, or "" if there is none."""
        value = self._batch.column(self.price_column)[row].as_py() if self.price_column else None
        return "" if value is None else f"{value:,.2f}" if isinstance(value, float) else str(value)

    def close(self) -> None:
        """Close the index."""
        if self.index:
            self.index.close()
