"""Trends and comparisons of an often wrong model: corrected intervals cover the truth, uncorrected ones do not."""

import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_catalog import COLUMNS, MODEL, TAXONOMY, write_catalog
from test_share_correction import NAMES, USUAL, own_products, photographs

from catalog.analysis.growth import trends
from catalog.analysis.portfolios import compare
from catalog.analysis.report.writing import write_comparison, write_trends
from catalog.analysis.share_correction import MARK
from catalog.analysis.tabular import compare_text, trends_text
from catalog.scored.correction_store import ONLY, Correction, CorrectionStore
from catalog.scored.refit import Refit
from catalog.scored.share_corrections import CORRECTIONS_FILE, keep_corrections
from catalog.scored.table import Scored
from catalog.trends import main
from fashion.errors import DataError
from fashion.model_card import ModelCard
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label, Taxonomy
from training.profiles.share_corrections import fit_correction

MONTHS, EACH = 6, 400
COLORS = Taxonomy((*(Label("color", name) for name in NAMES), Label("category", "Dresses"), Label("category", "Jeans")))
GROUPS = ["color"]
CHANGE = np.linspace(0, 0.3, MONTHS)


def corrections(seed: int, coverage: float = 0.95) -> dict[str, Any]:
    truths, probabilities = photographs(USUAL * 3, np.random.default_rng(seed))
    found = fit_correction(probabilities, truths, NAMES, own_products(truths))
    assert found
    return {"color": replace(found, coverage=coverage).to_json()}


def catalog(folder: Path, shares: np.ndarray, seed: int, kept: dict[str, Any] | None) -> Scored:
    """Products of some months with given shares of colors (months, 3), scored by the model."""
    rng = np.random.default_rng(seed)
    rows = []
    for month, each in enumerate(shares):
        _, probabilities = photographs(rng.multinomial(EACH, each), rng)
        for i, p in enumerate(probabilities):
            logits = [*(math.log(x / (1 - x)) for x in np.clip(p, 1e-3, 1 - 1e-3)), *(2.0, -2.0)[:: 1 if i % 2 else -1]]
            rows.append(
                {"id": f"p{month}-{i}", "image": "", "added": date(2026, month + 1, 3)}
                | {"logits": np.array(logits), "embedding": np.ones(2)}
            )
    scored = write_catalog(folder, rows, taxonomy=COLORS, columns=[COLUMNS[3]], part=5000)
    if kept:
        (folder / CORRECTIONS_FILE).write_text(json.dumps({"weights": MODEL["weights"], "groups": kept}))
    return scored


def rising() -> np.ndarray:
    """White rises from 10 % to 40 %; the others fall proportionally."""
    usual = USUAL / USUAL.sum()
    shares = np.outer((1 - 0.1 - CHANGE) / 0.9, usual)
    shares[:, 2] = 0.1 + CHANGE
    return shares


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return catalog(tmp_path_factory.mktemp("corrected") / "scored", rising(), 1, corrections(2))


def test_corrected_intervals_of_months_cover_the_truth_and_uncorrected_do_not(scored: Scored) -> None:
    held = {}
    for way in (True, False):
        labels = trends(scored, groups=GROUPS, correct=way).labels
        held[way] = np.mean(
            [
                label.low[month] <= rising()[month, place] <= label.high[month]
                for place, label in enumerate(labels)
                for month in range(MONTHS)
            ]
        )
    assert held[True] >= 0.85  # of 18, whose errors are correlated
    assert held[False] <= 0.6


def test_a_change_is_estimated_correctly(scored: Scored) -> None:
    found, plain = (trends(scored, groups=GROUPS, correct=way) for way in (True, False))
    assert (found.measure, plain.measure) == ("corrected", "expected")
    white, uncorrected = found.labels[2], plain.labels[2]
    assert white.trend == "riser"
    assert white.growth
    assert uncorrected.growth
    assert white.growth.interval[0] <= 0.3 <= white.growth.interval[1]
    assert uncorrected.growth.interval[1] < 0.3
    assert all(0 <= x <= 1 for label in found.labels for x in (*label.low, *label.high, *label.shares))


def test_without_a_change_no_trend_is_found(tmp_path: Path) -> None:
    kept, called = corrections(3), 0
    for seed in range(12):
        flat = np.tile([0.2, 0.2, 0.6], (MONTHS, 1))
        found = trends(catalog(tmp_path / str(seed), flat, 10 + seed, kept), groups=GROUPS)
        called += sum(label.trend is not None for label in found.labels)
    assert called <= 3  # of 36


def test_intervals_of_differences_and_combinations_cover_the_truth(tmp_path: Path) -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]).repeat(3, axis=0)
    kept, held, plain = corrections(4), [], []
    for seed in range(6):
        scored = catalog(tmp_path / str(seed), shares, 30 + seed, kept)
        split = ("added<2026-04-01", "added>=2026-04-01")
        for way, seen in ((True, held), (False, plain)):
            rows = compare(scored, split=split, combine=["category", "color"], correct=way).rows
            for row in rows:
                if row.groups == ("color",):
                    truth = shares[0, NAMES.index(row.name)] - shares[-1, NAMES.index(row.name)]
                elif len(row.groups) == 2:  # every product has a certain category, irrelevant here
                    place = NAMES.index(row.names[1])
                    truth = (shares[0, place] - shares[-1, place]) / 2
                else:
                    continue
                seen.append(row.interval[0] <= truth <= row.interval[1])
    assert np.mean(held) >= 0.9
    assert np.mean(plain) <= 0.6


