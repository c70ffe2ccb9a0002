"""Randomly damaged tables and photographs: each gives rows, or an error message of one line.

100 of each by default; `python -m pytest tests/test_damage.py --hypothesis-profile=damage` tries 1,000 of each. Draws
are deterministic (`derandomize`), the same on every machine.
"""

import contextlib
import io
import json
import random
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import encoded, photo, png_from_array, with_orientation
from product_tables import photograph

from catalog.scoring.opening import open_source
from fashion.errors import EXIT_USER_ERROR, InvalidImage, one_line_errors
from fashion.preprocess import InputSpec, load_pixels
from training.sources.catalog import import_catalog

SLOWEST = 20.0  # s of processor time, for one of these small files
ALWAYS_THE_SAME = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

HEADER = ("sku", "photo", "price", "stock", "color", "note", "date")
PLAIN = [(f"p{i}", f"{i}.jpg", f"{i},50", i, "Red|Blue", "x" * i, f"2026-0{i + 1}-01") for i in range(6)]
# Unexpected contents of cells, as in real tables.
ODD_CELLS: tuple[Any, ...] = (
    *("", " ", "N/A", "null", "NaN", "-", "TRUE", "=1+1", "#REF!", "12E3", "1e999", "-1", "0x1F", "007", "9" * 400),
    *("1.234,50 €", "€ 12", "1,2,3", "31.02.2026", "2026-13-45T99:00", "a|b||c", '["a.jpg", "b.jpg"]', '"', "'", "\\"),
    *(
        'say "x"',
        "two\nlines",
        "\r",
        "\t",
        "\x00",
        "\x1a",
        "\u2028",
        "\ufeff",
        "Ä",
        "A\u0308",
        "👗",
        "\u202e",
        "x" * 5000,
    ),
    *(
        "../../etc/passwd",
        "/0.jpg",
        "C:\\0.jpg",
        "https://shop.example/0.jpg",
        "//x",
        "0.jpg?v=1",
        "%00.jpg",
        "a" * 300,
    ),
    *(None, True, 0, -(2**63), 2**64, 1e308, float("inf"), float("nan")),
)
# Byte sequences with a meaning in one of the file formats.
TOKENS = (
    *(b'"', b"'", b"\\", b"\n", b"\r", b"\r\n", b",", b";", b"\t", b"|", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(
        b"\x1a",
        b"[",
        b"]",
        b"{",
        b"}",
        b"NaN",
        b"1e999",
        b"\\u",
        b"\\ud800",
        b"<",
        b"</",
        b"&#0;",
        b"PK\x03\x04",
        b"PAR1",
    ),
    *(b"Exif\0\0", b"\xff\xd8", b"\xff\xd9", b"IHDR", b"IDAT", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"),
)
DAMAGE = st.tuples(
    st.sampled_from(["change", "flip", "cut", "drop", "repeat", "zero", "insert", "token"]),
    st.floats(0, 1),  # position, as a fraction of the file
    st.integers(1, 64),  # length in bytes
    st.integers(0, 2**32 - 1),  # seed of the random bytes
)
DAMAGES = st.lists(DAMAGE, min_size=1, max_size=6)
CELLS = st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 6), st.sampled_from(ODD_CELLS)), max_size=12)


def apply_damages(data: bytes, damages: list[tuple[str, float, int, int]]) -> bytes:
    """Apply damages to the bytes of a file, one after the other."""
    whole = bytearray(data)
    for kind, part, length, seed in damages:
        chance = random.Random(seed)
        at = min(int(part * len(whole)), max(0, len(whole) - 1))
        end = min(at + length, len(whole))
        if kind == "change":
            whole[at:end] = chance.randbytes(end - at)
        elif kind == "flip" and whole:
            whole[at] ^= 1 << seed % 8
        elif kind == "cut":
            del whole[at:]
        elif kind == "drop":
            del whole[at:end]
        elif kind == "repeat":
            whole[at:at] = whole[at:end] * (1 + seed % 40)
        elif kind == "zero":
            whole[at:end] = bytes(end - at)
        elif kind == "insert":
            whole[at:at] = chance.randbytes(length)
        elif kind == "token":
            whole[at:at] = TOKENS[seed % len(TOKENS)]
    return bytes(whole)


# Tables: damage the cells first, then the bytes of the file.


def as_text(separator: str, quoted: bool) -> Callable[[list[list[Any]]], bytes]:
    def write(rows: list[list[Any]]) -> bytes:
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
        if quoted:
            texts = [['"{}"'.format(cell.replace('"', '""')) for cell in row] for row in texts]
        return "\n".join(map(separator.join, texts)).encode("utf-8", errors="surrogatepass")

    return write


def as_json(lines: bool) -> Callable[[list[list[Any]]], bytes]:
    def write(rows: list[list[Any]]) -> bytes:
        header, *body = rows
        objects = [dict(zip(map(str, header), row, strict=True)) for row in body]
        text = "\n".join(map(json.dumps, objects)) if lines else json.dumps(objects)
        return text.encode()

    return write


def as_spreadsheet(rows: list[list[Any]]) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "nan_inf_to_errors": True})
    sheet = book.add_worksheet()
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            sheet.write(y, x, str(cell) if isinstance(cell, int) and abs(cell) > 2**53 else cell)
    book.close()
    return file.getvalue()


def as_parquet(photographs: bool) -> Callable[[list[list[Any]]], bytes]:
    def write(rows: list[list[Any]]) -> bytes:
        header, *body = rows
        columns: dict[str, pa.Array] = {}
        for name, cells in zip(map(str, header), zip(*body, strict=True), strict=True):
            texts = pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
            columns[name] = texts
        if photographs:
            columns["photo"] = pa.array([{"bytes": photograph(i), "path": "x.jpg"} for i in range(len(body))])
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, row_group_size=2)
        return file.getvalue()

    return write


