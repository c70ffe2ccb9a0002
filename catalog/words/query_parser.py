"""Parse a text query into wanted labels, unwanted labels, price limits, and other words."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from catalog.words.price_limits import LETTERS, OPPOSITES, PERCENT, SIGN, currencies_to_words, price_limit
from catalog.words.vocabulary import HYPHENS, Phrase, Vocabulary, hyphenated, words_of
from fashion.taxonomy import Label

NEGATIONS = {"no", "not", "without", "non", "nor", "neither", "except", "excluding"}
# Stop words, as `words_of` normalizes them. They may stand between a negation and what it excludes: `not in black`.
STOP_WORDS = {
    *("a", "am", "an", "and", "any", "are", "as", "at", "be", "but", "by", "can", "find", "for", "from", "get", "give"),
    *("have", "i", "im", "in", "is", "it", "looking", "me", "my", "need", "of", "on", "or", "please", "show", "some"),
    *("something", "that", "the", "thi", "these", "those", "to", "want", "which", "with", "you", "your"),
    *(SIGN, PERCENT),
}
NO_SHOW = ["no", "show"]  # a kind of socks, no negation
STOCK: dict[Phrase, bool] = {("in", "stock"): True, ("out", "of", "stock"): False}


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
        in_stock: whether products should be in stock; None if the text does not say so.
        words: other words, to be searched in the catalog's texts.
        unwanted_words: negated words that name no label.
        parts: the parts of hyphenated words.
        typed: words as typed, in lower case.
    """

    wanted: list[LabelPhrase] = field(default_factory=list)
    unwanted: list[LabelPhrase] = field(default_factory=list)
    prices: dict[str, float] = field(default_factory=dict)
    unwanted_prices: dict[str, float] = field(default_factory=dict)
    in_stock: bool | None = None
    words: list[str] = field(default_factory=list)
    unwanted_words: list[str] = field(default_factory=list)
    parts: dict[str, Phrase] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)


def parse_query(text: str, vocabulary: Vocabulary) -> ParsedQuery:
    """Parse a text from left to right, matching the longest phrase first.

    A negation extends over `or` and `nor`: `no print or stripes` excludes both. A negated price limit is its opposite:
    `not more than 50` is at most 50. `or` between wanted labels joins them into one wish, but has no effect after
    another word or a price. A comma in a list that ends with `or` is an `or`, see `_is_list`.
    """
    text, glued = currencies_to_words(_signs_to_words(text))
    words, commas = _split(text)
    asked = ParsedQuery(parts=hyphenated(text), typed=_typed(text))
    place, negated, either = 0, False, False
    last: list[LabelPhrase] | None = None  # the wishes to which the phrase before was added; None for a word or a price
    while place < len(words):
        rest = words[place:]
        length, labels = vocabulary.at(rest)
        kinds = _kinds(rest, labels)
        if labels:
            wishes = asked.unwanted if negated else asked.wanted
            _add(wishes, LabelPhrase(tuple(rest[:length]), tuple(labels)), either and wishes is last)
            last = wishes
        elif length := _price(rest, asked, negated) or _stock(rest, asked, negated):
            last = None
        elif rest[:2] == NO_SHOW:
            place += 2
            continue
        elif rest[0] in NEGATIONS:
            negated, place = True, place + 1
            continue
        elif rest[0] in STOP_WORDS:
            place += 1
            continue
        else:
            length, found = _word(rest, glued)
            (asked.unwanted_words if negated else asked.words).extend(found)
            last = None
        place += length
        is_or = words[place : place + 1] == ["or"]
        either = is_or or _is_list(words, commas, place, kinds, vocabulary)
        negated = negated and either
        place += is_or
    return asked


def _split(text: str) -> tuple[list[str], set[int]]:
    """The words of a text, and the places of those that follow a comma."""
    words: list[str] = []
    commas: set[int] = set()
    for part in re.split(r"(?<!\d),|,(?!\d)", text):
        words += words_of(part)
        commas.add(len(words))
    return words, commas


def _word(words: Sequence[str], glued: Collection[str]) -> tuple[int, list[str]]:
    """The first word, or `RS100` again, whose letters turned out not to be a currency; and the number of words read."""
    together = words_of("".join(words[:2]))
    return (2, together) if together[0] in glued else (1, [words[0]])


def _kinds(words: Sequence[str], labels: Sequence[Label]) -> set[str]:
    """What the phrase at the start of these words is: the groups of its labels, or "" for another word."""
    if labels:
        return {label.group for label in labels}
    return set() if words[0] in STOP_WORDS or words[0] in NEGATIONS else {""}


def _is_list(
    words: Sequence[str], commas: Collection[int], place: int, kinds: set[str], vocabulary: Vocabulary
) -> bool:
    """Whether the comma before `place` stands for `or`, as in `black, blue or brown`.

    The items up to `or` are labels of one group, so that `no print, red or blue` still wishes for colors, or all are
    other words.

    Args:
        words: of the query.
        commas: see `_split`.
        place: the place after the item before.
        kinds: of that item, see `_kinds`.
        vocabulary: the labels.
    """
    while place in commas and place < len(words):
        length, labels = vocabulary.at(words[place:])
        kinds = kinds & _kinds(words[place:], labels)
        if not kinds:
            return False
        place += max(length, 1)
        if words[place : place + 1] in (["or"], ["nor"]):
            return True
    return False


def _signs_to_words(text: str) -> str:
    """Replace signs by words: `-red` by `not red`, `20-40` by `20 to 40`, `<50` by `under 50`."""
    text = text.translate(HYPHENS).replace("—", " ")
    text = re.sub(rf"(?i)(?<=\d)\s*-\s*(?=(?:{LETTERS}\W{{0,2}}|\W?)\d)", " to ", text)
    text = re.sub(r"(^|(?<=\s))-(?=\w)|!=?", " not ", text)
    text = re.sub(r"(?i)\bnon-", "non ", text)
    for sign, word in (("<=", "at most"), (">=", "at least"), ("<", "under"), (">", "over")):
        text = text.replace(sign, f" {word} ")
    return text


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
    length, found = price_limit(words)
    if not negated:
        asked.prices |= found
    elif len(found) == 1:
        asked.prices |= {OPPOSITES[bound]: number for bound, number in found.items()}
    elif found:
        asked.unwanted_prices = found
    return length


def _stock(words: Sequence[str], asked: ParsedQuery, negated: bool) -> int:
    """Parse `in stock` or `out of stock` into `asked`; return its number of words, 0 if there is none."""
    for phrase, wanted in STOCK.items():
        if tuple(words[: len(phrase)]) == phrase:
            asked.in_stock = wanted is not negated
            return len(phrase)
    return 0
