"""The tables of docs/starter.md: most probable labels, certain answers, groups that do not apply, no product."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import garments

from benchmarks import starter
from benchmarks.held_out import HeldOut, answer_held_out
from benchmarks.proportions import percent_cell, wilson
from benchmarks.starter_gates import applies_rows, refused
from benchmarks.starter_scores import MEANINGS, best_guesses, certain_row, certain_share, top_1_rows
from fashion.gates import Gates
from fashion.predictor import Predictor
from fashion.profiles.bootstrap import interval
from training.profiles.gate_scores import FALSE_ALARMS, GatePredictions, score_gates

RULES = """
applies:
  by: [category]
  groups: [sleeve]
  rows: 2
"""


def write_catalog(folder: Path, kinds: dict[str, list[str]] | None = None) -> Path:
    """Write a shop of drawn garments, some without sleeves; with `kinds`, by split, also images without a product."""
    (folder / "images").mkdir(parents=True)
    for split, count in (("train", 24), ("val", 16)):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "kind"] if kinds else ["image", "category", "color", "sleeve"])
            for i in range(len(kinds[split]) if kinds else count):
                name = f"{split}-{i}.png"
                seed = i + (1000 if split == "val" else 0) + (5000 if kinds else 0)
                Image.fromarray(garments(1, 48, seed)[0]).save(folder / "images" / name)
                jeans = i % 2 == 0
                sleeve = "" if jeans else ("Sleeveless" if i % 4 == 1 else "Three-Quarter Sleeves")
                row = [name, "Jeans" if jeans else "T-Shirts", "Black" if i % 3 else "Red", sleeve]
                writer.writerow([name, kinds[split][i]] if kinds else row)
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("shop") / "shop")


@pytest.fixture(scope="module")
def negatives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kinds = {"train": ["wall"] * 2 + ["sea"], "val": ["wall"] * 9 + ["sea"] * 3 + ["cat"] * 8 + ["car"]}
    return write_catalog(tmp_path_factory.mktemp("negatives") / "negatives", kinds)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture(scope="module")
def held(
    gated_bundle: Path, shop: Path, negatives: Path, rules: Path, tmp_path_factory: pytest.TempPathFactory
) -> HeldOut:
    predictor = Predictor.from_bundle(gated_bundle)
    cache = tmp_path_factory.mktemp("cache")
    return answer_held_out(predictor, {"shop": shop}, rules, negatives=[negatives], cache=cache)


def test_images_without_a_product_come_last_and_belong_to_no_catalog(held: HeldOut) -> None:
    assert held.products.tolist() == held.rows_of(0).tolist() == list(range(16))
    assert held.without_product.tolist() == list(range(16, 37))
    assert all(not truth for truth in held.truths[16:])
    assert held.truths[1] == {"category": ["T-Shirts"], "color": ["Black"], "sleeve": ["Sleeveless"]}


def test_a_label_that_the_model_lacks_is_missed_and_one_without_meaning_left_out(held: HeldOut) -> None:
    found = best_guesses(held, held.products, "sleeve")
    assert found.photograph.tolist() == list(range(1, 16, 2))
    names = [held.taxonomy.names("sleeve")[i] for i in held.seen.logits[:16, held.taxonomy.indices("sleeve")].argmax(1)]
    assert found.right.tolist() == [names[i] == "Sleeveless" and i % 4 == 1 for i in range(1, 16, 2)]
    meant = best_guesses(held, held.products, "sleeve", MEANINGS["sleeve"])
    assert meant.photograph.tolist() == list(range(1, 16, 4))
    assert meant.right.tolist() == [names[i] == "Sleeveless" for i in range(1, 16, 4)]


def test_the_rows_of_most_probable_labels(held: HeldOut) -> None:
    rows = {row[0]: row[1] for row in top_1_rows(held)}
    assert list(rows) == ["category", "color", "sleeve", "sleeve: long, short, none"]
    assert rows["category"].endswith(", 16")
    assert rows["sleeve: long, short, none"].endswith(", 4")
    assert certain_row(held, ["category", "color"])[0].endswith(", 32")


def test_certain_answers_are_the_longest_prefix_with_the_wanted_precision() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([False, True, True, True, False])
    even = np.ones((1, 5))
    assert certain_share(probability, right, even, 0.75).tolist() == [0.8]
    assert certain_share(probability, right, even, 0.95).tolist() == [0.0]
    assert certain_share(probability, np.ones(5, bool), even, 1.0).tolist() == [1.0]
    assert certain_share(probability, right, np.array([[0, 1, 1, 1, 1]]), 1.0).tolist() == [0.75]
    # Equally probable guesses must be kept or dropped together.
    assert certain_share(np.array([0.5, 0.5]), np.array([True, False]), np.ones((1, 2)), 0.9).tolist() == [0.0]


def test_gates_are_scored_as_in_the_card(held: HeldOut) -> None:
    rows = {row[0]: row[1:] for row in applies_rows(held)}
    expected = score_gates(held.seen.gate_predictions[held.products], np.full(3, 0.5))["applies"]
    assert list(rows) == list(expected)
    assert [rows["sleeve"][1], rows["sleeve"][3]] == ["8", "8"]
    for group, of in expected.items():
        for cell, key in ((rows[group][0], "applies_f1"), (rows[group][2], "does_not_apply_f1")):
            assert cell.split(" ")[0] == ("-" if of[key] is None else f"{of[key]:.3f}")


def test_few_products_are_refused_by_held_out_thresholds() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.array([1, 0], np.int8), 2000)[:, None]
    probabilities = np.where(targets == 1, rng.beta(8, 1, targets.shape), rng.beta(1, 8, targets.shape))
    said = refused(GatePredictions(Gates((), True), probabilities, targets), np.arange(4000).astype(str))
    assert said[:2000].mean() == pytest.approx(FALSE_ALARMS, abs=0.005)
    assert said[2000:].mean() > 0.9


def test_a_share_has_the_interval_of_wilson() -> None:
    assert wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert percent_cell(0, 0) == "-"
    assert percent_cell(1, 100) == "1.0% (0.2% to 5.4%)"


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(0).random(400)
    low, high = interval(lambda weights: weights @ values / weights.sum(axis=1), 400) or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.005)


def test_the_page_of_a_model_with_gates(
    gated_bundle: Path,
    shop: Path,
    negatives: Path,
    rules: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starter, "PAGE", tmp_path / "starter.md")
    command = ["--bundle", str(gated_bundle), "--data", str(shop), "--sources", "A shop", "--changed", "2"]
    command += ["--rules", str(rules), "--negatives", str(negatives), "--cache", str(tmp_path / "cache")]
    assert starter.main(command) == 0
    page = (tmp_path / "starter.md").read_text()
    for row in ("sleeve |", "A shop | 16 |", "all | 21 |", "kinds that training has too | 12 |", "— wall | 9 |"):
        assert f"| {row}" in page
    for row in (
        "— 1 of fewer photographs | 3 |",
        "kinds that training has not | 9 |",
        "— cat | 8 |",
        "— 1 of fewer photographs | 1 |",
    ):
        assert f"| {row}" in page
    assert "--rules FILE --negatives FOLDER\n" in page
    sections = [line for line in page.splitlines() if line.startswith("<!-- starter")]
    names = ("", " top-1", " calibration", " gates", " no product", " changes")
    assert sections == [f"<!-- starter{name} -->" for name in names]


def test_names_and_folders_that_do_not_fit_are_one_line_errors(
    gated_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        starter.main(["--bundle", str(gated_bundle), "--data", "a,b", "--sources", "A"])
    assert "as many different names" in capsys.readouterr().err
