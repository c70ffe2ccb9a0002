"""training.data.rules, training.data.label_rows and training.data.applicability, and their use in training."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest
from colored_shapes import block

from fashion.errors import DataError, SettingError
from fashion.gates import Gates
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label
from training.data.applicability import Applicability
from training.data.augment import Augment
from training.data.catalogs import open_catalogs
from training.data.data_module import FashionData
from training.data.images import open_split
from training.data.input_settings import InputSettings
from training.data.label_rows import LabelRows, count_labels
from training.data.names import Names
from training.data.rules import Derived, Rules
from training.sources.no_product import import_negatives
from training.sources.writer import ProductRow, write_dataset

SPEC = InputSpec(size=32)
INPUT = InputSettings.from_spec(SPEC)
TEXT = """
derive:
  garment:
  - from: article
    labels:
      Jeans: Pants
      Suit: [Pants, Shirt]
      Watch: []
      Sweater: {not: [Pants, Hat]}
      Tee: {one of: [T-Shirt, Polo, Long]}
  - from: neck
    labels:
      Round: {not: [Polo]}
      Collar: {one of: [Polo, Shirt]}
  article:
    from: garment
    labels: {Pants: Jeans, Hat: {not: &clothes [Jeans, [Tee, Sweater]]}, Shoe: {not: *clothes}}
applies:
  by: [article, garment]
  groups: [neck]
  yes: 0.5
  no: 0.1
  rows: 3
  except:
    Sweater: {neck: no}
