"""Drawn dates and shops: the planted effects are there, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from colored_shapes import block

from fashion.errors import DataError
from fashion.tables.reading import CsvTable
from training.sources.dated import LEANING, MONTHS, SHOPS, dated_catalog
from training.sources.writer import ProductRow, write_dataset

LABELS = ("Rising", "Falling", "Leaning", "Plain")
COUNT = 250  # of each


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photo = block((9, 9, 200), True)
    rows = [ProductRow("train", f"{name}{i}", photo, {"kind": [name]}) for name in LABELS for i in range(COUNT)]
    folder = tmp_path_factory.mktemp("data") / "data"
    write_dataset(rows, folder, ["kind"], "blocks")
    return folder


def test_planted_effects_are_there(data: Path, tmp_path: Path) -> None:
    path = dated_catalog(data, tmp_path / "dated", *LABELS[:3])
    table = CsvTable(path)
    rows = [row for _, row in table.rows(table.columns)]
    assert len(rows) == len(LABELS) * COUNT
    assert all((path.parent / row["image"]).is_file() for row in rows)
    months, north = {}, {}
    for name in LABELS:
        own = [row for row in rows if row["id"].startswith(name)]
        months[name] = np.bincount([int(row["date"][5:7]) - 1 for row in own], minlength=MONTHS)
        north[name] = np.mean([row["shop"] == SHOPS[0] for row in own])
    halves = {name: counts[6:].sum() / COUNT for name, counts in months.items()}
    assert halves["Rising"] == pytest.approx(57 / 78, abs=0.07)  # (7 + ... + 12) / (1 + ... + 12)
    assert halves["Falling"] == pytest.approx(21 / 78, abs=0.07)
    assert halves["Plain"] == pytest.approx(0.5, abs=0.08)
    assert halves["Leaning"] == pytest.approx(0.5, abs=0.08)
    assert north["Leaning"] == pytest.approx(LEANING, abs=0.07)
    assert [north[name] for name in ("Rising", "Falling", "Plain")] == pytest.approx([0.5] * 3, abs=0.08)


def test_the_same_dates_are_drawn_again(data: Path, tmp_path: Path) -> None:
    tables = [dated_catalog(data, tmp_path / name, *LABELS[:3]).read_bytes() for name in ("one", "two")]
    assert tables[0] == tables[1]


def test_a_table_keeps_its_own_dates(tmp_path: Path) -> None:
    table = tmp_path / "products.csv"
    table.write_text("id,image,date\n1,1.jpg,2026-01-01\n")
    assert dated_catalog(table, tmp_path / "dated", *LABELS[:3]) == table
    assert not (tmp_path / "dated").exists()
    with pytest.raises(DataError, match="does not exist"):
        dated_catalog(tmp_path / "nowhere", tmp_path / "dated", *LABELS[:3])
