"""fashion.text_tables."""

import pytest

from fashion.text_tables import text_table


def test_columns_are_aligned_by_display_width() -> None:
    assert text_table(["name", "F1"], [["紅色", "0.5"], ["red", "-"]], right=[1]).splitlines() == [
        "name   F1",
        "紅色  0.5",
        "red     -",
    ]


def test_rows_stay_on_one_line_outside_terminals_and_markup_is_text() -> None:
    cells = ["[red]x[/red] :smile:", "long " * 100 + "end"]
    assert text_table([], [cells]) == "  ".join(cells)


def test_cells_wrap_within_their_column_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    first, second = text_table([], [["id", "one two three four"]]).splitlines()
    assert first.startswith("id  one")
    assert second.startswith("    ")
