"""The index in a folder: its files, rows that are used again, inverted lists, and shortened vectors."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_catalog import EMBEDDING, products, write_catalog

from catalog import open_index
from catalog.engines.folder_content import ADDED, LISTS, VECTORS
from catalog.engines.folder_store import POINTS, FolderStore
from catalog.engines.inverted_lists import LIST_POINTS, InvertedLists
from catalog.engines.row_filters import RowTest
from catalog.engines.row_sets import RowSets
from catalog.engines.store import Hit, InUse, Query, Tuning
from catalog.engines.vector_file import VectorFile
from catalog.filters.columns import ID_COLUMN, key_parts, source_column
from catalog.index import build
from catalog.similar.matching import Index
from fashion.errors import DataError

APPROXIMATE = Tuning(approximate=True, asked=True)


@pytest.fixture(params=[Tuning(asked=True), APPROXIMATE], ids=["exact", "approximate"])
def tuning(request: pytest.FixtureRequest) -> Tuning:
    return request.param


@pytest.fixture(autouse=True)
def small_catalogs_are_searched_by_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.engines.folder_content.FEW", 0)


def ids(index: Index, query: str, **options: Any) -> list[str]:
    return [match.product.id for match in index.search(query, limit=20, **options)]


def test_rows_of_deleted_products_are_used_again(tmp_path: Path, tuning: Tuning) -> None:
    rows = products(500)
    store, anew = FolderStore(tmp_path / "index"), FolderStore(tmp_path / "anew")
    build(write_catalog(tmp_path / "first", rows[:300]), store, tuning)
    assert build(write_catalog(tmp_path / "second", rows[100:400]), store).deleted == 100
    size = (tmp_path / "index" / POINTS / VECTORS).stat().st_size
    third = write_catalog(tmp_path / "third", rows[200:])
    assert build(third, store).deleted == 100
    assert (tmp_path / "index" / POINTS / VECTORS).stat().st_size == size
    build(third, anew, tuning)
    with Index(store) as index, Index(anew) as other:
        for query in ("p250", "p499"):
            assert ids(index, query) == ids(other, query)
            assert ids(index, query, where="price < 40") == ids(other, query, where="price < 40")
        for gone in range(200):
            with pytest.raises(DataError, match=f"no product with the id 'p{gone}'"):
                index.product(f"p{gone}")


def test_lists_are_made_anew_as_a_catalog_grows(tmp_path: Path) -> None:
    rows = products(40 * LIST_POINTS)
    store = FolderStore(tmp_path / "index")
    build(write_catalog(tmp_path / "small", rows[: 3 * LIST_POINTS]), store, APPROXIMATE)
    lists = tmp_path / "index" / POINTS / LISTS
    size = InvertedLists(lists, 0)._index.d
    assert InvertedLists(lists, size)._index.nlist == 3
    grown = write_catalog(tmp_path / "grown", rows)
    assert build(grown, store).written == 37 * LIST_POINTS
    assert InvertedLists(lists, size)._index.nlist == 40
    with Index(store) as index:
        alike = [len(set(ids(index, f"p{i}")) & set(ids(index, f"p{i}", exact=True))) for i in range(0, len(rows), 90)]
        assert np.mean(alike) > 19


def test_an_update_that_ended_before_its_last_step_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that hold the added vectors already do not hold them twice."""
    rows = products(200)
    store = FolderStore(tmp_path / "index")
    build(write_catalog(tmp_path / "first", rows[:150]), store, APPROXIMATE)
    second = write_catalog(tmp_path / "second", rows)
    monkeypatch.setattr("catalog.engines.folder_content.MOST_ADDED", 0)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", _interrupt(Path.unlink))
        with pytest.raises(KeyboardInterrupt):
            build(second, store)
    assert (tmp_path / "index" / POINTS / ADDED).exists()
    with pytest.raises(DataError, match="half-written"):
        open_index(tmp_path / "index")
    assert build(second, store).unchanged == 200
    assert not (tmp_path / "index" / POINTS / ADDED).exists()
    with Index(store) as index:
        assert len(set(ids(index, "p3"))) == 20


def _interrupt(unlink: Any) -> Any:
    def interrupted(path: Path, missing_ok: bool = False) -> None:
        if path.name == ADDED:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    return interrupted


