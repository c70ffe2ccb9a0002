"""Learn from a catalog's titles which words fit a product whose title does not have them.

Ridge regression of "the title has the word" on the product's embedding and on the other words of its title, for all
words at once: with P the inverse of the features' second moments plus the ridge, the regression of feature j on all
others has the coefficients -P[i, j] / P[j, j] (H. Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW
2019). So `moccasin` is learned from what moccasins look like, and a brand, which is hardly visible, from the names of
its models beside it. Platt scaling (J. Platt: Probabilistic Outputs for Support Vector Machines, 1999) turns scores
into probabilities. It is fitted on leave-one-out scores, which ridge regression has in closed form (D. M. Allen: The
Relationship between Variable Selection and Data Augmentation, Technometrics 16, 1974). A word that nothing predicts
therefore has little effect.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from catalog.words.query_parser import STOP_WORDS
from catalog.words.vocabulary import searchable

LEAST = 5  # minimum number of titles with a word
MOST_WORDS = 10_000  # the most frequent ones are learned
MOST_CONTEXT = 2000  # of them, the most frequent ones are features of the other words
# Chosen on the half of the products on which benchmarks.text_search chooses, among 0.02 and 0.1, and 0.03 and 0.1.
RIDGE = 0.02  # added to the diagonal, in units of its mean
CONTEXT_WEIGHT = 0.1  # of a word as a feature, beside an embedding of length 1
WORDS_AT_ONCE = 128  # each needs a score per product in memory
STEPS, LONGEST_STEP = 12, 2.0  # of Newton's method


@dataclass(frozen=True)
class WordModel:
    """Probabilities of W words from E numbers of an embedding and C other words of a title.

    Attributes:
        words: as `catalog.words.vocabulary.words_of` normalizes them, the most frequent first.
        context: C, the number of these words that are features, the first ones.
        weights: float32 (E + C, W); 0 where a word is its own feature.
        offsets: float32 (W,), of the logits.
    """

    words: tuple[str, ...]
    context: int
    weights: np.ndarray
    offsets: np.ndarray

    def probabilities(self, embeddings: np.ndarray, titles: Sequence[str]) -> np.ndarray:
        """Probability (n, W) that titles have the words, by unit-length embeddings (n, E) and their other words."""
        has = _Occurrences(titles, self.words[: self.context]).of(slice(0, self.context))
        features = np.concatenate([embeddings, CONTEXT_WEIGHT * has], axis=1)
        return _sigmoid(features @ self.weights + self.offsets)

    @property
    def learned(self) -> np.ndarray:
        """Whether anything predicts a word, bool (W,); the probability of the others is their share of the titles."""
        return np.asarray(self.weights.any(axis=0))


def learn(embeddings: np.ndarray, titles: Sequence[str]) -> WordModel | None:
    """Learn the words of titles; None if there are none.

    Takes about N x (E + C) x 8 bytes of memory: 1 GB for 40,000 products and embeddings of 1,280.

    Args:
        embeddings: of the products at unit length, float32 (N, E).
        titles: of the same products; those without a title are ignored.
    """
    titled = [number for number, title in enumerate(titles) if title.strip()]
    titles = [titles[number] for number in titled]
    words = _frequent_words(titles)
    if not words:
        return None
    occurrences, context = _Occurrences(titles, words), min(len(words), MOST_CONTEXT)
    features = np.concatenate([embeddings[titled], CONTEXT_WEIGHT * occurrences.of(slice(0, context))], axis=1)
    mean = features.mean(0)
    features -= mean
    inverse = _inverse(features)
    leverage = np.einsum("nd,nd->n", features @ inverse, features)
    weights = np.zeros((features.shape[1], len(words)), np.float32)
    offsets = np.zeros(len(words), np.float32)
    with tqdm(total=len(words), desc="learning words", unit="word", disable=None) as bar:
        for start in range(0, len(words), WORDS_AT_ONCE):
            some = slice(start, min(start + WORDS_AT_ONCE, len(words)))
            has = occurrences.of(some)
            weights[:, some], offsets[some] = _fitted(features, has, inverse, leverage, mean, start, context)
            bar.update(some.stop - start)
    return WordModel(tuple(words), context, weights, offsets)


def _fitted(
    features: np.ndarray,
    has: np.ndarray,
    inverse: np.ndarray,
    leverage: np.ndarray,
    mean: np.ndarray,
    start: int,
    context: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (F, V) and offsets (V,) of the logits of the V words from the one at `start` on.

    Args:
        features: minus their mean, (N, F).
        has: which titles have the words, (N, V).
        inverse: see `_inverse`.
        leverage: of each product, (N,).
        mean: of the features, (F,).
        start: place of the first word.
        context: number of words that are features.
    """
    share = has.mean(0)
    own = np.arange(start, start + has.shape[1])
    weights = inverse @ (features.T @ (has - share))
    hidden = np.tile(leverage[:, None], (1, has.shape[1]))
    known = own < context
    if known.any():
        place = features.shape[1] - context + own[known]
        column = inverse[:, place]
        own_inverse = column[place, np.arange(len(place))]
        weights[:, known] = -column / own_inverse / CONTEXT_WEIGHT
        weights[place, np.flatnonzero(known)] = 0
        hidden[:, known] -= (features @ column) ** 2 / own_inverse
    hidden = np.clip(hidden + 1 / len(features), 0, 0.99)
    others = (features @ weights + share - hidden * has) / (1 - hidden)
    slopes, constants = fit_sigmoids(others, has)
    return weights * slopes, constants + slopes * (share - mean @ weights)


