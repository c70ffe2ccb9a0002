"""Store an index in two tables of a PostgreSQL database with pgvector.

COLLECTION           a row per point: id, payload, full vector and, for approximate search, coarse vector
COLLECTION_catalog   the manifest and other files of the index
"""

import hashlib
import json
import re
import shlex
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector, Vector
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from catalog.engines.postgres_connection import (
    connect,
    require_pgvector,
    split_place,
    translated_errors,
    without_secrets,
)
from catalog.engines.postgres_filters import EVERYTHING, Clause, PostgresBuilder, Sql, indexed
from catalog.engines.postgres_search import SETTINGS, PostgresSearch
from catalog.engines.store import BATCH, Examples, Hit, InUse, Point, Query, Record, Tuning
from catalog.filters.columns import Column
from catalog.filters.conditions import Builder
from fashion.errors import DataError, SettingError

NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")  # leaves room for suffixes: PostgreSQL truncates at 63 bytes
MANIFEST = "index.json"
OURS = "index of fashion-attributes"  # comment that marks our tables
LONGEST_WHOLE, LONGEST_COARSE = 16_000, 4_000  # maximum dimensions: pgvector column, halfvec column with HNSW index
MEMORY = (64, 2048)  # minimum and maximum MB for building a graph; beyond it the build is far slower
POINT = 800  # bytes per point, without its vector, while a graph of 16 links is built; measured: 720

NOTHING = sql.SQL("")


