"""python -m catalog.export: contents of each format, precedence of the source, and reported differences."""

import csv
import gc
import json
import re
import resource
import shutil
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import EMBEDDING, write_catalog

from catalog.export import main
from catalog.exporting.mapping import Mapping
from catalog.exporting.taxonomy_facts import LANGUAGES, categories, values
from catalog.exporting.writing import write
from catalog.scored.columns import WRITTEN
from catalog.scored.correction_store import IS_NOT, ONLY, Correction, CorrectionStore
from catalog.scoring.opening import open_source
from catalog.scoring.source import PLACE
from fashion.errors import DataError
from fashion.model_card import ModelCard
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label, Taxonomy, imaterialist

LABELS = {
    "gender": ("Men", "Women", "Girls"),
    "article": ("Tshirts", "Dresses", "Backpacks"),
    "colour": ("Navy Blue", "Red", "Green", "White"),
    "neck": ("V-Neck",),
    "pattern": ("Striped",),
    "fabric": ("Cotton",),
}
TAXONOMY = Taxonomy(tuple(Label(group, name) for group, names in LABELS.items() for name in names))
COLUMNS = [pa.field("Colour", pa.string()), pa.field("title", pa.string()), pa.field("photo", pa.binary())]
PRODUCTS: dict[str, tuple[dict[str, float], dict[str, Any]]] = {
    "007": ({"Men": 4, "Tshirts": 4, "Navy Blue": 3, "White": 2, "Striped": 2, "V-Neck": 3, "Cotton": 1}, {}),
    "girl": ({"Girls": 4, "Dresses": 4, "Green": 3.5}, {"Colour": "Blue", "title": 'A dress, "new"\tin'}),
    "bag": ({"Women": 2, "Backpacks": 4, "Red": 0.4}, {"Colour": "red"}),
}


@pytest.fixture
def card() -> ModelCard:
    half, strict = [0.5] * len(TAXONOMY), [0.9] * len(TAXONOMY)
    return ModelCard(
        name="fashion",
        version="1.0",
        created="2026-01-01T00:00:00+00:00",
        arch="resnet18",
        input=InputSpec(size=64),
        labels=TAXONOMY.labels,
        thresholds={"micro-f1": half, "precision": strict},
        default_profile="micro-f1",
        files={"model.onnx": "ab" * 32},
        metrics={},
        training={},
    )


@pytest.fixture
def home(card: ModelCard, tmp_path: Path) -> Path:
    """A folder with `bundle` and `scored`."""
    (tmp_path / "bundle").mkdir()
    card.save(tmp_path / "bundle")
    rows = []
    for id, (sure, cells) in PRODUCTS.items():
        logits = np.array([sure.get(label.name, -4.0) for label in TAXONOMY.labels], np.float32)
        own = {"Colour": None, "title": None, "photo": b"\x00", **cells}
        rows.append({"id": id, "image": f"{id}.jpg", "logits": logits, "embedding": np.ones(EMBEDDING), **own})
    model = {"name": card.name, "version": card.version, "weights": card.weights_id}
    write_catalog(tmp_path / "scored", rows, model, taxonomy=TAXONOMY, columns=COLUMNS, profile="micro-f1")
    return tmp_path


def export(home: Path, kind: str, *flags: str) -> Path:
    out = home / f"out.{kind}"
    command = [str(home / "scored"), "--bundle", str(home / "bundle"), "--format", kind, "--out", str(out), *flags]
    assert main(command) == 0
    return out


def rows(path: Path, separator: str = ",") -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file, delimiter=separator))
    return {row[next(iter(row))]: row for row in found}


