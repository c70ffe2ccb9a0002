"""The generated sample: true labels, reproducible bytes, the training format."""

import colorsys
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image

from fashion.errors import SettingError
from fashion.model_card import ModelCard
from fashion.taxonomy import imaterialist
from training.sources.drawing import draw, wardrobe
from training.sources.drawing.cloth import COLORS
from training.sources.drawing.shop_words import SHOP_GROUPS
from training.sources.sample import make_sample
from training.sources.writer import OutputExists

COUNTS = {"train": 24, "val": 6, "test": 3}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("sample") / "sample", **COUNTS, size=48, workers=1)


def rows(folder, split="train"):
    files = [str(path) for path in sorted(folder.glob(f"{split}-*.parquet"))]
    return load_dataset("parquet", data_files=files, split="train", cache_dir=str(folder.parent / "cache"))


def seeds_of(wanted, count, start=0):
    """The first seeds with a wanted outfit, without drawing the images."""
    found, seed = [], start
    while len(found) < count:
        if wanted(wardrobe.choose(np.random.default_rng(seed))):
            found.append(seed)
        seed += 1
    return found


def garment_pixels(image):
    """Pixels of the image's center, covered by every one-piece garment: (N, 3), 0 to 1."""
    size = image.width
    box = (int(size * 0.42), int(size * 0.45), int(size * 0.58), int(size * 0.65))
    return np.asarray(image.crop(box), dtype=np.float64).reshape(-1, 3) / 255


def test_same_seed_same_pixels():
    first, labels = draw(7, 96)
    again, labels_again = draw(7, 96)
    assert (first.size, first.mode) == ((96, 96), "RGB")
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert labels == labels_again
    assert not np.array_equal(np.asarray(first), np.asarray(draw(8, 96)[0]))


def test_the_same_picture_at_every_size():
    small, labels = draw(11, 64)
    large, labels_large = draw(11, 192)
    assert labels == labels_large
    shrunk = np.asarray(large.resize((64, 64), Image.Resampling.BOX), dtype=float)
    assert np.abs(shrunk - np.asarray(small, dtype=float)).mean() < 12


def test_every_label_is_of_the_taxonomy_and_common_enough():
    outfits = [wardrobe.choose(np.random.default_rng(seed)).labels() for seed in range(4000)]
    taxonomy = imaterialist()
    used = Counter((group, name) for labels in outfits for group, names in labels.items() for name in names)
    for group, name in used:
        assert name in taxonomy.names(group)
    assert 35 <= len(used) <= 50
    annotated = {group: sum(bool(labels[group]) for labels in outfits) for group in wardrobe.GROUPS}
    for (group, name), count in used.items():
        assert count >= 0.015 * annotated[group], f"{name}: {count} of {annotated[group]}"
    assert min(used.values()) >= 0.012 * len(outfits)


def test_every_category_can_be_drawn():
    for category in wardrobe.KINDS:
        for seed in seeds_of(lambda outfit, category=category: outfit.category == category, 2):
            image, labels = draw(seed, 48)
            assert labels["category"] == [category]
            assert np.asarray(image).std() > 5


def is_plain_top(outfit):
    return outfit.category in {"T-Shirts", "Pullover Sweaters", "Tank Tops"} and not outfit.pattern


@pytest.mark.parametrize("color", ["Blue", "Green", "Pink", "Purple", "Red", "Yellow"])
def test_the_drawn_color_matches_the_label(color):
    middle = sum(COLORS[color][0]) / 2
    for seed in seeds_of(lambda outfit: is_plain_top(outfit) and outfit.colors == (color,), 2):
        red, green, blue = garment_pixels(draw(seed, 64)[0]).mean(axis=0)
        hue = colorsys.rgb_to_hsv(red, green, blue)[0]
        assert abs((hue - middle + 0.5) % 1 - 0.5) < 0.07, f"seed {seed}: hue {hue:.2f}, {color} is {middle:.2f}"


@pytest.mark.parametrize(("color", "low", "high"), [("Black", 0, 0.3), ("Gray", 0.3, 0.72), ("White", 0.72, 1)])
def test_black_gray_and_white_have_their_brightness(color, low, high):
    for seed in seeds_of(lambda outfit: is_plain_top(outfit) and outfit.colors == (color,), 2):
        assert low <= garment_pixels(draw(seed, 64)[0]).mean() <= high