def test_threads_search_at_once(tmp_path: Path, tuning: Tuning) -> None:
    build(write_catalog(tmp_path / "scored", products(300)), FolderStore(tmp_path / "index"), tuning)
    with open_index(tmp_path / "index") as index, ThreadPoolExecutor(8) as pool:
        queries = [f"p{i}" for i in range(60)]
        wanted = [ids(index, query, where="price < 60") for query in queries]
        assert list(pool.map(lambda query: ids(index, query, where="price < 60"), queries)) == wanted


def test_a_narrow_filter_finds_all_that_pass(tmp_path: Path) -> None:
    build(write_catalog(tmp_path / "scored", products(2000)), FolderStore(tmp_path / "index"), APPROXIMATE)
    with open_index(tmp_path / "index") as index:
        for where in ("price < 6", "price < 20", "brand = Acme and stock = 0"):
            assert ids(index, "p3", where=where) == ids(index, "p3", where=where, exact=True)


@pytest.fixture
def vectors() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(0.2, 1, (50, 64)).astype(np.float32)  # negative numbers too, as ConvNeXt has
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.concatenate([embeddings, rng.random((50, 8), np.float32)], axis=1)


def test_shortened_vectors(tmp_path: Path, vectors: np.ndarray) -> None:
    file = VectorFile(tmp_path / "vectors", 72, 64)
    rows = np.arange(50)[::-1]
    file.write(rows, vectors)
    read = file.read(rows)
    assert np.abs(read - vectors).max() < 0.003
    np.testing.assert_allclose(np.linalg.norm(read[:, :64], axis=1), 1, atol=1e-6)
    assert (tmp_path / "vectors").stat().st_size == 50 * (8 + 64 + 16)
    whole = VectorFile(tmp_path / "whole", 72, None)
    whole.write(rows, vectors)
    np.testing.assert_array_equal(whole.read(slice(10, 20)), vectors[rows[10:20]])


def test_equal_embeddings_have_a_cosine_of_1(tmp_path: Path) -> None:
    rows = products(100)
    rows[7]["embedding"], rows[7]["logits"] = rows[3]["embedding"], rows[3]["logits"]
    build(write_catalog(tmp_path / "scored", rows), FolderStore(tmp_path / "index"), APPROXIMATE)
    with open_index(tmp_path / "index") as index:
        assert index.duplicates(threshold=1) == [["p3", "p7"]]


class CountingStore(FolderStore):
    """Counts the hits of joint queries."""

    hits = 0

    def nearest(self, queries: Query, limit: int, where: RowTest | None = None) -> list[list[Hit]]:
        found = super().nearest(queries, limit, where)
        self.hits += sum(map(len, found))
        return found


def test_a_photograph_of_many_products_is_compared_once(tmp_path: Path) -> None:
    """Such as a placeholder: the number of pairs of its products is quadratic."""
    rows = products(700)
    for row in rows[100:]:
        row["embedding"], row["logits"] = rows[3]["embedding"], rows[3]["logits"]
    store = CountingStore(tmp_path / "index")
    build(write_catalog(tmp_path / "scored", rows), store)
    with Index(store) as index:
        assert index.duplicates() == [sorted(["p3", *(f"p{i}" for i in range(100, 700))])]
        assert store.hits < 10_000
        found = ids(index, "p500", where="price>0")
        assert len(found) == 20
        assert all(int(id[1:]) < 100 for id in found)


def kinds(count: int) -> list[dict[str, Any]]:
    """Products of two kinds with embeddings far from each other; the brand is the kind."""
    rng = np.random.default_rng(0)
    rows = products(count)
    for number, row in enumerate(rows):
        kind = number % 3 == 0
        row["embedding"] = rng.random(EMBEDDING) * (np.arange(EMBEDDING) < EMBEDDING / 2 if kind else 1) + 3 * (
            not kind
        )
        row["brand"] = "Near" if kind else "Far"
    return rows


def test_a_filter_finds_products_far_from_the_query(tmp_path: Path) -> None:
    build(write_catalog(tmp_path / "scored", kinds(20_000)), FolderStore(tmp_path / "index"), APPROXIMATE)
    with open_index(tmp_path / "index") as index:
        assert len(index.search("p0", where="brand=Far", limit=50, space="embedding", duplicates=True)) == 50
        assert len(index.search("p0", limit=6000, duplicates=True)) == 6000