def test_csv_fills_empty_cells_and_lists_differences(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(export(home, "csv"))
    assert list(found["007"]) == [
        *("id", "image", "Colour", "title", "gender", "article", "neck", "pattern", "fabric"),
        *("shopify_category", "google_product_category"),
    ]
    assert found["007"]["Colour"] == "Navy Blue|White"
    assert found["007"]["shopify_category"] == "Apparel & Accessories > Clothing > Clothing Tops > T-Shirts"
    assert found["007"]["google_product_category"] == "212"
    assert (found["girl"]["Colour"], found["bag"]["Colour"]) == ("Blue", "red")
    assert found["girl"]["title"] == 'A dress, "new"\tin'
    assert "Baby & Children's" in found["girl"]["shopify_category"]
    assert found["bag"]["shopify_category"] == ""
    differences = rows(home / "out.csv.differences.csv")
    assert list(differences) == ["girl"]
    assert float(differences["girl"].pop("probability")) == pytest.approx(1 / (1 + np.exp(-3.5)), abs=1e-3)
    assert differences["girl"] == {"id": "girl", "column": "Colour", "table": "Blue", "photograph": "Green"}
    said = capsys.readouterr()
    assert "the table says Blue for girl, the photograph shows Green 0.97" in said.out
    assert "1 labels have no counterpart in the mapping: article Backpacks (1)" in said.err


def test_overwriting_and_another_profile(home: Path) -> None:
    assert rows(export(home, "csv", "--overwrite"))["girl"]["Colour"] == "Green"
    strict = rows(export(home, "csv", "--profile", "precision"))
    assert strict["007"]["Colour"] == "Navy Blue"  # White has 0.88
    assert strict["bag"]["Colour"] == "red"
    assert list(rows(export(home, "csv", "--where", "article=Dresses"))) == ["girl"]


def test_people_overrule_the_table(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = [Correction("bag", ONLY, "colour", "Green"), Correction("girl", IS_NOT, "colour", "Navy Blue")]
    CorrectionStore(home / "scored").write(said, {"bag": 0, "girl": 0}, "Ann")
    found = rows(export(home, "csv", "--text", "alt={colour} {article}"))
    assert (found["bag"]["Colour"], found["bag"]["alt"]) == ("Green", "Green Backpacks")  # the table says red
    assert found["girl"]["Colour"] == "Blue"  # nobody has said that it is not
    assert list(rows(home / "out.csv.differences.csv")) == ["girl"]
    assert "1 replaced by people's corrections" in capsys.readouterr().out
    assert rows(export(home, "google"), "\t")["bag"]["color"] == "Green"
    assert rows(export(home, "akeneo"), ";")["bag"]["colour"] == "green"


def test_people_overrule_a_gender_and_the_age_that_it_implies(card: ModelCard, home: Path) -> None:
    taxonomy = Taxonomy(tuple(Label("gender", name) for name in ("Women", "Girls")))
    one_product(card, home, taxonomy, np.array([-4.0, 4.0]), Geschlecht="Girls")
    found = rows(export(home, "google"), "\t")["a"]
    assert (found["gender"], found["age_group"]) == ("female", "kids")
    CorrectionStore(home / "scored").write([Correction("a", ONLY, "gender", "Women")], {"a": 0}, "Ann")
    found = rows(export(home, "google"), "\t")["a"]
    assert (found["gender"], found["age_group"]) == ("female", "adult")


def test_a_cell_in_another_language_is_no_difference(card: ModelCard, home: Path) -> None:
    taxonomy = Taxonomy((Label("colour", "Blue"), Label("colour", "Black")))
    one_product(card, home, taxonomy, np.array([4.0, -4.0]), Farbe="Blau")
    assert rows(export(home, "csv"))["a"]["Farbe"] == "Blau"
    assert not (home / "out.csv.differences.csv").exists()
    one_product(card, home, taxonomy, np.array([4.0, -4.0]), Farbe="Schwarz")
    export(home, "csv")
    assert rows(home / "out.csv.differences.csv")["a"]["table"] == "Schwarz"


def test_the_profile_top_k_writes_that_many_labels_of_each_group(card: ModelCard, home: Path) -> None:
    own = replace(card, top_k=dict.fromkeys(card.taxonomy.groups, 1) | {"colour": 2})
    own.save(home / "bundle")
    CorrectionStore(home / "scored").write([Correction("007", IS_NOT, "neck", "V-Neck")], {"007": 0}, "Ann")
    found = rows(export(home, "csv", "--profile", "top-k"))
    assert (found["007"]["Colour"], found["007"]["article"]) == ("Navy Blue|White", "Tshirts")
    assert (found["007"]["neck"], found["bag"]["neck"]) == ("", "V-Neck")


def test_google(home: Path) -> None:
    found = rows(export(home, "google"), "\t")
    assert found["007"] == {
        "id": "007",
        "google_product_category": "212",
        "color": "Navy Blue/White",
        "gender": "male",
        "age_group": "adult",
        "material": "Cotton",
        "pattern": "Striped",
    }
    assert found["girl"]["color"] == "Blue"  # the source's value
    assert (found["girl"]["gender"], found["girl"]["age_group"]) == ("female", "kids")
    german = rows(export(home, "google", "--language", "de"), "\t")
    assert german["007"]["material"] == "Baumwolle"


@pytest.mark.parametrize(
    ("cells", "gender", "age", "color"),
    [
        ({"gender": "Women", "color": "Navy Blue|White"}, "female", "adult", "Navy Blue/White"),
        ({"gender": "Men's", "Age Group": "Adults", "color": "a; b, c/d"}, "male", "adult", "a/b/c"),
        ({"gender": "Men|Women", "age_group": "3-5 years"}, "unisex", "adult", "Red"),
        ({"gender": "Girls"}, "female", "kids", "Red"),
        ({"gender": "Everybody"}, "male", "adult", "Red"),
        ({"gender": ""}, "male", "adult", "Red"),
    ],
)
def test_google_gets_its_own_words(
    card: ModelCard, home: Path, cells: dict[str, str], gender: str, age: str, color: str
) -> None:
    one_product(card, home, Taxonomy((Label("gender", "Men"), Label("color", "Red"))), **cells)
    found = rows(export(home, "google"), "\t")["a"]
    assert (found["gender"], found["age_group"], found["color"]) == (gender, age, color)
    listed = {row["column"]: row["table"] for row in rows_of_differences(home)}
    unknown = {name: cell for name, cell in cells.items() if cell in ("Everybody", "3-5 years")}
    assert unknown.items() <= listed.items()
    assert ("gender" in listed) == (cells["gender"] in ("Women", "Girls", "Everybody"))


def rows_of_differences(home: Path) -> list[dict[str, str]]:
    path = home / "out.google.differences.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []


def test_shopify_and_akeneo(home: Path) -> None:
    found = rows(export(home, "shopify"))
    assert found["007"]["Product Category"] == "Apparel & Accessories > Clothing > Clothing Tops > T-Shirts"
    assert found["007"]["Color (product.metafields.shopify.color-pattern)"] == "navy; white"
    assert found["007"]["Neckline (product.metafields.shopify.neckline)"] == "v-neck"
    assert found["girl"]["Age group (product.metafields.shopify.age-group)"] == "kids"
    codes = rows(export(home, "akeneo"), ";")
    assert codes["007"]["colour"] == "navy_blue,white"
    assert codes["007"]["neck"] == "v_neck"
    assert (codes["girl"]["colour"], codes["bag"]["colour"]) == ("blue", "red")  # the source's, as codes


@pytest.mark.parametrize(
    ("labels", "age", "metafield"),
    [
        ({("gender", "Women"): 5.0, ("age", "kids"): 3.0}, "kids", "kids"),  # the age's own group knows better
        ({("gender", "Girls"): 2.0, ("gender", "Women"): 3.0}, "adult", "adults"),
        ({("gender", "Women"): 3.0}, "adult", "adults"),
    ],
)
def test_the_age_is_that_of_its_own_group(
    card: ModelCard, home: Path, labels: dict[tuple[str, str], float], age: str, metafield: str
) -> None:
    taxonomy = Taxonomy((*(Label(*each) for each in labels), Label("article", "Dresses")))
    one_product(card, home, taxonomy, np.array([*labels.values(), 4.0]))
    found = rows(export(home, "google"), "\t")["a"]
    assert (found["gender"], found["age_group"]) == ("female", age)
    found = rows(export(home, "shopify"))["a"]
    assert found["Age group (product.metafields.shopify.age-group)"] == metafield
    assert ("Baby & Children's" in found["Product Category"]) == (age == "kids")


def test_the_most_probable_of_two_groups_is_the_material(card: ModelCard, home: Path) -> None:
    one_product(card, home, Taxonomy((Label("fabric", "Cotton"), Label("pattern", "Striped"))), np.array([1.0, 3.0]))
    (home / "m.csv").write_text(
        "group,label,category,values\nfabric,Cotton,,fabric__cotton\npattern,Striped,,fabric__wool\n"
    )
    assert rows(export(home, "google", "--mapping", str(home / "m.csv")), "\t")["a"]["material"] == "Striped"


def test_json_lines_and_excel(home: Path) -> None:
    first, *others = map(json.loads, export(home, "jsonl").read_text(encoding="utf-8").splitlines())
    assert len(others) == 2
    assert [each["name"] for each in first["attributes"]["colour"]] == ["Navy Blue", "White"]
    assert first["shopify_category"]["id"] == "aa-1-13-8"
    with zipfile.ZipFile(export(home, "xlsx")) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<t>007</t>" in sheet  # text, not the number 7


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (repeat({}, 1_048_576), "has 1,048,575 rows and a header, the export more; use csv"),
        ([{"id": "1"}, {"id": "x" * 32_768}], "column 'id' of row 2 has 32,768 characters"),
    ],
)
def test_the_limits_of_excel_are_told(rows: Iterable[dict[str, str]], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path / "out.xlsx", "xlsx", ["id"][: not isinstance(rows, repeat)], rows)
    assert not list(tmp_path.iterdir())