TABLES = {
    "comma.csv": as_text(",", quoted=True),
    "semicolon.csv": as_text(";", quoted=False),
    "tab.tsv": as_text("\t", quoted=False),
    "bars.txt": as_text("|", quoted=True),
    "list.json": as_json(lines=False),
    "lines.jsonl": as_json(lines=True),
    "book.xlsx": as_spreadsheet,
    "paths.parquet": as_parquet(photographs=False),
    "bytes.parquet": as_parquet(photographs=True),
}


def damaged_cells(changes: list[tuple[int, int, Any]]) -> list[list[Any]]:
    rows = [list(HEADER), *map(list, PLAIN)]
    for row, column, cell in changes:
        rows[row + 1][column] = cell
    return rows


def repacked(data: bytes, damages: list[tuple[str, float, int, int]]) -> bytes:
    """A spreadsheet with a damaged part in a valid archive; a damaged archive would fail at its checksum."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        names = old.namelist()
        hit = names[damages[0][3] % len(names)]
        for name in names:
            new.writestr(name, apply_damages(old.read(name), damages) if name == hit else old.read(name))
    return file.getvalue()


def check_outcome(read: Callable[[], int]) -> int:
    """Return the number of rows read, or 0 after an error message of one line. Anything else fails the test."""
    said, began = io.StringIO(), time.process_time()
    rows, status = 0, 0
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), one_line_errors():
            rows = read()
    except SystemExit as ended:
        status = int(ended.code or 0)
    if status:
        last = said.getvalue().rpartition("error: ")[2]
        assert (status, last.count("\n")) == (EXIT_USER_ERROR, 1)
        assert 10 < len(last) < 2500, last
    else:
        assert rows > 0
    assert time.process_time() - began < SLOWEST
    return rows


def scored_rows(path: Path) -> int:
    """The number of rows that scoring would read, with all columns."""
    source = open_source([str(path)])
    assert len(source.source_columns()) == len(source.ids)
    return sum(len(rows) for piece in source.pieces(np.arange(len(source.ids)), 4) for rows in piece.read())


def imported_rows(path: Path, out: Path) -> int:
    summary = import_catalog(path, out, workers=1)
    return sum(summary.splits.values())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the photographs that the tables name."""
    folder = tmp_path_factory.mktemp("whole")
    for i in range(6):
        (folder / f"{i}.jpg").write_bytes(photograph(i))
    return folder


@ALWAYS_THE_SAME
@given(
    name=st.sampled_from(sorted(TABLES)),
    changes=CELLS,
    damages=DAMAGES,
    where=st.sampled_from(["cells", "file", "both"]),
)
def test_a_damaged_table_gives_rows_or_a_one_line_error(
    name: str, changes: list[tuple[int, int, Any]], damages: list[tuple[str, float, int, int]], where: str, whole: Path
) -> None:
    data = TABLES[name](damaged_cells(changes if where != "file" else []))
    if where != "cells":
        data = repacked(data, damages) if name == "book.xlsx" and damages[0][3] % 4 else apply_damages(data, damages)
    with tempfile.TemporaryDirectory() as folder:
        for image in whole.iterdir():
            (Path(folder) / image.name).symlink_to(image)
        path = Path(folder) / name
        path.write_bytes(data)
        check_outcome(lambda: scored_rows(path))
        check_outcome(lambda: imported_rows(path, Path(folder) / "out"))
        left = {each.name for each in Path(folder).iterdir() if not each.is_symlink()}
        assert left <= {name, "out"}, "a partial file was left"


def test_tables_without_damage_have_all_rows(whole: Path, tmp_path: Path) -> None:
    for name, write in TABLES.items():
        path = whole / name
        path.write_bytes(write(damaged_cells([])))
        try:
            assert check_outcome(lambda path=path: scored_rows(path)) == 6
            assert check_outcome(lambda path=path, out=tmp_path / name: imported_rows(path, out)) == 6
        finally:
            path.unlink()


# Photographs


def deep() -> np.ndarray:
    return np.asarray(photo()).astype(np.uint16) * 257


PHOTOGRAPHS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(photo()),
    "progressive jpeg": lambda: encoded(photo(), progressive=True),
    "turned jpeg": lambda: with_orientation(6),
    "cmyk jpeg": lambda: encoded(photo().convert("CMYK")),
    "png": lambda: encoded(photo(), "PNG"),
    "palette png": lambda: encoded(photo().quantize(16), "PNG"),
    "16-bit png": lambda: png_from_array(deep()),
    "webp": lambda: encoded(photo(), "WEBP"),
    "gif": lambda: encoded(photo(), "GIF"),
    "bmp": lambda: encoded(photo(), "BMP"),
    "tiff": lambda: encoded(photo(), "TIFF"),
    "packed tiff": lambda: encoded(photo(), "TIFF", compression="tiff_lzw"),
    "avif": lambda: encoded(photo(), "AVIF"),
}
SPEC = InputSpec(size=64, border="cut")


@ALWAYS_THE_SAME
@given(name=st.sampled_from(sorted(PHOTOGRAPHS)), damages=DAMAGES)
def test_a_damaged_photograph_gives_pixels_or_a_one_line_error(
    name: str, damages: list[tuple[str, float, int, int]]
) -> None:
    found, message = None, "none"
    data, began = apply_damages(PHOTOGRAPHS[name](), damages), time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = load_pixels(data, SPEC)
    except InvalidImage as error:
        message = str(error)
    if found is None:
        assert "\n" not in message
        assert 10 < len(message) < 600
    else:
        assert (found.shape, found.dtype) == ((64, 64, 3), np.uint8)
    assert time.process_time() - began < SLOWEST
