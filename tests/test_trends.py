"""Trends of a scored catalog: numbers by hand, streaming, commands, files and user errors."""

import csv
import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import COLUMNS, OTHER_MODEL, TAXONOMY, products, write_catalog

from catalog.analysis.growth import trends
from catalog.analysis.opening import open_scored
from catalog.analysis.tabular import spark, trends_text
from catalog.engines.folder_store import FolderStore
from catalog.filters.filtering import RowFilter
from catalog.filters.where import FilterError
from catalog.index import build
from catalog.scored.table import Scored
from catalog.trends import main
from fashion.errors import DataError, SettingError
from fashion.files import write_atomically

ADDED = COLUMNS[3]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """3,000 products over 100 days; the share of black ones rises daily."""
    rows = products(3000, seed=2)
    rng = np.random.default_rng(1)
    for row in rows:
        age = (row["added"] - date(2026, 1, 1)).days
        row["logits"][1] = 4.0 if rng.random() < 0.1 + 0.004 * age else -4.0
    return write_catalog(tmp_path_factory.mktemp("trends") / "scored", rows, part=700)


def rows_of(shares: list[list[float]], months: list[int]) -> list[dict[str, Any]]:
    """Products in these months; each has the same probability for all its labels."""
    return [
        {"id": f"p{month}-{i}", "image": "", "added": date(2026, month, 15), "embedding": np.ones(4)}
        | {"logits": np.full(len(TAXONOMY), math.log(p / (1 - p)))}
        for month, values in zip(months, shares, strict=True)
        for i, p in enumerate(values)
    ]


def test_shares_are_means_of_probabilities_and_of_answers(tmp_path: Path) -> None:
    scored = write_catalog(tmp_path, rows_of([[0.2, 0.4, 0.9], [0.6]], [1, 3]), columns=[ADDED])
    found = trends(scored, groups=["color"])
    assert found.names == ["2026-01", "2026-02", "2026-03"]
    assert found.products == [3, 0, 1]
    black = found.labels[0]
    assert (black.group, black.name) == ("color", "Black")
    assert black.shares == pytest.approx([0.5, None, 0.6], abs=1e-3)  # float16
    assert black.other == pytest.approx([1 / 3, None, 1])
    assert black.share == pytest.approx(2.1 / 4, abs=1e-3)
    assert "1 of 3 months have no product." in found.notes
    answered = trends(scored, groups=["color"], answers=True).labels[0]
    assert (answered.shares, answered.other[0]) == (pytest.approx([1 / 3, None, 1]), pytest.approx(0.5, abs=1e-3))


def test_batches_add_up_to_the_whole(scored: Scored) -> None:
    found = trends(scored)
    probabilities = scored.vectors("probabilities").astype(float)
    cells = pa.Table.from_batches(list(scored.batches(["added", "attribute.color"]))).to_pydict()
    months = np.array([day.month for day in cells["added"]])
    for label in found.labels:
        column = probabilities[:, TAXONOMY.labels.index((label.group, label.name))]
        assert label.shares == pytest.approx([column[months == month].mean() for month in (1, 2, 3, 4)])
    black = next(label for label in found.labels if label.name == "Black")
    answered = np.array(["Black" in names for names in cells["attribute.color"]])
    assert black.other == pytest.approx([answered[months == month].mean() for month in (1, 2, 3, 4)])


def test_only_the_planted_rise_is_found(scored: Scored) -> None:
    found = trends(scored, by="week", groups=["color", "category"])
    assert [label.name for label in found.risers] == ["Black"]
    assert found.fallers == []
    growth = found.risers[0].growth
    assert growth
    assert growth.interval[0] < 0.4 < growth.interval[1]  # 0.1 + 0.004 * 99 - 0.1
    assert found.tested == 6


def test_filters_work_as_in_an_index(scored: Scored) -> None:
    text = "price<40 and (brand='Acme' or not color=Black) and added>=2026-02-01 and sale=true and id!=p1"
    cells = pa.Table.from_batches(list(scored.batches(["price", "brand", "attribute.color", "added", "sale", "id"])))
    expected = sum(
        row["price"] is not None
        and row["price"] < 40
        and (row["brand"] == "Acme" or "Black" not in row["attribute.color"])
        and row["added"] >= date(2026, 2, 1)
        and row["sale"]
        for row in cells.to_pylist()
    )
    assert expected > 100
    assert sum(trends(scored, where=text).products) == expected
    assert sorted(RowFilter(text, scored).needed) == sorted(cells.column_names)


