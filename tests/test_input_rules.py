"""benchmarks.input_rules."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import garments

from benchmarks import input_rules
from benchmarks.input_rules import BorderTrial, bordered, crop_to_ratio, probe
from fashion import borders
from fashion.backbones.timm import WHEELS


@pytest.mark.parametrize(
    ("size", "left"),
    [((300, 100), (133, 100)), ((100, 400), (100, 133)), ((400, 300), (400, 300)), ((90, 90), (90, 90))],
)
def test_the_middle_is_kept(size: tuple[int, int], left: tuple[int, int]) -> None:
    image = Image.new("RGB", size)
    image.putpixel((size[0] // 2, size[1] // 2), (255, 0, 0))
    result = crop_to_ratio(image)
    assert result.size == left
    assert np.asarray(result)[result.height // 2 - 1 : result.height // 2 + 2].any()


def test_a_border_leaves_the_stated_part_of_both_sides() -> None:
    result = bordered(Image.new("RGB", (60, 90), (1, 2, 3)), 0.25, (200, 200, 200))
    assert result.size == (240, 360)
    assert result.getpixel((0, 0)) == (200, 200, 200)
    assert (np.asarray(result) == (1, 2, 3)).all(2).sum() == 60 * 90


def test_the_probe_learns_from_features() -> None:
    rng = np.random.default_rng(0)
    names = [("shirt", "shoe", "hat")[i % 3] for i in range(600)]
    features = rng.normal(0, 1, (600, 20))
    features[:, 0] += [3 * ("shirt", "shoe", "hat").index(name) for name in names]
    features[:, 1] += [4 * (name == "shoe") for name in names]
    right = np.mean(
        [a == b for a, b in zip(probe(features[:400], names[:400], features[400:]), names[400:], strict=True)]
    )
    assert right > 0.9
    noise = rng.normal(0, 1, (600, 20))
    assert np.mean(np.array(probe(noise[:400], names[:400], noise[400:])) == names[400:]) < 0.5


def test_a_cropped_border_keeps_the_answers(exported: Path, labeled_data: Path, tmp_path: Path) -> None:
    trial = BorderTrial(exported, ["color", "shape"])
    photographs = trial.photographs(labeled_data, 20, tmp_path / "cache")
    plain = [Image.fromarray(image) for image in garments(len(photographs), 96, 1)]
    targets = np.stack([photographs.reader.targets(photographs.rows[i]) for i in range(len(photographs))])
    small = [bordered(image, 0.25, (255, 255, 255)) for image in plain]
    assert all(borders.crop_region(image) for image in small)
    of = trial.score(small, targets)
    assert of["keep"][2] == 0
    assert of["cut"][2] == 1


def test_the_page_has_both_tables(exported: Path, labeled_data: Path, tmp_path: Path) -> None:
    page = tmp_path / "recipe.md"
    common = ["--data", str(labeled_data), "--groups", "color,shape", "--sources", "Garments", "--page", str(page)]
    common += ["--cache", str(tmp_path / "cache")]
    assert input_rules.main([*common, "--bundle", str(exported), "--bordered", "6"]) == 0
    text = page.read_text()
    assert "| Garments, 6 | none | " in text
    assert "| Garments, 6 | gray, 25% of the width left | " in text
    if importlib.util.find_spec(WHEELS["tf_efficientnet_lite0"][0]):
        assert input_rules.main([*common, "--size", "32", "--train", "8", "--val", "4"]) == 0
        text = page.read_text()
        assert "| photographs | group | scored | squash | pad | center |" in text
        assert "| Garments | shape | 4 | " in text
        assert "<!-- input rules, borders -->" in text


def test_folders_without_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        input_rules.main(["--data", "a,b", "--groups", "color", "--sources", "One"])
    assert "2 folders and 1 sources" in capsys.readouterr().err
