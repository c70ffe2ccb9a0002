"""Photograph checks: each fault is found in a drawn photograph that has it, and in no other."""

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scored_catalog import products, write_catalog

from catalog.check import main
from catalog.checking.checking import CatalogCheck
from catalog.checking.copies import copies
from catalog.checking.faults import (
    BLURRED,
    CUT,
    DARK,
    DUPLICATE,
    GROUND,
    SMALL,
    SMALL_SOON,
    TEXT,
    TITLE,
    UNREADABLE,
    Limits,
    least_sizes,
    measured_faults,
)
from catalog.checking.measures import blur, covered_border, measure_photograph
from catalog.checking.titles import TitleReader, title_column
from catalog.checking.writing import write_fault_sheet
from catalog.scored.table import Scored
from catalog.words.vocabulary import Vocabulary
from fashion.errors import InvalidImage
from fashion.taxonomy import Label, Taxonomy

TODAY = date(2026, 11, 29)


def good(size: int = 600) -> Image.Image:
    """A garment with seams in the middle of a white background."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((size * 0.25, size * 0.2, size * 0.75, size * 0.8), "#3b5b8c")
    for i in range(12):
        left = size * (0.27 + 0.04 * i)
        draw.line((left, size * 0.22, left, size * 0.78), "#20304c", 2)
    return image


def lettered(text: str, top: float) -> Image.Image:
    image = good()
    ImageDraw.Draw(image).text((60, top * 600), text, "#202020", ImageFont.load_default(32))
    return image


def carpet() -> Image.Image:
    image, rng = np.asarray(good()).copy(), np.random.default_rng(0)
    ground = (image == 255).all(axis=-1)
    image[ground] = rng.integers(0, 255, (int(ground.sum()), 3))
    return Image.fromarray(image)


def found(image: Image.Image, today: date = TODAY) -> set[str]:
    return {check for check, *_ in measured_faults(measure_photograph(image), Limits(), today)}


def test_a_good_photograph_has_no_fault():
    image = good()
    assert found(image) == set()
    assert image.size == (600, 600)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        (BLURRED, good().filter(ImageFilter.GaussianBlur(5))),
        (DARK, good().point(lambda level: level * 0.4)),
        (CUT, good(900).crop((0, 0, 900, 600))),
        (CUT, good(900).crop((330, 0, 900, 900))),
        (TEXT, lettered("SALE 50% OFF", 0.04)),
        (TEXT, lettered("www.example.com", 0.88)),
        (GROUND, carpet()),
    ],
)
def test_a_fault_is_found_and_no_other(name, image):
    assert found(image) == {name}


def test_print_on_the_product_is_not_a_text_overlay():
    image = good()
    ImageDraw.Draw(image).text((170, 280), "PRINTED", "#ffffff", ImageFont.load_default(32))
    assert found(image) == set()


def test_specks_of_a_small_photograph_are_no_letters():
    image = good(200)
    for i in range(6):  # three px each, as the stitches of a strap that JPEG has torn apart
        ImageDraw.Draw(image).rectangle((60 + 5 * i, 20, 62 + 5 * i, 22), "#202020")
    assert found(image) == {SMALL, SMALL_SOON}
    ImageDraw.Draw(image).text((60, 20), "SALE", "#202020", ImageFont.load_default(14))
    assert TEXT in found(image)


def test_sizes_are_those_of_the_day():
    assert least_sizes() == ((date(2000, 1, 1), 250), (date(2027, 1, 31), 500))
    small, middle = good(240), good(400)
    assert found(small) == {SMALL, SMALL_SOON}  # whoever plans for that day counts it too
    assert found(small, date(2027, 1, 31)) == {SMALL}
    assert found(middle) == {SMALL_SOON}
    assert found(middle, date(2027, 1, 30)) == {SMALL_SOON}
    assert found(middle, date(2027, 1, 31)) == {SMALL}
    assert found(good(500), date(2027, 1, 31)) == set()


def test_the_size_is_that_of_the_file(tmp_path):
    path = tmp_path / "large.jpg"
    good(3000).crop((0, 0, 3000, 2400)).save(path)
    measures = measure_photograph(path)
    assert (measures.width, measures.height, measures.shorter) == (3000, 2400, 2400)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(InvalidImage):
        measure_photograph(tmp_path / "broken.jpg")


def test_a_photograph_stored_in_a_table_is_checked(tmp_path):
    file = io.BytesIO()
    good(200).save(file, "PNG")
    pq.write_table(pa.table({"image": pa.array([file.getvalue(), b"no image"], pa.binary())}), tmp_path / "t.parquet")
    rows = products(2)
    for number, row in enumerate(rows):
        row["image"] = f"{tmp_path / 't.parquet'}#image:{number}:0"
    check = CatalogCheck.with_defaults(write_catalog(tmp_path / "scored", rows), skipped=[TITLE, DUPLICATE])
    small, broken = check.faults()
    assert [(fault.check, fault.image) for fault in small] == [
        (SMALL, rows[0]["image"]),
        (SMALL_SOON, rows[0]["image"]),
    ]
    assert [fault.check for fault in broken] == [UNREADABLE]
    drawn = [
        np.asarray(Image.open(write_fault_sheet(tmp_path / f"{i}.png", [some])))
        for i, some in enumerate((small, broken))
    ]
    assert (drawn[0] == [59, 91, 140]).all(-1).any()  # the garment
    assert not (drawn[1] == [59, 91, 140]).all(-1).any()


def test_blur_rises_with_blurring_and_handles_empty_images():
    gray = [np.asarray(good(300).filter(ImageFilter.GaussianBlur(r)).convert("L"), np.float32) for r in (0, 1, 2, 4)]
    values = [blur(each) for each in gray]
    assert values == sorted(values)
    assert values[3] > values[0] + 0.2
    assert blur(np.full((50, 50), 255, np.float32)) == 0
    assert blur(np.zeros((4, 4), np.float32)) == 0


def test_covered_border_names_the_side():
    runs = covered_border(np.asarray(good().crop((0, 0, 600, 300))))
    assert runs["bottom"] == pytest.approx(0.5, abs=0.02)
    assert runs["top"] == runs["left"] == runs["right"] == 0


def test_copies_are_found_across_blocks():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(2100, 8))
    embeddings[1500], embeddings[2050] = embeddings[3], 2 * embeddings[3]
    first, second = copies([f"p{i}" for i in range(2100)], embeddings)
    assert first[:2] == ("p1500", "p3")
    assert second[0] == "p2050"
    assert second[1] in ("p3", "p1500")
    assert second[2] == pytest.approx(1)


def test_titles_name_kinds_and_not_colors():
    named = (("article", "Watches"), ("article", "Tshirts"), ("colour", "Black"), ("sleeve", "Long"))
    labels = [Label(*each) for each in named]
    reader = TitleReader(Vocabulary(Taxonomy(tuple(labels))), ["article", "colour", "sleeve"])
    assert reader.labels("Titan Women Black Watch") == [labels[0]]
    assert reader.labels("Nike Long Sleeve Tee") == [labels[1]]
    assert reader.labels("Gift") == []
    assert title_column(["id", "Product Name", "price"]) == "Product Name"
    assert title_column(["id", "Bezeichnung", "brand"]) == "Bezeichnung"
    assert title_column(["id"]) is None


@pytest.fixture
def scored(tmp_path: Path) -> Scored:
    """Four products: a good one, its blurred copy, one titled jeans that is not, and one without its photograph."""
    taxonomy = Taxonomy((Label("category", "Dresses"), Label("color", "Black"), Label("category", "Jeans")))
    rows: list[dict[str, Any]] = products(4, clusters=4)
    for row, title in zip(rows, ("A dress", "Black dress", "Slim jeans", "Dress"), strict=True):
        row["image"] = str(tmp_path / f"{row['id']}.png")
        row["title"], row["logits"] = title, np.array([6.0, 0.0, -6.0])
    for row in rows[:3]:
        (good().filter(ImageFilter.GaussianBlur(6)) if row["id"] == "p1" else good()).save(row["image"])
    rows[1]["embedding"] = rows[0]["embedding"]
    return write_catalog(tmp_path / "scored", rows, taxonomy=taxonomy, columns=[pa.field("title", pa.string())])


def test_a_catalog_is_checked(scored, tmp_path, capsys):
    out, sheet = tmp_path / "checks.csv", tmp_path / "checks.jpg"
    assert main([str(scored.folder), "--out", str(out), "--sheet", str(sheet)]) == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = [(row["id"], row["check"]) for row in csv.DictReader(file)]
    assert rows == [("p1", BLURRED), ("p1", DUPLICATE), ("p2", TITLE), ("p3", UNREADABLE)]
    with Image.open(sheet) as drawn:
        assert drawn.width > 600
    printed = capsys.readouterr().out
    assert "3 of 4 products have faults" in printed
    reasons = out.read_text(encoding="utf-8")
    assert "near-identical to the photograph of p0" in reasons
    assert "Jeans is 0.00" in reasons
    assert "the photograph shows Dresses" in reasons


def test_checks_are_skipped_and_printed_as_json(scored, capsys):
    assert main([str(scored.folder), "--skip", "title, unreadable", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["id"], line["check"]) for line in lines] == [("p1", BLURRED), ("p1", DUPLICATE)]
    assert lines[0]["value"] > lines[0]["limit"]


def test_one_product_is_checked_as_all_are(scored):
    check = CatalogCheck.with_defaults(scored, skipped=[DUPLICATE])
    every = list(check.faults())
    assert any(every)
    ids = [id for batch in scored.batches(["id"]) for id in batch.column(0).to_pylist()]
    assert [check.faults_of(id) for id in ids] == every
    assert check.faults_of("nowhere") == []


def test_photographs_that_were_moved(scored, tmp_path, capsys):
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(moved / path.name)
    main([str(scored.folder), "--photographs", str(moved), "--skip", "title", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["id"], line["check"]) for line in lines if line["check"] == UNREADABLE] == [("p3", UNREADABLE)]
    assert lines[0]["image"].startswith(str(moved))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--skip", "beauty"], "there is no check 'beauty'"),
        (["--photographs", "/nowhere"], "/nowhere is not a folder"),
        (["--title", "heading"], "there is no column 'heading'"),
        (["--sheet", "checks.txt", "--out", "checks.csv"], "must end in .jpg"),
        (["--out", "/"], "/: Is a directory"),
    ],
)
def test_wrong_flags_are_one_line_errors(scored, flags, said, capsys, monkeypatch):
    monkeypatch.setattr(CatalogCheck, "faults", lambda check: pytest.fail("measured before the flags were checked"))
    with pytest.raises(SystemExit) as ended:
        main([str(scored.folder), *flags])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
