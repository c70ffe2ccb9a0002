"""Files are written completely or not at all."""

import os
import resource
import stat
import threading
from pathlib import Path

import pytest

from fashion.files import LEFTOVERS, write_atomically, write_csv, write_json


def test_text_and_bytes_and_missing_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    assert write_atomically(path, "\u00c9cru") == path
    assert path.read_bytes() == "\u00c9cru".encode()
    write_atomically(path, b"\0\xff")
    assert path.read_bytes() == b"\0\xff"
    assert os.listdir(path.parent) == ["file.txt"]


def test_tables_and_json(tmp_path: Path) -> None:
    rows = [("caf\udce9.jpg", "is\nbroken"), (None, 0.5)]
    assert write_csv(tmp_path / "a.csv", ("id", "detail"), rows).read_bytes() == (
        b'id,detail\r\ncaf\xe9.jpg,"is\nbroken"\r\n,0.5\r\n'
    )
    assert write_csv(tmp_path / "b.csv", ["id"], [[1]], lineterminator="\n").read_bytes() == b"id\n1\n"
    assert write_json(tmp_path / "a.json", {"é": [1]}).read_text(encoding="utf-8") == '{\n "é": [\n  1\n ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"), allow_nan=False)


def test_a_file_has_its_permissions_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomically(tmp_path / "key", "old")
    path.chmod(0o644)
    # A file left by a killed process with the same id.
    left = tmp_path / f".key.{os.getpid()}-{threading.get_ident()}.tmp"
    assert left.match(LEFTOVERS)
    left.write_text("half")
    left.chmod(0o644)
    seen = []
    really_open = os.open

    def look(name: str, flags: int, mode: int) -> int:
        number = really_open(name, flags, mode)
        seen.append(stat.S_IMODE(os.fstat(number).st_mode))
        return number

    monkeypatch.setattr(os, "open", look)
    write_atomically(path, "new", mode=0o600)
    monkeypatch.undo()
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode), seen) == ("new", 0o600, [0o600])
    assert os.listdir(tmp_path) == ["key"]


def test_file_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert stat.S_IMODE(write_atomically(tmp_path / "file", "").stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "file", "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # bytes; the part up to this limit is written
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, bytes(3000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]
