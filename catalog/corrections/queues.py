"""Queue the products of a scored catalog for review, the most rewarding first, with a reason.

for item in queue(Scored.open("scored"), UNCERTAIN, groups=["color"], top=20):
    print(item.product, item.group, item.reason)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from catalog.corrections.source_labels import SourceLabels
from catalog.filters.filtering import RowFilter
from catalog.scored.columns import ATTRIBUTE, ID, PROBABILITIES, answered_labels, vector_rows
from catalog.scored.overlay import Overlay
from catalog.scored.table import Scored
from fashion.errors import DataError, SettingError
from fashion.taxonomy import NOT_ANNOTATED, Label, Taxonomy

UNCERTAIN, CONTRADICTIONS, NEW, RANDOM = "uncertain", "contradictions", "new", "random"
KINDS = (UNCERTAIN, CONTRADICTIONS, NEW, RANDOM)
BATCHES = "batches"  # see catalog.corrections.label_batches
TOP = 20
SEED = 0  # of the queue `random`
NAMED = 3  # maximum number of unanswered labels that a reason names
LIKELY = 0.05  # their minimum probability


class QueueItem(NamedTuple):
    """A product and group to review.

    Attributes:
        product: its id.
        group: whose answer is in question.
        label: the label in the source's table, if that is in question; otherwise empty.
        reward: sort key of the queue; in `uncertain`, the expected number of wrong or missing answers.
        reason: description for the reviewer.
    """

    product: str
    group: str
    label: str
    reward: float
    reason: str


@dataclass(frozen=True)
class Cells:
    """Answers of a batch of products, and which groups are not corrected yet.

    Attributes:
        ids: (N,).
        probabilities: float64 (N, A).
        answered: bool (N, A).
        open: bool (N, G), whether the group has no correction.
        first: position of the batch's first product in the catalog.
    """

    ids: list[str]
    probabilities: np.ndarray
    answered: np.ndarray
    open: np.ndarray
    first: int


def queue(
    scored: Scored,
    kind: str = UNCERTAIN,
    groups: Sequence[str] = (),
    label: Label | None = None,
    where: str | None = None,
    top: int = TOP,
) -> list[QueueItem]:
    """The products and groups to review first. Groups that already have a correction are skipped.

    Args:
        scored: the catalog.
        kind: `uncertain`: by the expected number of errors among the answers of a group, which is the sum of 1 - p over
            answered labels and of p over the others. With calibrated probabilities a correction repairs that many on
            average.
            `contradictions`: labels in the source's own table that the photograph contradicts, see
            `catalog.corrections.source_labels`.
            `new`: the products scored last, each with its least certain group.
            `random`: in random order, so that what is measured on them holds for the whole catalog.
        groups: only these groups.
        label: only this label.
        where: a filter, see `catalog.filters.where`.
        top: maximum number of results.

    Raises:
        SettingError: an unknown kind, group or label, or an invalid filter.
        DataError: no column of the source's table is a group of the model.
    """
    if kind not in KINDS:
        raise SettingError(f"unknown queue {kind!r}; choose among: {', '.join(KINDS)}")
    check_top(top)
    taxonomy = scored.manifest.taxonomy
    wanted = wanted_groups(taxonomy, groups, label)
    mask = _mask(taxonomy, wanted, label)
    if kind == CONTRADICTIONS:
        return _contradictions(scored, wanted, label, where, top)
    places = [taxonomy.groups.index(group) for group in wanted]
    rng = np.random.default_rng(SEED)

    def rewards(cells: Cells) -> np.ndarray:
        if kind == RANDOM:
            return rng.random((len(cells.ids), len(wanted)))
        errors = expected_errors(cells.probabilities, cells.answered, mask)
        if kind == UNCERTAIN:
            return errors
        # Queue each product once, with its least certain group.
        worst = np.arange(len(wanted)) == np.where(cells.open[:, places], errors, -1).argmax(axis=1)[:, None]
        return np.where(worst, cells.first + np.arange(len(cells.ids))[:, None], -np.inf)

    def reason(cells: Cells, row: int, group: str) -> str:
        text = describe_cell(taxonomy, group, cells.probabilities[row], cells.answered[row])
        return f"scored last, {text}" if kind == NEW else text

    best = _Best(top)
    for cells in read_cells(scored, where):
        reward = np.where(cells.open[:, places], rewards(cells), -np.inf)
        for row, column in best.candidates(reward):
            group = wanted[column]
            best.add(QueueItem(cells.ids[row], group, "", float(reward[row, column]), reason(cells, row, group)))
    return best.sorted()


def expected_errors(probabilities: np.ndarray, answered: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The expected number of wrong or missing answers per group, (N, G).

    Args:
        probabilities: (N, A), calibrated.
        answered: bool (N, A).
        mask: float (A, G), 1 if the label belongs to the group.
    """
    return np.where(answered, 1 - probabilities, probabilities) @ mask