def fit_sigmoids(scores: np.ndarray, has: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Platt scaling: slopes and constants (W,) that map scores (N, W) to logits of `has` (N, W).

    A word whose scores are uninformative or negatively correlated gets slope 0, so its probability is its share.
    """
    yes, no = has.sum(0), (1 - has).sum(0)
    wanted = np.where(has > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
    spread = np.maximum(scores.std(0), 1e-9)
    x = (scores - scores.mean(0)) / spread
    slope, constant = np.ones_like(yes), np.log((yes + 1) / (no + 1))
    for _ in range(STEPS):
        p = _sigmoid(x * slope + constant)
        w, miss = p * (1 - p) + 1e-9, p - wanted
        wx = w * x
        s0, s1, s2 = w.sum(0), wx.sum(0), (wx * x).sum(0)
        g0, g1 = miss.sum(0), (miss * x).sum(0)
        size = s0 * s2 - s1**2 + 1e-12
        constant -= np.clip((s2 * g0 - s1 * g1) / size, -LONGEST_STEP, LONGEST_STEP)
        slope -= np.clip((s0 * g1 - s1 * g0) / size, -LONGEST_STEP, LONGEST_STEP)
    seen = slope > 0
    slope, constant = np.where(seen, slope, 0), np.where(seen, constant, np.log((yes + 1) / (no + 1)))
    return slope / spread, constant - slope * scores.mean(0) / spread


def _frequent_words(titles: Sequence[str]) -> list[str]:
    """The words that are frequent enough, the most frequent first."""
    counts = Counter(word for title in titles for word in dict.fromkeys(searchable(title)))
    kept = {word: count for word, count in counts.items() if LEAST <= count < len(titles) and word not in STOP_WORDS}
    return [word for word, _ in Counter(kept).most_common(MOST_WORDS)]


class _Occurrences:
    """Which of n titles have which words."""

    def __init__(self, titles: Sequence[str], words: Sequence[str]) -> None:
        places = {word: place for place, word in enumerate(words)}
        found = [
            (places[word], row) for row, title in enumerate(titles) for word in searchable(title) if word in places
        ]
        self._count = len(titles)
        self._places, self._rows = np.array(sorted(found), np.int64).reshape(-1, 2).T

    def of(self, words: slice) -> np.ndarray:
        """Which titles have some of the words, float32 (n, number of these words)."""
        start, end = np.searchsorted(self._places, (words.start, words.stop))
        has = np.zeros((self._count, words.stop - words.start), np.float32)
        has[self._rows[start:end], self._places[start:end] - words.start] = 1
        return has


def _inverse(features: np.ndarray) -> np.ndarray:
    """Inverse, (F, F), of the second moments of the features plus the ridge."""
    moments = (features.T @ features).astype(np.float64)
    moments[np.diag_indices_from(moments)] += max(RIDGE * float(np.trace(moments)) / len(moments), 1e-9)
    return np.linalg.inv(moments).astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -40, 40)))
