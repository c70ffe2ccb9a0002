"""Batches of products with one label near its threshold, to be decided together: which of these 24 are Striped?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog.corrections.queues import check_top, read_cells, wanted_groups
from catalog.scored.table import Scored
from fashion.taxonomy import Label

SIZE = 24  # most products of a batch


@dataclass(frozen=True)
class LabelBatch:
    """A label and products to review for it.

    Attributes:
        label: its group and name.
        products: ids, the most probable first.
        probabilities: of the label, per product.
        answered: whether the label is answered, per product.
        threshold: approximate probability from which the label is answered; None if it is answered for no product.
        reward: expected number of wrong answers.
    """

    label: Label
    products: tuple[str, ...]
    probabilities: tuple[float, ...]
    answered: tuple[bool, ...]
    threshold: float | None
    reward: float

    @property
    def reason(self) -> str:
        """Description of the batch."""
        answered = "for no product" if self.threshold is None else f"from about {self.threshold:.2f} on"
        return (
            f"{self.label.group}: {self.label.name} {self.probabilities[0]:.2f} to {self.probabilities[-1]:.2f}, "
            f"answered {answered}; {self.reward:.1f} of {len(self.products)} expected wrong"
        )


def label_batches(
    scored: Scored,
    groups: Sequence[str] = (),
    label: Label | None = None,
    where: str | None = None,
    top: int = 5,
) -> list[LabelBatch]:
    """The batches with the most expected errors, at most one per label.

    A label that is answered for no product has a batch only if it is asked for: its most probable products.

    Args:
        scored: the catalog.
        groups, label, where: see `catalog.corrections.queues.queue`.
        top: number of batches.

    Raises:
        SettingError: an unknown group or label, an invalid filter, or `top` below 1.
    """
    check_top(top)
    taxonomy = scored.manifest.taxonomy
    wanted = wanted_groups(taxonomy, groups, label)
    labels = [taxonomy.index[label]] if label else np.concatenate([taxonomy.indices(g) for g in wanted]).tolist()
    least = _thresholds(scored)
    near: dict[int, list[tuple[float, str, float, bool]]] = {
        index: [] for index in labels if label or np.isfinite(least[index])
    }
    for cells in read_cells(scored, where):
        for index, found in near.items():
            group = taxonomy.groups.index(taxonomy.labels[index].group)
            p, answered = cells.probabilities[:, index], cells.answered[:, index]
            distance = np.abs(_logit(p) - _logit(least[index]))
            free = np.flatnonzero(cells.open[:, group])
            for row in free[np.argsort(distance[free], kind="stable")][:SIZE]:
                found.append((float(distance[row]), cells.ids[row], float(p[row]), bool(answered[row])))
            found.sort(key=lambda each: each[0])
            del found[SIZE:]
    batches = [_batch(taxonomy.labels[index], found, float(least[index])) for index, found in near.items() if found]
    return sorted(batches, key=lambda batch: -batch.reward)[:top]


def _batch(label: Label, found: Sequence[tuple[float, str, float, bool]], threshold: float) -> LabelBatch:
    falling = sorted(found, key=lambda each: -each[2])
    _, ids, probabilities, answered = zip(*falling, strict=True)
    reward = sum(1 - p if is_answered else p for _, _, p, is_answered in falling)
    return LabelBatch(label, ids, probabilities, answered, threshold if np.isfinite(threshold) else None, reward)


def _thresholds(scored: Scored) -> np.ndarray:
    """The lowest probability at which each label is answered, float64 (A,); infinite for a label that never is."""
    least = np.full(len(scored.manifest.taxonomy), np.inf)
    for cells in read_cells(scored):
        least = np.minimum(least, np.where(cells.answered, cells.probabilities, np.inf).min(axis=0, initial=np.inf))
    return least


def _logit(probabilities: np.ndarray | float) -> np.ndarray:
    bounded = np.clip(probabilities, 1e-4, 1 - 1e-4)
    return np.log(bounded / (1 - bounded))
