"""Comparing two portfolios: shares, combinations, gaps and overlaps by hand, commands, files and user errors."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import MODEL, OTHER_MODEL, TAXONOMY, products, write_catalog

from catalog.analysis.comparison import Comparison
from catalog.analysis.overlap import overlap
from catalog.analysis.portfolios import compare
from catalog.analysis.report.plots import drawable
from catalog.compare import main
from catalog.filters.where import FilterError
from catalog.scored.table import Scored
from fashion.errors import DataError, SettingError

SHOP = [pa.field("shop", pa.string())]
BLACK, NAVY, DRESSES, JEANS = (
    TAXONOMY.labels.index(label)
    for label in (("color", "Black"), ("color", "Navy Blue"), ("category", "Dresses"), ("category", "Jeans"))
)


def shop(name: str, count: int, labels: dict[int, float], seed: int) -> list[dict[str, Any]]:
    """Products of a shop; each label is drawn independently with its share."""
    rng = np.random.default_rng(seed)
    shares = np.full(len(TAXONOMY), 0.3)
    shares[list(labels)] = list(labels.values())
    return [
        {"id": f"{name}{i}", "image": "", "shop": name, "embedding": np.ones(4)}
        | {"logits": np.where(rng.random(len(TAXONOMY)) < shares, 8.0, -8.0)}
        for i in range(count)
    ]


OURS = shop("ours", 900, {BLACK: 0.5, NAVY: 0.0, DRESSES: 0.4}, 1)
THEIRS = shop("theirs", 600, {BLACK: 0.3, NAVY: 0.2, DRESSES: 0.4}, 2)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> list[Scored]:
    folder = tmp_path_factory.mktemp("shops")
    both = [*OURS, *THEIRS]
    np.random.default_rng(0).shuffle(both)  # type: ignore[arg-type]
    rows = {"ours/scored": OURS, "theirs/scored": THEIRS, "both": both}
    return [write_catalog(folder / name, part, part=400, columns=SHOP) for name, part in rows.items()]


@pytest.fixture(scope="module")
def found(shops: list[Scored]) -> Comparison:
    return compare(shops[0].folder, shops[1].folder)


def test_shares_and_combinations_are_counted(found: Comparison) -> None:
    answers = [np.array([row["logits"] for row in rows]) > 0 for rows in (OURS, THEIRS)]
    black = next(row for row in found.rows if row.names == ("Black",))
    assert black.other == pytest.approx([part[:, BLACK].mean() for part in answers])
    assert black.shares == pytest.approx(black.other, abs=1e-3)  # probabilities are nearly 0 or 1
    both = next(row for row in found.rows if row.names == ("Dresses", "Black"))
    assert both.groups == ("category", "color")
    assert both.other == pytest.approx([(part[:, BLACK] & part[:, DRESSES]).mean() for part in answers])
    assert both.shares == pytest.approx(both.other, abs=2e-3)
    assert len(found.rows) == len(TAXONOMY) + 3 * 3
    assert (found.sides, found.products) == (("ours", "theirs"), (900, 600))


def test_differences_and_gaps_are_found(found: Comparison) -> None:
    differing = {row.names: row.more for row in found.differences}
    assert differing[("Black",)] == 0
    assert differing[("Navy Blue",)] == 1
    assert ("Jeans",) not in differing
    gaps = {row.names: row.gap for row in found.gaps}
    assert gaps[("Navy Blue",)] == 0  # it is rare in the first
    assert ("Black",) not in gaps
    assert all("Navy Blue" in names for names in gaps)


def test_overlap_by_hand(found: Comparison) -> None:
    """The mixes (1/2, 1/2, 0) and (1/4, 1/4, 1/2) have 1/4 + 1/4 in common."""
    entry = overlap("color", (np.array([0.4, 0.4, 0.0]), np.array([0.1, 0.1, 0.2])), (50, 80), np.eye(3) * 0.2)
    assert entry.overlap == pytest.approx(0.5)
    assert overlap("color", (np.zeros(2), np.ones(2)), (5, 5), np.eye(2)).overlap is None
    by_group = {entry.group: entry for entry in found.overlaps}
    assert by_group["color"].overlap < by_group["color"].chance_low
    assert by_group["category"].overlap > by_group["category"].chance_low


def test_overlap_by_chance_is_that_of_two_random_halves() -> None:
    rng = np.random.default_rng(3)
    values = rng.random((20_000, 5)) < [0.5, 0.3, 0.1, 0.05, 0.05]
    covariance, whole = np.cov(values.T), values.mean(0)
    claimed = overlap("color", (whole, whole), (200, 100), covariance)
    halves = []
    for _ in range(400):
        drawn = [values[rng.integers(len(values), size=size)].mean(0) for size in (200, 100)]
        halves.append(np.minimum(*(part / part.sum() for part in drawn)).sum())
    assert claimed.overlap == pytest.approx(1)
    assert claimed.chance == pytest.approx(np.mean(halves), abs=0.005)
    assert claimed.chance_low == pytest.approx(np.quantile(halves, 0.05), abs=0.01)


def test_one_catalog_split_is_two_catalogs(shops: list[Scored], found: Comparison) -> None:
    split = compare(shops[2], split=("shop=ours", "shop=theirs"))
    assert split.products == found.products
    for one, other in zip(split.rows, found.rows, strict=True):
        assert one.shares == pytest.approx(other.shares)
        assert one.p == pytest.approx(other.p)
    assert [entry.overlap for entry in split.overlaps] == pytest.approx([entry.overlap for entry in found.overlaps])


def test_a_filter_applies_to_both(shops: list[Scored]) -> None:
    found = compare(shops[0], shops[1], where="category=Dresses", groups=["color"], combine=[])
    counts = [sum(row["logits"][DRESSES] > 0 for row in rows) for rows in (OURS, THEIRS)]
    assert list(found.products) == counts
    assert [row.groups for row in found.rows] == [("color",)] * 3


def test_hardly_anything_differs_between_two_halves(tmp_path: Path) -> None:
    rows = products(1000)
    found = compare(write_catalog(tmp_path / "a", rows[:500]), write_catalog(tmp_path / "b", rows[500:]), answers=True)
    assert found.tested > 10
    assert found.differences == []


def test_the_command_prints_and_writes(shops: list[Scored], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, table = tmp_path / "report", tmp_path / "compare.csv"
    places = [str(shops[0].folder), str(shops[1].folder)]
    assert main([*places, "--combine", "category,color", "--report", str(report), "--csv", str(table)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("ours (900 products)\ntheirs (600 products)\n")
    assert "color             Navy Blue" in text.split("More frequent in one")[0]
    assert main([str(shops[2].folder), "--split", "shop=ours", "shop!=ours", "--json", "--group", "color"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["sides"] == ["shop=ours", "shop!=ours"]
    assert printed["rows"][0]["more"] == 0
    with table.open(newline="") as file:
        lines = {line["name"] + line["combined_name"]: line for line in csv.DictReader(file)}
    assert (lines["Navy Blue"]["more"], lines["Navy Blue"]["gap"]) == ("2", "1")
    assert "DressesBlack" in lines
    names = ["compare.csv", "compare.json", "index.html", "plots"]
    assert sorted(path.name for path in report.iterdir()) == names
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "http" not in page.split("</style>")[1]
    shares = page.split('id="shares"')[1]
    assert all(name in shares for name in ("Black", "Navy Blue", "Dresses"))
    assert page.count("data:image/png;base64,") == len(list((report / "plots").glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, SettingError, "give two catalogs to compare, or one and --split"),
        ({"split": ("shop=ours", "shop='theirs' or id=ours3")}, SettingError, "'ours3' passes both filters"),
        ({"split": ("shop=ours", "shop=nobody")}, DataError, "no product of .*both passes the filter 'shop=nobody'"),
        ({"split": ("shop=ours", "shp=theirs")}, FilterError, "unknown column 'shp'"),
        ({"split": ("shop=ours", "shop=theirs", "shop=other")}, SettingError, "--split takes two filters, not 3"),
        (
            {"split": ("shop=ours", "shop=theirs"), "combine": ["color"]},
            SettingError,
            r"--combine takes two .*, not 'color'",
        ),
        ({"split": ("shop=ours", "shop=theirs"), "combine": ["color", "shape"]}, SettingError, "group 'shape'"),
        ({"split": ("shop=ours", "shop=theirs"), "groups": ["shape"]}, SettingError, "group 'shape'"),
    ],
)
def test_mistakes_are_reported(
    shops: list[Scored], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        compare(shops[2], **options)


def test_catalogs_that_cannot_be_compared(tmp_path: Path, shops: list[Scored]) -> None:
    write_catalog(tmp_path / "other", OURS[:30], OTHER_MODEL, columns=SHOP)
    with pytest.raises(DataError, match=r"ours.scored was scored by .*\(abab.*, .*other by .*\(cdcd.*two models"):
        compare(shops[0], tmp_path / "other")
    write_catalog(tmp_path / "sure", OURS[:30], MODEL, columns=SHOP, profile="0.8")
    with pytest.raises(DataError, match=r"different profiles, 0\.5 and 0\.8"):
        compare(shops[0], tmp_path / "sure", answers=True)
    assert any("profiles are 0.5 and 0.8" in note for note in compare(shops[0], tmp_path / "sure").notes)
    with pytest.raises(SettingError, match=r"both are the catalog .*to compare parts of it give --split"):
        compare(shops[0], shops[0].folder)
    write_catalog(tmp_path / "plain", OURS[:30], MODEL, columns=[])
    with pytest.raises(FilterError, match=r"plain: unknown column 'shop', at the \^ in: \^shop=ours"):
        compare(shops[0], tmp_path / "plain", where="shop=ours")
    write_catalog(tmp_path / "empty", [])
    with pytest.raises(DataError, match="empty is empty: no product"):
        compare(shops[0], tmp_path / "empty")


def test_names_missing_in_the_plots_font_are_replaced_by_numbers() -> None:
    assert drawable("Kurtas + Noir é", 1) == "Kurtas + Noir é"
    assert drawable("上衣", 3) == "3"
    long = drawable("x" * 80, 1)
    assert len(long) < 40
    assert long.endswith("…")