def test_excel_into_an_unwritable_place_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"x\.xlsx"):
        write(Path("/proc/x.xlsx"), "xlsx", ["id"], [{"id": "1"}])


def test_excel_on_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # xlsxwriter leaves its file open
            with pytest.raises(OSError, match="File too large"):
                write(tmp_path / "x.xlsx", "xlsx", ["id"], [{"id": str(i)} for i in range(10_000)])
            gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def one_product(
    card: ModelCard, home: Path, taxonomy: Taxonomy, logits: np.ndarray | None = None, **cells: str
) -> None:
    """Write a bundle with these labels, and a catalog of one product to which all of them apply."""
    logits = np.full(len(taxonomy), 3.0) if logits is None else logits
    half = {"micro-f1": [0.5] * len(taxonomy)}
    own = replace(card, labels=taxonomy.labels, thresholds=half)
    own.save(home / "bundle")
    shutil.rmtree(home / "scored")
    row = {"id": "a", "image": "", "logits": logits, "embedding": np.ones(EMBEDDING), **cells}
    model = {"name": own.name, "version": own.version, "weights": own.weights_id}
    write_catalog(
        home / "scored", [row], model, 50, taxonomy, [pa.field(name, pa.string()) for name in cells], "micro-f1"
    )


def test_akeneo_codes_of_other_letters(card: ModelCard, home: Path) -> None:
    one_product(card, home, Taxonomy((Label("Größe", "Weiß"), Label("Größe", "Écru"))))
    assert rows(export(home, "akeneo"), ";") == {"a": {"sku": "a", "grosse": "weiss,ecru"}}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([("Цвет", "Red")], "the group 'Цвет' has no code"),
        ([("color", "Синий")], "the label of color 'Синий' has no code"),
        ([("fit", "Slim"), ("Fit", "Wide")], "the group 'Fit' has the code 'fit', as 'fit' has"),
        ([("fit", "A-Line"), ("fit", "A Line")], "the label of fit 'A Line' has the code 'a_line', as 'A-Line' has"),
    ],
)
def test_akeneo_names_without_a_code_of_their_own_are_refused(
    card: ModelCard, home: Path, labels: list[tuple[str, str]], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one_product(card, home, Taxonomy(tuple(Label(*each) for each in labels)))
    with pytest.raises(SystemExit):
        export(home, "akeneo")
    assert message in capsys.readouterr().err
    assert not list(home.glob("*out*"))


@pytest.mark.parametrize("cell", ["Black, White", "white;pink", "Black/Pink", "pink|White"])
def test_a_cell_of_several_values_agrees_if_one_does(card: ModelCard, home: Path, cell: str) -> None:
    one_product(card, home, Taxonomy((Label("color", "Black"), Label("color", "White"))), Color=cell)
    export(home, "csv")
    assert not (home / "out.csv.differences.csv").exists()


def test_texts_go_to_the_source_column_of_their_name(card: ModelCard, home: Path) -> None:
    one_product(card, home, Taxonomy((Label("fit", "Slim"),)), Title="", Fabric="Wool")
    found = rows(export(home, "csv", "--text", "title={fit} fit"))
    assert [name for name in found["a"] if name.lower() == "title"] == ["Title"]
    assert found["a"]["Title"] == "Slim fit"
    header = export(home, "google", "--text", "color={fit} x").read_text(encoding="utf-8").splitlines()[0].split("\t")
    assert header.count("color") == 1
    assert rows(home / "out.google", "\t")["a"]["color"] == "Slim x"


def test_json_lines_have_nothing_to_overwrite(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(home, "jsonl")
    assert "filled in" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        export(home, "jsonl", "--overwrite")
    assert "--overwrite has no effect with jsonl" in capsys.readouterr().err
    export(home, "jsonl", "--overwrite", "--text", "title={article}")
    assert "cells filled in" in capsys.readouterr().out


def test_groups_with_one_alias_keep_columns_of_their_own(card: ModelCard, tmp_path: Path) -> None:
    """`Fabric` is another name of material, but not if the model has a group fabric as well."""
    taxonomy = Taxonomy((Label("material", "Wool"), Label("fabric", "Jersey")))
    own = replace(card, labels=taxonomy.labels, thresholds={"micro-f1": [0.5, 0.5]})
    (tmp_path / "bundle").mkdir()
    own.save(tmp_path / "bundle")
    model = {"name": own.name, "version": own.version, "weights": own.weights_id}
    row = {"id": "a", "image": "a.jpg", "logits": np.array([3.0, 3.0]), "embedding": np.ones(EMBEDDING)}
    cells = [{"id": "a", "Fabric": None}, {"id": "b", "Fabric": "Soft Fleece/Wool"}]
    columns = [pa.field("Fabric", pa.string())]
    write_catalog(tmp_path / "scored", [row | each for each in cells], model, 50, taxonomy, columns, "micro-f1")
    found = rows(export(tmp_path, "csv", "--text", "alt={material} {fabric}"))
    assert (found["a"]["Fabric"], found["a"]["material"], found["a"]["alt"]) == ("Jersey", "Wool", "Wool Jersey")
    assert (found["b"]["Fabric"], found["b"]["material"]) == ("Soft Fleece/Wool", "Wool")
    codes = rows(export(tmp_path, "akeneo"), ";")["b"]
    assert (codes["material"], codes["fabric"]) == ("wool", "soft_fleece,wool")


def test_a_filled_shopify_category_is_kept(card: ModelCard, home: Path) -> None:
    logits = np.array([{"Tshirts": 4.0}.get(label.name, -4.0) for label in TAXONOMY.labels], np.float32)
    row = {"id": "a", "image": "", "logits": logits, "embedding": np.ones(EMBEDDING), "Shopify_Category": "Own"}
    model = {"name": card.name, "version": card.version, "weights": card.weights_id}
    columns = [pa.field("Shopify_Category", pa.string())]
    shutil.rmtree(home / "scored")
    write_catalog(home / "scored", [row], model, 50, TAXONOMY, columns, "micro-f1")
    found = rows(export(home, "csv"))["a"]
    assert [found[name] for name in found if name.lower() == "shopify_category"] == ["Own"]
    assert rows(export(home, "csv", "--overwrite"))["a"]["Shopify_Category"].endswith("T-Shirts")


def test_differences_of_a_previous_export_are_removed(home: Path) -> None:
    export(home, "csv")
    assert (home / "out.csv.differences.csv").is_file()
    export(home, "csv", "--where", "article=Tshirts")
    assert not (home / "out.csv.differences.csv").exists()


def test_the_fields_of_json_lines_stay_objects(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("attributes", "Source", "shopify_category"):
        with pytest.raises(SystemExit):
            export(home, "jsonl", "--text", f"{name}={{article}}")
        assert "would replace a field of the format" in capsys.readouterr().err


def test_an_export_without_products_leaves_the_previous_one(home: Path) -> None:
    before = export(home, "csv").read_bytes()
    with pytest.raises(SystemExit):
        export(home, "csv", "--where", "id=gone")
    assert (home / "out.csv").read_bytes() == before
    assert len(list(home.glob("*out*"))) == 2  # with its differences


def test_the_number_of_products_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(home, "csv", "--where", "id=007")
    assert "out.csv: csv; 1 product; " in capsys.readouterr().out


def test_cells_are_exported_as_the_table_writes_them(card: ModelCard, home: Path) -> None:
    """Also if conversion to a column's type has changed or lost them."""
    cells = {"price": ["10,90 €", "9,50 €"], "size": [*"3456", "One Size"], "sale": ["TRUE", "FALSE"], "n": ["1", "2"]}
    cells |= {"listed": ["01.01.2026", "25.12.2025"]}
    lines = [
        [f"p{i}", f"https://shop.example/{i}.jpg", *(texts[i % len(texts)] for texts in cells.values())]
        for i in range(5)
    ]
    with (home / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "Image Link", *cells], *lines])
    source = open_source([str(home / "t.csv")]).source_columns().drop_columns([PLACE])
    assert [name for name in source.column_names if name.startswith(WRITTEN)] == [
        WRITTEN + name for name in ("Image Link", "price", "size", "sale", "listed")
    ]
    vectors = {"logits": np.zeros(len(TAXONOMY)), "embedding": np.ones(EMBEDDING)}
    products = [{"id": f"p{i}", "image": "", **vectors, **row} for i, row in enumerate(source.to_pylist())]
    model = {"name": card.name, "version": card.version, "weights": card.weights_id}
    shutil.rmtree(home / "scored")
    scored = write_catalog(home / "scored", products, model, 50, TAXONOMY, source.schema, "micro-f1")
    shown = replace(scored.manifest, columns=tuple(cells))
    (home / "scored" / "score.json").write_text(json.dumps(shown.to_json()))
    found = rows(export(home, "csv"))
    assert [[id, row["Image Link"], *(row[name] for name in cells)] for id, row in found.items()] == lines
    assert "image" not in found["p0"]  # the place on this machine
    assert not any(name.startswith(WRITTEN) for name in found["p0"])


def test_the_scored_table_is_not_overwritten(card: ModelCard, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "out.csv").write_text("id,image\n007,007.jpg\n")
    manifest = json.loads((home / "scored" / "score.json").read_text())
    (home / "scored" / "score.json").write_text(json.dumps(manifest | {"source": str(home / "out.csv")}))
    with pytest.raises(SystemExit):
        export(home, "csv")
    assert "is the table that was scored; write the export to another file" in capsys.readouterr().err
    assert (home / "out.csv").read_text() == "id,image\n007,007.jpg\n"


def test_a_folder_as_output_is_refused_by_its_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "out.xlsx").mkdir()
    with pytest.raises(SystemExit):
        export(home, "xlsx")
    assert "out.xlsx: Is a directory; choose another path" in capsys.readouterr().err