def test_patterns_vary_more_than_plain_cloth():
    def variation(pattern, category="T-Shirts"):
        found = seeds_of(lambda outfit: outfit.category == category and outfit.pattern == pattern, 4)
        return [garment_pixels(draw(seed, 80)[0]).std(axis=0).max() for seed in found]

    plain = max(variation(""))
    for pattern in ("Stripes", "Camouflage", "Polka Dot", "Leopard And Cheetah"):
        assert min(variation(pattern)) > plain


def test_scenes_differ():
    corners = np.array([np.asarray(draw(seed, 48)[0])[:4, :4].mean(axis=(0, 1)) for seed in range(12)])
    assert corners.std(axis=0).min() > 8


def test_the_folder_is_in_the_training_format(sample):
    description = json.loads((sample / "dataset.json").read_text())
    assert description["splits"] == COUNTS
    assert list(description["groups"]) == list(wardrobe.GROUPS)
    assert description["left_out"] == {}
    train = rows(sample)
    assert len(train) == COUNTS["train"]
    assert train[0]["image"].size == (48, 48)
    assert train.column_names == ["image", "id", "product_id", *wardrobe.GROUPS]
    imaterialist().encode({group: train[0][group] for group in wardrobe.GROUPS})


def test_the_splits_share_no_image_and_are_drawn_again_alike(sample, tmp_path, capsys):
    again = make_sample(tmp_path / "again", **COUNTS, size=48, workers=2)
    for split in COUNTS:
        one, other = (next(iter(folder.glob(f"{split}-*"))).read_bytes() for folder in (sample, again))
        assert one == other
    pictures = {
        row["image"].tobytes() for split in COUNTS for row in rows(sample, split)
    }  # decoded, because two encodings of one image may differ
    assert len(pictures) == sum(COUNTS.values())


def test_some_cells_are_not_annotated(tmp_path):
    folder = make_sample(tmp_path / "many", train=120, val=0, test=0, size=32, workers=1)
    train = rows(folder)
    assert any(row[group] is None for row in train.remove_columns("image") for group in wardrobe.GROUPS)
    assert all(row["category"] and row["color"] for row in train.remove_columns("image"))


def test_a_folder_with_the_same_settings_is_used_again(sample, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in sample.iterdir()}
    assert make_sample(sample, **COUNTS, size=48, workers=1) == sample
    assert "using it" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in sample.iterdir()} == before


def test_a_folder_with_other_settings_is_left_alone(sample):
    with pytest.raises(OutputExists, match="seed 0"):
        make_sample(sample, **COUNTS, size=48, seed=1, workers=1)


@pytest.mark.parametrize("settings", [{"train": 0}, {"val": -1}, {"size": 8}, {"seed": -1}, {"workers": 0}])
def test_settings_out_of_range_are_refused(tmp_path, settings):
    with pytest.raises(SettingError):
        make_sample(tmp_path / "none", **settings)
    assert not list(tmp_path.iterdir())


def test_files_are_jpegs(sample):
    from datasets import Image as ImageFeature

    raw = rows(sample).cast_column("image", ImageFeature(decode=False))[0]["image"]["bytes"]
    assert Image.open(io.BytesIO(raw)).format == "JPEG"


def test_the_same_garments_with_the_starters_labels(tmp_path):
    drawn = {words: make_sample(tmp_path / str(words), 60, 0, 0, 32, workers=1, shop_words=words) for words in (0, 1)}
    known = ModelCard.load(Path(__file__).parent.parent / "model_store/starter").taxonomy.index
    for before, after in zip(rows(drawn[0]), rows(drawn[1]), strict=True):
        assert before["image"] == after["image"]
        assert {(group, name) for group in SHOP_GROUPS for name in after[group] or ()} <= set(known)
        assert after["garment"]
        if before["pattern"] == ["Stripes"]:
            assert after["pattern"] == ["Striped"]
        if before["category"] == ["Polos"]:
            assert (after["garment"], after["article"], after["neck"]) == (["Polo"], ["Tshirts"], ["Polo Collar"])
        for theirs, ours in (("pattern", "pattern"), ("sleeve", "sleeve")):
            assert before[theirs] is not None or after[ours] is None, "missing annotations stay missing"
