"""A text that somebody types into a search -> labels that are wanted, labels that are not, prices, and other words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from catalog.words.vocabulary import Vocabulary, words_of
from fashion.taxonomy import Label

NEGATIONS = {"no", "not", "without", "non"}
# Words that ask for nothing; as `words_of` writes them.
EMPTY = {"a", "an", "and", "any", "for", "from", "in", "of", "on", "or", "some", "that", "the", "thi", "to", "with"}
BELOW = (("under",), ("below",), ("up", "to"), ("less", "than"), ("cheaper", "than"), ("at", "most"), ("max",))
ABOVE = (("over",), ("above",), ("more", "than"), ("at", "least"), ("from",), ("min",))
CURRENCIES = {"eur", "euro", "usd", "dollar", "gbp", "pound", "inr", "rupee", "chf"}


@dataclass
class Asked:
    """What a text asks for.

    Attributes:
        wanted: for each phrase its labels; a product should have one of them.
        unwanted: for each negated phrase its labels; a product must have none of them.
        above, below: limits of the price.
        words: what is neither, to be looked for in the catalog's own texts.
        unwanted_words: negated words that name no label.
    """

    wanted: list[list[Label]] = field(default_factory=list)
    unwanted: list[list[Label]] = field(default_factory=list)
    above: float | None = None
    below: float | None = None
    words: list[str] = field(default_factory=list)
    unwanted_words: list[str] = field(default_factory=list)


def read(text: str, vocabulary: Vocabulary) -> Asked:
    """Read a text from left to right, the longest phrase first."""
    asked, words = Asked(), words_of(text.replace("$", " ").replace("€", " ").replace("£", " "))
    place, negated = 0, False
    while place < len(words):
        rest = words[place:]
        length, labels = vocabulary.at(rest)
        if labels:
            (asked.unwanted if negated else asked.wanted).append(labels)
        elif length := _price(rest, asked):
            pass
        else:
            length = 1
            if rest[0] in NEGATIONS:
                negated, place = True, place + 1
                continue
            if rest[0] not in EMPTY:
                (asked.unwanted_words if negated else asked.words).append(rest[0])
        place, negated = place + length, False
    return asked


def _price(words: Sequence[str], asked: Asked) -> int:
    """Read a limit of the price, and say how many words it has."""
    if words[0] in ("between", "from") and len(words) >= 4 and words[2] in ("and", "to"):
        low, high = _number(words[1]), _number(words[3])
        if low is not None and high is not None:
            asked.above, asked.below = low, high
            return _with_currency(words, 4)
    for phrases, name in ((BELOW, "below"), (ABOVE, "above")):
        for phrase in phrases:
            number = _number(words[len(phrase)]) if len(words) > len(phrase) else None
            if tuple(words[: len(phrase)]) == phrase and number is not None:
                setattr(asked, name, number)
                return _with_currency(words, len(phrase) + 1)
    return 0


def _with_currency(words: Sequence[str], length: int) -> int:
    return length + (len(words) > length and words[length] in CURRENCIES)


def _number(word: str) -> float | None:
    try:
        return float(word.replace(",", "."))
    except ValueError:
        return None
