"""The tables of docs/starter.md about labels: F1, most probable labels, certain answers, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.held_out import HeldOut
from benchmarks.proportions import decimal_cell, wilson
from fashion.profiles.bootstrap import f1_intervals, interval
from fashion.profiles.calibration import calibration_errors
from fashion.taxonomy import Taxonomy
from training.profiles.out_of_fold import joint_probabilities
from training.profiles.scores import score_answers

# Coarse meanings of labels, for comparison with other models; photographs with labels that are not here are not
# counted.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "sleeve": {"Long Sleeves": "long", "Short Sleeves": "short", "Sleeveless": "none"},
    "pattern": {"Solid": "solid", "Striped": "striped", "Checked": "checked", "Printed": "printed"},
}
CERTAIN = 0.95  # precision
SCORES = ["micro-F1, 95 % interval", "macro-F1", "precision", "recall", "labels"]


class BestGuesses(NamedTuple):
    """The most probable label of a group for each of its C annotated photographs.

    Attributes:
        photograph: (C,), its position.
        probability: (C,), of the label, cross-validated.
        right: bool (C,).
    """

    photograph: np.ndarray
    probability: np.ndarray
    right: np.ndarray


def f1_rows(held: HeldOut, profile: str, together: Sequence[str] = ()) -> list[list[str]]:
    """Rows of the table of F1: for each data folder all groups, some of them together, and each annotated group."""
    rows = []
    for catalog, source in enumerate(held.names):
        of = held.rows_of(catalog)
        answers, targets = held.unseen.answered[profile][of], held.seen.targets[of]
        rows.append([f"{source}, {len(of):,}", *_f1_cells(*_whole(answers, targets, held.taxonomy))])
        if together:
            labels = np.concatenate([held.taxonomy.indices(group) for group in together])
            own = Taxonomy(tuple(held.taxonomy.labels[i] for i in labels))
            scores, intervals = _whole(answers[:, labels], targets[:, labels], own)
            if all(of_group["support"] for of_group in scores["groups"].values()):
                rows.append([f"— {', '.join(together)}", *_f1_cells(scores, intervals)])
        scores, intervals = _whole(answers, targets, held.taxonomy)
        rows += [
            [f"— {group}", *_f1_cells(of_group, intervals["groups"][group])]
            for group, of_group in scores["groups"].items()
            if of_group["support"]
        ]
    return rows


def _whole(answers: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy) -> tuple[dict[str, Any], dict[str, Any]]:
    scores = score_answers(answers, targets, np.zeros(len(taxonomy)), taxonomy)
    return scores, f1_intervals(answers, targets, taxonomy)


def _f1_cells(scores: Mapping[str, Any], intervals: Mapping[str, Any]) -> list[str]:
    return [
        decimal_cell(scores["micro_f1"], intervals["micro_f1"]),
        *(decimal_cell(scores[key]) for key in ("macro_f1", "precision", "recall")),
        f"{scores['support']:,}",
    ]


def best_guesses(held: HeldOut, of: np.ndarray, group: str, meanings: Mapping[str, str] | None = None) -> BestGuesses:
    """The most probable label of a group for annotated photographs; a label that the model lacks counts as missed.

    Args:
        held: the photographs.
        of: the positions of those to use.
        group: of the labels.
        meanings: of labels; with it a guess is right if it has the annotation's meaning, and photographs whose
            annotation has no meaning are left out.
    """
    labels, names = held.taxonomy.indices(group), held.taxonomy.names(group)
    meant = {name: name for name in names} if meanings is None else meanings
    chosen = [i for i in of if any(meanings is None or name in meanings for name in held.truths[i].get(group, ()))]
    photograph = np.array(chosen, dtype=np.int64)
    probabilities = held.unseen.probabilities[photograph][:, labels]
    best = held.seen.logits[photograph][:, labels].argmax(axis=1) if len(photograph) else np.empty(0, np.int64)
    right = [
        meant.get(names[guess]) in {meant[name] for name in held.truths[i][group] if name in meant}
        for i, guess in zip(photograph, best, strict=True)
    ]
    return BestGuesses(photograph, probabilities[np.arange(len(best)), best], np.array(right, dtype=bool))


def top_1_rows(held: HeldOut) -> list[list[str]]:
    """Rows of the table of most probable labels: the share that is right, for each group and data folder."""
    rows = []
    for group in held.taxonomy.groups:
        for meanings in (None, MEANINGS[group]) if group in MEANINGS else (None,):
            cells = []
            for catalog in range(len(held.names)):
                right = best_guesses(held, held.rows_of(catalog), group, meanings).right
                share = decimal_cell(right.mean(), wilson(int(right.sum()), len(right))) if len(right) else "-"
                cells.append(f"{share}, {len(right):,}" if len(right) else share)
            if any(cell != "-" for cell in cells):
                rows.append([f"{group}: {', '.join(dict.fromkeys(meanings.values()))}" if meanings else group, *cells])
    return rows


def certain_row(held: HeldOut, groups: Sequence[str]) -> list[str]:
    """By data folder the share of some groups' cells that can be answered with 95 % precision; - without a group."""
    cells = []
    for catalog in range(len(held.names)):
        of = held.rows_of(catalog)
        guesses = [best_guesses(held, of, group) for group in groups]
        if not all(len(of_group.right) for of_group in guesses):
            cells.append("-")
            continue
        photograph, probability, right = (np.concatenate(part) for part in zip(*guesses, strict=True))
        position = np.searchsorted(of, photograph)

        def share(
            weights: np.ndarray,
            probability: np.ndarray = probability,
            right: np.ndarray = right,
            position: np.ndarray = position,
        ) -> np.ndarray:
            return certain_share(probability, right, weights[:, position])

        whole = share(np.ones((1, len(of)), np.float32))[0]
        cells.append(f"{decimal_cell(whole, interval(share, len(of)))}, {len(right):,}")
    return cells


