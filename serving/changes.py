"""Compare two bundles: their answers for the same photographs, label by label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fashion.answers import chosen_labels, identity
from fashion.errors import DataError, InvalidImage, SettingError, one_line
from fashion.options import AnswerOptions
from fashion.prediction import Prediction
from fashion.predictor import CHUNK, Predictor
from fashion.taxonomy import Label

ALL = "all groups"
KINDS = ("kept", "gained", "lost")
DRAWS, SEED = 1000, 0  # bootstrap resamples
DRAWS_AT_ONCE = 50  # resamples in memory at once: 40 MB for 100,000 photographs


@dataclass(frozen=True)
class AnswerShare:
    """A count of answers, its share, and the share's 95 % interval; share and interval are None if undefined."""

    count: int
    share: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class GroupChanges:
    """The changes of a group's answers.

    Attributes:
        group: its name, or ALL.
        kept, gained, lost: answers of both bundles, only of the new one, only of the old one; as shares of their sum.
        photographs: photographs whose answers in this group change; as a share of all photographs.
    """

    group: str
    kept: AnswerShare
    gained: AnswerShare
    lost: AnswerShare
    photographs: AnswerShare


@dataclass(frozen=True)
class ChangedAnswer:
    """A label answered by only one of the bundles, with both probabilities; None if a bundle lacks the label."""

    label: Label
    old: float | None
    new: float | None


@dataclass(frozen=True)
class PhotographChanges:
    """The changes of one photograph's answers."""

    image: str
    kept: tuple[Label, ...]
    gained: tuple[ChangedAnswer, ...]
    lost: tuple[ChangedAnswer, ...]

    @property
    def size(self) -> float:
        """The sum of the absolute differences in probability over all labels gained or lost."""
        return sum(abs((each.new or 0.0) - (each.old or 0.0)) for each in (*self.gained, *self.lost))


@dataclass
class BundleChanges:
    """All differences between the answers of two bundles.

    Attributes:
        old, new: the models' names, versions and weights ids.
        groups: ALL, and each group of either bundle.
        labels: how often each changed label is kept, gained and lost; most changed first.
        photographs: the changes of each usable photograph, largest first.
        left_out: photographs that could not be used, with the reason.
        only_old, only_new: labels that only one bundle has.
    """

    old: dict[str, str]
    new: dict[str, str]
    groups: list[GroupChanges]
    labels: list[tuple[Label, dict[str, int]]]
    photographs: list[PhotographChanges]
    left_out: list[tuple[str, str]] = field(default_factory=list)
    only_old: list[Label] = field(default_factory=list)
    only_new: list[Label] = field(default_factory=list)

    def changed(self) -> list[PhotographChanges]:
        """The photographs with an answer gained or lost."""
        return [each for each in self.photographs if each.gained or each.lost]

    def to_json(self, examples: int) -> dict[str, Any]:
        """The comparison as JSON, with that many photographs as examples."""
        return {
            "old": self.old,
            "new": self.new,
            "photographs": len(self.photographs),
            "left_out": [{"image": image, "reason": reason} for image, reason in self.left_out],
            "labels_of_old_alone": [each._asdict() for each in self.only_old],
            "labels_of_new_alone": [each._asdict() for each in self.only_new],
            "groups": [asdict(each) for each in self.groups],
            "labels": [label._asdict() | counts for label, counts in self.labels],
            "examples": [_example(each) for each in self.changed()[:examples]],
        }


def compare_bundles(
    old: Predictor, new: Predictor, photographs: Mapping[str, Path], profile: str | None = None
) -> BundleChanges:
    """Compare the answers of two bundles for the same photographs.

    Args:
        old, new: predictors of the two bundles.
        photographs: name in the result -> path.
        profile: threshold profile; None for each model card's default.

    Raises:
        DataError: no photograph can be used.
        SettingError: a bundle lacks the profile, or the bundles have no label in common.
    """
    for predictor in (old, new):
        predictor.card.threshold_row(profile)
    old_labels, new_labels = ({*predictor.card.labels} for predictor in (old, new))
    if not old_labels & new_labels:
        raise SettingError("the two bundles have no label in common; compare bundles of the same taxonomy")
    left_out: list[tuple[str, str]] = []
    changes = list(_compare_each(old, new, photographs, profile, left_out))
    if not changes:
        reason = f"; the first, {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise DataError(f"none of {len(photographs)} photographs can be used{reason}")
    groups = list(dict.fromkeys((*old.taxonomy.groups, *new.taxonomy.groups)))
    return BundleChanges(
        identity(old.card),
        identity(new.card),
        _group_changes(changes, groups),
        _label_counts(changes),
        sorted(changes, key=lambda each: -each.size),
        left_out,
        [label for label in old.card.labels if label not in new_labels],
        [label for label in new.card.labels if label not in old_labels],
    )


def _compare_each(
    old: Predictor,
    new: Predictor,
    photographs: Mapping[str, Path],
    profile: str | None,
    left_out: list[tuple[str, str]],
) -> Iterator[PhotographChanges]:
    names = list(photographs)
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        paths = [photographs[name] for name in part]
        for name, before, after in zip(part, old.predict_each(paths), new.predict_each(paths), strict=True):
            faults = [each.error for each in (before, after) if each.error]
            if faults and not isinstance(faults[0], InvalidImage):
                raise faults[0]
            if faults:
                left_out.append((name, one_line(faults[0])))
            else:
                yield _changes(name, (old, before.get()), (new, after.get()), profile)