def test_texts_by_template(home: Path) -> None:
    found = rows(export(home, "csv", "--text", "alt={colour} {neck} {article}", "--text", "title={article}"))
    assert found["007"]["alt"] == "Navy Blue V-Neck Tshirts"
    assert found["girl"]["alt"] == "Blue Dresses"  # no neck, no gap; the shop's own color
    assert found["girl"]["title"].startswith("A dress")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--text", "title={colr}"], "{'colr'} is unknown; choose among: gender, article"),
        (["--text", "title"], "is not COLUMN=TEMPLATE"),
        (["--text", "={colour}"], "is not COLUMN=TEMPLATE"),
        (["--text", "alt={title:.0f} EUR"], "is no template: Unknown format code 'f' for object of type 'str'; cells"),
        (["--text", "alt={colour"], "is no template: expected '}' before end of string; cells are texts in braces"),
        (["--text", "image={colour}"], "would replace a field of the format"),
        (["--language", "de"], "--language has no effect with csv"),
        (["--where", "id=gone"], "passes the filter 'id=gone'"),
        (["--text", "ID={colour}"], "would replace the products' ids, the column 'id'"),
        (["--profile", "strict"], "strict"),
        (["--where", "shape=Round"], "unknown column 'shape'"),
    ],
)
def test_mistakes(home: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export(home, "csv", *flags)
    assert message in capsys.readouterr().err
    assert not list(home.glob("*out*"))


def test_another_model_is_refused(home: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]) -> None:
    card.files["model.onnx"] = "cd" * 32
    card.save(home / "bundle")
    with pytest.raises(SystemExit):
        export(home, "csv")
    assert "give the bundle that scored it" in capsys.readouterr().err


