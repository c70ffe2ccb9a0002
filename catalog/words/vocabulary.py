"""Map words to labels, by the labels' names and a table of synonyms."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from fashion.taxonomy import Label, Taxonomy

# All rows are for queries. Rows with `title` are other spellings, or 3 in 4 training products with such a title have
# the label: 81 of 84 with `scarf` are scarves, but only 3 of 46 with `purse` are handbags.
SYNONYMS = Path(__file__).with_name("synonyms.csv")
LONGEST = 4  # maximum number of words in a phrase
APOSTROPHES = str.maketrans("", "", "'’‘`")
HYPHENS = str.maketrans(dict.fromkeys("‐‑–", "-"))  # typographic variants of the hyphen

Phrase = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Split a text into words without case, accents, hyphens and plural endings: `V-Neck T-Shirts` -> `vneck tshirt`.

    A number keeps its separators: `Rs.1,299.50` -> `rs 1,299.50`.
    """
    return [_singular(word) for word in re.findall(r"\d+(?:[.,]\d+)+|[^\W_]+", _plain(text).replace("-", ""))]


def hyphenated(text: str) -> dict[str, Phrase]:
    """The hyphenated words of a text with their parts: `slip-ons` -> `slipon: (slip, on)`."""
    found = re.findall(r"[^\W_]+(?:-[^\W_]+)+", _plain(text))
    return {words_of(word)[0]: tuple(words_of(word.replace("-", " "))) for word in found}


def searchable(text: str) -> list[str]:
    """The words of a title, and the parts of hyphenated ones, so that either spelling is found."""
    parts = words_of(text.translate(HYPHENS).replace("-", " "))
    whole = words_of(text)
    return whole if parts == whole else [*whole, *parts]


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower().translate(APOSTROPHES).translate(HYPHENS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _singular(word: str) -> str:
    if re.search(r"(ss|sh|ch|x)es$", word):
        return word[:-2]
    single = word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
    return f"{single[:-2]}y" if len(single) > 3 and single.endswith("ie") else single


class Vocabulary:
    """Labels by the phrases that name them."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._labels: dict[Phrase, list[Label]] = {}
        self._close: dict[Phrase, list[Phrase]] = {}  # synonyms that titles use like the phrase
        for label in taxonomy.labels:
            for phrase in _names(label.name):
                self._add(phrase, [label])
        others: dict[Phrase, list[Label]] = {}
        with SYNONYMS.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                phrase, meaning = tuple(words_of(row["words"])), tuple(words_of(row["means"]))
                others.setdefault(phrase, []).extend(self._labels.get(meaning, []))
                if row["title"]:
                    self._close.setdefault(meaning, []).append(phrase)
        for phrase, labels in others.items():
            self._add(phrase, labels)
        self._labels = {phrase: labels for phrase, labels in self._labels.items() if phrase and labels}

    def _add(self, phrase: Phrase, labels: Sequence[Label]) -> None:
        known = self._labels.setdefault(phrase, [])
        known += [label for label in labels if label not in known]

    def at(self, words: Sequence[str]) -> tuple[int, list[Label]]:
        """The longest known phrase at the start of these words: its number of words and its labels, or 0 and []."""
        for length in range(min(LONGEST, len(words)), 0, -1):
            labels = self._labels.get(tuple(words[:length]))
            if labels:
                return length, labels
        return 0, []

    def titles(self, phrase: Phrase, labels: Sequence[Label]) -> tuple[Phrase, ...]:
        """Phrases by which a title says that a product has one of the labels that a phrase names.

        They are the phrase, the labels' names, and close synonyms of these that name no other label: `scarf` for
        `scarves`, but not `purse` for `handbags`.
        """
        names = [phrase, *(tuple(words_of(label.name)) for label in labels)]
        close = [synonym for name in names for synonym in self._close.get(name, [])]
        return tuple(dict.fromkeys([*names, *(each for each in close if {*self.at(each)[1]} <= {*labels})]))

    def phrases(self) -> Iterator[Phrase]:
        """All phrases."""
        yield from self._labels


def _names(name: str) -> Iterator[Phrase]:
    """Phrases for a label's name: as it is, with hyphens as spaces, as one word, and the parts joined by `and`."""
    whole, apart = tuple(words_of(name)), tuple(words_of(name.replace("-", " ")))
    yield whole
    if apart != whole:
        yield apart
    if len(whole) == 2:
        yield ("".join(whole),)
    for joined in name.lower().split(" and "):
        if joined != name.lower():
            yield tuple(words_of(joined))
