"""An index in PostgreSQL: behavior beyond that of all engines, and error messages."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from scored_catalog import COLUMNS, products, write_catalog

from catalog import duplicates, open_index, recommend, replace, search
from catalog.analysis.opening import open_scored
from catalog.engines.folder_store import FolderStore
from catalog.engines.postgres_connection import without_secrets
from catalog.engines.postgres_filters import PostgresBuilder
from catalog.engines.postgres_store import PostgresStore
from catalog.engines.store import InUse, Tuning
from catalog.filters.columns import Column, key_parts, source_column
from catalog.filters.where import parse
from catalog.index import Changes, build, main
from catalog.scored.table import Scored
from catalog.similar.matches import Match
from catalog.similar.matching import Index
from fashion.errors import DataError, SettingError
from serving.ports import free_ports

PASSWORD = "geh%3Aeim"  # URL-encoded geh:eim
GRAPHS = Tuning(approximate=True, asked=True)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return write_catalog(tmp_path_factory.mktemp("postgres") / "scored", products(300))


@pytest.fixture
def collection() -> str:
    return f"t{uuid4().hex}"


@pytest.fixture
def role(postgres: str) -> Iterator[str]:
    """A role with a password and without privileges."""
    name = f"u{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'geh:eim'").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def as_role(postgres: str, role: str, password: str = PASSWORD, database: str = "postgres") -> str:
    """The URL of a database over TCP, including a password."""
    port = parse_qs(urlsplit(postgres).query)["port"][0]
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, command=main) -> str:  # type: ignore[no-untyped-def]
    """The error line of a failing command."""
    with pytest.raises(SystemExit) as stop:
        command(list(arguments))
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "geh" not in error
    return error


def ids(matches: list[Match]) -> list[str]:
    return [match.product.id for match in matches]


def test_every_command_takes_the_server(
    scored: Scored, postgres: str, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ["--postgres", postgres, "--collection", collection]
    assert main([str(scored.folder), *server]) == 0
    shown = f"{collection} at {without_secrets(postgres)}"
    assert capsys.readouterr().out == f"{shown}: 300 products; 300 written, 0 deleted, 0 unchanged\n"
    build(scored, FolderStore(scored.folder / "index"))
    for command, asked in (
        (search, ["--id", "p3", "--where", "price<50"]),
        (replace, ["p3", "--stock", "stock"]),
        (replace, ["--stock", "stock", "p3"]),
        (recommend, ["--like", "p3,p9", "--unlike", "p4"]),
        (duplicates, ["--threshold", "0.99"]),
    ):
        found = []
        folder = str(scored.folder / "index")
        placed = [[*server, *asked], [folder, *asked]]
        if command is not replace:
            placed.append([*asked, folder])
        for given in placed:
            assert command.main([*given, "--json"]) == 0
            found.append(capsys.readouterr().out)
        assert all(each == found[0] for each in found)
        assert found[0] or command is duplicates
    place = urlsplit(postgres)._replace(path=f"/postgres/{collection}").geturl()
    assert open_scored(place).rows == 300
    with open_index(place) as index:
        assert len(index) == 300


def test_exactly_one_index_must_be_named(scored: Scored, postgres: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--where", "price<9"]
    assert "name exactly one index, none is named" in refused(capsys, *asked, command=search.main)
    both = [str(scored.folder / "index"), "--postgres", postgres, *asked]
    assert "name exactly one index, two are named" in refused(capsys, *both, command=search.main)
    out = [str(scored.folder), "--out", "here", "--postgres", postgres]
    assert "--out names a folder and --postgres a server" in refused(capsys, *out)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("host=127.0.0.1 password=geheim", "--postgres takes a URL, such as postgresql://USER@HOST:5432/DATABASE"),
        ("postgresql://me:geheim@127.0.0.1:port/db", "--postgres takes postgresql://USER@HOST:5432/DATABASE, not"),
        ("postgresql://me:geheim@127.0.0.1:1/db?pasword=geheim", "--postgres takes postgresql://USER@HOST"),
        ("postgresql://me:geheim@127.0.0.1:1/db/more", "names no collection"),
    ],
)
def test_invalid_urls(url: str, message: str, scored: Scored, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(capsys, str(scored.folder), "--postgres", url)


def test_passwords_are_hidden_in_urls() -> None:
    url = "postgresql://me:geheim@db.example:5433/shop?sslmode=require&password=geheim&sslpassword=geheim"
    assert without_secrets(url) == "postgresql://me@db.example:5433/shop"
    assert without_secrets("postgresql://:geheim@/shop?host=/run/x&port=1") == "postgresql:///shop?host=/run/x&port=1"
    assert without_secrets("postgresql://me:ge/heim@db/shop") == "postgresql://..."
    assert without_secrets("postgresql://me:geheim@db/shop?pass=geheim") == "postgresql://..."


def test_no_server_answers_at_the_url(scored: Scored, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    url = f"postgresql://me:geheim@127.0.0.1:{port}/shop"
    error = refused(capsys, str(scored.folder), "--postgres", url)
    assert f"no PostgreSQL database answers at postgresql://me@127.0.0.1:{port}/shop: " in error
    assert "Connection refused" in error


def test_a_wrong_password_and_a_wrong_database(
    scored: Scored, postgres: str, role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, str(scored.folder), "--postgres", as_role(postgres, role, "geheim"))
    assert f'password authentication failed for user "{role}"' in error
    error = refused(capsys, str(scored.folder), "--postgres", as_role(postgres, role, database="nowhere"))
    assert 'database "nowhere" does not exist' in error


def test_missing_privileges(
    scored: Scored, postgres: str, role: str, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A role without write access can search once read access is granted; the password is not stored."""
    mine = ["--postgres", as_role(postgres, role), "--collection", collection]
    build(scored, PostgresStore(postgres, f"{collection}x"), GRAPHS)  # creates the extension
    assert "permission denied for schema public" in refused(capsys, str(scored.folder), *mine)
    build(scored, PostgresStore(postgres, collection), GRAPHS)
    denied = f"PostgreSQL does not allow this user to do that with {collection} at postgresql://{role}@127.0.0.1"
    assert denied in refused(capsys, *mine, "--where", "price<9", command=search.main)
    with psycopg.connect(postgres, autocommit=True) as admin:
        for table in (collection, f"{collection}_catalog"):
            admin.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(*map(sql.Identifier, (table, role))))
    assert search.main([*mine, "--text", "black", "--json"]) == 0
    assert search.main([*mine, "--id", "p3"]) == 0
    capsys.readouterr()
    assert denied in refused(capsys, str(scored.folder), *mine)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(role)))
        mine[-1] = f"{collection}y"
        assert main([str(scored.folder), *mine]) == 0
        kept = admin.execute(sql.SQL("SELECT content FROM {}").format(sql.Identifier(f"{collection}y_catalog")))
        assert all(b"geh" not in content for (content,) in kept)


