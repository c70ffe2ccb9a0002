"""benchmarks.starter."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import garments

from benchmarks import changed_photographs, starter
from benchmarks.changed_photographs import CHANGES, WIDE_BORDERS, changed_answers, cropped, kept, padded
from fashion.predictor import Predictor


def test_kept_answers_are_those_given_both_times() -> None:
    before = np.array([[True, True, False], [False, False, False]])
    after = np.array([[True, False, True], [False, False, False]])
    assert kept(before, after) == pytest.approx(1 / 3)
    assert kept(before, before) == kept(~before & before, before & ~before) == 1.0


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_small_and_real(change: str) -> None:
    image = Image.fromarray(garments(1, 96, 3)[0])
    changed = CHANGES[change](image)
    assert changed.mode == "RGB"
    again = np.asarray(changed.resize(image.size)).astype(int)
    difference = np.abs(again - np.asarray(image)).mean()
    assert 0.1 < difference < 60


def test_crops_and_borders_have_the_stated_size() -> None:
    image = Image.new("RGB", (200, 100), (1, 2, 3))
    assert cropped(image, 0.1).size == (180, 90)
    assert padded(image, 0.1).size == (220, 110)
    assert padded(image, 0.1).getpixel((219, 109)) == (1, 2, 3)
    assert [change(image).size for change in WIDE_BORDERS.values()] == [(400, 200), (800, 400)]


def test_the_page_has_the_scores_of_evaluate(
    exported: Path, labeled_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "PAGE", tmp_path / "starter.md")
    monkeypatch.chdir(tmp_path)
    command = ["--bundle", str(exported), "--data", str(labeled_data), "--sources", "Garments", "--changed", "4"]
    command += ["--together", "color,shape", "--recolored", "shape", "--cache", str(tmp_path / "cache")]
    assert starter.main(command) == 0
    page = (tmp_path / "starter.md").read_text()
    from training.evaluate import evaluate

    result = evaluate(Predictor.from_bundle(exported), labeled_data, cache=tmp_path / "cache")
    scores = result["profiles"]["micro-f1"]
    assert f"| Garments, {result['images']} | {scores['micro_f1']:.3f} (" in page
    for group, found in scores["groups"].items():
        assert f"| — {group} | {found['micro_f1']:.3f} (" in page
    assert all(f"| {change} | " in page for change in (*CHANGES, *WIDE_BORDERS))
    assert "| — color, shape | " in page
    assert "| recolored: the likeliest shape | " in page
    assert "--together color,shape --recolored shape\n" in page
    assert "| cells of color, shape that can be answered with 95% precision | " in page
    assert "| every annotated label | " in page
    assert "does not apply" not in page  # a model without gates


def test_a_change_that_changes_nothing_keeps_all(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_photographs, "CHANGES", {"nothing": lambda image: image})
    images = [Image.fromarray(image) for image in garments(3, 96, 1)]
    assert changed_answers(Predictor.from_bundle(bundle), images, "0.1") == {"nothing": 1.0}