def test_an_index_names_its_catalog(tmp_path: Path) -> None:
    scored = write_catalog(tmp_path / "scored", products(40))
    build(scored, FolderStore(scored.folder / "index"))
    apart = tmp_path / "index/index.json"
    write_atomically(apart, (scored.folder / "index/index.json").read_bytes())  # the only file read of an index
    found = trends(apart.parent, groups=["sleeve"])
    assert (found.catalog, sum(found.products)) == (str(scored.folder), 40)
    scored.folder.rename(tmp_path / "moved")
    assert open_scored(tmp_path / "moved/index").folder == tmp_path / "moved"
    with pytest.raises(DataError, match=r"the scored catalog of the index .* is not at .*scored any more"):
        open_scored(apart.parent)
    write_catalog(tmp_path / "scored", products(20), OTHER_MODEL)
    with pytest.raises(DataError, match=r"was made of products scored by .*\(abab.* is now scored by .*\(cdcd"):
        trends(apart.parent)


def test_a_single_period_is_noted(scored: Scored) -> None:
    found = trends(scored, by="year", groups=["color"], correct=False)
    assert found.names == ["2026"]
    assert found.tested == 0
    assert found.notes == ["All products are of one year; a trend needs at least two, so none was tested."]


def test_the_command_prints_and_writes(scored: Scored, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, table = tmp_path / "report", tmp_path / "trends.csv"
    arguments = [str(scored.folder), "--by", "week", "--group", "color"]
    for _ in range(2):  # the second run replaces the report
        assert main([*arguments, "--report", str(report), "--csv", str(table)]) == 0
    text = capsys.readouterr().out
    assert "rises  color  Black" in text
    assert "1 rise and 0 fall of 3 labels tested" in text
    assert main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    black = printed["labels"][0]
    assert black["growth"]["trend"] == "riser"
    assert [period["start"] for period in printed["periods"]][:2] == ["2025-12-29", "2026-01-05"]
    with table.open(newline="") as file:
        line = next(csv.DictReader(file))
    assert (line["name"], line["trend"]) == ("Black", "riser")
    assert float(line["2026-W02"]) == pytest.approx(black["shares"][1], rel=1e-5)
    assert sorted(p.name for p in report.iterdir()) == [
        "index.html",
        "plots",
        "shares.csv",
        "trends.csv",
        "trends.json",
    ]
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "Écru" in page
    assert "http" not in page.split("</style>")[1]  # nothing is loaded from elsewhere
    assert page.count("data:image/png;base64,") == len(list((report / "plots").glob("*.png"))) == 6
    assert json.loads((report / "trends.json").read_text())["labels"] == printed["labels"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"groups": ["colour"]},
            SettingError,
            "unknown attribute group 'colour' .did you mean 'color'..; the model has: category, color",
        ),
        ({"column": "addd"}, SettingError, r"no column 'addd' \(did you mean 'added'\?\); it has: price, "),
        ({"groups": []}, SettingError, r"\[\] is no list of attribute groups; the model has: category, color"),
        ({"groups": "color"}, SettingError, "'color' is no list of attribute groups"),
        (
            {"column": "brand"},
            DataError,
            "holds no dates such as 2026-05-01: its first cell is '.*'; name another with",
        ),
        ({"column": "tags"}, DataError, r"'tags' holds list<.*>, not dates"),
        ({"by": "day"}, SettingError, "unknown period 'day'"),
        ({"where": "prise<5"}, FilterError, "unknown column 'prise'"),
        ({"where": "price>1000"}, DataError, "no product of .* passes the filter 'price>1000'"),
    ],
)
def test_mistakes_are_reported(scored: Scored, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        trends(scored, **options)


def test_catalogs_without_products_or_dates(tmp_path: Path) -> None:
    write_catalog(tmp_path / "empty", [])
    with pytest.raises(DataError, match="empty is empty: no product of /photographs was scored"):
        trends(tmp_path / "empty")
    write_catalog(tmp_path / "undated", products(5), columns=COLUMNS[:3])
    with pytest.raises(DataError, match="no date among its columns: price, brand, stock; name one with --date"):
        trends(tmp_path / "undated")
    write_catalog(tmp_path / "bare", products(5), columns=[])
    with pytest.raises(DataError, match="no columns of its own, so no dates"):
        trends(tmp_path / "bare")
    with pytest.raises(DataError, match="is not a scored catalog"):
        trends(tmp_path)


def test_the_table_leaves_out_rare_labels_that_were_not_tested(scored: Scored) -> None:
    found = trends(scored, groups=["color"])
    first, second, *rest = found.labels
    labels = [replace(first, name="rare", share=0.004, growth=None), replace(second, name="seen", growth=None), *rest]
    text = trends_text(replace(found, labels=labels))
    assert " seen " in text
    assert " rare " not in text
    assert text.endswith("not tested, left out of this table: 1.")


def test_mistakes_at_the_command_line_are_one_line_errors(
    scored: Scored, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for arguments in (["--report", str(tmp_path)], ["--group", "shape"]):
        with pytest.raises(SystemExit) as ended:
            main([str(scored.folder), *arguments])
        error = capsys.readouterr().err
        assert (ended.value.code, error.count("\n")) == (2, 1)
        assert error.startswith("error: ")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_bars() -> None:
    assert spark([0.0, None, 0.5, 1.0]) == "▁·▅█"
    assert spark([0.0, 0.0]) == "▁▁"
