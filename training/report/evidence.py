"""What a report is made from: labeled photographs and what a model says of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy


class Album(Protocol):
    """Photographs in a fixed order, such as `training.data.images.Photographs`."""

    @property
    def ids(self) -> list[str]:
        """The id of each photograph."""

    def encoded(self, index: int) -> bytes:
        """The image file of one."""


@dataclass(frozen=True)
class Evidence:
    """N labeled photographs, and what a model with A labels says of them.

    Attributes:
        photographs: the N photographs, in the order of the rows of all arrays.
        taxonomy: the A labels.
        probabilities: float32 (N, A).
        targets: int8 (N, A), 1 yes, 0 no, -1 not annotated.
        embeddings: float32 (N, E).
        answers: by profile which labels it answers, bool (N, A). The last profile is the one that is looked at closely.
        products: (N,), the ids of the photographs' products; None where each is of its own.
    """

    photographs: Album
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
        """The profile that is looked at closely."""
        return list(self.answers)[-1]

    @property
    def answered(self) -> np.ndarray:
        """Its answers, bool (N, A)."""
        return self.answers[self.profile]

    @cached_property
    def ids(self) -> list[str]:
        """The id of each photograph."""
        return self.photographs.ids

    @cached_property
    def yes(self) -> np.ndarray:
        """What is annotated as true, bool (N, A)."""
        return self.targets == YES

    @cached_property
    def annotated(self) -> np.ndarray:
        """What is annotated at all, bool (N, A)."""
        return self.targets != NOT_ANNOTATED

    @cached_property
    def losses(self) -> np.ndarray:
        """How much each annotation surprises the model: binary cross-entropy in nats, (N, A); 0 where not annotated."""
        given = np.where(self.yes, self.probabilities, 1 - self.probabilities).astype(np.float64)
        return np.where(self.annotated, -np.log(np.maximum(given, 1e-7)), 0.0)

    def annotated_groups(self, row: int) -> list[str]:
        """The groups of which something is annotated on a photograph."""
        return [group for group in self.taxonomy.groups if self.annotated[row, self.taxonomy.indices(group)].any()]

    def named(self, row: int, labels: Iterable[int]) -> list[dict[str, Any]]:
        """Labels as objects with `name` and `probability` on a photograph, the most probable first."""
        falling = sorted(labels, key=lambda label: -self.probabilities[row, label])
        return [
            {"name": self.taxonomy.labels[i].name, "probability": round(float(self.probabilities[row, i]), 4)}
            for i in falling
        ]

    def verdict(self, row: int, group: str) -> dict[str, Any]:
        """Annotation and answer of one group of a photograph.

        Returns:
            `group`; `annotated` and `answered`, labels as `named` gives them, the first None where nothing is
            annotated, the second each with `right`, whether it is annotated; `likeliest`, the most probable label;
            `right`, whether annotated and answered are the same (both None where nothing is annotated).
        """
        indices = self.taxonomy.indices(group)
        known = bool(self.annotated[row, indices].any())
        yes, answered = (indices[mask[row, indices]] for mask in (self.yes, self.answered))
        annotated = self.named(row, yes)
        return {
            "group": group,
            "annotated": annotated if known else None,
            "answered": [
                label | {"right": label in annotated if known else None} for label in self.named(row, answered)
            ],
            "likeliest": self.named(row, indices)[0],
            "right": set(yes) == set(answered) if known else None,
        }
