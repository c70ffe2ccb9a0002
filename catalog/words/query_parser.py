"""Parse a text query into wanted labels, unwanted labels, price limits, and other words."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from catalog.words.vocabulary import HYPHENS, Phrase, Vocabulary, hyphenated, words_of
from fashion.taxonomy import Label

NEGATIONS = {"no", "not", "without", "non", "nor", "except", "excluding"}
# Stop words, as `words_of` normalizes them.
STOP_WORDS = {
    *("a", "am", "an", "and", "any", "are", "as", "at", "be", "but", "by", "can", "find", "for", "from", "get", "give"),
    *("have", "i", "im", "in", "is", "it", "looking", "me", "my", "need", "of", "on", "or", "please", "show", "some"),
    *("something", "that", "the", "thi", "these", "those", "to", "want", "which", "with", "you", "your"),
}
# Phrases before a number, by the bound of the price that they express.
BOUNDS: dict[str, tuple[Phrase, ...]] = {
    "lt": (("under",), ("below",), ("less", "than"), ("cheaper", "than"), ("lower", "than")),
    "lte": (("up", "to"), ("upto",), ("at", "most"), ("max",), ("maximum",), ("no", "more", "than"), ("within",)),
    "gt": (("over",), ("above",), ("more", "than")),
    "gte": (("at", "least"), ("from",), ("min",), ("minimum",), ("starting", "at"), ("no", "less", "than")),
}
OPPOSITES = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
PRICE = {"price", "priced", "cost", "costing"}  # skipped before a limit
SIGN = "currencysign"  # replaces signs such as $
CURRENCIES = {
    SIGN,
    *("eur", "euro", "usd", "dollar", "gbp", "pound", "inr", "r", "rs", "rupee", "chf", "franc", "yen", "jpy", "buck"),
}


@dataclass(frozen=True)
class LabelPhrase:
    """A phrase that names labels.

    Attributes:
        phrase: its words.
        labels: its possible meanings; a product should have one of them.
    """

    phrase: Phrase
    labels: tuple[Label, ...]


@dataclass
class ParsedQuery:
    """A parsed query.

    Attributes:
        wanted: phrases whose labels a product should have.
        unwanted: negated phrases; a product must have none of their labels.
        prices: price limits, by "gt", "gte", "lt" and "lte".
        unwanted_prices: a negated range, by "gte" and "lte".
        words: other words, to be searched in the catalog's texts.
        unwanted_words: negated words that name no label.
        parts: the parts of hyphenated words.
        typed: words as typed, in lower case.
    """

    wanted: list[LabelPhrase] = field(default_factory=list)
    unwanted: list[LabelPhrase] = field(default_factory=list)
    prices: dict[str, float] = field(default_factory=dict)
    unwanted_prices: dict[str, float] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    unwanted_words: list[str] = field(default_factory=list)
    parts: dict[str, Phrase] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)


def parse_query(text: str, vocabulary: Vocabulary) -> ParsedQuery:
    """Parse a text from left to right, matching the longest phrase first.

    A negation extends over `or` and `nor`: `no print or stripes` excludes both. A negated price limit is its opposite:
    `not more than 50` is at most 50. `or` between wanted labels joins them into one wish, but has no effect after
    another word or a price.
    """
    text = _signs_to_words(text)
    asked, words = ParsedQuery(parts=hyphenated(text), typed=_typed(text)), words_of(text)
    place, negated, either = 0, False, False
    last: list[LabelPhrase] | None = None  # the wishes to which the phrase before was added; None for a word or a price
    while place < len(words):
        rest = words[place:]
        length, labels = vocabulary.at(rest)
        if labels:
            wishes = asked.unwanted if negated else asked.wanted
            _add(wishes, LabelPhrase(tuple(rest[:length]), tuple(labels)), either and wishes is last)
            last = wishes
        elif length := _price(rest, asked, negated):
            last = None
        elif rest[0] in NEGATIONS:
            negated, place = True, place + 1
            continue
        else:
            length = 1
            if rest[0] not in STOP_WORDS:
                (asked.unwanted_words if negated else asked.words).append(rest[0])
                last = None
        place += length
        either = place < len(words) and words[place] == "or"
        negated = negated and either
        place += either
    return asked


def _signs_to_words(text: str) -> str:
    """Replace signs by words: `-red` by `not red`, `20-40` by `20 to 40`, `<50` by `under 50`."""
    text = text.translate(HYPHENS).replace("—", " ")
    text = re.sub(r"(?<=\d)\s*-\s*(?=\W?\d)", " to ", text)
    text = re.sub(r"(^|(?<=\s))-(?=\w)|!=?", " not ", text)
    text = re.sub(r"(?i)\bnon-", "non ", text)
    for sign, word in (("<=", "at most"), (">=", "at least"), ("<", "under"), (">", "over")):
        text = text.replace(sign, f" {word} ")
    return "".join(f" {SIGN} " if unicodedata.category(letter) == "Sc" else letter for letter in text)


def _typed(text: str) -> dict[str, str]:
    written = re.findall(r"[^\W_][^\s,;:!?()\"]*", text.lower())
    return {found[0]: token.rstrip(".'") for token in reversed(written) if len(found := words_of(token)) == 1}


def _add(wishes: list[LabelPhrase], wish: LabelPhrase, either: bool) -> None:
    if either:
        before = wishes.pop()
        wish = LabelPhrase((*before.phrase, *wish.phrase), tuple(dict.fromkeys((*before.labels, *wish.labels))))
    wishes.append(wish)


def _price(words: Sequence[str], asked: ParsedQuery, negated: bool) -> int:
    """Parse a price limit into `asked`; return its number of words, 0 if there is none."""
    named = words[0] in PRICE
    if named:
        words = words[1:]
    for length, found in _limits(words, named):
        if not negated:
            asked.prices |= found
        elif len(found) == 1:
            asked.prices |= {OPPOSITES[bound]: number for bound, number in found.items()}
        else:
            asked.unwanted_prices = found
        return length + named
    return 0


def _limits(words: Sequence[str], named: bool) -> Iterator[tuple[int, dict[str, float]]]:
    """Limits that the words may begin with, the longest first: the number of words, and the bounds."""
    between = bool(words) and words[0] in ("between", "from")
    low, middle = _amount(words, int(between))
    if low is not None and middle < len(words) and words[middle] in ("and", "to"):
        high, end = _amount(words, middle + 1)
        money = named or not CURRENCIES.isdisjoint(words[:end])
        if high is not None and (between or (money and words[middle] == "to")):
            yield end, {"gte": min(low, high), "lte": max(low, high)}
    for bound, phrases in BOUNDS.items():
        for phrase in phrases:
            if tuple(words[: len(phrase)]) == phrase:
                number, end = _amount(words, len(phrase))
                if number is not None:
                    yield end, {bound: number}


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
