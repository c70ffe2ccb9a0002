"""Price limits in the words of a query: `under 50`, `between Rs 500 and 1,500`, `$20-$50`."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from catalog.words.vocabulary import Phrase, words_of

# Phrases before a number, by the bound of the price that they express.
BOUNDS: dict[str, tuple[Phrase, ...]] = {
    "lt": (("under",), ("below",), ("less", "than"), ("cheaper", "than"), ("lower", "than")),
    "lte": (("up", "to"), ("upto",), ("at", "most"), ("max",), ("maximum",), ("no", "more", "than"), ("within",)),
    "gt": (("over",), ("above",), ("more", "than")),
    "gte": (("at", "least"), ("from",), ("min",), ("minimum",), ("starting", "at"), ("no", "less", "than")),
}
OPPOSITES = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
PRICE = {"price", "priced", "cost", "costing"}  # skipped before a limit
SIGN, PERCENT = "currencysign", "percentsign"  # replace signs such as $, and %
NAMES = ("eur", "euro", "usd", "dollar", "gbp", "pound", "inr", "rs", "rupee", "chf", "franc", "yen", "jpy", "buck")
CURRENCIES = {SIGN, "r", *NAMES}
# After a number without a currency they make it a size or an amount. Not l and m, which are sizes of clothes.
UNITS = {
    *(PERCENT, "percent"),
    *words_of(
        "mm cm cms centimeters centimetres metres meters mtr km inches ft foot feet yards ml cl litres liters ltr"
    ),
    *words_of("kg kgs grams gm gsm oz ounces lb lbs denier carats ct watts mah gb mp atm bar degrees"),
    *words_of("years yr yrs months weeks days hours minutes packs pieces pcs pairs pockets"),
}
LETTERS = rf"(?:{'|'.join(NAMES)})s?"
NUMBER = r"\d+(?:[.,]\d+)*"
GLUED = re.compile(rf"(?i)(?<![^\W_])(?:({LETTERS})({NUMBER})|({NUMBER})({LETTERS}))(?![^\W_])")
DOLLARS = re.compile(r"(?i)(?<![^\W_])(?:us|au?|ca?|hk|nz|sg?) ?(?=\$)")  # before the sign


def currencies_to_words(text: str) -> tuple[str, set[str]]:
    """Replace currency signs and % by words, and set letters of currencies apart: `Rs500`, `US$50`, `50eur`.

    Returns:
        The text, and what was set apart, as `words_of` normalizes it: it may be the name of a model.
    """
    glued = {word for found in GLUED.finditer(text) for word in words_of(found[0])}
    text = DOLLARS.sub("", GLUED.sub(r"\1\3 \2\4", text)).replace("%", f" {PERCENT} ")
    return "".join(f" {SIGN} " if unicodedata.category(letter) == "Sc" else letter for letter in text), glued


def price_limit(words: Sequence[str]) -> tuple[int, dict[str, float]]:
    """The price limit at the start of these words: its number of words and its bounds, or 0 and {}."""
    named = bool(words) and words[0] in PRICE
    length, found = next(_limits(words[named:], named), (0, dict[str, float]()))
    return length + named if found else 0, found


def _limits(words: Sequence[str], named: bool) -> Iterator[tuple[int, dict[str, float]]]:
    """Limits that the words may begin with, the longest first: the number of words, and the bounds."""
    between = bool(words) and words[0] in ("between", "from")
    low, middle = _amount(words, int(between))
    if low is not None and middle < len(words) and words[middle] in ("and", "to"):
        high, end = _amount(words, middle + 1)
        if high is not None and _measures(words, end, named):
            return
        money = named or not CURRENCIES.isdisjoint(words[:end])
        if high is not None and (between or (money and words[middle] == "to")):
            yield end, {"gte": min(low, high), "lte": max(low, high)}
    for bound, phrases in BOUNDS.items():
        for phrase in phrases:
            if tuple(words[: len(phrase)]) == phrase:
                number, end = _amount(words, len(phrase))
                if number is not None and not _measures(words, end, named):
                    yield end, {bound: number}


def _measures(words: Sequence[str], end: int, named: bool) -> bool:
    """Whether the amount before position `end` is followed by a unit, and nothing says that it is money."""
    return end < len(words) and words[end] in UNITS and not named and CURRENCIES.isdisjoint(words[:end])


def _amount(words: Sequence[str], place: int) -> tuple[float | None, int]:
    """The number at a position, with an optional currency before or after it, and the position after both."""
    while place < len(words) and words[place] in CURRENCIES:
        place += 1
    number = _number(words[place]) if place < len(words) else None
    place += 1
    while place < len(words) and words[place] in CURRENCIES:
        place += 1
    return number, place


def _number(word: str) -> float | None:
    """Parse `49.90`, `49,90`, `1,299` or `1.299,50`; three digits after a single separator are thousands."""
    if not re.fullmatch(r"[0-9]+(?:[.,][0-9]+)*", word):
        return None
    whole, _, end = re.fullmatch(r"(.*?)(?:([.,])([0-9]{1,2}|[0-9]{4,}))?", word).groups("")  # type: ignore[union-attr]
    return float(re.sub("[.,]", "", whole) + (f".{end}" if end else ""))
