"""Store an index in a folder: payloads and filters in SQLite, vectors in a file, inverted lists by FAISS.

FOLDER/index.json              the manifest of the index
FOLDER/points/points.sqlite    ids, payloads, and which rows have which values
FOLDER/points/vectors.bin      full vectors, by row
FOLDER/points/lists.faiss      inverted lists of coarse vectors, if the index is searched approximately
FOLDER/points/added.bin        coarse vectors that are not in the lists yet
FOLDER/points/lock             locked by every process that has the index open

Several processes may read an index at once; one that changes it must be alone.
"""

import fcntl
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from catalog.engines.folder_content import COARSE_SIZE, EMBEDDING, SIZE, TABLE, FolderContent
from catalog.engines.row_filters import RowTest, RowTests
from catalog.engines.store import BATCH, Examples, Hit, InUse, Point, Query, Record, Tuning
from catalog.filters.columns import Column
from catalog.filters.conditions import Builder
from fashion.errors import DataError, one_line
from fashion.files import write_json

MANIFEST, POINTS, LOCK = "index.json", "points", "lock"
FORMER = ("shard",)  # folders of earlier versions


class FolderStore:
    """See `catalog.engines.store.Store`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.place, self.flags = repr(str(folder)), f"--out {shlex.quote(str(folder))}"
        self.builder: Builder = RowTests()
        self._points = self.folder / POINTS
        self._lock: int | None = None
        self._content: FolderContent | None = None

    def read_manifest(self) -> dict[str, Any] | None:
        path = self.folder / MANIFEST
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as JSON: {error}; index the catalog into another folder") from None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        if self._lock is not None:
            self._locked(fcntl.LOCK_EX)
        write_json(self.folder / MANIFEST, manifest)
        if self._lock is not None and manifest.get("complete"):
            self._locked(fcntl.LOCK_SH)

    def open(self) -> None:
        try:
            self._open_lock(fcntl.LOCK_SH)
            self._content = FolderContent(self._points)
        except InUse:
            self.close()
            raise
        except (DataError, OSError, RuntimeError, ValueError, LookupError) as error:
            self.close()
            raise DataError(
                f"the index {self.place} cannot be opened: {one_line(error)}; give --replace to index again"
            ) from None

    def create(self, size: int, coarse: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        before = [folder for name in (POINTS, *FORMER) if (folder := self.folder / name).exists()]
        if before and self.read_manifest() is None:
            raise DataError(f"{before[0]} exists but belongs to no index; choose another folder with --out")
        self.close()
        if (self._points / LOCK).exists():
            self._open_lock(fcntl.LOCK_EX)
        if before:
            self.write_manifest(manifest)  # incomplete: a folder that is deleted in part is not opened again
            (self._points / TABLE).unlink(missing_ok=True)
        for folder in before:
            shutil.rmtree(folder)
        self.close()
        self.write_manifest(manifest)
        self._points.mkdir(parents=True)
        (self._points / LOCK).touch()
        self._open_lock(fcntl.LOCK_EX)
        embedding = manifest["embedding"] if tuning.approximate else None
        self._content = FolderContent(self._points, {SIZE: size, EMBEDDING: embedding, COARSE_SIZE: coarse})

    def index_columns(self, columns: Sequence[Column]) -> None:
        with self._changing() as content:
            content.table.set_columns(columns)

    def upsert(self, points: Sequence[Point]) -> None:
        with self._changing() as content:
            content.upsert(list({point.id: point for point in points}.values()))

    def delete(self, ids: Sequence[str]) -> None:
        with self._changing() as content:
            content.table.delete(ids)

    def file_path(self, name: str) -> Path:
        return self.folder / name

    def save_file(self, name: str) -> None:
        pass  # `file_path` is the file's permanent place

    def finish(self) -> None:
        with self._changing() as content:
            content.finish()

    def close(self) -> None:
        if self._content is not None:
            self._content.close()
        if self._lock is not None:
            os.close(self._lock)
        self._content = self._lock = None

    def count(self, where: RowTest | None = None) -> int:
        return int(self._opened().passing(where).sum())

    def scroll(
        self, where: RowTest | None = None, vector: bool = False, payload: Sequence[str] = ()
    ) -> Iterator[Record]:
        content = self._opened()
        passing = content.passing(where) if where else None
        rows = (row for row in content.table.rows_by_id() if passing is None or passing[row])
        while some := list(islice(rows, BATCH)):
            yield from content.records(content.table.at(some), vector, payload)

    def retrieve(self, ids: Sequence[str], vector: bool = False) -> list[Record]:
        content = self._opened()
        return content.records(content.table.get(ids), vector)

    def nearest(self, queries: Query, limit: int, where: RowTest | None = None) -> list[list[Hit]]:
        return self._opened().nearest(queries, limit, where)

    def recommend(self, examples: Examples, limit: int, where: RowTest | None = None) -> list[Hit]:
        return self._opened().recommend(examples, limit, where)

    def _opened(self) -> FolderContent:
        assert self._content is not None
        return self._content

    @contextmanager
    def _changing(self) -> Iterator[FolderContent]:
        """The content, after other processes have been locked out until the manifest says that it is complete."""
        if not os.access(self._points, os.W_OK):
            raise InUse(f"the index {self.place} cannot be changed by this user")
        self._locked(fcntl.LOCK_EX)
        try:
            yield self._opened()
        except BaseException:
            self._locked(fcntl.LOCK_SH)
            raise

    def _open_lock(self, how: int) -> None:
        self._lock = os.open(self._points / LOCK, os.O_RDONLY)
        self._locked(how)

    def _locked(self, how: int) -> None:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._content is not None:  # the shared lock is lost: flock releases it before it tries the other
                self._lock_again()
            raise InUse(f"the index {self.place} is in use by another process; wait until that ends") from None

    def _lock_again(self) -> None:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise DataError(f"the index {self.place} is being changed by another process; open it again") from None