def read_cells(scored: Scored, where: str | None = None) -> Iterator[Cells]:
    """Read the answers of the products that pass a filter, in batches."""
    taxonomy = scored.manifest.taxonomy
    kept = RowFilter(where, scored) if where else None
    overlay = scored.overlay()
    answers = [ATTRIBUTE + group for group in taxonomy.groups]
    columns = list(dict.fromkeys([ID, PROBABILITIES, *answers, *(kept.needed if kept else ())]))
    first = 0
    for batch in scored.batches(columns) if scored.rows else ():
        there = len(batch)
        if kept:
            batch = batch.filter(pa.array(kept.keeps(batch)))
        ids = batch.column(ID).to_pylist()
        probabilities = vector_rows(batch.column(PROBABILITIES)).astype(np.float64)
        yield Cells(
            ids, probabilities, answered_labels(batch, taxonomy, taxonomy.groups), _open(ids, overlay, taxonomy), first
        )
        first += there


def describe_cell(taxonomy: Taxonomy, group: str, probabilities: np.ndarray, answered: np.ndarray) -> str:
    """Describe the answer for a group: `color: Black 0.48, else Navy Blue 0.44`."""
    indices = taxonomy.indices(group)
    falling = indices[np.argsort(-probabilities[indices], kind="stable")]
    named = [i for i in falling if answered[i]]
    others = [i for i in falling if not answered[i] and probabilities[i] >= LIKELY][:NAMED]
    answer = ", ".join(f"{taxonomy.labels[i].name} {probabilities[i]:.2f}" for i in named) or "no answer"
    return f"{group}: {answer}" + (
        ", else " + ", ".join(f"{taxonomy.labels[i].name} {probabilities[i]:.2f}" for i in others) if others else ""
    )


def check_top(top: int) -> None:
    """Raise SettingError for a number of results below 1."""
    if top < 1:
        raise SettingError(f"--top is {top}; it must be 1 or more")


def wanted_groups(taxonomy: Taxonomy, groups: Sequence[str], label: Label | None) -> tuple[str, ...]:
    """The groups to review. Raises SettingError for an unknown group or label."""
    taxonomy.check_groups([*groups, *([label.group] if label else [])])
    if label and label not in taxonomy.index:
        names = ", ".join(taxonomy.names(label.group))
        raise SettingError(f"group {label.group!r} has no label {label.name!r}; it has: {names}")
    return (label.group,) if label else tuple(dict.fromkeys(groups)) or taxonomy.groups


def _mask(taxonomy: Taxonomy, groups: Sequence[str], label: Label | None) -> np.ndarray:
    mask = np.zeros((len(taxonomy), len(groups)))
    for column, group in enumerate(groups):
        mask[[taxonomy.index[label]] if label else taxonomy.indices(group), column] = 1
    return mask


def _open(ids: Sequence[str], overlay: Overlay | None, taxonomy: Taxonomy) -> np.ndarray:
    free = np.ones((len(ids), len(taxonomy.groups)), bool)
    for row, id in enumerate(ids):
        verdict = overlay.known.get(id) if overlay else None
        if verdict is not None:
            decided = verdict.targets != NOT_ANNOTATED
            free[row] = [
                not (verdict.not_product or decided[taxonomy.indices(group)].any()) for group in taxonomy.groups
            ]
    return free


def _contradictions(
    scored: Scored, groups: Sequence[str], label: Label | None, where: str | None, top: int
) -> list[QueueItem]:
    taxonomy = scored.manifest.taxonomy
    source = SourceLabels.from_groups(scored, groups)
    if not source.columns:
        raise DataError(
            f"{scored.folder} has no source column for {', '.join(groups)}, so there are no contradictions; its "
            f"columns: {', '.join(scored.manifest.columns) or 'none'}"
        )
    usual = source.usual_confidence(scored)
    best = _Best(top)
    names = list(source.columns)
    for batch, cells in zip(source.batches(scored, where), read_cells(scored, where), strict=True):
        margins, given, other = source.margins(batch, cells.probabilities, usual)
        free = cells.open[:, [taxonomy.groups.index(group) for group in names]]
        if label:
            free = free & (np.isin(given, taxonomy.index[label]) | np.isin(other, taxonomy.index[label]))
        for row, column in best.candidates(np.where(free, margins, -np.inf)):
            stated, seen = taxonomy.labels[given[row, column]], taxonomy.labels[other[row, column]]
            p = cells.probabilities[row]
            best.add(
                QueueItem(
                    cells.ids[row],
                    stated.group,
                    stated.name,
                    float(margins[row, column]),
                    f"{stated.group}: the table says {stated.name} {p[given[row, column]]:.2f}, the photograph "
                    f"{seen.name} {p[other[row, column]]:.2f}",
                )
            )
    return best.sorted()


class _Best:
    """Keeps the `top` items with the highest rewards."""

    def __init__(self, top: int) -> None:
        self._top, self._items, self._least = top, list[QueueItem](), -np.inf

    def candidates(self, rewards: np.ndarray) -> Iterator[tuple[int, int]]:
        """Positions in rewards (N, G) that may be among the best; minus infinity excludes one."""
        flat = rewards.reshape(-1)
        order = np.argsort(-flat, kind="stable")[: self._top]
        for place in order[flat[order] > self._least].tolist():
            yield divmod(place, rewards.shape[1])

    def add(self, item: QueueItem) -> None:
        """Add an item; of equal rewards, earlier items win."""
        self._items.append(item)
        if len(self._items) >= 2 * self._top:
            self._items = self.sorted()
            self._least = self._items[-1].reward

    def sorted(self) -> list[QueueItem]:
        """The best, in order."""
        return sorted(self._items, key=lambda item: -item.reward)[: self._top]
