"""benchmarks.duplicates: the measurement behind the duplicate threshold."""

from pathlib import Path

import pytest
from photos import photo

from benchmarks.duplicates import CHANGES, main
from catalog.similar.near_duplicates import THRESHOLD


def test_it_names_the_closest_pair_and_the_threshold(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(photo(i))
    (tmp_path / "twin.png").write_bytes(photo(3))
    assert main([str(bundle), str(tmp_path), "--copies", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("6 photographs")
    assert [line[2:42].strip() for line in lines[1 : 2 + len(CHANGES)]] == [*CHANGES, "nearest other photograph"]
    assert float(next(line for line in lines if line.endswith("<- catalog.duplicates")).split()[0]) == THRESHOLD
    closest = lines[lines.index("closest pairs of different files:") + 1].split()
    assert (closest[0], sorted(closest[1:])) == ("1.0000", ["3.png", "twin.png"])


def test_a_folder_without_photographs(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(bundle), str(tmp_path)])
    assert stop.value.code == 2
    assert "holds 0 photographs; at least 2 are needed" in capsys.readouterr().err
