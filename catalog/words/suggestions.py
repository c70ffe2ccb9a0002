"""Notes on unknown words of a query, with spelling suggestions."""

from collections.abc import Iterator

from catalog.words.vocabulary import Vocabulary
from catalog.words.word_file import WordFile

MOST = 2  # suggestions for a word
LEAST_SUGGESTED = 2  # minimum number of products with a suggested word: a single title may be misspelled itself


def unknown_note(word: str, typed: str, vocabulary: Vocabulary, words: WordFile | None) -> str:
    """A note that a word is unknown, with known words that are one edit away, if any.

    Args:
        word: as `words_of` normalizes it.
        typed: as typed.
        vocabulary: of the labels.
        words: of the catalog's texts; None if there are none.
    """
    where = "is no label and occurs in no text of the catalog" if words else "is no label, and the catalog has no texts"
    near = [f"{other!r}" for other in _suggestions({word, typed}, vocabulary, words)]
    return f"{typed!r} {where}; it was left out" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _suggestions(spellings: set[str], vocabulary: Vocabulary, words: WordFile | None) -> list[str]:
    """Known words one edit away from a word: words of labels first, then words of texts, the most frequent first."""
    if any(len(word) < 3 or not word.isalpha() for word in spellings):
        return []
    found: dict[str, None] = {}
    for other, shown in _known(spellings, vocabulary, words):
        if any(one_edit_apart(word, other) for word in spellings):
            found.setdefault(shown)
        if len(found) == MOST:
            break
    return list(found)


def one_edit_apart(one: str, other: str) -> bool:
    """Whether two words differ by one insertion, deletion, substitution or transposition of neighbors."""
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    if one[1:] == other[1:] or one[1:] == other or one == other[1:]:
        return one != other
    return one[:2] == other[1::-1] and one[2:] == other[2:]


def _known(spellings: set[str], vocabulary: Vocabulary, words: WordFile | None) -> Iterator[tuple[str, str]]:
    """Known words of similar length, each with its usual spelling."""
    for other in dict.fromkeys(each for phrase in vocabulary.phrases() for each in phrase):
        yield other, other
    if words:
        lengths = [len(word) for word in spellings]
        for other, known in words.known_words(min(lengths) - 1, max(lengths) + 1):
            if known.products >= LEAST_SUGGESTED:
                yield other, known.shown
