"""benchmarks.stores: an index in PostgreSQL and one in a folder, measured on a small catalog."""

import re
from pathlib import Path

import pytest
from scored_catalog import products, write_catalog

from benchmarks.stores import WAYS, main


def test_both_are_measured_and_the_section_is_written(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("benchmarks.matching_size", "benchmarks.stores"):
        monkeypatch.setattr(f"{module}.QUERIES", 5)
    monkeypatch.setattr("benchmarks.stores.WARM", 2)
    write_catalog(tmp_path / "scored", products(60))
    page = tmp_path / "page.md"
    page.write_text("# Scale\n")
    arguments = ["--postgres", postgres, "--scored", str(tmp_path / "scored"), "--rows", "2000", "--page", str(page)]
    assert main([*arguments, "--source", "drawn"]) == 0
    text = page.read_text()
    rows = re.findall(r"^\| (folder|PostgreSQL 18)[^|]*\| ([^|]*) \|[^|]*\|[^|]*\| ([\d.]+) \|$", text, re.MULTILINE)
    assert [(engine, way) for engine, way, _ in rows] == [
        (engine, way) for way in WAYS for engine in ("folder", "PostgreSQL 18")
    ]
    assert {recall for _, _, recall in rows} == {"1.000"}
    assert "2,000 products (drawn), indexed one after the other: folder in " in text
    assert "python -m benchmarks.stores --postgres URL --rows 2000 --scored SCORED --source 'drawn'" in text
