"""A killed scoring loses only the steps in progress; Ray is used only if it pays off."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from product_tables import write_csv
from starter import STARTER

from catalog.score import score
from catalog.scored.score_manifest import Origin
from catalog.scored.table import Scored, part_origin
from catalog.scoring import placement
from catalog.scoring.journal import PartJournal, recover_parts
from catalog.scoring.placement import RAY_START, RayStart, is_ray_faster, parallel_models
from catalog.scoring.scorer import BATCH, PARALLEL_STEPS

ROOT = Path(__file__).parents[1]
ORIGIN = Origin({"name": "shop", "version": "1", "weights": "sha256:0"}, "catalog.csv", "0.5")


def rows(first: int, count: int) -> pa.Table:
    return pa.table({"id": [f"p{i}" for i in range(first, first + count)], "price": pa.array(range(count), pa.int64())})


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of a process that ended after three steps of 10 rows."""
    written = PartJournal(tmp_path / "part-00002.parquet", ORIGIN)
    for first in (0, 10, 20):
        written.append(rows(first, 10))
    written.close()
    (found,) = tmp_path.iterdir()
    return found


def test_a_journal_becomes_a_part(journal: Path) -> None:
    assert recover_parts(journal.parent) == 30
    (part,) = journal.parent.iterdir()
    assert part.name == "part-00002.parquet"
    assert pq.read_table(part).equals(rows(0, 30).set_column(1, "price", pa.array([*range(10)] * 3, pa.int64())))
    assert part_origin(part, pq.ParquetFile(part)) == ORIGIN


def test_a_truncated_step_is_dropped_and_the_others_kept(journal: Path) -> None:
    whole = journal.read_bytes()
    found = []
    for length in (*range(0, len(whole), 7), len(whole)):
        journal.write_bytes(whole[:length])
        found.append(recover_parts(journal.parent))
        journal.with_name("part-00002.parquet").unlink(missing_ok=True)
    assert sorted(set(found)) == [0, 10, 20, 30]
    assert found == sorted(found)


def test_a_journal_of_an_existing_part_is_ignored(journal: Path) -> None:
    part = journal.with_name("part-00002.parquet")
    pq.write_table(rows(0, 30), part)
    assert recover_parts(journal.parent) == 0
    assert [path.name for path in journal.parent.iterdir()] == [part.name]


def test_a_killed_scoring_repeats_only_the_steps_in_progress(tmp_path: Path) -> None:
    """Before the first part is full, kill -9 loses the running steps of 2 rows and the one queued behind them."""
    count, batch = 60, 2
    path, out = write_csv(tmp_path, count), tmp_path / "out"
    command = [sys.executable, "-m", "catalog.score", str(STARTER), str(path), "--out", str(out), "--batch", str(batch)]
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        end = time.monotonic() + 240
        while not re.search(r" (1\d|2\d|3\d)/60 ", (tmp_path / "log").read_text()):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    shown = int(re.findall(r" (\d+)/60 ", (tmp_path / "log").read_text())[-1])
    assert not list(out.glob("*.parquet"))
    summary = score(STARTER, [str(path)], out)
    assert summary.scored <= count - shown + (PARALLEL_STEPS + 1) * batch
    ids = [name for batch in Scored.open(out).batches(["id"]) for name in batch.column(0).to_pylist()]
    assert sorted(ids) == sorted(f"p{i}" for i in range(count))
    assert not list(out.glob(".part*"))


def test_the_steps_in_progress_take_a_few_seconds() -> None:
    assert (
        BATCH * PARALLEL_STEPS / 25 < 5
    )  # photographs, at 25 per second: the shipped model beside a training on 2 cores


# Using Ray


def test_ray_is_started_if_it_pays_off() -> None:
    assert not is_ray_faster(1_000_000, 0.03, models=1)  # one process has all cores
    assert not is_ray_faster(500, 0.03, models=4)
    assert is_ray_faster(20_000, 0.03, models=4)
    assert not is_ray_faster(int(RAY_START / 0.03), 0.03, models=1000)  # finished before Ray has started


def test_there_is_one_model_per_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "GPUS", tmp_path)
    assert parallel_models() == 1
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert parallel_models() == 2


def test_pieces_are_scored_locally_until_ray_is_up() -> None:
    ray = RayStart("local")
    pieces = iter(range(10))
    taken = []
    for piece in ray.until_ready(pieces):  # type: ignore[arg-type]
        taken.append(piece)
        if piece == 3:
            ray._over.set()
    assert taken == [0, 1, 2, 3]
    assert list(pieces) == [4, 5, 6, 7, 8, 9]
