"""Figures in the prose of README and docs/scale.md are those of the generated tables."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README, STARTER, SCORING, SCALE = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/starter.md", "docs/scoring.md", "docs/scale.md")
)
GROUPS = {"color": "colour"}  # as the README says it, and the model
COLUMNS = {"one shop, 224 px": 1, "the same shop, 60x80 px": 0, "single garments, taken by amateurs": 3}
LIMITS = " ".join(README.split("## Known limits")[1].split())


def rows(page: str, section: str) -> list[list[str]]:
    """Cells of the tables in a generated section."""
    lines = page.split(f"<!-- {section} -->")[1].split(f"<!-- /{section} -->")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]


@pytest.mark.parametrize("photographs", COLUMNS)
def test_shares_with_the_most_probable_label_right(photographs: str) -> None:
    measured = {row[0]: row[1:] for row in rows(STARTER, "starter top-1")}
    said = re.search(rf"^\| {photographs} \| (.*) \|$", README, re.MULTILINE)
    assert said is not None
    for group, share in (pair.rsplit(" ", 1) for pair in said[1].split(", ")):
        cell = measured[GROUPS.get(group, group)][COLUMNS[photographs]]
        assert share == f"{float(cell.split()[0]):.2f}", group


def test_micro_f1() -> None:
    five = [row[1] for row in rows(STARTER, "starter") if row[0] == "— gender, article, colour, season, usage"]
    small, middle = (f"{float(cell.split()[0]):.2f}" for cell in five[:2])
    assert f"is {small} at 60x80 px and {middle} at 224 px" in LIMITS


def test_photographs_with_and_without_a_product() -> None:
    count = {}
    for name, photographs, share in rows(STARTER, "starter no product"):
        if name == "all":
            count[photographs] = float(share.split("%")[0])
    (alarms, false), (others, right) = count.items()
    top = " ".join(README.split("\n## ")[0].split())
    assert f"Of {alarms} product photographs it took {false:.1f} % for none" in top
    assert f"of {others} pictures without a product it recognized {right:.0f} %".lower() in top.lower()
    parts = re.findall(r"^\| (?:drawn|real)[^|]*, (\d+) \| [\d.]+% \| ([\d.]+)% \|$", STARTER, re.MULTILINE)
    assert sum(int(pictures) for pictures, _ in parts) == int(others)
    (drawn, easy), (real, hard) = parts
    missed = re.search(rf"of the {real} \[real ones\].* it takes (\d+)\s", STARTER)
    assert missed is not None
    recognized = 1 - int(missed[1]) / int(real)
    assert f"{recognized:.1%}" == f"{hard}%"
    assert f"{float(easy):.0f} % of the {drawn} that are drawn or from libraries" in top
    assert f"{recognized * 100:.0f} % of the {real} real ones" in top
    assert f"{100 - recognized * 100:.0f} % of real pictures without a product" in LIMITS


def test_times_to_score_large_catalogs() -> None:
    (median,) = [row[2] for row in rows(SCORING, "rate") if row[0] == "median"]
    assert len(re.findall(rf"\b{median} photographs a second", SCALE)) == 2
    hours, days = 1e7 / float(median) / 3600, 1e8 / float(median) / 86400
    assert f"{hours:.0f} hours on two cores, and {days:.0f} days for 100 million" in SCALE
