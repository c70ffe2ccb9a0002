"""Input of a report: labeled photographs and a model's answers for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy


class PhotographFiles(Protocol):
    """Photographs in a fixed order, such as `training.data.images.Photographs`."""

    @property
    def ids(self) -> list[str]:
        """The id of each photograph."""

    def encoded(self, index: int) -> bytes:
        """The image file of a photograph."""


@dataclass(frozen=True)
class Evidence:
    """N labeled photographs, and the probabilities and answers of a model with A labels.

    Attributes:
        photographs: the N photographs, in the order of the rows of all arrays.
        taxonomy: the A labels.
        probabilities: float32 (N, A).
        targets: int8 (N, A), 1 yes, 0 no, -1 not annotated.
        embeddings: float32 (N, E).
        answers: by profile, the labels that are answered, bool (N, A). The report details the last profile.
        products: (N,), product ids; None if each photograph is a product of its own.
    """

    photographs: PhotographFiles
    taxonomy: Taxonomy
    probabilities: np.ndarray
    targets: np.ndarray
    embeddings: np.ndarray
    answers: Mapping[str, np.ndarray]
    products: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def profile(self) -> str:
        """The profile that the report details."""
        return list(self.answers)[-1]

    @property
    def answered(self) -> np.ndarray:
        """The answers of `profile`, bool (N, A)."""
        return self.answers[self.profile]

    @cached_property
    def ids(self) -> list[str]:
        """The id of each photograph."""
        return self.photographs.ids

    @cached_property
    def positives(self) -> np.ndarray:
        """Whether a label is annotated as true, bool (N, A)."""
        return self.targets == YES

    @cached_property
    def annotated(self) -> np.ndarray:
        """Whether a label is annotated, true or false, bool (N, A)."""
        return self.targets != NOT_ANNOTATED

    @cached_property
    def losses(self) -> np.ndarray:
        """Binary cross-entropy of each annotation in nats, (N, A); 0 where not annotated."""
        given = np.where(self.positives, self.probabilities, 1 - self.probabilities).astype(np.float64)
        return np.where(self.annotated, -np.log(np.maximum(given, 1e-7)), 0.0)

    def label_probabilities(self, row: int, labels: Iterable[int]) -> list[dict[str, Any]]:
        """Labels as objects with `name` and `probability` on a photograph, by falling probability."""
        falling = sorted(labels, key=lambda label: -self.probabilities[row, label])
        return [
            {"name": self.taxonomy.labels[i].name, "probability": round(float(self.probabilities[row, i]), 4)}
            for i in falling
        ]

    def verdict(self, row: int, group: str) -> dict[str, Any]:
        """Annotation and answer for one group of a photograph.

        Returns:
            `group`; `annotated`, labels as from `label_probabilities`, None if nothing is annotated; `answered`,
            the same, each with `right`, whether it is annotated; `likeliest`, the most probable label; `right`, whether
            annotated and answered are the same (both `right` are None if nothing is annotated).
        """
        indices = self.taxonomy.indices(group)
        known = bool(self.annotated[row, indices].any())
        yes, answered = (indices[mask[row, indices]] for mask in (self.positives, self.answered))
        annotated = self.label_probabilities(row, yes)
        return {
            "group": group,
            "annotated": annotated if known else None,
            "answered": [
                label | {"right": label in annotated if known else None}
                for label in self.label_probabilities(row, answered)
            ],
            "likeliest": self.label_probabilities(row, indices)[0],
            "right": set(yes) == set(answered) if known else None,
        }
