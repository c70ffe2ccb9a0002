"""A text that somebody types into a search -> labels that are wanted, labels that are not, prices, and other words."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from catalog.words.vocabulary import HYPHENS, Phrase, Vocabulary, hyphenated, words_of
from fashion.taxonomy import Label

NEGATIONS = {"no", "not", "without", "non", "nor", "except", "excluding"}
# Words that ask for nothing; as `words_of` writes them.
EMPTY = {
    *("a", "am", "an", "and", "any", "are", "as", "at", "be", "but", "by", "can", "find", "for", "from", "get", "give"),
    *("have", "i", "im", "in", "is", "it", "looking", "me", "my", "need", "of", "on", "or", "please", "show", "some"),
    *("something", "that", "the", "thi", "these", "those", "to", "want", "which", "with", "you", "your"),
}
# Phrases before a number, and which bound of the price it is then.
BOUNDS: dict[str, tuple[Phrase, ...]] = {
    "lt": (("under",), ("below",), ("less", "than"), ("cheaper", "than"), ("lower", "than"), ("not", "over")),
    "lte": (("up", "to"), ("upto",), ("at", "most"), ("max",), ("maximum",), ("no", "more", "than"), ("within",)),
    "gt": (("over",), ("above",), ("more", "than"), ("not", "under")),
    "gte": (("at", "least"), ("from",), ("min",), ("minimum",), ("starting", "at"), ("no", "less", "than")),
}
PRICE = {"price", "priced", "cost", "costing"}  # asks for nothing where a limit follows
SIGN = "currencysign"  # what a sign such as $ is read as
CURRENCIES = {
    SIGN,
    *("eur", "euro", "usd", "dollar", "gbp", "pound", "inr", "r", "rs", "rupee", "chf", "franc", "yen", "jpy", "buck"),
}


@dataclass(frozen=True)
class Wish:
    """A phrase that names labels.

    Attributes:
        phrase: its words.
        labels: what it may stand for; a product should have one of them.
    """

    phrase: Phrase
    labels: tuple[Label, ...]


@dataclass
class Asked:
    """What a text asks for.

    Attributes:
        wanted: phrases whose labels a product should have.
        unwanted: negated phrases; a product must have none of their labels.
        prices: limits of the price, by "gt", "gte", "lt" and "lte".
        words: what is neither, to be looked for in the catalog's own texts.
        unwanted_words: negated words that name no label.
        parts: of words that were written with hyphens, what stands between these.
        typed: how words were typed, in small letters.
    """

    wanted: list[Wish] = field(default_factory=list)
    unwanted: list[Wish] = field(default_factory=list)
    prices: dict[str, float] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    unwanted_words: list[str] = field(default_factory=list)
    parts: dict[str, Phrase] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)


def read(text: str, vocabulary: Vocabulary) -> Asked:
    """Read a text from left to right, the longest phrase first.

    `or` and `nor` carry a negation on: `no print or stripes` wants neither. Between labels that are wanted, `or` makes
    one wish of both.
    """
    text = _spoken(text)
    asked, words = Asked(parts=hyphenated(text), typed=_typed(text)), words_of(text)
    place, negated, either = 0, False, False
    while place < len(words):
        rest = words[place:]
        length, labels = vocabulary.at(rest)
        if labels:
            _add(asked.unwanted if negated else asked.wanted, Wish(tuple(rest[:length]), tuple(labels)), either)
        elif length := _price(rest, asked.prices):
            pass
        elif rest[0] in NEGATIONS:
            negated, place = True, place + 1
            continue
        else:
            length = 1
            if rest[0] not in EMPTY:
                (asked.unwanted_words if negated else asked.words).append(rest[0])
        place += length
        either = place < len(words) and words[place] == "or"
        negated = negated and either
        place += either
    return asked


def _spoken(text: str) -> str:
    """A text with signs as words: `-red` is `not red`, `20-40` is `20 to 40`, `<50` is `under 50`."""
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


def _add(wishes: list[Wish], wish: Wish, either: bool) -> None:
    if either and wishes:
        before = wishes.pop()
        wish = Wish((*before.phrase, *wish.phrase), tuple(dict.fromkeys((*before.labels, *wish.labels))))
    wishes.append(wish)


def _price(words: Sequence[str], prices: dict[str, float]) -> int:
    """Read a limit of the price, and say how many words it has; 0 where there is none."""
    named = words[0] in PRICE
    if named:
        words = words[1:]
    for length, found in _limits(words, named):
        prices |= found
        return length + named
    return 0


def _limits(words: Sequence[str], named: bool) -> Iterator[tuple[int, dict[str, float]]]:
    """The limits that these words begin with, the longest first: how many words it has, and its bounds."""
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
    """The number at a place, with a currency before or behind it, and the place behind both."""
    while place < len(words) and words[place] in CURRENCIES:
        place += 1
    number = _number(words[place]) if place < len(words) else None
    place += 1
    while place < len(words) and words[place] in CURRENCIES:
        place += 1
    return number, place


def _number(word: str) -> float | None:
    """`49.90`, `49,90`, `1,299` and `1.299,50`: three digits behind a single separator are thousands."""
    if not re.fullmatch(r"[0-9]+(?:[.,][0-9]+)*", word):
        return None
    whole, _, end = re.fullmatch(r"(.*?)(?:([.,])([0-9]{1,2}|[0-9]{4,}))?", word).groups("")  # type: ignore[union-attr]
    return float(re.sub("[.,]", "", whole) + (f".{end}" if end else ""))