class PostgresStore:
    """See `catalog.engines.store.Store`.

    Connects on the first query.

    Args:
        url: libpq URL of the database.
        collection: name of the table.

    Raises:
        SettingError: the collection's name is invalid.
    """

    folder = None

    def __init__(self, url: str, collection: str) -> None:
        if not NAMES.fullmatch(collection):
            raise SettingError(
                f"a collection in PostgreSQL cannot be called {collection!r}; take up to 40 letters, digits, _ and -, "
                "no digit or - first"
            )
        self.url, self.collection = url, collection
        shown = without_secrets(url)
        self.place = f"{collection} at {shown}"
        self.flags = f"--postgres {shlex.quote(shown)} --collection {collection}"
        self.builder: Builder = PostgresBuilder()
        self.table, self.about = sql.Identifier(collection), sql.Identifier(f"{collection}_catalog")
        self._connection: psycopg.Connection[tuple] | None = None
        self._columns: list[Column] | None = None  # to be indexed by `finish`
        self._graphs: bool | None = None  # whether there is a column of coarse vectors; None is not looked up yet
        self._files: TemporaryDirectory[str] | None = None
        self._ready = self._claimed = False

    @classmethod
    def at(cls, place: str) -> "PostgresStore":
        """The store of `postgresql://USER@HOST:PORT/DATABASE/COLLECTION`. Raises SettingError if a part is missing."""
        return cls(*split_place(place))

    def read_manifest(self) -> dict[str, Any] | None:
        with self._session() as connection:
            if not self._is_there():
                return None
            self._prepare(connection)
            content = self._content(MANIFEST)
        if content is None:
            raise DataError(f"the index {self.place} has lost its manifest; give --replace to index again")
        return json.loads(content)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        self._claim()
        with self._session():
            self._write(MANIFEST, json.dumps(manifest, ensure_ascii=False).encode())
            if manifest.get("complete"):
                self._release()

    def open(self) -> None:
        with self._session() as connection:
            self._prepare(connection)
            self._has_graphs()

    def create(self, size: int, coarse: int, tuning: Tuning, manifest: Mapping[str, Any]) -> None:
        for longest, wanted in ((LONGEST_WHOLE, size), (LONGEST_COARSE, coarse)):
            if wanted > longest:
                raise DataError(f"pgvector stores up to {longest:,} numbers of a product, not {wanted:,}; use --out")
        with self._session() as connection:
            self._prepare(connection, create=True)
        self._claim()
        with self._session() as connection, connection.transaction():
            self._is_there()  # raises rather than drop a table that is not ours
            self._do(sql.SQL("DROP TABLE IF EXISTS {}, {}").format(self.table, self.about))
            columns = [
                sql.SQL("id uuid PRIMARY KEY, payload jsonb NOT NULL"),
                # float16 if there is a graph; statistics of vectors, disabled below, are useless
                sql.SQL("vector {}({}) NOT NULL").format(_type(tuning.approximate), sql.Literal(size)),
                *([sql.SQL("coarse halfvec({}) NOT NULL").format(sql.Literal(coarse))] if tuning.approximate else []),
            ]
            self._do(sql.SQL("CREATE TABLE {} ({})").format(self.table, sql.SQL(", ").join(columns)))
            self._do(sql.SQL("CREATE TABLE {} (name text PRIMARY KEY, content bytea NOT NULL)").format(self.about))
            for name in ("vector", "coarse")[: 1 + tuning.approximate]:
                self._do(sql.SQL("ALTER TABLE {} ALTER {} SET STATISTICS 0").format(self.table, sql.Identifier(name)))
            for table in (self.table, self.about):
                self._do(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(OURS)))
            self._write(MANIFEST, json.dumps(manifest, ensure_ascii=False).encode())
            self._graphs = tuning.approximate

    def index_columns(self, columns: Sequence[Column]) -> None:
        self._columns = list(columns)  # built by `finish`: indexing all rows at once is faster than row by row

    def upsert(self, points: Sequence[Point]) -> None:
        self._claim()
        rows = list({point.id: point for point in points}.values())
        for point in rows:
            if "\\u0000" in json.dumps(point.payload):
                raise DataError(
                    f"product {point.payload.get('id')!r} has a NUL character, which PostgreSQL cannot keep; take it "
                    "out of the table that was scored, and score it again"
                )
        graphs = self._has_graphs()
        names = ["id", "payload", "vector", *(["coarse"] if graphs else [])]
        with self._session() as connection, connection.transaction(), connection.cursor() as cursor:
            self._delete([point.id for point in rows])
            command = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT BINARY)").format(
                self.table, sql.SQL(", ").join(map(sql.Identifier, names))
            )
            with cursor.copy(command) as copy:
                copy.set_types(["uuid", "jsonb", "halfvec" if graphs else "vector", "halfvec"][: len(names)])
                for point in rows:
                    whole = HalfVector(point.vector) if graphs else Vector(point.vector)
                    coarse = [] if point.coarse is None else [HalfVector(point.coarse)]
                    copy.write_row([uuid.UUID(point.id), Jsonb(dict(point.payload)), whole, *coarse])

    def delete(self, ids: Sequence[str]) -> None:
        self._claim()
        with self._session():
            self._delete(ids)

    def file_path(self, name: str) -> Path:
        """A copy in a temporary folder, which `close` deletes."""
        if self._files is None:
            self._files = TemporaryDirectory(prefix="index-")
        path = Path(self._files.name) / name
        if not path.exists():
            with self._session():
                content = self._content(name)
            if content is not None:
                path.write_bytes(content)
        return path

    def save_file(self, name: str) -> None:
        """Write the file into the database; a read-only user keeps only the local copy."""
        asked = sql.SQL(
            "SELECT has_table_privilege(t, 'INSERT') AND has_table_privilege(t, 'UPDATE') "
            "FROM to_regclass(quote_ident(%s)) AS t"
        )
        with self._session():
            if self._fetch(asked, (f"{self.collection}_catalog",))[0][0]:
                self._write(name, self.file_path(name).read_bytes())

    def finish(self) -> None:
        """Build the column indexes and the graph if `index_columns` was called."""
        if self._columns is None:
            return
        self._claim()
        with self._session():
            for column in self._columns:
                method, expression = indexed(column)
                self._do(self._index(f"{column.kind} {column.key}", method, expression))
            if self._has_graphs():
                self._index_graph()
            self._do(sql.SQL("ANALYZE {}").format(self.table))
        self._columns = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._files is not None:
            self._files.cleanup()
        self._connection = self._graphs = self._files = None
        self._ready = self._claimed = False

    def count(self, where: Clause | None = None) -> int:
        kept = where or EVERYTHING
        with self._session():
            asked = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(self.table, kept.text)
            return self._fetch(asked, kept.parameters)[0][0]

    def scroll(
        self, where: Clause | None = None, vector: bool = False, payload: Sequence[str] = ()
    ) -> Iterator[Record]:
        kept, last = where or EVERYTHING, None
        while True:
            start = sql.SQL("id > %s::uuid") if last else sql.SQL("TRUE")
            asked = sql.SQL("SELECT {} FROM {} WHERE {} AND {} ORDER BY id LIMIT {}").format(
                _selected(vector, payload), self.table, start, kept.text, sql.Literal(BATCH)
            )
            parameters = [*([list(payload)] if payload else []), *([last] if last else []), *kept.parameters]
            with self._session():
                rows = self._fetch(asked, parameters)
            yield from map(_record, rows)
            if len(rows) < BATCH:
                return
            last = rows[-1][0]

    def retrieve(self, ids: Sequence[str], vector: bool = False) -> list[Record]:
        asked = sql.SQL("SELECT {} FROM {} WHERE id = ANY(%s::uuid[])").format(_selected(vector), self.table)
        with self._session():
            return [_record(row) for row in self._fetch(asked, (list(ids),))]

    def nearest(self, queries: Query, limit: int, where: Clause | None = None) -> list[list[Hit]]:
        return [self.recommend(Examples([query], []), limit, where) for query in queries.split()]

    def recommend(self, examples: Examples, limit: int, where: Clause | None = None) -> list[Hit]:
        return self._search().recommend(examples, limit, where or EVERYTHING)

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[tuple]]:
        """The connection, reopened if the server closed it; its errors become a one-line DataError."""
        if self._connection is None or self._connection.closed:
            prepared = self._ready
            self._connection, self._ready, self._claimed = connect(self.url, SETTINGS), False, False
            if prepared:
                self._prepare(self._connection)
        with translated_errors(self.place, self.url):
            yield self._connection

    def _prepare(self, connection: psycopg.Connection[tuple], create: bool = False) -> None:
        if not self._ready:
            require_pgvector(connection, self.place, create)
            self._ready = True

    def _do(self, command: Sql, parameters: Sequence[object] | None = None) -> None:
        with self._session() as connection:
            connection.execute(command, parameters)

    def _fetch(self, asked: Sql, parameters: Sequence[object] | None = None) -> list[tuple]:
        with self._session() as connection, connection.cursor(binary=True) as cursor:
            return cursor.execute(asked, parameters).fetchall()

    def _content(self, name: str) -> bytes | None:
        found = self._fetch(sql.SQL("SELECT content FROM {} WHERE name = %s").format(self.about), (name,))
        return found[0][0] if found else None

    def _write(self, name: str, content: bytes) -> None:
        command = "INSERT INTO {} VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET content = excluded.content"
        self._do(sql.SQL(command).format(self.about), (name, content))

    def _is_there(self) -> bool:
        """Whether one of our tables exists. Raises DataError if a foreign table has its name."""
        asked = sql.SQL(
            "SELECT obj_description(to_regclass(quote_ident(name)), 'pg_class') FROM unnest(%s::text[]) AS name "
            "WHERE to_regclass(quote_ident(name)) IS NOT NULL"
        )
        found = self._fetch(asked, ([self.collection, f"{self.collection}_catalog"],))
        if any(comment != OURS for (comment,) in found):
            raise DataError(f"the table {self.place} holds something else; name another with --collection")
        return bool(found)

    def _has_graphs(self) -> bool:
        if self._graphs is None:
            asked = sql.SQL("SELECT * FROM {} LIMIT 0").format(self.table)
            with self._session() as connection:
                columns = connection.execute(asked).description or ()
            self._graphs = any(column.name == "coarse" for column in columns)
        return self._graphs

    def _claim(self) -> None:
        """Lock out other writers until the index is complete or this process ends."""
        if self._claimed:
            return
        asked = sql.SQL("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))")
        if not self._fetch(asked, (self._lock_name,))[0][0]:
            raise InUse(f"the index {self.place} is in use by another process; wait until that ends")
        self._claimed = True

    def _release(self) -> None:
        self._fetch(sql.SQL("SELECT pg_advisory_unlock(hashtextextended(%s, 0))"), (self._lock_name,))
        self._claimed = False

    @property
    def _lock_name(self) -> str:
        return f"{OURS}: {self.collection}"

    def _delete(self, ids: Sequence[str]) -> None:
        self._do(sql.SQL("DELETE FROM {} WHERE id = ANY(%s::uuid[])").format(self.table), (list(ids),))

    def _index(self, what: str, method: sql.SQL, expression: Sql, how: Sql = NOTHING) -> sql.Composed:
        """The command that creates a database index if it is missing; a digest of `what` names it."""
        digest = hashlib.sha256(what.encode()).hexdigest()[:16]
        return sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING {} ({}) {}").format(
            sql.Identifier(f"{self.collection}_{digest}"), self.table, method, expression, how
        )

    def _index_graph(self) -> None:
        """Build the HNSW graph, in memory if it fits."""
        tuning = json.loads(self._content(MANIFEST) or "")["tuning"]
        how = sql.SQL("WITH (m = {}, ef_construction = {})").format(tuning["m"], tuning["ef_construct"])
        command = self._index("graph", sql.SQL("hnsw"), sql.SQL("coarse halfvec_ip_ops"), how)
        size = sql.SQL("SELECT count(*), (SELECT vector_dims(coarse) FROM {0} LIMIT 1) FROM {0}").format(self.table)
        ((rows, numbers),) = self._fetch(size)
        least, most = MEMORY
        memory = min(max(rows * (np.float16().nbytes * (numbers or 0) + POINT) // 10**6, least), most)
        with self._session() as connection:
            try:
                _build_graph(connection, command, memory)
            except errors.DiskFull:  # shared memory is full (64 MB in Docker); a serial build needs none
                _build_graph(connection, command, memory, serial=True)

    def _search(self) -> PostgresSearch:
        return PostgresSearch(self._fetch, self.table, self._has_graphs())


def _build_graph(connection: psycopg.Connection[tuple], command: Sql, memory: int, serial: bool = False) -> None:
    """Run the command that builds the graph with `memory` MB; `serial` uses no parallel workers."""
    with connection.transaction():
        connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", (f"{memory}MB",))
        if serial:
            connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        connection.execute(command)


def _type(half: bool) -> sql.SQL:
    return sql.SQL("halfvec" if half else "vector")


def _selected(vector: bool, payload: Sequence[str] = ()) -> Sql:
    """SQL of the columns that `_record` reads; with `payload` the query's first parameter is the list of its keys."""
    some = "(SELECT jsonb_object_agg(key, value) FROM jsonb_each(payload) WHERE key = ANY(%s::text[]))"
    return sql.SQL("id, {}, {}").format(
        sql.SQL(f"coalesce({some}, '{{}}')" if payload else "payload"), sql.SQL("vector" if vector else "NULL")
    )


def _record(row: tuple) -> Record:
    id, payload, vector = row
    return Record(str(id), payload, None if vector is None else vector.to_numpy().astype(np.float32))