"""


def load(folder: Path, text: str) -> Rules:
    (folder / "rules.yaml").write_text(text)
    return Rules.load(folder / "rules.yaml")


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return load(tmp_path, TEXT)


def garments(rules: Rules, **cells: list[str] | None) -> dict[str, int] | None:
    """The derived target of each garment."""
    found = rules.derived({name: cells.get(name) for name in ("article", "garment", "neck")}).get("garment")
    names = ("Pants", "Shirt", "Hat", "T-Shirt", "Polo", "Long", "Cape")
    return found and {name: found.target(name) for name in names}


def test_each_form_of_rule(rules: Rules) -> None:
    no = dict.fromkeys(("Pants", "Shirt", "Hat", "T-Shirt", "Polo", "Long"), 0)
    unknown = dict.fromkeys((*no, "Cape"), -1)
    # No rule names the Cape: a list leaves it unknown; `[]` and `one of` cover all labels.
    assert garments(rules, article=["Jeans"]) == no | {"Pants": 1, "Cape": -1}
    assert garments(rules, article=["Suit"]) == no | {"Pants": 1, "Shirt": 1, "Cape": -1}
    assert garments(rules, article=["Watch"]) == no | {"Cape": 0}
    assert garments(rules, article=["Sweater"]) == unknown | {"Pants": 0, "Hat": 0}
    assert garments(rules, article=["Tee"]) == no | {"T-Shirt": -1, "Polo": -1, "Long": -1, "Cape": 0}
    assert garments(rules, article=["Dress"]) is None
    assert garments(rules, article=[]) is None
    assert garments(rules, article=["Jeans"], garment=["Hat"]) is None, "annotations take precedence"


def test_rules_of_several_groups_are_combined(rules: Rules) -> None:
    no = dict.fromkeys(("Pants", "Shirt", "Hat", "T-Shirt", "Polo", "Long", "Cape"), 0)
    assert garments(rules, article=["Tee"], neck=["Round"]) == no | {"T-Shirt": -1, "Long": -1}
    assert garments(rules, article=["Tee"], neck=["Collar"]) == no | {"Polo": 1}, "only one candidate is left"
    contradiction = rules.derived({"article": ["Sweater"], "neck": ["Round"], "garment": None})
    assert contradiction["garment"].no == {"Pants", "Hat", "Polo"}
    both = Derived(only=frozenset({"Polo"}), some=True) & Derived(no=frozenset({"Polo"}))
    assert both == Derived(), "contradictory rules imply nothing"


def test_plain_labels_that_exclude_each_other_imply_nothing(tmp_path: Path) -> None:
    jeans, skirts = "{J: Pants, W: [], B: [Pants, Belt]}", "{S: Skirt, P: Pants, N: {not: [Pants]}}"
    sources = f"[{{from: a, labels: {jeans}}}, {{from: b, labels: {skirts}}}, {{from: c, labels: {{P: Pants}}}}]"
    rules = load(tmp_path, f"derive: {{garment: {sources}}}\n")
    assert rules.derived({"a": ["J"], "b": ["P"], "c": ["P"]})["garment"].yes == {"Pants"}
    assert rules.derived({"a": ["B"]})["garment"].yes == {"Pants", "Belt"}, "a list has several labels"
    for contradictory in ({"a": ["J"], "b": ["S"]}, {"a": ["W"], "b": ["P"]}, {"a": ["J"], "b": ["N"]}):
        assert rules.derived(contradictory) == {}
        assert rules.derived(contradictory | {"c": ["P"]}) == {}, "whatever the order of the rules"


def test_several_labels_imply_only_what_the_product_has(rules: Rules) -> None:
    unknown = dict.fromkeys(("Pants", "Shirt", "Hat", "T-Shirt", "Polo", "Long", "Cape"), -1)
    assert garments(rules, article=["Jeans", "Watch"]) == unknown | {"Pants": 1}
    assert garments(rules, article=["Watch", "Sweater"]) is None
    assert garments(rules, article=["Watch", "Watch"]) == garments(rules, article=["Watch"]), "from two columns"


def test_rules_are_not_applied_to_derived_labels(rules: Rules) -> None:
    found = rules.derived({"article": None, "garment": ["Pants"], "neck": None})
    assert set(found) == {"article"}
    assert found["article"].yes == {"Jeans"}
    assert rules.derived({"article": None, "garment": ["Hat"]})["article"].no == {"Jeans", "Tee", "Sweater"}


def test_unused_names_are_listed(rules: Rules) -> None:
    data = {"article": ["Jeans", "Suit", "Watch", "Sweater", "Tee"], "neck": ["Round", "Collar"]}
    assert rules.unknown(data | {"garment": ["Pants", "Shirt", "Hat", "T-Shirt", "Polo", "Long", "Shoe"]}) == []
    found = rules.unknown({"article": ["Jean"], "garment": ["Pants"], "necks": ["Round"]})
    assert found[0] == "group 'neck' (did you mean 'necks'?)"
    assert "'Jeans' of article (did you mean 'Jean'?)" in found
    assert "'Shirt' of garment" in found


def test_no_file_means_no_rules(tmp_path: Path) -> None:
    assert Rules.load(None) == load(tmp_path, "# nothing yet\n") == Rules()
    assert Rules().derived({"article": ["Jeans"]}) == {}


def test_the_rules_of_the_page_work_as_documented(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "labels.md").read_text()
    blocks = [dedent(block) for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", page, re.MULTILINE)]
    rules = load(tmp_path, "".join(block for block in blocks if block.strip().startswith(("derive:", "applies:"))))
    assert rules.applies.exceptions == {"Sweaters": {"neck": 1}}
    found = rules.derived({"article": ["Tshirts"], "sleeve": ["Long Sleeves"], "neck": ["Round Neck"]})
    assert found["garment"].yes == {"Longsleeve"}
    assert rules.derived({"garment": ["Skirt"]})["article"].target("Watches") == 0
    (names,) = (block for block in blocks if block.strip().startswith("groups:"))
    (tmp_path / "names.yaml").write_text(names)
    assert Names.load(tmp_path / "names.yaml").label("collar", "Cutaway Collar") == "Shirt Collar"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- derive\n", r"the file holds \['derive'\]; expected a table"),
        ("derives: {}\n", r"the file has 'derives' \(did you mean 'derive'\?\); it may have: derive, applies"),
        ("derive: {a: {form: b}}\n", r"derive a has 'form' \(did you mean 'from'\?\); it may have: from, labels"),
        ("derive: {a: {from: b, labels: {x: 3}}}\n", r"derive a, x holds 3; expected a label, a list of labels, {not"),
        ("derive: {a: {from: b, labels: {x: {never: [y]}}}}\n", r"derive a, x holds {'never': \['y'\]}; expected"),
        ("derive: {a: {from: b, labels: {x: {not: []}}}}\n", r"derive a, x holds {'not': \[\]}; expected"),
        ("derive: {a: {from: b, labels: {x: [no]}}}\n", r"derive a, x holds False, which is not a name; quote names"),
        ("derive: {a: {from: b, labels: {yes: y}}}\n", r"derive a has the name True; quote names"),
        ("derive: {a: {labels: {x: y}}}\n", r"derive a, from holds None, which is not a name"),
        ("derive: {a: {from: a, labels: {x: y}}}\n", r"derive a follows from itself; name another group at from"),
        ("derive: {a: {from: b}}\n", r"derive a holds None; expected a table"),
        ("applies: {by: [a]}\n", r"applies, groups holds None, which is not a name"),
        ("applies: {by: [a, a], groups: [b]}\n", r"applies has by \['a', 'a'\]; expected .* each once"),
        ("applies: {by: a, groups: [b], yes: 0.1, no: 0.5}\n", r"yes 0.1 and no 0.5; expected shares, 0 <= no < yes"),
        ("applies: {by: a, groups: [b], yes: often}\n", r"applies has yes 'often' and no 0.01; expected shares"),
        ("applies: {by: a, groups: [b], rows: 0}\n", r"applies has rows 0; expected a number from 1 up"),
        ("applies: {by: a, groups: [b], except: {x: {b: 1}}}\n", r"except x has b: 1; expected yes, no or unknown"),
        ("applies: {by: a, groups: [b], except: {x: {c: no}}}\n", r"except x has 'c'; it may have: b"),
        (
            "derive:\n  a: {from: b, labels: {}}\n  a: {from: c, labels: {}}\n",
            r"line 3 repeats the key 'a' of line 2; .* list",
        ),
        ("derive: [a\n", r"the rules in .* cannot be read"),
    ],
)
def test_a_file_of_something_else_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)
    assert "rules.yaml" in str(error.value)


# Data: a shop with articles and necks, and amateurs' photographs with garments.


def write(folder: Path, groups: list[str], products: list[tuple[list[str] | None, ...]]) -> str:
    """Write a folder whose train and val splits have these products, with labels for each group."""

    def rows() -> Iterator[ProductRow]:
        for split in ("train", "val"):
            for i, labels in enumerate(products):
                image = block((9, 90, 9), i % 2 == 0, gray=100 + i)
                yield ProductRow(split, f"{split}{i}", image, dict(zip(groups, labels, strict=True)), str(i))

    write_dataset(rows(), folder, groups, "blocks")
    return str(folder)


@pytest.fixture
def shop(tmp_path: Path) -> str:
    products: list[tuple[list[str] | None, ...]] = [
        *[(["Tee"], ["Round"])] * 2,
        *[(["Tee"], None)] * 2,
        *[(["Jeans"], None)] * 4,
        (["Watch"], None),
        (["Sweater"], ["Round"]),
        (None, None),
    ]
    return write(tmp_path / "shop", ["article", "neck"], products)


@pytest.fixture
def amateurs(tmp_path: Path) -> str:
    return write(tmp_path / "amateurs", ["garment"], [(["Pants"],), (["Hat"],), (["T-Shirt"],), (["Polo"],)])


@pytest.fixture
def landscapes(tmp_path: Path) -> str:
    for split in ("train", "val"):
        (tmp_path / "landscapes" / split).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "landscapes" / split / f"{i}.png").write_bytes(block((i, 90, 9), True))
    (tmp_path / "landscapes" / "notes.txt").write_text("no photograph")
    return str(tmp_path / "landscapes")


def open_data(paths: list[str], folder: Path, text: str = TEXT, **settings: Any) -> FashionData:
    (folder / "rules.yaml").write_text(text)
    values: dict[str, Any] = {
        "input": INPUT,
        "batch_size": 4,
        "workers": 0,
        "cache": str(folder / "cache"),
    }
    data = FashionData(paths, **values | {"rules": str(folder / "rules.yaml")} | settings)
    data.trainer = SimpleNamespace(global_rank=0, world_size=1, num_devices=1, current_epoch=0)
    data.prepare_data()
    data.setup()
    return data


def targets(data: FashionData, images: Any, index: int) -> dict[str, int]:
    """The targets of an image by label name, and of the gates."""
    names = [*(label.name for label in data.taxonomy.labels), *(f"{g}?" for g in data.gates.applies)]
    names += ["product?"] * data.gates.product
    return dict(zip(names, images[index]["targets"].tolist(), strict=True))


def test_derived_targets_of_both_folders(shop: str, amateurs: str, tmp_path: Path) -> None:
    data = open_data([shop, amateurs], tmp_path)
    assert data.gates == Gates(("neck",), False)
    assert data.taxonomy.groups == ("article", "neck", "garment")
    garment = data.taxonomy.names("garment")
    assert garment == ("Hat", "Pants", "Polo", "T-Shirt")

    def of(index: int, names: tuple[str, ...]) -> dict[str, int]:
        found = targets(data, data.val, index)
        return {name: found[name] for name in names}

    assert of(4, garment) == {"Hat": 0, "Pants": 1, "Polo": 0, "T-Shirt": 0}  # Jeans
    assert of(8, garment) == {"Hat": 0, "Pants": 0, "Polo": 0, "T-Shirt": 0}  # Watch
    assert of(0, garment) == {"Hat": 0, "Pants": 0, "Polo": 0, "T-Shirt": -1}  # Tee with a round neck: T-Shirt or Long
    assert of(10, garment) == {"Hat": -1, "Pants": -1, "Polo": -1, "T-Shirt": -1}
    article = data.taxonomy.names("article")
    assert article == ("Jeans", "Sweater", "Tee", "Watch")
    # The amateurs' Pants are Jeans; the rules do not name Watch, so it stays unknown.
    assert of(11, article) == {"Jeans": 1, "Sweater": 0, "Tee": 0, "Watch": -1}
    assert of(13, article) == {"Jeans": -1, "Sweater": -1, "Tee": -1, "Watch": -1}


def test_derived_labels_are_learned_though_no_folder_has_their_group(shop: str, tmp_path: Path) -> None:
    data = open_data([shop], tmp_path, groups=["garment"])
    assert data.taxonomy.labels == (Label("garment", "Pants"),)
    assert [targets(data, data.val, i) for i in (0, 4, 10)] == [{"Pants": 0}, {"Pants": 1}, {"Pants": -1}]
    assert data.gates == Gates(), "a group that is not trained has no gate"


def test_gates_follow_from_how_often_a_group_is_annotated(shop: str, amateurs: str, tmp_path: Path) -> None:
    data = open_data([shop, amateurs], tmp_path)
    necks = [targets(data, data.val, i)["neck?"] for i in range(15)]
    # Tee: annotated, or yes as half of them are; Jeans: none of four; Watch: too few; Sweater: no, but annotated here.
    assert necks[:11] == [1, 1, 1, 1, 0, 0, 0, 0, -1, 1, -1]
    # The amateurs' folder has no necks, so applicability follows from the shop: Pants are its Jeans.
    assert necks[11:] == [0, -1, -1, -1]
    rules = Rules.load(tmp_path / "rules.yaml")
    rows = [LabelRows(catalog) for catalog in open_catalogs([shop, amateurs], rules=tmp_path / "rules.yaml")]
    table = Applicability.learn(rules.applies, Gates(("neck",)), rows).table
    assert table[Label("article", "Tee")] == {"neck": 1}
    assert table[Label("article", "Sweater")] == {"neck": 0}
    assert Label("article", "Watch") not in table


def test_a_model_reads_the_same_targets_again(shop: str, amateurs: str, landscapes: str, tmp_path: Path) -> None:
    data = open_data([shop, amateurs], tmp_path, negatives=[landscapes])
    for split, images in (("train", data.train), ("val", data.val)):
        again = open_split(
            [shop, amateurs],
            split,
            data.taxonomy,
            SPEC,
            cache=data.cache,
            gates=data.gates,
            rules=tmp_path / "rules.yaml",
            negatives=[landscapes],
        )
        assert len(again) == len(images) == 18
        assert all(again[i]["targets"].equal(images[i]["targets"]) for i in range(18))
    assert len(open_split(shop, "val", data.taxonomy, SPEC, cache=data.cache)[0]["targets"]) == len(data.taxonomy)


def test_negatives_have_no_label_in_training_and_count_as_no_product(
    shop: str, landscapes: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = open_data([shop], tmp_path, negatives=[landscapes], repeat=[1, 2])
    assert data.gates == Gates(("neck",), True)
    assert (len(data.train), len(data.val)) == (11 + 2 * 3, 11 + 3)
    labels = len(data.taxonomy)
    for index in (11, 16):
        assert data.train[index]["targets"].tolist() == [0] * labels + [-1, 0]
    assert data.val[11]["targets"].tolist() == [-1] * labels + [-1, 0]
    assert all(targets(data, data.train, i)["product?"] == 1 for i in range(11))
    assert data.val[-1]["targets"].tolist() == [-1] * (labels + 2)  # a filler has no targets
    assert "landscapes" in (said := capsys.readouterr().out)
    assert "3 train, 3 val; without a product" in said


def test_a_wall_instead_of_a_product_is_no_product(shop: str, landscapes: str, tmp_path: Path) -> None:
    data = open_data([shop], tmp_path, negatives=[landscapes], augment=Augment(blank=1))
    found = targets(data, data.train, 0)
    assert (found["Tee"], found["Round"], found["neck?"], found["product?"]) == (0, 0, -1, 0)


def test_negatives_may_be_streamed(shop: str, landscapes: str, tmp_path: Path) -> None:
    data = open_data([shop], tmp_path, negatives=[landscapes], streaming=True)
    loader = data.train_dataloader()
    products = [target for batch in islice(loader, len(loader)) for target in batch["targets"][:, -1].tolist()]
    assert set(products) == {0, 1}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no photograph .*; put some into its train/ and val/"),
        ({"train.csv": "name\nx\n"}, "has no column with a usual name for images"),
        ({"train/a.png": "no photograph"}, "no usable row"),
    ],
)
def test_unusable_negatives_are_one_line_errors(shop: str, files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / "none" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "none" / name).write_text(text)
    (tmp_path / "none").mkdir(exist_ok=True)
    with pytest.raises(DataError, match=message):
        open_data([shop], tmp_path, negatives=[str(tmp_path / "none")])


def test_negatives_in_a_table_or_an_unsorted_folder_are_split(shop: str, tmp_path: Path) -> None:
    (tmp_path / "table" / "images").mkdir(parents=True)
    (tmp_path / "heap" / "deep").mkdir(parents=True)
    for i in range(4):
        (tmp_path / "table" / "images" / f"{i}.png").write_bytes(block((i, 90, 9), True))
        (tmp_path / "heap" / "deep" / f"{i}.png").write_bytes(block((i, 9, 9), True))
    (tmp_path / "table" / "train.csv").write_text("image\n0.png\n1.png\n2.png\n")
    (tmp_path / "table" / "val.csv").write_text("image\n3.png\n")
    data = open_data([shop], tmp_path, negatives=[str(tmp_path / "table"), str(tmp_path / "heap")])
    assert len(data.train) + len(data.val) == 2 * 11 + 4 + 4
    assert len(data.val) >= 11 + 1 + 1
    with pytest.raises(DataError, match="is given twice in the negatives"):
        open_data([shop], tmp_path, negatives=[str(tmp_path / "table")] * 2)


def test_names_of_files_need_not_be_utf8(tmp_path: Path) -> None:
    (tmp_path / "heap").mkdir()
    for i, name in enumerate([b"a\xff.png", b"a\xfe.png", b"b\xff.png"]):
        photograph = block((i, 9, 9), True) if i < 2 else b"broken"
        try:
            Path(os.fsdecode(os.fsencode(tmp_path / "heap") + b"/" + name)).write_bytes(photograph)
        except OSError:
            pytest.skip("this file system has UTF-8 names only")
    summary = import_negatives(tmp_path / "heap", tmp_path / "out")
    assert sum(summary.splits.values()) == 2
    assert summary.left_out == {"broken image": 1}


def test_rare_labels_are_left_out_and_listed(
    shop: str, amateurs: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = open_data([shop, amateurs], tmp_path, min_photographs=3)
    # Five Pants: one of the amateurs', and the shop's Jeans.
    assert [label.name for label in data.taxonomy.labels] == ["Jeans", "Tee", "Round", "Pants"]
    assert data.rare[Label("article", "Watch")] == 1
    said = capsys.readouterr().out
    assert "5 labels have fewer than 3 training photographs and are left out: 'Sweater' of article (1), 'Watch'" in said
    assert "cannot be learned" not in said
    # A product whose label is left out is negative for all others.
    assert [targets(data, data.val, 8)[name] for name in ("Jeans", "Tee")] == [0, 0]
    with pytest.raises(DataError, match=r"has a label in group 'neck' with at least 9 rows \(--data.min_photographs\)"):
        open_data([shop], tmp_path, min_photographs=9, groups=["neck"])


def test_bad_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"--data.min_photographs is 0; it must be at least 1"):
        FashionData("x", min_photographs=0)
    with pytest.raises(SettingError, match=r"--data.limit_train draws images at random, but --data.streaming true"):
        FashionData("x", limit_train=3, streaming=True)
    with pytest.raises(SettingError, match=r"but --data.taxonomy imaterialist fixes them"):
        FashionData("x", min_photographs=2, taxonomy="imaterialist")
    with pytest.raises(SettingError, match="optionally followed by one for each of the 1 folders of negatives"):
        FashionData(["x", "y"], negatives=["z"], repeat=[1])
    with pytest.raises(SettingError, match=r"--data.repeat is \[2\], but there is one data folder"):
        FashionData("x", repeat=[2])


def test_two_columns_of_one_group_count_once(tmp_path: Path) -> None:
    products: list[tuple[list[str] | None, ...]] = [(["A"], ["A"]), (None, ["A"]), (["A"], None), ([], None)]
    folder = write(tmp_path / "two", ["front", "back"], products)
    (tmp_path / "names.yaml").write_text("groups: {front: color, back: color}\n")
    rows = [LabelRows(catalog) for catalog in open_catalogs(folder, names=tmp_path / "names.yaml")]
    assert count_labels(rows) == {"color": {"A": 3}}
