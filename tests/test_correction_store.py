"""The correction store: append-only, with optimistic locking, consistent after kill -9."""

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from scored_catalog import products, write_catalog

from catalog.scored.correction_store import (
    CORRECTIONS_FILE,
    IS,
    IS_NOT,
    NOT_A_PRODUCT,
    ONLY,
    REFITS,
    ChangedMeanwhile,
    Correction,
    CorrectionStore,
    in_force,
)
from fashion.errors import DataError, SettingError

BATCH = 24
PROCESSES = multiprocessing.get_context("fork")  # starting 20 interpreters would take most of the test's time


def write_forever(folder: Path, own: str, acknowledged: int) -> None:
    """Write batches forever, and a line to a pipe for each acknowledged batch."""
    store = CorrectionStore(folder)
    for number in count():
        batch = [Correction(f"{own}{number}-{i}", IS, "color", "Black") for i in range(BATCH)]
        written = store.write(batch, store.states(c.product for c in batch), own)
        os.write(acknowledged, f"{written[-1].number}\n".encode())


def write_with_retries(folder: Path, own: str, together: Any, refused: Any) -> None:
    """Correct one product 15 times, with a retry after each conflict."""
    store = CorrectionStore(folder)
    together.wait()
    for _ in range(15):
        while True:
            try:
                store.write([Correction("p1", IS, "color", "Black")], store.states(["p1"]), own)
                break
            except ChangedMeanwhile:
                refused.value += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_catalog(tmp_path / "scored", products(20))
    return tmp_path / "scored"


def test_the_store_is_created_by_the_first_write(folder: Path) -> None:
    store = CorrectionStore(folder)
    assert (store.entries(), store.last(), store.states(["p1"])) == ([], 0, {"p1": 0})
    assert not (folder / CORRECTIONS_FILE).exists()


def test_entries_have_author_time_and_content(folder: Path) -> None:
    store = CorrectionStore(folder)
    store.write([Correction("p1", IS_NOT, "color", "Écru"), Correction("p2", NOT_A_PRODUCT)], {"p1": 0, "p2": 0}, "ana")
    first, second = store.entries()
    assert (first.who, first.product, first.verdict, first.group, first.label) == ("ana", "p1", IS_NOT, "color", "Écru")
    assert (second.verdict, second.group, second.batch) == (NOT_A_PRODUCT, "", first.number)
    assert first.at.endswith("+00:00")
    assert store.states(["p1", "p2", "p3"]) == {"p1": 1, "p2": 2, "p3": 0}
    assert store.history("p2") == [second]


def test_who_is_the_login_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "berta")
    (entry,) = CorrectionStore(folder).write([Correction("p1", NOT_A_PRODUCT)], {"p1": 0})
    assert entry.who == "berta"