def test_a_custom_mapping(home: Path) -> None:
    own = home / "own.csv"
    own.write_text("group,label,category,values\narticle,Backpacks,aa-5-4,color__red\n")
    found = rows(export(home, "google", "--mapping", str(own)), "\t")
    assert (found["bag"]["google_product_category"], found["007"]["google_product_category"]) == ("3032", "")
    for text, message in [
        ("group,label\n", "no column 'category'"),
        ("group,label,category,values\na,b,xx,\n", "no category 'xx'"),
        ("group,label,category,values\na,b,,red\n", "no value 'red'"),
    ]:
        own.write_text(text)
        with pytest.raises(DataError, match=message):
            Mapping.load(own)


def test_the_facts_fit_together() -> None:
    targets = Mapping.load().targets
    starter = ModelCard.load(Path(__file__).parents[1] / "model_store/starter").taxonomy
    for group, least in {"gender": 1.0, "colour": 0.9, "article": 0.6, "sleeve": 1.0}.items():
        known = [name for name in starter.names(group) if (group, name) in targets]
        assert len(known) >= least * len(starter.names(group)), group
    assert sum((label.group, label.name) in targets for label in imaterialist().labels) > 200
    assert all(re.fullmatch(r"\d+|", each.google_id) for each in categories().values())


