"""Which labels a word stands for: labels' own names, and a table of other words for them."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from fashion.taxonomy import Label, Taxonomy

SYNONYMS = Path(__file__).with_name("synonyms.csv")
LONGEST = 4  # words of a phrase

Phrase = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """A text as words without case, accents, hyphens and plural endings: `V-Neck T-Shirts` -> `vneck tshirt`."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("-", "").replace("'", ""))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [_singular(word) for word in re.findall(r"[^\W_]+(?:[.,]\d+)?", kept)]


def _singular(word: str) -> str:
    if re.search(r"(ss|sh|ch|x)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Vocabulary:
    """Labels by the phrases that name them."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._labels: dict[Phrase, list[Label]] = {}
        for label in taxonomy.labels:
            self._labels.setdefault(tuple(words_of(label.name)), []).append(label)
        others: dict[Phrase, list[Label]] = {}
        with SYNONYMS.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found = self._labels.get(tuple(words_of(row["means"])), [])
                others.setdefault(tuple(words_of(row["words"])), []).extend(found)
        for phrase, labels in others.items():
            known = self._labels.setdefault(phrase, [])
            known += [label for label in labels if label not in known]
        self._labels = {phrase: labels for phrase, labels in self._labels.items() if phrase and labels}

    def at(self, words: Sequence[str]) -> tuple[int, list[Label]]:
        """The longest phrase that these words begin with: how many words it has, and its labels; 0 and none."""
        for length in range(min(LONGEST, len(words)), 0, -1):
            labels = self._labels.get(tuple(words[:length]))
            if labels:
                return length, labels
        return 0, []

    def phrases(self) -> Iterator[Phrase]:
        """All phrases."""
        yield from self._labels