def test_the_database_forbids_updates_and_deletions(folder: Path) -> None:
    store = CorrectionStore(folder)
    store.write([Correction("p1", NOT_A_PRODUCT)], {"p1": 0})
    with closing(sqlite3.connect(store.path)) as database:
        for change in ("DELETE FROM entries", "UPDATE entries SET who = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                database.execute(change)
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_batch_with_a_conflict_is_refused_whole(folder: Path) -> None:
    store = CorrectionStore(folder)
    seen = store.states(["p1", "p2"])
    store.write([Correction("p1", IS, "color", "Black")], seen, "ana")
    late = [Correction("p2", IS, "color", "Black"), Correction("p1", IS, "color", "Écru")]
    with pytest.raises(ChangedMeanwhile, match=r"'p1' by ana, color: is Black.*look again") as refused:
        store.write(late, seen, "bea")
    assert [entry.product for entry in refused.value.entries] == ["p1"]
    assert len(store.entries()) == 1
    store.write(late, store.states(["p1", "p2"]), "bea")
    assert len(store.entries()) == 3


def test_an_undo_is_an_entry_and_can_be_undone(folder: Path) -> None:
    store = CorrectionStore(folder)
    store.write([Correction("p1", IS, "color", "Black")], {"p1": 0})
    store.undo([1], {"p1": 1}, "bea")
    assert in_force(store.entries()) == []
    with pytest.raises(DataError, match=r"entry 1 .* is undone already"):
        store.undo([1], {"p1": 2})
    store.undo([2], {"p1": 2})
    assert [entry.number for entry in in_force(store.entries())] == [1]
    assert len(store.entries()) == 3
    with pytest.raises(DataError, match="no entry 9"):
        store.undo([9], {"p1": 3})
    with pytest.raises(ChangedMeanwhile):
        store.undo([3], {"p1": 2})


@pytest.mark.parametrize(
    ("correction", "message"),
    [
        (Correction("p1", "perhaps", "color", "Black"), "unknown verdict 'perhaps'; choose among: is"),
        (Correction("p1", IS, "colour", "Black"), "unknown attribute group 'colour'"),
        (Correction("p1", IS, "color", "Blak"), "unknown label 'Blak' .did you mean 'Black'..."),
        (Correction("p1", IS, "color", ""), "unknown label ''"),
        (Correction("p1", NOT_A_PRODUCT, "color", "Black"), "takes neither group nor label"),
        (Correction("", NOT_A_PRODUCT), "names no product"),
    ],
)
def test_invalid_corrections_are_refused(folder: Path, correction: Correction, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        CorrectionStore(folder).write([correction], {"p1": 0, "": 0})
    assert not (folder / CORRECTIONS_FILE).exists()


def test_a_state_is_required_and_only_may_have_no_label(folder: Path) -> None:
    with pytest.raises(SettingError, match="the state of product 'p1' is not given"):
        CorrectionStore(folder).write([Correction("p1", NOT_A_PRODUCT)], {})
    assert CorrectionStore(folder).write([Correction("p1", ONLY, "color")], {"p1": 0})[0].label == ""


def test_a_store_that_was_removed_meanwhile_is_a_conflict(folder: Path) -> None:
    store = CorrectionStore(folder)
    store.write([Correction("p1", IS, "color", "Black")], {"p1": 0})
    seen = store.states(["p1"])
    store.path.unlink()
    with pytest.raises(ChangedMeanwhile, match="'p1', whose corrections are gone; look again") as refused:
        store.write([Correction("p1", IS_NOT, "color", "Black")], seen)
    assert (refused.value.entries, refused.value.without) == ([], ["p1"])
    assert store.entries() == []


def test_refits_are_stored_beside_the_corrections(folder: Path) -> None:
    store = CorrectionStore(folder)
    store.write([Correction("p1", NOT_A_PRODUCT)], {"p1": 0})
    entry = store.write_refit("{}", 0)
    assert (entry.product, entry.content) == (REFITS, "{}")
    with pytest.raises(ChangedMeanwhile):
        store.write_refit("{}", 0)


def test_a_broken_file_and_one_of_another_layout_are_one_line_errors(folder: Path) -> None:
    store = CorrectionStore(folder)
    store.write([Correction("p1", NOT_A_PRODUCT)], {"p1": 0})
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="has layout 99; this version of the project reads 1"):
        store.entries()
    store.path.write_bytes(b"no database" * 500)
    with pytest.raises(DataError, match="cannot be used: file is not a database"):
        store.entries()


def test_a_store_needs_a_scored_catalog(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a scored catalog"):
        CorrectionStore(tmp_path)


def test_kill_9_at_20_moments_loses_no_acknowledged_entry(folder: Path) -> None:
    store, draw = CorrectionStore(folder), random.Random(7)
    acknowledged = 0
    for number in range(20):
        receiving, sending = os.pipe()
        writer = PROCESSES.Process(target=write_forever, args=(folder, f"w{number}-", sending))
        writer.start()
        os.close(sending)
        with open(receiving, encoding="utf-8") as pipe:
            said = [pipe.readline()]  # it has begun to write
            time.sleep(draw.uniform(0, 0.15))
            writer.kill()
            said += pipe.readlines()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        acknowledged = int([line for line in said if line.endswith("\n")][-1])
        entries = store.entries()
        assert len(entries) >= acknowledged
        assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
        assert set(Counter(entry.batch for entry in entries).values()) == {BATCH}, "a batch was written partly"
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert acknowledged >= 20 * BATCH


def test_two_processes_write_at_once_and_neither_overwrites(folder: Path) -> None:
    together = PROCESSES.Barrier(2)
    refused = [PROCESSES.Value("i", 0) for _ in range(2)]
    writers = [
        PROCESSES.Process(target=write_with_retries, args=(folder, name, together, number))
        for name, number in zip(("ana", "bea"), refused, strict=True)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    entries = CorrectionStore(folder).entries()
    assert Counter(entry.who for entry in entries) == {"ana": 15, "bea": 15}
    assert sum(each.value for each in refused) > 0, "no conflict occurred, so the test proves nothing"
    assert not list(folder.glob(f".{CORRECTIONS_FILE}*"))
