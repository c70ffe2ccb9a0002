"""Scoring with Ray: on this machine, and on a cluster of two nodes."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from product_tables import write_csv, write_parquet

from catalog.score import score
from catalog.scored.table import Scored

ROOT = Path(__file__).parents[1]
RAY = Path(sys.executable).parent / "ray"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two nodes on this machine, with separate ports and folders."""
    from serving.ports import free_ports

    (port,) = free_ports(1)
    folder = Path("/tmp") / f"ray-{secrets.token_hex(4)}"  # short: a socket path has at most 107 bytes
    environment = os.environ | QUIET
    node: list[str | Path] = ["--num-cpus", "1", "--object-store-memory", str(128 * 2**20), "--disable-usage-stats"]
    node += ["--no-monitor", "--include-log-monitor", "false"]  # each takes a second of a core to start
    before = {process.pid for process in psutil.process_iter()}
    try:
        head = [
            RAY,
            "start",
            "--head",
            "--port",
            str(port),
            "--temp-dir",
            folder,
            "--include-dashboard",
            "false",
            *node,
        ]
        started = subprocess.run(head, env=environment, capture_output=True, text=True, timeout=300)
        assert started.returncode == 0, started.stdout + started.stderr
        address = re.search(r"address='([\d.]+:\d+)'", started.stdout)
        assert address, started.stdout
        second = [RAY, "start", "--address", address[1], *node]
        started = subprocess.run(second, env=environment, capture_output=True, text=True, timeout=300)
        assert started.returncode == 0, started.stdout + started.stderr
        yield address[1]
    finally:
        # Find children before killing: they change their process titles, and some outlive their parents by a minute.
        nodes = [
            process for process in psutil.process_iter() if process.pid not in before and _mentions(process, folder)
        ]
        for process in [*(child for parent in nodes for child in _descendants(parent)), *nodes]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _mentions(process: psutil.Process, folder: Path) -> bool:
    """Whether a process's command line contains a folder."""
    try:
        return any(str(folder) in part for part in process.cmdline())
    except psutil.Error:  # the process has ended
        return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def rows(folder: Path) -> pa.Table:
    return pa.Table.from_batches(Scored.open(folder).batches())


def check_same(folder: Path, expected: Path) -> None:
    """Check for equal rows in equal order; vectors up to rounding, which depends on the number of threads."""
    found, wanted = Scored.open(folder), Scored.open(expected)
    assert found.schema == wanted.schema
    vectors = ("probabilities", "logits", "embedding")
    others = [name for name in found.schema.names if name not in vectors]
    assert rows(folder).select(others).equals(rows(expected).select(others))
    for name in vectors:
        np.testing.assert_allclose(found.vectors(name), wanted.vectors(name), rtol=2e-3, atol=2e-3)


def noise(stderr: str) -> list[str]:
    """Lines that are not progress bars."""
    return [line for line in re.split(r"[\r\n]", stderr) if line and not re.fullmatch(r"scoring .*image.*\]", line)]


def test_two_nodes_give_the_same_rows(cluster: str, bundle: Path, tmp_path: Path) -> None:
    """Photographs in a table, one of them broken; then a bundle that workers cannot open."""
    program = (
        "import sys, ray; from catalog.score import main; from catalog.scoring.cluster import connected\n"
        "bundle, broken, shard, out, address = sys.argv[1:]\n"
        "flags = ['--address', address, '--engine', 'int8', '--batch', '4', '--out']\n"
        "with connected(address):\n"
        "    print('nodes', sum(node['Alive'] for node in ray.nodes()))\n"
        "    main([bundle, shard, *flags, out])\n"
        "    main([broken, shard, *flags, out + '-never'])\n"
    )
    shard = write_parquet(tmp_path / "shard.parquet", 30, bad=3)
    score(bundle, [str(shard)], tmp_path / "here", engine="int8")
    broken = shutil.copytree(bundle, tmp_path / "broken")
    (broken / "model.int8.onnx").write_bytes(b"no model")
    arguments = [str(bundle), str(broken), str(shard), str(tmp_path / "there"), cluster]
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | QUIET, capture_output=True, text=True, timeout=500)
    assert "nodes 2" in ended.stdout, ended.stderr
    assert "1 left out (1 broken image)" in ended.stdout
    check_same(tmp_path / "there", tmp_path / "here")
    assert ended.returncode == 2
    (line,) = noise(ended.stderr)
    assert re.match(r"error: .*broken/model.int8.onnx was changed: its sha256", line)
    assert not list(tmp_path.glob("there-never/*.parquet"))


def test_ray_on_this_machine_leaves_nothing_behind(bundle: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path, 20)
    score(bundle, [str(path)], tmp_path / "here", engine="int8")
    command = [sys.executable, "-m", "catalog.score", str(bundle), str(path), "--out", str(tmp_path / "out")]
    command += ["--engine", "int8", "--address", "local"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)
    started, listening = watch(psutil.Process(process.pid))
    _, stderr = process.communicate(timeout=500)
    assert process.returncode == 0, stderr
    assert not noise(stderr)
    check_same(tmp_path / "out", tmp_path / "here")
    assert {"raylet", "gcs_server"} <= set(started.values())
    assert listening
    assert all(address in ("127.0.0.1", "::1", "::ffff:127.0.0.1") for address in listening)
    assert not [f"{name} ({there.pid})" for there, name in started.items() if _is_running(there)]


# A process of its own: Ray leaves threads behind.
USE_RAY_LATER = """
import time
from catalog.scoring.cluster import LOCAL
from catalog.scoring.placement import RayStart

with RayStart(LOCAL) as start:
    start.begin()
    for _ in start.until_ready(iter(lambda: bool(time.sleep(0.1)), True)):
        pass
    start.check()
    time.sleep(3)  # other work, after the start
    import ray

    print(ray.get(ray.remote(lambda: "a worker answers").remote(), timeout=60))
"""


def test_ray_started_in_the_background_can_be_used_later() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", USE_RAY_LATER]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.stdout == "a worker answers\n", ended.stderr
    assert ended.returncode == 0


def _is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def watch(parent: psutil.Process) -> tuple[dict[psutil.Process, str], set[str]]:
    """Until a process ends, collect its descendants, by name, and the addresses that all of them listen at."""
    started: dict[psutil.Process, str] = {}
    listening: set[str] = set()
    while _is_running(parent):
        for process in [parent, *_descendants(parent)]:
            with suppress(psutil.Error):
                if process not in started and process != parent:
                    started[process] = process.name()
                found = process.net_connections(kind="tcp")
                listening |= {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN}
        time.sleep(0.5)
    return started, listening


def test_an_address_where_nothing_answers(bundle: Path, tmp_path: Path) -> None:
    from serving.ports import free_ports

    (port,) = free_ports(1)
    path = write_csv(tmp_path, 1)
    command = [sys.executable, "-m", "catalog.score", str(bundle), str(path), "--out", str(tmp_path / "out")]
    command += ["--address", f"127.0.0.1:{port}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    (line,) = noise(ended.stderr)
    assert line.startswith(f"error: no Ray cluster can be joined at '127.0.0.1:{port}': ")
