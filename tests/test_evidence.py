"""benchmarks.evidence: boxes, and the localization accuracy of heat maps."""

import csv
from pathlib import Path

import numpy as np
import pytest
from photos import photo
from PIL import Image

from benchmarks import evidence
from benchmarks.evidence import BOXES, inside, point, read_boxes
from fashion.errors import DataError
from fashion.preprocess import InputSpec

SQUASH, PAD = InputSpec(size=64), InputSpec(size=64, resize="pad")
LEFT_HALF = (0.0, 0.0, 0.5, 1.0)
HEADER = "data,image,group,label,left,top,right,bottom\n"


def test_the_boxes_of_the_project_are_of_30_photographs() -> None:
    with BOXES.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    photographs = {(row["data"], row["image"], row["group"]) for row in rows}
    assert len(photographs) == len({image for _, image, _ in photographs}) == 30
    assert sorted(group for *_, group in photographs) == ["neck"] * 15 + ["sleeve"] * 15
    assert {row["label"] for row in rows} == {
        *("Short Sleeves", "Long Sleeves", "Sleeveless"),
        *("Round Neck", "V-Neck", "Polo Collar", "Shirt Collar"),
    }
    for row in rows:
        left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


def test_overlapping_boxes_count_once() -> None:
    mask = inside([LEFT_HALF, (0.25, 0.0, 0.75, 0.5)], (40, 20))
    assert mask.shape == (20, 40)
    assert mask.mean() == 0.5 + 0.125


@pytest.mark.parametrize("size", [(70, 70), (50, 90)])
def test_uniform_evidence_is_inside_in_proportion_to_the_area(size: tuple[int, int]) -> None:
    found = point(np.ones((7, 7)), [LEFT_HALF], Image.new("RGB", size), SQUASH)
    assert found.share == pytest.approx(found.area) == 0.5


def test_only_positive_evidence_points_into_a_box() -> None:
    there = np.zeros((8, 8))
    there[:, 1] = 2.0
    there[:, 6] = -5.0
    found = point(there, [LEFT_HALF], Image.new("RGB", (80, 80)), SQUASH)
    assert found.share > 0.99
    assert found.hit
    elsewhere = point(there[:, ::-1], [LEFT_HALF], Image.new("RGB", (80, 80)), SQUASH)
    assert elsewhere.share < 0.01
    assert not elsewhere.hit
    nothing = point(-np.ones((8, 8)), [LEFT_HALF], Image.new("RGB", (80, 80)), SQUASH)
    assert (nothing.share, nothing.hit) == (0.0, False)


def test_padding_is_excluded() -> None:
    # A photograph twice as high as wide fills the middle half of a padded input.
    evidence_there = np.zeros((16, 16))
    evidence_there[:, 5] = 0.5
    evidence_there[:, [0, 15]] = 1  # the padding
    found = point(evidence_there, [LEFT_HALF], Image.new("RGB", (40, 80)), PAD)
    assert found.share > 0.99
    assert point(evidence_there[:, ::-1], [LEFT_HALF], Image.new("RGB", (40, 80)), PAD).share < 0.01


def test_the_page_has_the_localization_accuracy(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evidence, "PAGE", tmp_path / "starter.md")
    (tmp_path / "shop" / "images").mkdir(parents=True)
    for i in range(3):
        (tmp_path / "shop" / "images" / f"{i}.png").write_bytes(photo(i))
    boxes = tmp_path / "boxes.csv"
    whole, half = "0,0,1,1", "0,0,0.5,1"
    lines = [f"shop,{i}.png,sleeve,Sleeveless,{half if i else whole}" for i in range(3)]
    boxes.write_text("# a comment\n" + HEADER + "\n".join([*lines, "shop,1.png,color,Red,0,0,0.25,0.5"]) + "\n")
    command = [str(bundle), "--data", str(tmp_path / "shop"), "--boxes", str(boxes)]
    assert evidence.main(command) == 0
    page = (tmp_path / "starter.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    found = {(of, kind): rest for of, kind, *rest in rows}
    for kind in ("covered", "activation"):
        assert found["sleeve", kind][0] == found["— Sleeveless", kind][0] == "3"
        assert found["sleeve", kind][2] == "0.667"  # of the photographs' area
        assert found["color", kind][2] == "0.125"
        assert 1 / 3 <= float(found["sleeve", kind][1].split()[0]) <= 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("other,0.png,sleeve,Sleeveless,0,0,1,1", "name a folder of that name with --data"),
        ("shop,missing.png,sleeve,Sleeveless,0,0,1,1", "is missing"),
        ("shop,0.png,sleeve,Sleeveless,0.5,0,0.4,1", "has an invalid box"),
    ],
)
def test_boxes_that_cannot_be_used_are_one_line_errors(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "shop" / "images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "shop" / "images" / "0.png")
    (tmp_path / "boxes.csv").write_text(HEADER + line + "\n")
    with pytest.raises(DataError, match=message):
        read_boxes(tmp_path / "boxes.csv", {"shop": tmp_path / "shop"})


def test_a_label_that_the_model_lacks_is_a_one_line_error(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop" / "images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "shop" / "images" / "0.png")
    (tmp_path / "boxes.csv").write_text(HEADER + "shop,0.png,sleeve,Raglan,0,0,1,1\n")
    with pytest.raises(SystemExit):
        evidence.main([str(bundle), "--data", str(tmp_path / "shop"), "--boxes", str(tmp_path / "boxes.csv")])
    assert "the model does not know 'Raglan' of sleeve" in capsys.readouterr().err