def test_known_mistakes_of_the_official_tables_are_not_repeated() -> None:
    """The official tables swap tie clips and children's accessories, and mistranslate some names."""
    assert categories()["aa-2-29"].google_id == "180"
    assert categories()["aa-2-33"].google_id == "5422"
    assert categories()["aa-2-32"].google_id != "173"  # face masks are not hats
    names = {name for value in values().values() for name in value.names.values()}
    assert not names & {"Schildkröte", "Tortue", "Splissig", "枝毛", "白髪", "Punta tonda", "Non preoccuparti", "Gorra"}
    assert values()["neckline__turtle"].name("de") == "Rollkragen"
    assert {values()["color__gray"].name(language) for language in LANGUAGES} >= {"Gray", "Grau", "Gris"}


def test_a_mapping_of_other_labels_is_noticed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, header = home / "own.csv", "group,label,category,values\n"
    for lines, message in (
        ("Article,Tshirts,aa-1-13-8,\n", "has no label of the model, such as Article Tshirts; the model's groups are:"),
        ("", "has no label of the model; the model's groups are: gender, article"),
        ("article,Tshirts,aa-1-13-8,\narticle, Tshirts ,,\n", "own.csv, line 3: article Tshirts has a line already"),
    ):
        own.write_text(header + lines)
        with pytest.raises(SystemExit):
            export(home, "google", "--mapping", str(own))
        assert message in capsys.readouterr().err
    own.write_text(f"{header}article, Tshirts,aa-1-13-8,\nneck,Polo,,\n")
    assert rows(export(home, "google", "--mapping", str(own)), "\t")["007"]["google_product_category"] == "212"
    assert "note   the model lacks 1 labels of" in capsys.readouterr().err


def test_groups_outside_the_mapping_are_not_reported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = home / "own.csv"
    own.write_text("group,label,category,values\narticle,Tshirts,aa-1-13-8,\n")
    export(home, "google", "--mapping", str(own))
    assert (
        "2 labels have no counterpart in the mapping: article Dresses (1), article Backpacks (1)"
        in capsys.readouterr().err
    )