def test_a_database_without_pgvector(
    scored: Scored, postgres: str, role: str, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"d{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        mine = ["--postgres", as_role(postgres, role, database=database), "--collection", collection]
        assert "is not an index" in refused(capsys, *mine, "--where", "price<9", command=search.main)
        error = refused(capsys, str(scored.folder), *mine)
        assert "has no extension vector, and this user may not add it; let its owner run CREATE EXTENSION" in error
        owner = urlsplit(postgres)._replace(path=f"/{database}").geturl()
        assert main([str(scored.folder), "--postgres", owner, "--collection", collection]) == 0
        admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database)))


def test_foreign_tables_are_not_changed(scored: Scored, postgres: str, collection: str) -> None:
    store = PostgresStore(postgres, collection)
    for name in (collection, f"{collection}_catalog"):
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE TABLE {} AS SELECT 7 AS mine").format(sql.Identifier(name)))
            for anew in (False, True):
                with pytest.raises(DataError, match=f"the table {collection} at .* holds something else; name another"):
                    build(scored, store, anew=anew)
            assert admin.execute(sql.SQL("TABLE {}").format(sql.Identifier(name))).fetchall() == [(7,)]
            admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    with pytest.raises(SettingError, match="cannot be called 'a b'"):
        PostgresStore(postgres, "a b")


