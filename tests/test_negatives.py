"""Pictures without a product: reproducible by seed, every kind in its split, backgrounds without the garment."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from training.sources.__main__ import main
from training.sources.negatives import libraries
from training.sources.negatives.crops import LARGEST_SHARE, background_crop, background_crops, files_of_split
from training.sources.negatives.making import KINDS, VALIDATION_ONLY, draw_picture, kinds_of_split

FLOOR, CLOTH = (200, 180, 150), (40, 60, 140)
COUNT = 48


def photograph(covered: tuple[str, ...] = (), cloth: tuple[int, int, int] = CLOTH) -> Image.Image:
    """A garment in the middle of a floor, and over the given corners."""
    image = Image.new("RGB", (240, 256), FLOOR)
    pen = ImageDraw.Draw(image)
    pen.rectangle((70, 70, 170, 186), cloth)
    corners = {"upper left": (0, 0), "upper right": (150, 0), "lower left": (0, 166), "lower right": (150, 166)}
    for corner in covered:
        left, top = corners[corner]
        pen.rectangle((left, top, left + 90, top + 90), cloth)
    noise = np.random.default_rng(0).normal(0, 3, (256, 240, 1))
    return Image.fromarray(np.uint8(np.clip(np.asarray(image) + noise, 0, 255)))


@pytest.fixture(scope="module")
def garments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Amateur photographs in the format of --crops: floors are gray in train and green in val."""
    folder = tmp_path_factory.mktemp("garments")
    (folder / "images").mkdir()
    for split in ("train", "val"):
        names = [f"{split}{number}.jpg" for number in range(20)]
        for name, level in zip(names, range(30, 230, 10), strict=True):
            floor = (level, level, level) if split == "train" else (level // 2, level, level // 2)
            image = Image.new("RGB", (200, 200), floor)
            ImageDraw.Draw(image).rectangle((60, 60, 140, 140), (250, 20, 20))
            image.save(folder / "images" / name, quality=95)
        (folder / f"{split}.csv").write_text("image,garment\n" + "".join(f"{name},Shirt\n" for name in names))
    (folder / "images" / "train0.jpg").write_bytes(b"no photograph")  # skipped
    return folder


@pytest.fixture(scope="module")
def made(garments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("negatives") / "out"
    main(["negatives", "--out", str(out), "--count", str(COUNT), "--crops", str(garments), "--seed", "3"])
    return out


def rows(folder: Path, split: str) -> list[dict[str, str]]:
    with (folder / f"{split}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_sixth_is_for_validation_and_every_file_decodes(made: Path) -> None:
    listed = {split: [row["image"] for row in rows(made, split)] for split in ("train", "val")}
    assert {split: len(names) for split, names in listed.items()} == {"train": 40, "val": 8}
    assert sorted(listed["train"] + listed["val"]) == sorted(path.name for path in (made / "images").iterdir())
    for path in (made / "images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            image.load()


def test_a_quarter_are_backgrounds_of_the_same_split(made: Path) -> None:
    for split, count, tint in (("train", 10, 1.0), ("val", 2, 2.0)):
        crops = [row["image"] for row in rows(made, split) if row["kind"] == "background"]
        assert len(crops) == count
        for name in crops:
            with Image.open(made / "images" / name) as image:
                red, green, blue = np.asarray(image, dtype=float).mean(axis=(0, 1))
                assert green / red == pytest.approx(tint, rel=0.1)
                assert green / blue == pytest.approx(tint, rel=0.1)


def test_photographs_of_libraries_are_in_one_split_each() -> None:
    train, val = libraries.photographs("train"), libraries.photographs("val")
    assert not set(train) & set(val)
    assert not {path.stem for path in train + val} & {"astronaut", "camera"}
    for path in train + val:
        crop = libraries.random_crop(path, np.random.default_rng(0), 90, 60)
        assert crop.size == (90, 60)


def test_the_same_seed_gives_the_same_files(made: Path, garments: Path, tmp_path: Path) -> None:
    for seed in ("3", "4"):
        main(
            [
                "negatives",
                "--out",
                str(tmp_path / seed),
                "--count",
                str(COUNT),
                "--crops",
                str(garments),
                "--seed",
                seed,
            ]
        )
    files = sorted(path.relative_to(made) for path in made.rglob("*.*"))
    assert all((tmp_path / "3" / file).read_bytes() == (made / file).read_bytes() for file in files)
    assert sum((tmp_path / "4" / file).read_bytes() == (made / file).read_bytes() for file in files) < 6


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind: str) -> None:
    pictures = [draw_picture(kind, np.random.default_rng((5, number))) for number in range(4)]
    for image in pictures:
        assert image.mode == "RGB"
        assert min(image.size) >= 60
        assert max(image.size) <= 500
    assert len({image.tobytes() for image in pictures}) == 4


def test_validation_has_kinds_of_its_own() -> None:
    train, val = kinds_of_split("train"), kinds_of_split("val")
    assert set(train) == set(KINDS) - set(VALIDATION_ONLY)
    assert set(val) == set(KINDS)
    assert sum(kind in VALIDATION_ONLY for kind in val) == len(val) / 2
    assert Counter(train)["placeholder"] > Counter(train)["page"]


@pytest.mark.parametrize("seed", range(12))
def test_a_background_is_floor_alone(seed: int) -> None:
    image = photograph(("upper left", "lower right"))
    crop = background_crop(image, np.random.default_rng(seed))
    assert crop is not None
    assert np.abs(np.asarray(crop, dtype=float) - FLOOR).max() < 25
    grown = max(1.0, 60 / (min(image.size) * 0.14))
    assert crop.width <= image.width * LARGEST_SHARE * grown


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "image",
    [
        photograph(("upper left", "upper right", "lower left")),  # a single free corner may be anything
        photograph(("upper left", "upper right", "lower left", "lower right")),
        photograph(cloth=(205, 184, 155)),  # the garment has the color of the floor
        Image.new("RGB", (40, 40), FLOOR),  # too small
        Image.effect_noise((240, 256), 90).convert("RGB").resize((1000, 1000), Image.Resampling.NEAREST),  # not flat
    ],
    ids=["one corner free", "none free", "same color", "small", "busy"],
)
def test_no_background_if_it_is_uncertain(image: Image.Image, seed: int) -> None:
    assert background_crop(image, np.random.default_rng(seed)) is None


def test_one_backdrop_is_at_most_a_tenth(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(30)]
    for file in files:
        photograph().save(file)
    assert len(list(background_crops(files, np.random.default_rng(0), 30))) == 3


def refused(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(["negatives", *flags])
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_mistake_is_a_one_line_error_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert "--count is 5; choose 12 or more" in refused(capsys, "--out", out, "--count", "5")
    assert "--seed is -1" in refused(capsys, "--out", out, "--seed", "-1")
    assert "is not a table with a column `image`" in refused(capsys, "--out", out, "--crops", str(tmp_path / "missing"))
    (tmp_path / "train.csv").write_text("photo\na.jpg\n")
    assert "train.csv is not a table" in refused(capsys, "--out", out, "--crops", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_the_table_of_crops_is_read_like_other_tables(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes("\ufeffimage;name\n1.jpg;Hüte\n\n2.jpg;Röcke\n3.jpg\n".encode())
    assert [path.name for path in files_of_split(tmp_path, "train")][:2] == ["1.jpg", "2.jpg"]
    (tmp_path / "val.csv").write_bytes("image,name\n1.jpg,Hüte\n2.jpg,Röcke\n".encode("cp1252"))
    assert files_of_split(tmp_path, "val") == [tmp_path / "images" / "1.jpg", tmp_path / "images" / "2.jpg"]


def test_a_folder_with_files_is_left_alone(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "exists already" in refused(capsys, "--out", str(made), "--count", "12")
    assert len(rows(made, "train")) == 40
