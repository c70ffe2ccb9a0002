"""Learn from a catalog's titles what words look like: one linear classifier on embeddings per word.

Ridge regression of "the title has the word" on the embeddings gives a direction per word. Platt scaling (J. Platt:
Probabilistic Outputs for Support Vector Machines, 1999) turns scores into probabilities. It is fitted on leave-one-out
scores, which ridge regression has in closed form (D. M. Allen: The Relationship between Variable Selection and Data
Augmentation, Technometrics 16, 1974). A word that is not visible, such as most brands, therefore has little effect.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from catalog.words.query_parser import STOP_WORDS
from catalog.words.vocabulary import searchable

LEAST = 5  # minimum number of titles with a word
MOST_WORDS = 10_000  # the most frequent ones are learned
RIDGE = 0.05  # added to the diagonal, in units of its mean; 0.02 to 0.1 were equally good, 0.5 and more worse
WORDS_AT_ONCE = 128  # each needs a score per product in memory
STEPS, LONGEST_STEP = 12, 2.0  # of Newton's method


@dataclass(frozen=True)
class WordClassifier:
    """Linear classifier of a word.

    Attributes:
        word: as `catalog.words.vocabulary.words_of` normalizes it.
        weights: float32 (E,).
        offset: bias; the logit is the dot product of weights and embedding, plus this.
    """

    word: str
    weights: np.ndarray
    offset: float

    def probability(self, embeddings: np.ndarray) -> np.ndarray:
        """Probability (...,) that titles have the word, from unit-length embeddings (..., E) of their products."""
        return _sigmoid(embeddings @ self.weights + self.offset)


def learn(embeddings: np.ndarray, titles: Sequence[str], ridge: float = RIDGE) -> list[WordClassifier]:
    """Learn the words of titles, the most frequent first.

    Takes about N x E x 12 bytes of memory: 0.6 GB for 40,000 products and embeddings of 1,280.

    Args:
        embeddings: of the products at unit length, float32 (N, E).
        titles: of the same products; those without a title are ignored.
        ridge: see `RIDGE`.
    """
    titled = [number for number, title in enumerate(titles) if title.strip()]
    rows = _rows_of_words([titles[number] for number in titled])
    if not rows:
        return []
    mean = embeddings[titled].mean(0)
    centered = embeddings[titled] - mean
    inverse = _inverse(centered, ridge)
    leverage = np.einsum("nd,nd->n", centered @ inverse, centered) + 1 / len(centered)
    words = list(rows)
    found: list[WordClassifier] = []
    with tqdm(total=len(words), desc="learning words", unit="word", disable=None) as bar:
        for start in range(0, len(words), WORDS_AT_ONCE):
            some = {word: rows[word] for word in words[start : start + WORDS_AT_ONCE]}
            found += _fit_classifiers(some, centered, inverse, leverage, mean)
            bar.update(len(some))
    return found


def _fit_classifiers(
    rows: Mapping[str, Sequence[int]], centered: np.ndarray, inverse: np.ndarray, leverage: np.ndarray, mean: np.ndarray
) -> Iterator[WordClassifier]:
    """Fit the classifiers of W words.

    Args:
        rows: products with each word.
        centered: embeddings minus their mean, (N, E).
        inverse: see `_inverse`.
        leverage: of each product, (N,).
        mean: of the embeddings, (E,).
    """
    has = np.zeros((len(centered), len(rows)), np.float32)
    for column, found in enumerate(rows.values()):
        has[list(found), column] = 1
    sums = np.stack([centered[list(found)].sum(0) for found in rows.values()])
    weights = inverse @ sums.T  # (E, W)
    share = has.mean(0)
    others = (centered @ weights + share - leverage[:, None] * has) / (1 - leverage[:, None])
    slopes, constants = fit_sigmoids(others, has)
    offsets = constants + slopes * (share - mean @ weights)
    for word, row, offset in zip(rows, (weights * slopes).T, offsets, strict=True):
        yield WordClassifier(word, row, float(offset))


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


def _rows_of_words(titles: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the titles with each word, for words that are frequent enough."""
    rows: dict[str, list[int]] = {}
    for number, title in enumerate(titles):
        for word in dict.fromkeys(searchable(title)):
            rows.setdefault(word, []).append(number)
    counts = Counter({word: len(found) for word, found in rows.items() if LEAST <= len(found) < len(titles)})
    return {word: rows[word] for word, _ in counts.most_common(MOST_WORDS) if word not in STOP_WORDS}


def _inverse(centered: np.ndarray, ridge: float) -> np.ndarray:
    """Inverse, (E, E), of the second moments of the embeddings plus the ridge."""
    moments = (centered.T @ centered).astype(np.float64)
    moments[np.diag_indices_from(moments)] += max(ridge * float(np.trace(moments)) / len(moments), 1e-9)
    return np.linalg.inv(moments).astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -40, 40)))