def _changes(
    name: str, before: tuple[Predictor, Prediction], after: tuple[Predictor, Prediction], profile: str | None
) -> PhotographChanges:
    answers, probabilities, options = [], [], AnswerOptions(profile=profile)
    for predictor, found in (before, after):
        card = predictor.card
        chosen = chosen_labels(card, found.probabilities, card.threshold_row(profile), options, found.gates)
        answers.append([card.labels[i] for i in chosen])
        probabilities.append(dict(zip(card.labels, found.probabilities.tolist(), strict=True)))

    def moved(label: Label) -> ChangedAnswer:
        return ChangedAnswer(label, probabilities[0].get(label), probabilities[1].get(label))

    first, second = answers
    return PhotographChanges(
        name,
        tuple(label for label in first if label in second),
        tuple(moved(label) for label in second if label not in first),
        tuple(moved(label) for label in first if label not in second),
    )


def _group_changes(changes: Sequence[PhotographChanges], groups: Sequence[str]) -> list[GroupChanges]:
    counts = np.zeros((len(changes), len(groups), len(KINDS)), np.int64)
    place = {group: i for i, group in enumerate(groups)}
    for row, each in enumerate(changes):
        labels = (each.kept, [answer.label for answer in each.gained], [answer.label for answer in each.lost])
        for kind, found in enumerate(labels):
            for label in found:
                counts[row, place[label.group], kind] += 1
    counts = np.concatenate([counts.sum(1, keepdims=True), counts], axis=1)  # (N, 1 + groups, 3)
    rows = np.concatenate([counts, counts[:, :, 1:].any(2, keepdims=True)], axis=2)
    ends = bootstrap_shares(rows)
    return [_group(group, rows[:, i], ends[:, i]) for i, group in enumerate((ALL, *groups))]


def _group(group: str, rows: np.ndarray, ends: np.ndarray) -> GroupChanges:
    """A group's changes from its `rows` (N, 4) and `ends` (2, 4), see `bootstrap_shares`."""
    sums = rows.sum(0)
    answers = int(sums[:3].sum())
    shares = [sums[kind] / answers if answers else None for kind in range(3)] + [sums[3] / len(rows)]
    answering = [int(rows[:, :3].any(1).sum())] * 3 + [len(rows)]
    cells = [
        _share(int(count), share, interval, of)
        for count, share, interval, of in zip(sums, shares, ends.T, answering, strict=True)
    ]
    return GroupChanges(group, *cells)


def _share(count: int, share: float | None, ends: np.ndarray, photographs: int) -> AnswerShare:
    """A share with its bootstrap interval. For shares of 0 and 1, whose bootstrap interval has no width, the exact
    interval for that many photographs is used (Clopper and Pearson, 1934)."""
    if share is None:
        return AnswerShare(count)
    low, high = map(float, ends)
    most = 1 - 0.025 ** (1 / photographs)
    if share == 0:
        low, high = 0.0, most
    elif share == 1:
        low, high = 1 - most, 1.0
    return AnswerShare(count, float(share), (low, high))


def bootstrap_shares(rows: np.ndarray) -> np.ndarray:
    """95 % percentile intervals of shares, by bootstrap over photographs (Efron, 1979), not over answers, because the
    answers for one photograph are dependent.

    Args:
        rows: integers (N, G, 4): for each photograph and group the numbers of answers kept, gained and lost, and
            whether any changed.

    Returns:
        (2, G, 4): lower and upper ends; NaN if there are no answers.
    """
    rng = np.random.default_rng(SEED)
    flat = rows.reshape(len(rows), -1)
    drawn = []
    for _ in range(DRAWS // DRAWS_AT_ONCE):
        weights = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=DRAWS_AT_ONCE)
        drawn.append(weights @ flat)
    sums = np.concatenate(drawn).reshape(-1, *rows.shape[1:])  # (DRAWS, G, 4)
    ends = np.full((2, *rows.shape[1:]), np.nan)
    for group in range(rows.shape[1]):
        answers = sums[:, group, :3].sum(1)
        if answers.any():  # shares are undefined in resamples without any answer
            shares = sums[answers > 0, group, :3] / answers[answers > 0, None]
            ends[:, group, :3] = np.percentile(shares, [2.5, 97.5], axis=0)
    ends[..., 3] = np.percentile(sums[..., 3] / len(rows), [2.5, 97.5], axis=0)
    return ends


def _label_counts(changes: Sequence[PhotographChanges]) -> list[tuple[Label, dict[str, int]]]:
    counts: dict[Label, dict[str, int]] = {}
    for each in changes:
        labels = (each.kept, [answer.label for answer in each.gained], [answer.label for answer in each.lost])
        for kind, found in zip(KINDS, labels, strict=True):
            for label in found:
                counts.setdefault(label, dict.fromkeys(KINDS, 0))[kind] += 1
    changed = [(label, found) for label, found in counts.items() if found["gained"] or found["lost"]]
    return sorted(changed, key=lambda entry: -(entry[1]["gained"] + entry[1]["lost"]))


def _example(change: PhotographChanges) -> dict[str, Any]:
    def as_json(answers: Sequence[ChangedAnswer]) -> list[dict[str, Any]]:
        rounded = [(each.label, [None if p is None else round(p, 4) for p in (each.old, each.new)]) for each in answers]
        return [label._asdict() | {"old": old, "new": new} for label, (old, new) in rounded]

    kept = [label._asdict() for label in change.kept]
    return {"image": change.image, "kept": kept, "gained": as_json(change.gained), "lost": as_json(change.lost)}