def test_deleted_products_are_found_by_nothing(tmp_path: Path, tuning: Tuning) -> None:
    rows = products(400)
    store = FolderStore(tmp_path / "index")
    build(write_catalog(tmp_path / "first", rows), store, tuning)
    assert build(write_catalog(tmp_path / "second", rows[:300]), store).deleted == 100
    with Index(store) as index:
        index.duplicates(exact=False)
        vector = index.product("p3").point
        for limit in (10, 250, 1000):
            assert {product.id for product in index.nearest(vector, None, limit)} <= {f"p{i}" for i in range(300)}
    assert build(write_catalog(tmp_path / "third", rows[:301]), store).written == 1
    with Index(store) as index:
        assert len(index.nearest(vector, None, 1000)) == 301


def test_products_that_came_and_went(tmp_path: Path, tuning: Tuning) -> None:
    """Their rows are beyond those of the last indexing of columns, and no point has them any more."""
    rows = products(120)
    store = FolderStore(tmp_path / "index")
    for count in (100, 120, 100):
        build(write_catalog(tmp_path / f"scored{count}-{time.monotonic_ns()}", rows[:count]), store, tuning)
    with Index(store) as index:
        assert len(ids(index, "p3", where="stock >= 0")) == 20
        assert len(index.nearest(index.product("p3").point, None, 1000)) == 100


@pytest.mark.parametrize("most", [0, 500])
def test_what_a_killed_run_leaves_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Half a record, and vectors of products that the table does not have."""
    monkeypatch.setattr("catalog.engines.folder_content.MOST_ADDED", most)
    store, added = FolderStore(tmp_path / "index"), tmp_path / "index" / POINTS / ADDED
    rows = products(200)
    build(write_catalog(tmp_path / "first", rows[:100]), store, APPROXIMATE)
    store.open()
    content = store._opened()
    records = np.zeros(150, content._added_type)
    records["row"] = np.arange(150)
    added.write_bytes(records.tobytes()[:-5])
    store.close()
    assert build(write_catalog(tmp_path / "second", rows[:110]), store).written == 10
    with Index(store) as index:
        assert len(ids(index, "p105")) == 20
        assert len(index.nearest(index.product("p105").point, None, 110)) == 110


def test_missing_files(tmp_path: Path) -> None:
    scored = write_catalog(tmp_path / "scored", products(100))
    store = FolderStore(tmp_path / "index")
    build(scored, store, APPROXIMATE)
    (tmp_path / "index" / POINTS / LISTS).unlink()
    with pytest.raises(DataError, match=r"lists\.faiss is missing; give --replace"):
        build(scored, store)
    assert build(scored, store, anew=True).written == 100
    manifest = store.read_manifest()
    assert manifest
    store.write_manifest(manifest | {"complete": False})  # killed while the points were being replaced
    shutil.rmtree(tmp_path / "index" / POINTS)
    assert build(scored, store).written == 100


def test_an_index_in_use_stays_as_it_is(tmp_path: Path, tuning: Tuning) -> None:
    scored = write_catalog(tmp_path / "scored", products(100))
    store = FolderStore(tmp_path / "index")
    build(scored, store, tuning)
    more = write_catalog(tmp_path / "more", products(120))
    with open_index(tmp_path / "index") as index:
        with open_index(tmp_path / "index") as other:
            for refused in (lambda: build(more, store), lambda: index.store.delete([]), index.store.finish):
                with pytest.raises(InUse):
                    refused()
            assert len(ids(other, "p3")) == 20
        with pytest.raises(InUse):  # the refused one is still a reader
            build(more, store)
        assert len(ids(index, "p3")) == 20
    assert build(more, store).written == 20


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    write_catalog(tmp_path / "scored", products(3000))
    command = f"ulimit -f 200; {sys.executable} -m catalog.index {tmp_path / 'scored'} --out {tmp_path / 'index'}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["Art. No.", "No.", "a.b", 'odd "name"', "x ", "."])
def test_places_of_columns(name: str) -> None:
    column = source_column(name, "text")
    assert key_parts(column.key) == column.place


def test_changed_points_are_grouped_once_for_a_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, calls = FolderStore(tmp_path / "index"), []
    rows = products(120)
    build(write_catalog(tmp_path / "first", rows[:100]), store)
    build(write_catalog(tmp_path / "second", [row | {"price": 7.0} for row in rows[:20]] + rows[20:]), store)
    sets = RowSets.sets
    monkeypatch.setattr(RowSets, "sets", lambda own: calls.append(own) or sets(own))
    with Index(store) as index:
        wanted = [f"p{i}" for i in range(10, 120)]
        found = index.store.scroll(index.store.builder.has_value(ID_COLUMN, [*wanted, "no such id"]))
        assert sorted(record.payload["id"] for record in found) == sorted(wanted)
    assert len(calls) == 1