@pytest.mark.parametrize("refitted", [0, 1])
def test_a_refit_of_either_catalog_rules_the_correction_out(tmp_path: Path, refitted: int) -> None:
    kept = corrections(2)
    sides = [catalog(tmp_path / str(side), rising()[:2], side, kept) for side in range(2)]
    assert compare(*sides, groups=GROUPS).measure == "corrected"
    refit = Refit(MODEL["weights"], "0.5", {}, [0.5] * len(COLORS), {"applies": [], "product": False}, {})
    CorrectionStore(sides[refitted].folder).write_refit(refit.to_json(), 0, "ana")
    found = compare(*sides, groups=GROUPS)
    assert (found.measure, {row.correction for row in found.rows}) == ("expected", {"none"})


def test_the_state_of_the_correction_is_reported(tmp_path: Path, scored: Scored) -> None:
    found = trends(scored)
    assert [(g.group, g.trusted) for g in found.corrections] == [("color", True), ("category", False)]
    assert [label.correction for label in found.labels] == ["corrected"] * 3 + ["none"] * 2
    assert any(note.startswith(f"{MARK} category: not corrected") for note in found.notes)
    text = trends_text(found)
    assert f"category{MARK}" in text
    assert "corrected for the model's errors" in text.splitlines()[0]
    assert text.index("White") < text.index("Dresses")
    content = json.loads(json.dumps(found.to_json(), default=str))
    assert content["corrections"][0]["coverage"] == 0.95
    assert content["labels"][0]["correction"] == "corrected"
    doubtful = catalog(tmp_path / "doubtful", rising(), 5, corrections(6, coverage=0.8))
    found = trends(doubtful, groups=GROUPS)
    assert found.labels[0].correction == "doubtful"
    assert f"{MARK} color: corrected, but unreliable" in found.notes[0]
    page = write_trends(found, tmp_path / "report").read_text()
    assert f"color{MARK}" in page
    compared = compare(doubtful, split=("added<2026-03-01", "added>=2026-03-01"))
    assert f"color{MARK}" in compare_text(compared)
    assert f"color{MARK}" in write_comparison(compared, tmp_path / "compared").read_text()
    assert {row.correction for row in compared.rows if len(row.names) == 2} == {"none"}  # the worse state of the two


def test_corrections_by_people_are_not_model_errors(tmp_path: Path) -> None:
    """All products are corrected to White; one further product is marked as not a product."""
    scored = catalog(tmp_path / "said", rising()[:2], 11, corrections(12))
    store = CorrectionStore(scored.folder)
    ids = [f"p{month}-{i}" for month in range(2) for i in range(EACH)]
    seen = store.states(ids)
    store.write([Correction(id, ONLY, "color", "White") for id in ids[:-1]], seen, who="ana")
    found = trends(scored, groups=GROUPS)
    assert found.measure == "corrected"
    assert found.labels[2].shares == pytest.approx([1, 1], abs=0.01)
    assert found.labels[0].share < 0.01


def test_missing_corrections_are_reported(tmp_path: Path, scored: Scored, capsys: pytest.CaptureFixture[str]) -> None:
    plain = catalog(tmp_path / "plain", rising(), 7, None)
    found = trends(plain)
    assert found.measure == "expected"
    assert found.notes[0].startswith("Shares are not corrected for the model's errors")
    assert trends(plain, correct=False).notes == trends(plain, answers=True).notes == []
    assert main([str(scored.folder), "--uncorrected", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measure"] == "expected"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read: .* or run python -m catalog.score again"),
        (json.dumps({"weights": "sha256:00", "groups": {}}), "is of another model than the catalog"),
        (json.dumps({"weights": MODEL["weights"], "groups": {"color": {}}}), "the correction of shares cannot be read"),
    ],
)
def test_a_broken_file_is_reported(tmp_path: Path, content: str, message: str) -> None:
    scored = catalog(tmp_path / "broken", rising()[:2], 8, None)
    (scored.folder / CORRECTIONS_FILE).write_text(content)
    with pytest.raises(DataError, match=message):
        trends(scored)


def test_intervals_of_thirty_products_stay_within_100_points(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    for number in range(20):
        rows = [
            {"id": f"p{i}", "image": "", "added": date(2026, 1 + i % 3, 3), "embedding": np.ones(2)}
            | {"logits": np.where(rng.random(len(TAXONOMY)) < (0.1, 0.5, 0.9)[i % 3], 6.0, -6.0)}
            for i in range(30)
        ]
        found = trends(write_catalog(tmp_path / str(number), rows, columns=[COLUMNS[3]]))
        tested = [label.growth for label in found.labels if label.growth]
        assert tested
        for growth in tested:
            assert -1 <= growth.interval[0] <= growth.change <= growth.interval[1] <= 1


def test_scoring_stores_the_models_corrections(tmp_path: Path) -> None:
    half = {"0.5": [0.5] * len(COLORS)}
    card = ModelCard("fashion", "1.0", "", "resnet18", InputSpec(), COLORS.labels, half, "0.5", {})
    with_corrections = replace(card, share_corrections=corrections(8))
    keep_corrections(tmp_path, with_corrections)
    kept = json.loads((tmp_path / CORRECTIONS_FILE).read_text())
    assert kept == {"weights": card.weights_id, "groups": with_corrections.share_corrections}
    keep_corrections(tmp_path, card)
    assert not (tmp_path / CORRECTIONS_FILE).exists()
