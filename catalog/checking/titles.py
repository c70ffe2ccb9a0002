"""Compare a product's title with what its photograph shows."""

from collections.abc import Sequence

import numpy as np

from catalog.words.vocabulary import Vocabulary, words_of
from fashion.tables.columns import TITLE_COLUMNS, usual_name
from fashion.taxonomy import Label

# Groups whose labels name the type of product, unlike color and other properties.
KINDS = ("article", "garment", "subcategory", "category", "product_type", "type")


class TitleReader:
    """Finds the labels that a title names, in the groups of product types.

    Args:
        vocabulary: of the model's labels.
        groups: of the model.
    """

    def __init__(self, vocabulary: Vocabulary, groups: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._kinds = [group for group in KINDS if group in groups]

    def labels(self, title: str) -> list[Label]:
        """The labels that the words of a title name."""
        words, place, found = words_of(title), 0, list[Label]()
        while place < len(words):
            length, labels = self._vocabulary.at(words[place:])
            found += [label for label in labels if label.group in self._kinds and label not in found]
            place += max(1, length)
        return found


def title_probability(labels: Sequence[Label], index: dict[Label, int], probabilities: np.ndarray) -> float:
    """The highest probability among the labels that a title names; 1 if it names none."""
    return max((float(probabilities[index[label]]) for label in labels), default=1.0)


def title_column(columns: Sequence[str]) -> str | None:
    """The column with a usual name for titles, or None."""
    return usual_name(columns, TITLE_COLUMNS)