def test_a_table_changed_by_another_program(scored: Scored, postgres: str, collection: str) -> None:
    build(scored, PostgresStore(postgres, collection))
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(collection)))
        with pytest.raises(DataError, match=r"was deleted or changed by another process: .*; index the catalog again"):
            Index(PostgresStore(postgres, collection))
        assert build(scored, PostgresStore(postgres, collection), anew=True).written == 300
        admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(f"{collection}_catalog")))
        with pytest.raises(DataError, match="has lost its manifest"):
            Index(PostgresStore(postgres, collection))


def test_one_writes_and_others_read(scored: Scored, postgres: str, collection: str) -> None:
    build(scored, PostgresStore(postgres, collection))
    with Index(PostgresStore(postgres, collection)) as one, Index(PostgresStore(postgres, collection)) as other:
        assert ids(one.search("p3")) == ids(other.search("p3"))
        one.store.delete([])
        for anew in (False, True):
            with pytest.raises(InUse, match="is in use by another process"):
                build(scored, PostgresStore(postgres, collection), anew=anew)
        assert len(other.search("p3")) == 10
    assert build(scored, PostgresStore(postgres, collection)) == Changes(0, 0, 300)


def test_a_closed_connection_is_reopened(scored: Scored, postgres: str, collection: str) -> None:
    build(scored, PostgresStore(postgres, collection))
    named = f"{postgres}&application_name={collection}"
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
    with Index(PostgresStore(named, collection)) as index, psycopg.connect(postgres, autocommit=True) as admin:
        found = ids(index.search("p3"))
        assert admin.execute(ended, (collection,)).fetchall() == [(True,)]
        with pytest.raises(DataError, match=f"PostgreSQL failed with {collection} at .*: terminating connection"):
            index.search("p3")
        assert ids(index.search("p3")) == found


def test_kill_9_while_indexing(tmp_path: Path, postgres: str, collection: str) -> None:
    scored = write_catalog(tmp_path / "scored", products(3000), part=500)
    command = [sys.executable, "-m", "catalog.index", str(scored.folder), "--ann"]
    process = subprocess.Popen(
        [*command, "--postgres", postgres, "--collection", collection],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(collection))
    with psycopg.connect(postgres, autocommit=True) as watcher:
        written, end = 0, time.monotonic() + 120
        while not written and process.poll() is None and time.monotonic() < end:
            try:
                written = watcher.execute(count).fetchone()[0]
            except psycopg.errors.UndefinedTable:
                time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(DataError, match=r"half-written: .* python -m catalog.index .* --postgres .* completes it"):
        Index(PostgresStore(postgres, collection))
    changes = _build_with_retries(scored, postgres, collection)
    assert 0 < changes.unchanged < 3000
    assert changes.written + changes.unchanged == 3000
    build(scored, FolderStore(tmp_path / "index"), GRAPHS)
    with Index(PostgresStore(postgres, collection)) as index, Index(FolderStore(tmp_path / "index")) as other:
        assert index.manifest.tuning == GRAPHS
        everything = [{r.id: r.payload for r in each.store.scroll()} for each in (index, other)]
        assert everything[0] == everything[1]


def _build_with_retries(scored: Scored, postgres: str, collection: str) -> Changes:
    """Retry until the server has noticed that the killed client is gone."""
    for _ in range(100):
        try:
            return build(scored, PostgresStore(postgres, collection))
        except InUse:
            time.sleep(0.1)
    raise AssertionError("the lock stays")


ODD = ["100 % wool", "{}", "a.b", "it's", "back\\slash", "%s", '"']


