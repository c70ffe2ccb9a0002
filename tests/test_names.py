"""training.data.names."""

from dataclasses import replace
from pathlib import Path

import pytest

from fashion.errors import DataError
from fashion.model_card import ModelCard
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label
from training.data.names import Names
from training.data.yaml_files import file_of_training

TEXT = """
tshirts: T-Shirts
garment:
  Pants: Trousers
  tshirts: Tops
groups:
  colour: color
"""


@pytest.fixture
def names(tmp_path: Path) -> Names:
    (tmp_path / "names.yaml").write_text(TEXT)
    return Names.load(tmp_path / "names.yaml")


def test_labels_and_columns_get_their_new_names(names: Names) -> None:
    assert names.label("article", "tshirts") == "T-Shirts"
    assert names.label("garment", "tshirts") == "Tops"  # a rule for one column takes precedence
    assert names.label("article", "Pants") == "Pants"
    assert (names.group("colour"), names.group("garment")) == ("color", "garment")


def test_unused_names_are_listed(names: Names) -> None:
    assert names.unknown({"garment": ["Pants", "tshirts"], "colour": []}) == []
    assert names.unknown({"article": ["Pants"]}) == ["'tshirts'", "column 'colour'", "column 'garment'"]
    assert names.unknown({"garment": ["tshirts"], "colour": []}) == ["'Pants' of garment"]
    found = names.unknown({"garments": ["T-shirt"], "colours": []})
    assert found == [
        "'tshirts' (did you mean 'T-shirt'?)",
        "column 'colour' (did you mean 'colours'?)",
        "column 'garment' (did you mean 'garments'?)",
    ]


def test_no_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert Names.load(None) == Names.load(tmp_path / "empty.yaml") == Names()
    assert Names().label("a", "b") == "b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- tshirts\n", "holds a list; expected lines such as: tshirts: T-Shirts"),
        ("tshirts: [a\n", "cannot be read"),
        ("no: Never\n", "False: 'Never' is not a pair of names; quote names that YAML does not read as text"),
        ("on:\n  Pants: Trousers\n", "has the column True; quote names that YAML does not read as text"),
        ("tshirts:\n", "'tshirts': None is not a pair"),
        ("garment:\n  Pants: 3\n", "'Pants': 3 is not a pair"),
        ("tshirts: ' '\n", "is not a pair"),
        ("color:\n  Navy: Blue\nsize: {S: Small}\ncolor:\n  Lime: Green\n", "line 4 repeats the key 'color' of line 1"),
        ("garment: {Pants: Trousers, Pants: Jeans}\n", "line 1 repeats the key 'Pants' of line 1"),
    ],
)
def test_a_file_of_something_else_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "names.yaml").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        Names.load(tmp_path / "names.yaml")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.yaml cannot be read: .*No such file"):
        Names.load(tmp_path / "nowhere.yaml")


def test_the_names_of_a_training_are_found_by_their_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(name: str | None) -> Path | None:
        card = ModelCard("m", "0", "", "resnet18", InputSpec(), (Label("color", "Red"),), {"0.5": [0.5]}, "0.5", {})
        return file_of_training(replace(card, training={"settings": {"data": {"names": name}}}), "names")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.yaml").write_text("a: b\n")
    assert found(str(tmp_path / "names.yaml")) == tmp_path / "names.yaml"
    assert found(None) is None
    assert capsys.readouterr().err == ""
    assert found("names.yaml") is None, "the card of a shipped model; this file may be any"
    assert "trained with the names of names.yaml, which is not here; give --names" in capsys.readouterr().err
    assert found(str(tmp_path / "gone.yaml")) is None
    assert "gone.yaml, which is not here" in capsys.readouterr().err
