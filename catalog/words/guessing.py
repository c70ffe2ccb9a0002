"""Guess for all products of a catalog which words fit them although their titles may not have them."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from catalog.words.learning import WordModel

LEAST_GUESS = 0.05  # minimum probability that is kept
MOST_GUESSES = 5000  # of a word: the most probable products
AT_ONCE = 1024  # products


def guesses(
    model: WordModel, products: Iterable[tuple[Sequence[str], np.ndarray, Sequence[str]]]
) -> Iterator[tuple[str, str, float]]:
    """The guessed words of products: word, product id and probability, word by word.

    Args:
        model: learned from titles of the same kind.
        products: batches of ids, unit-length embeddings float32 (n, E), and titles.
    """
    names: list[str] = []
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # words, products, probabilities
    for ids, embeddings, titles in products:
        for start in range(0, len(ids), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            probabilities = model.probabilities(embeddings[some], titles[some])
            rows, words = np.nonzero((probabilities >= LEAST_GUESS) & model.learned)
            kept = probabilities[rows, words].astype(np.float16)
            found.append((words.astype(np.uint32), (rows + len(names)).astype(np.uint32), kept))
            names += ids[some]
    if not found:
        return
    words, rows, kept = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((-kept, words))
    ends = np.searchsorted(words[order], np.arange(len(model.words)), side="right")
    start = 0
    for word, end in zip(model.words, ends.tolist(), strict=True):
        for place in order[start : min(end, start + MOST_GUESSES)]:
            yield word, names[rows[place]], float(kept[place])
        start = end