def test_names_and_values_are_never_part_of_the_command(tmp_path: Path, postgres: str, collection: str) -> None:
    values = [*ODD, "'; DROP TABLE x; --", "Écru 羊毛"]
    rows = [row | dict.fromkeys(ODD, value) for row, value in zip(products(len(values)), values, strict=True)]
    columns = [*COLUMNS, *(pa.field(name, pa.string()) for name in ODD)]
    build(write_catalog(tmp_path / "scored", rows, columns=columns), PostgresStore(postgres, collection))
    with Index(PostgresStore(postgres, collection)) as index:
        for name in ODD:
            for number, value in enumerate(values):
                quote = "'" if '"' in name else '"'
                around = '"' if "'" in value else "'"
                found = index.search(where=f"{quote}{name}{quote} = {around}{value}{around}", limit=20, duplicates=True)
                assert [match.product.id for match in found] == [f"p{number}"]


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ('brand="Levi\'s"', "Bitmap"),
        ("color in (Black, 'Navy Blue')", "Bitmap"),
        ("price<6", "Index"),
        ("added>2026-04-09", "Index"),
    ],
)
def test_filters_use_their_indexes(scored: Scored, postgres: str, collection: str, text: str, method: str) -> None:
    build(scored, PostgresStore(postgres, collection))
    with Index(PostgresStore(postgres, collection)) as index:
        kept = parse(text, index.columns).build(index.store.builder)
    with psycopg.connect(postgres, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("SET enable_seqscan = off")
        asked = sql.SQL("EXPLAIN SELECT id FROM {} WHERE {}").format(sql.Identifier(collection), kept.text)
        plan = " ".join(line for (line,) in connection.execute(asked, kept.parameters))
    assert f"on {collection}_" in plan or f"using {collection}_" in plan
    assert method in plan


def test_unknown_conditions_are_refused() -> None:
    with pytest.raises(KeyError):
        PostgresBuilder().between(source_column("price", "number"), {"near": 1.0})
    assert key_parts(Column("x", "text", ("source", 'sale. "price'.replace('"', "″"))).key) == (
        "source",
        "sale. ″price",
    )


def test_a_text_column_becomes_numeric(tmp_path: Path, postgres: str, collection: str) -> None:
    """A column changes its kind: rows of the old kind cause no error, and new rows are found."""
    rows = products(40)
    texts = [pa.field("price", pa.string())]
    build(
        write_catalog(tmp_path / "one", [row | {"price": "cheap"} for row in rows], columns=texts),
        PostgresStore(postgres, collection),
    )
    assert build(write_catalog(tmp_path / "two", rows, columns=COLUMNS[:1]), PostgresStore(postgres, collection)) == (
        Changes(40, 0, 0)
    )
    with Index(PostgresStore(postgres, collection)) as index:
        found = {match.product.id for match in index.search(where="price<50", limit=40, duplicates=True)}
    assert found == {row["id"] for row in rows if row["price"] is not None and row["price"] < 50}


def test_a_nul_character_is_reported(tmp_path: Path, postgres: str, collection: str) -> None:
    rows = [row | {"brand": "Ac\0me" if row["id"] == "p3" else "Acme"} for row in products(5)]
    with pytest.raises(DataError, match="product 'p3' has a NUL character, which PostgreSQL cannot keep"):
        build(write_catalog(tmp_path / "scored", rows), PostgresStore(postgres, collection))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return write_catalog(tmp_path_factory.mktemp("large") / "scored", products(4000, clusters=40), part=1000)


def graph_scans(store: PostgresStore) -> int:
    """The number of scans of the graph, counted by the server."""
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        asked = (
            "SELECT sum(idx_scan) FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid) JOIN pg_class ON "
            "pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam WHERE pg_stat_user_indexes.relname = %s AND "
            "amname = 'hnsw'"
        )
        return int(connection.execute(asked, (store.collection,)).fetchone()[0])


def test_the_graph_is_used_if_it_is_faster(large: Scored, postgres: str, collection: str) -> None:
    """Recall of the graph is high; for selective filters, all products that pass are compared."""
    walking = f"{postgres}&options=-c%20enable_seqscan%3Doff"  # otherwise so few products are scanned sequentially
    store = PostgresStore(walking, collection)
    build(large, store, GRAPHS)
    recall, walked = {}, {}
    for where in (None, "stock>0", "id in (p1, p2, p3)"):
        before = graph_scans(store)
        with Index(PostgresStore(walking, collection)) as index:
            found, wanted = [], []
            for number in range(0, 400, 20):
                for exact, names in ((False, found), (True, wanted)):
                    matches = index.search(f"p{number}", where=where, exact=exact, duplicates=True)
                    names += [(number, match.product.id) for match in matches]
        recall[where] = len({*found} & {*wanted}) / len(wanted)
        walked[where] = graph_scans(store) - before
    assert walked[None] >= 20
    assert walked["id in (p1, p2, p3)"] == 0
    assert recall["id in (p1, p2, p3)"] == 1
    assert min(recall.values()) > 0.97


def test_too_few_results_of_the_graph_are_completed(
    large: Scored, postgres: str, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products that pass a filter are found even if PostgreSQL misestimates its selectivity."""
    monkeypatch.setattr("catalog.engines.postgres_search.STEP", 0)
    store = PostgresStore(f"{postgres}&options=-c%20enable_seqscan%3Doff", collection)
    build(large, store, GRAPHS)
    before = graph_scans(store)
    with Index(PostgresStore(store.url, collection)) as index:
        found = index.search("p0", where="price<6 and stock>0", limit=30, duplicates=True)
        exact = index.search("p0", where="price<6 and stock>0", limit=30, exact=True, duplicates=True)
        assert ids(found) == ids(exact)
        liked = index.recommend(["p0", "p1"], ["p40", "p41"], limit=5, duplicates=True)
        exact = index.recommend(["p0", "p1"], ["p40", "p41"], limit=5, exact=True, duplicates=True)
        assert len({*ids(liked)} & {*ids(exact)}) >= 4
    assert found
    assert graph_scans(store) > before


def test_a_graph_is_built_where_shared_memory_is_short(
    scored: Scored, postgres: str, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Docker, where /dev/shm has 64 MB: too little for a parallel build, enough for a build in one process."""
    monkeypatch.setattr("catalog.engines.postgres_store.MEMORY", (10**6, 10**6))
    store = PostgresStore(f"{postgres}&options=-c%20min_parallel_table_scan_size%3D0", collection)
    assert build(scored, store, GRAPHS).written == 300
    with Index(store) as index:
        assert len(index.search("p3")) == 10


def test_many_weights_do_not_overflow(large: Scored, postgres: str, collection: str) -> None:
    """With graphs, whole products are stored as float16, whose maximum is 65,504."""
    build(large, PostgresStore(postgres, collection), GRAPHS)
    with Index(PostgresStore(postgres, collection)) as index:
        for exact in (False, True):
            found = index.search("p0", weights={"color": 1e6}, exact=exact, duplicates=True)
            assert len(found) == 10
            assert np.isfinite([match.similarity for match in found]).all()


def test_the_manifest_can_be_read_in_the_database(scored: Scored, postgres: str, collection: str) -> None:
    build(scored, PostgresStore(postgres, collection))
    with psycopg.connect(postgres, autocommit=True) as admin:
        asked = "SELECT convert_from(content, 'utf8') FROM {} WHERE name = 'index.json'"
        (text,) = admin.execute(sql.SQL(asked).format(sql.Identifier(f"{collection}_catalog"))).fetchone()
    assert json.loads(text)["rows"] == 300


def test_without_psycopg_the_extra_is_named(scored: Scored, tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('no psycopg')")
    program = "from catalog.index import main; main()"
    command = [sys.executable, "-c", program, str(scored.folder), "--postgres", "postgresql://me@127.0.0.1/db"]
    ended = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "PostgreSQL needs the extra postgres, which is not installed (no psycopg)" in ended.stderr
    assert "pip install '.[postgres]' in the project's folder" in ended.stderr