def certain_share(
    probability: np.ndarray, right: np.ndarray, weights: np.ndarray, precision: float = CERTAIN
) -> np.ndarray:
    """The largest share of guesses that can be answered, most probable first, at a given precision, (R,).

    Args:
        probability: (C,), of the guesses; equally probable ones are answered together.
        right: bool (C,).
        weights: (R, C), of the guesses.
        precision: required precision.
    """
    order = np.argsort(-probability, kind="stable")
    falling, ordered = probability[order], weights[:, order].astype(np.float64)
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))
    total = np.cumsum(ordered, axis=1)
    good = np.cumsum(ordered * right[order], axis=1)[:, ends]
    answered = total[:, ends]
    reached = np.where(good >= precision * answered, answered, 0).max(axis=1)
    return reached / total[:, -1]


def calibration_rows(held: HeldOut) -> list[list[str]]:
    """Rows of the table of calibration errors: all groups together, each one, and all pairs."""
    products, taxonomy = held.products, held.taxonomy
    raw = joint_probabilities(held.seen.logits, taxonomy, {}, held.seen.gate_predictions)
    before, after = (
        calibration_errors(probabilities[products], held.seen.targets[products], taxonomy)
        for probabilities in (raw, held.unseen.probabilities)
    )
    rows = [["the most probable label of each group", decimal_4(before["ece"]), decimal_4(after["ece"])]]
    rows += [
        [f"— {group}", decimal_4(before["groups"][group]), decimal_4(after["groups"][group])]
        for group in taxonomy.groups
        if before["groups"][group] is not None
    ]
    return [*rows, ["every annotated label", decimal_4(before["all_pairs"]), decimal_4(after["all_pairs"])]]


def decimal_4(value: float | None) -> str:
    """A calibration error as text."""
    return "-" if value is None else f"{value:.4f}"
