"""Map words to labels, by the labels' names and a table of synonyms."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from fashion.taxonomy import Label, Taxonomy

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
        for label in taxonomy.labels:
            for phrase in _names(label.name):
                self._add(phrase, [label])
        others: dict[Phrase, list[Label]] = {}
        with SYNONYMS.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found = self._labels.get(tuple(words_of(row["means"])), [])
                others.setdefault(tuple(words_of(row["words"])), []).extend(found)
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
