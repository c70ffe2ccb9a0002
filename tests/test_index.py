"""Indexing: the index equals the catalog, whatever it held before and however earlier runs ended."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_stores import ENGINES, MakeStore, new_store
from qdrant_client import QdrantClient, models
from scored_catalog import LOCAL_MODE, MODEL, OTHER_MODEL, TAXONOMY, products, write_catalog

from catalog import open_index
from catalog.engines.folder_store import MANIFEST, POINTS, FolderStore
from catalog.engines.server_store import ServerStore
from catalog.engines.store import Store, Tuning
from catalog.index import Changes, build, main
from catalog.scored.table import Scored
from catalog.similar.manifest import SCHEMA, IndexManifest
from catalog.similar.matching import Index
from catalog.similar.spaces import scores
from fashion.errors import DataError, SettingError

pytestmark = LOCAL_MODE


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    with new_store(request.param, request, tmp_path / "index") as make:
        yield make


def content(store: Store) -> dict[str, tuple[dict[str, Any], list[float]]]:
    """The whole content of an index, by product."""
    with Index(store) as index:
        return {
            record.payload["id"]: (record.payload, np.round(record.vector, 4).tolist())
            for record in index.store.scroll(vector=True)
        }


def test_the_index_holds_the_catalog(tmp_path: Path, store: MakeStore) -> None:
    rows = products(60)
    scored = write_catalog(tmp_path / "scored", rows)
    assert build(scored, store()) == Changes(written=60, deleted=0, unchanged=0)
    with Index(store()) as index:
        assert len(index) == 60
        wanted = scores(scored.vectors("probabilities"), TAXONOMY)
        for row, own, embedding in zip(rows, wanted, scored.vectors("embedding"), strict=True):
            product = index.product(row["id"])
            np.testing.assert_allclose(product.scores, own, atol=1e-6)
            np.testing.assert_allclose(product.embedding, embedding / np.linalg.norm(embedding), atol=1e-5)
            assert product.image == row["image"]
            colors = [
                label.name
                for label, logit in zip(TAXONOMY.labels, row["logits"], strict=True)
                if label.group == "color" and logit > 0
            ]
            assert product.attributes["color"] == colors
            assert product.source.get("price") == row["price"]
            assert product.source.get("brand") == (row["brand"] or None)
            assert product.source["sale"] == str(row["sale"]).lower()
            assert product.source["added"] == f"{row['added']}T00:00:00Z"
            assert product.source.get('odd "name", of it') == row['odd "name", of it']
            assert "photo" not in product.source


def test_only_what_changed_is_written(tmp_path: Path, store: MakeStore) -> None:
    rows = products(60)
    build(write_catalog(tmp_path / "first", rows), store())
    changed = [row | {"price": 1.0} if i == 3 else row for i, row in enumerate(rows) if i >= 2]
    moved = [row | {"embedding": row["embedding"] + 1} if row["id"] == "p7" else row for row in changed]
    second = write_catalog(tmp_path / "second", moved + products(65, seed=5)[60:])
    assert build(second, store()) == Changes(written=2 + 5, deleted=2, unchanged=56)
    anew = FolderStore(tmp_path / "anew")
    build(second, anew)
    assert content(store()) == content(anew)
    manifests = [IndexManifest.from_json(each.read_manifest() or {}, "") for each in (store(), anew)]
    assert manifests[0].scales == manifests[1].scales
    assert build(second, store()) == Changes(written=0, deleted=0, unchanged=63)


def test_another_models_catalog_is_refused(tmp_path: Path, store: MakeStore) -> None:
    build(write_catalog(tmp_path / "first", products(10)), store())
    other = write_catalog(tmp_path / "second", products(12), OTHER_MODEL)
    before = content(store())
    with pytest.raises(DataError, match=r"scored by fashion 1.0 \(abababababab\), .* scored by fashion 1.0 \(cdcdcdcd"):
        build(other, store())
    assert content(store()) == before
    assert build(other, store(), anew=True) == Changes(written=12, deleted=0, unchanged=0)


def test_another_models_photograph_is_refused(tmp_path: Path, store: MakeStore) -> None:
    build(write_catalog(tmp_path / "scored", products(10)), store())
    with Index(store()) as index:
        index.check_model(MODEL)
        with pytest.raises(
            DataError, match=r"made by the model fashion 1.0 \(abababababab\), the bundle holds fashion 2 "
        ):
            index.check_model(OTHER_MODEL | {"version": "2"})


def test_an_index_that_is_cut_off_is_refused_and_completed(tmp_path: Path, store: MakeStore) -> None:
    scored = write_catalog(tmp_path / "scored", products(600), part=300)

    class CutOff(Scored):
        def batches(self, columns: Any = None, rows: int = 300) -> Iterator[Any]:
            yield next(super().batches(columns, rows))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(CutOff(scored.folder, scored.manifest, scored.schema), store())
    with pytest.raises(
        DataError, match=f"half-written: .* python -m catalog.index {tmp_path / 'scored'} --.* completes it"
    ):
        Index(store())
    assert build(scored, store()) == Changes(written=600 - 256, deleted=0, unchanged=256)
    assert len(content(store())) == 600


def test_the_command_that_completes_an_index_is_quoted(tmp_path: Path) -> None:
    scored = write_catalog(tmp_path / "my shop", products(10))
    build(scored, FolderStore(tmp_path / "my shop/index"))
    path = tmp_path / "my shop/index" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"complete": False}))
    with pytest.raises(DataError) as error:
        Index(FolderStore(tmp_path / "my shop/index"))
    command = shlex.split(str(error.value).partition("; ")[2].removesuffix(" completes it"))
    assert main(command[3:]) == 0


def test_kill_9_while_indexing(tmp_path: Path) -> None:
    """Repeatedly killed at any moment, each run continues the work, and the last one completes the index."""
    scored = write_catalog(tmp_path / "scored", products(1500), part=500)
    out = tmp_path / "index"
    command = [sys.executable, "-m", "catalog.index", str(tmp_path / "scored"), "--out", str(out)]
    cut_off = 0
    for wait in (0.0, 0.2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while not (out / POINTS / "points.sqlite").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        manifest = FolderStore(out).read_manifest()
        if manifest and not manifest["complete"]:
            cut_off += 1
            with pytest.raises(DataError, match="half-written"):
                open_index(out)
    assert cut_off
    changes = build(scored, FolderStore(out))
    assert changes.written + changes.unchanged == 1500
    anew = FolderStore(tmp_path / "anew")
    build(scored, anew)
    assert content(FolderStore(out)) == content(anew)


@pytest.mark.parametrize("name", ["points.sqlite", "lists.faiss", "vectors.bin", "lock"])
def test_an_interrupted_index_that_cannot_be_opened_is_rebuilt(tmp_path: Path, name: str) -> None:
    scored = write_catalog(tmp_path / "scored", products(20))
    store, tuning = FolderStore(tmp_path / "index"), Tuning(approximate=True, asked=True)
    build(scored, store, tuning)
    broken = tmp_path / "index" / POINTS / name
    broken.unlink()
    if name != "lock":
        broken.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"cannot be opened: .*; give --replace to index again"):
        build(scored, FolderStore(tmp_path / "index"))
    manifest = IndexManifest.from_json(store.read_manifest(), "")
    store.write_manifest(replace(manifest, complete=False).to_json())
    assert build(scored, FolderStore(tmp_path / "index")) == Changes(written=20, deleted=0, unchanged=0)


def test_an_empty_catalog(tmp_path: Path, store: MakeStore) -> None:
    assert build(write_catalog(tmp_path / "scored", []), store()) == Changes(0, 0, 0)
    with pytest.raises(DataError, match=f"is empty: {tmp_path / 'scored'} held no product"):
        Index(store())


def test_folders_that_are_not_an_index(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere' is not an index; python -m catalog\.index makes one"):
        open_index(tmp_path / "nowhere")
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(DataError, match=r"index\.json cannot be read as JSON"):
        open_index(tmp_path)
    (tmp_path / MANIFEST).write_text('{"schema": 99}')
    with pytest.raises(DataError, match="has schema 99"):
        open_index(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps({"schema": SCHEMA}))
    with pytest.raises(DataError, match="broken manifest"):
        open_index(tmp_path)
    with pytest.raises(SettingError, match="names no collection"):
        open_index("http://127.0.0.1:6333")


def test_foreign_folders_and_collections_are_not_changed(tmp_path: Path) -> None:
    scored = write_catalog(tmp_path / "scored", products(5))
    (tmp_path / POINTS).mkdir()
    (tmp_path / POINTS / "mine").touch()
    with pytest.raises(DataError, match="belongs to no index; choose another folder with --out"):
        build(scored, FolderStore(tmp_path))
    assert (tmp_path / POINTS / "mine").exists()
    client = QdrantClient(":memory:")
    client.create_collection("mine", models.VectorParams(size=2, distance=models.Distance.DOT))
    client.close = lambda **_: None  # closing would lose the data in memory
    for anew in (False, True):
        with pytest.raises(DataError, match="memory/mine holds something else; name another with --collection"):
            build(scored, ServerStore(client, "mine", "memory/mine"), anew=anew)
    assert client.collection_exists("mine")


def test_an_index_is_changed_only_while_nobody_reads_it(tmp_path: Path) -> None:
    scored = write_catalog(tmp_path / "scored", products(5))
    build(scored, FolderStore(tmp_path / "index"))
    with open_index(tmp_path / "index") as index, open_index(tmp_path / "index") as other:
        for anew in (False, True):
            with pytest.raises(DataError, match="is in use by another process"):
                build(scored, FolderStore(tmp_path / "index"), anew=anew)
        assert len(index) == len(other) == 5
    assert build(scored, FolderStore(tmp_path / "index"), anew=True).written == 5


def test_no_server_answers() -> None:
    from serving.ports import free_ports

    (port,) = free_ports(1)
    with pytest.raises(DataError, match=f"no Qdrant server answers at http://127.0.0.1:{port}: "):
        open_index(f"http://127.0.0.1:{port}/fashion")


def test_graphs_and_int8_copies(tmp_path: Path) -> None:
    """Other settings rebuild the index; for so few products the results are the same."""
    scored = write_catalog(tmp_path / "scored", products(300))
    build(scored, FolderStore(tmp_path / "index"))
    with open_index(tmp_path / "index") as index:
        exact = [match.product.id for match in index.search("p3")]
    assert build(scored, FolderStore(tmp_path / "index"), Tuning(approximate=True, asked=True)).written == 300
    with open_index(tmp_path / "index") as index:
        assert index.manifest.tuning == Tuning(approximate=True, asked=True)
        assert [match.product.id for match in index.search("p3", exact=True)] == exact
        assert len({match.product.id for match in index.search("p3")} & set(exact)) >= 9
    assert build(scored, FolderStore(tmp_path / "index")) == Changes(0, 0, 300)  # without flags, settings are kept


def test_a_large_index_stays_on_disk(tmp_path: Path, store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index also keeps its settings, because changing them would rebuild it."""
    scored = write_catalog(tmp_path / "scored", products(300))
    graphs = Tuning(approximate=True, asked=True)
    with monkeypatch.context() as small:
        small.setattr("catalog.index.IN_MEMORY", 100)
        assert build(scored, store(), graphs).written == 300
    assert build(scored, store()) == Changes(0, 0, 300)
    with Index(store()) as index:
        assert index.manifest.tuning.on_disk
        assert index.search("p3")
    assert build(scored, store(), graphs, anew=True).written == 300
    with Index(store()) as index:
        assert not index.manifest.tuning.on_disk


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_catalog(tmp_path / "scored", products(30))
    assert main([str(tmp_path / "scored")]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'scored/index'}: 30 products; 30 written, 0 deleted, 0 unchanged\n"
    assert "columns whose types filters cannot compare are left out of the index: photo\n" in printed.err
    assert main([str(tmp_path / "scored")]) == 0
    assert "0 written, 0 deleted, 30 unchanged" in capsys.readouterr().out
    assert json.loads((tmp_path / "scored/index" / MANIFEST).read_text())["rows"] == 30
    assert main([str(tmp_path / "scored"), "--ann"]) == 0
    assert "30 written" in (lines := capsys.readouterr().out.splitlines())[0]
    assert lines[1].startswith("searched approximately, by whole embeddings of ")


def test_mistakes_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ([str(tmp_path)], "is not a scored catalog"),
        (
            [str(tmp_path), "--out", "here", "--qdrant", "http://127.0.0.1"],
            "--out names a folder and --qdrant a server",
        ),
        ([str(tmp_path), "--collection", "other"], "--collection needs --postgres"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1
    assert not os.listdir(tmp_path)
