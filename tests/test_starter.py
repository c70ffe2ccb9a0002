"""Behavioral tests of the shipped model, on photographs that it was not trained on.

Photographs are not in the repository: tests with them need a folder in FASHION_PHOTOS.
"""

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.changed_photographs import CHANGES, changed_answers, likeliest, stays_when_recolored
from benchmarks.starter import BUNDLE
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from fashion.preprocess import decode
from training.sources.negatives.making import VALIDATION_ONLY, draw_picture

ROOT = Path(__file__).parent.parent
STARTER = ROOT / BUNDLE
PHOTOS = Path(os.environ.get("FASHION_PHOTOS", "nowhere"))
MEGABYTES = 26

needs_photographs = pytest.mark.skipif(
    not (PHOTOS / "products").is_dir(), reason="FASHION_PHOTOS names no folder of photographs"
)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_bundle(STARTER)


def validation(name: str, count: int) -> list[tuple[Image.Image, dict[str, str]]]:
    with (PHOTOS / name / "val.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    drawn = np.random.default_rng(0).permutation(len(rows))[:count]
    return [(decode(PHOTOS / name / "images" / rows[i]["image"], 1024), rows[i]) for i in drawn]


def test_it_is_small_and_contains_no_local_paths() -> None:
    files = {path.name: path.stat().st_size for path in STARTER.iterdir()}
    assert set(files) == {"model.int8.onnx", "model_card.json", "NOTICE", "LICENSE-APACHE-2.0"}
    assert sum(files.values()) <= MEGABYTES * 10**6
    card = ModelCard.load(STARTER)
    assert set(card.profiles) >= {"0.5", "micro-f1", "macro-f1", "precision", "top-k"}
    assert not [word for word in ("/home", "/work", "/tmp", "../") if word in (STARTER / "model_card.json").read_text()]


def test_the_notice_names_everything_it_learned_from() -> None:
    notice = " ".join((STARTER / "NOTICE").read_text(encoding="utf-8").split())
    table = (ROOT / "docs/starter.md").read_text(encoding="utf-8").split("| data | photographs |")[1].split("\n\n")[0]
    sources = [row.split("|")[1] for row in table.splitlines()[2:]]
    named = [name for row in sources for name in re.findall(r"\[([^]]+)\]\(", row)]
    assert {"Clothing dataset", "style records"} <= set(named)
    other_words = {
        "drawn or cut from backgrounds": "drawn by this project, cut from backgrounds of the Clothing dataset",
        "real pictures of no product": "pictures of packages of Debian 12",
    }
    for name in [*named, "scikit-image", "scikit-learn"]:
        assert other_words.get(name, name) in notice, name
    pictures = (ROOT / "docs/negatives.md").read_text(encoding="utf-8").split("| package | `kind`")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in pictures.splitlines()[2:-1]]
    assert len(rows) == 11
    for package, *_, licenses in rows:
        assert package in notice, package
        for name in re.split(r", |; ", licenses.replace("`", "")):
            assert name in notice, f"{package}: {name}"


@pytest.mark.parametrize("gray", [255, 235, 128])
def test_a_blank_wall_is_not_a_product(predictor: Predictor, gray: int) -> None:
    noise = np.random.default_rng(gray).normal(gray, 3, (240, 180, 1)).clip(0, 255)
    wall = Image.fromarray(np.repeat(noise, 3, axis=2).astype(np.uint8))
    answer = predictor.answer(predictor.predict(wall), "precision")
    named = [a["name"] for a in answer["attributes"] if a["group"] in ("article", "garment")]
    assert named == []


def test_images_without_a_product_are_recognized(predictor: Predictor) -> None:
    """Kinds of images not used in training: birds, dunes, receipts, pie charts, kitchens, ..."""
    rng = np.random.default_rng(7)
    answers = [
        predictor.answer(predictor.predict(draw_picture(kind, rng))) for kind in VALIDATION_ONLY for _ in range(2)
    ]
    recognized = [answer["product"]["recognized"] for answer in answers]
    assert np.mean(recognized) <= 0.2
    assert not [a for answer in answers if not answer["product"]["recognized"] for a in answer["attributes"]]


@needs_photographs
def test_groups_that_do_not_apply_are_not_answered(predictor: Predictor) -> None:
    rows = [(image, row) for image, row in validation("products", 400) if row["category"] == "Footwear"]
    answers = [predictor.answer(predictor.predict(image)) for image, _ in rows]
    assert len(rows) > 50
    assert all(answer["product"]["recognized"] for answer in answers)
    named = [a["group"] in ("neck", "sleeve", "fabric") for answer in answers for a in answer["attributes"]]
    assert np.mean(named) <= 0.01


@needs_photographs
def test_wallets_and_watches_are_not_garments(predictor: Predictor) -> None:
    rows = [image for image, row in validation("products", 700) if row["article"] in ("Wallets", "Watches", "Handbags")]
    answers = [predictor.answer(predictor.predict(image)) for image in rows]
    garments = [a["name"] for answer in answers for a in answer["attributes"] if a["group"] == "garment"]
    assert len(garments) <= 0.02 * len(rows), garments


@needs_photographs
def test_a_wide_white_border_keeps_the_article(predictor: Predictor) -> None:
    images = [image for image, _ in validation("products-large", 60)]
    framed = []
    for image in images:
        canvas = Image.new("RGB", (4 * image.width, 4 * image.height), "white")
        canvas.paste(image, (round(1.5 * image.width), round(1.5 * image.height)))
        framed.append(canvas)
    same = np.mean(np.array(likeliest(predictor, images, "article")) == likeliest(predictor, framed, "article"))
    assert same >= 0.9


@needs_photographs
@pytest.mark.parametrize("name", ["products", "clothing"])
def test_irrelevant_changes_change_few_answers(predictor: Predictor, name: str) -> None:
    images = [image for image, _ in validation(name, 120)]
    stay = changed_answers(predictor, images, predictor.card.default_profile)
    assert set(stay) == set(CHANGES)
    assert min(stay.values()) >= 0.8, stay


@needs_photographs
def test_another_color_changes_the_color_and_not_the_article(predictor: Predictor) -> None:
    colors = {"Red", "Blue", "Green", "Pink", "Purple", "Yellow", "Orange", "Maroon", "Navy Blue"}
    images = [image for image, row in validation("products", 900) if row["colour"] in colors][:120]
    changed = 1 - stays_when_recolored(predictor, images, "colour")
    same = stays_when_recolored(predictor, images, "article")
    assert changed >= 0.6, f"{changed:.0%} of the colors changed"
    assert same >= 0.8, f"{same:.0%} of the articles stayed"


@needs_photographs
@pytest.mark.parametrize(("name", "group", "least"), [("products", "article", 0.7), ("clothing", "garment", 0.6)])
def test_it_names_most_products(predictor: Predictor, name: str, group: str, least: float) -> None:
    rows = [(image, row) for image, row in validation(name, 200) if row[group]]
    found = likeliest(predictor, [image for image, _ in rows], group)
    right = np.mean([a == row[group] for a, (_, row) in zip(found, rows, strict=True)])
    assert right >= least, f"{right:.0%} of {group} are right"
