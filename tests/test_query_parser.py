"""Parsing of texts: how far negations, lists, units and currencies reach."""

import pytest

from catalog.words.query_parser import LabelPhrase, parse_query
from catalog.words.vocabulary import Vocabulary
from fashion.taxonomy import Label, Taxonomy

LABELS = {
    "article": ("Tshirts", "Dresses", "Casual Shoes", "Socks"),
    "colour": ("Red", "Blue", "Grey"),
    "pattern": ("Checked", "Printed", "Striped"),
    "gender": ("Men", "Women"),
}
VOCABULARY = Vocabulary(Taxonomy(tuple(Label(group, name) for group, names in LABELS.items() for name in names)))


def names(text: str) -> tuple[list[list[str]], list[list[str]]]:
    """Names of the labels of each wanted and of each unwanted phrase."""
    asked = parse_query(text, VOCABULARY)
    return _names(asked.wanted), _names(asked.unwanted)


def _names(wishes: list[LabelPhrase]) -> list[list[str]]:
    return [list(dict.fromkeys(label.name for label in wish.labels)) for wish in wishes]


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("dress, not in red", [["Dresses"]], [["Red"]]),
        ("dress without a print", [["Dresses"]], [["Printed"]]),
        ("dress without any red", [["Dresses"]], [["Red"]]),
        ("dress, not for the men", [["Dresses"]], [["Men"]]),
        ("I do not want a red dress", [["Dresses"]], [["Red"]]),
        ("dress without a print in red", [["Dresses"], ["Red"]], [["Printed"]]),
        ("no print or any stripes", [], [["Printed", "Striped"]]),
        ("a red or a blue dress", [["Red", "Blue"], ["Dresses"]], []),
        ("no show socks", [["Socks"]], []),  # a kind of socks
    ],
)
def test_stop_words_end_no_negation_and_no_list(text: str, wanted: list[list[str]], unwanted: list[list[str]]) -> None:
    assert names(text) == (wanted, unwanted)


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("no red, blue or grey dress", [["Dresses"]], [["Red", "Blue", "Grey"]]),
        ("red, blue or grey dress", [["Red", "Blue", "Grey"], ["Dresses"]], []),
        ("red, blue, or grey dress", [["Red", "Blue", "Grey"], ["Dresses"]], []),
        ("not striped, checked or printed tshirt", [["Tshirts"]], [["Striped", "Checked", "Printed"]]),
        ("neither red nor blue dress", [["Dresses"]], [["Red"], ["Blue"]]),
        ("neither red, blue nor grey dress", [["Dresses"]], [["Red", "Blue"], ["Grey"]]),
        ("dress, no print, red or blue", [["Dresses"], ["Red", "Blue"]], [["Printed"]]),  # of another group
        ("dress, red, blue and grey", [["Dresses"], ["Red"], ["Blue"], ["Grey"]], []),
        ("no red, blue dress", [["Blue"], ["Dresses"]], [["Red"]]),
        ("red, blue dress or socks", [["Red"], ["Blue"], ["Dresses", "Socks"]], []),
    ],
)
def test_commas_before_or(text: str, wanted: list[list[str]], unwanted: list[list[str]]) -> None:
    assert names(text) == (wanted, unwanted)


def test_negated_words() -> None:
    assert parse_query("socks, but not from Zephyr", VOCABULARY).unwanted_words == ["zephyr"]
    asked = parse_query("socks, not Zephyr, Acme or Boreal", VOCABULARY)
    assert (asked.unwanted_words, asked.words) == (["zephyr", "acme", "boreal"], [])
    asked = parse_query("no print, zephyr or acme", VOCABULARY)
    assert (asked.unwanted_words, asked.words) == ([], ["zephyr", "acme"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("over 40 litres", ["over", "40", "litre"]),
        ("over 50% red", ["over", "50"]),
        ("over 5 cm", ["over", "5", "cm"]),
        ("between 5 and 10 inches", ["between", "5", "10", "inch"]),
        ("from 5 to 10 years", ["5", "10", "year"]),
        ("Zephyr RS100", ["zephyr", "rs100"]),
        ("100% $ red", ["100"]),
    ],
)
def test_amounts_that_are_no_prices(text: str, words: list[str]) -> None:
    asked = parse_query(text, VOCABULARY)
    assert asked.prices == {}
    assert asked.words == words


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("under US$50", {"lt": 50}),
        ("under US $50", {"lt": 50}),
        ("under Rs500", {"lt": 500}),
        ("under 50eur", {"lt": 50}),
        ("under 50Euros", {"lt": 50}),
        ("up to Rs1,299.50", {"lte": 1299.5}),
        ("Rs500-Rs1,500 dress", {"gte": 500, "lte": 1500}),
        ("Rs. 20 - Rs. 40", {"gte": 20, "lte": 40}),
        ("under $50 pack", {"lt": 50}),
        ("price under 50 pack", {"lt": 50}),
        ("under 50, L", {"lt": 50}),
    ],
)
def test_currencies_beside_the_number(text: str, prices: dict[str, float]) -> None:
    asked = parse_query(text, VOCABULARY)
    assert asked.prices == prices
    assert "currencysign" not in asked.words


@pytest.mark.parametrize(
    ("text", "in_stock"),
    [
        ("red socks in stock", True),
        ("red socks, not in stock", False),
        ("red socks out of stock", False),
        ("stock red", None),
    ],
)
def test_stock(text: str, in_stock: bool | None) -> None:
    assert parse_query(text, VOCABULARY).in_stock is in_stock
