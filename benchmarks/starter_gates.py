"""The tables of docs/starter.md about gates: groups that do not apply, and photographs without a product."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.held_out import HeldOut
from benchmarks.proportions import decimal_cell, percent_cell
from fashion.errors import DataError
from fashion.gates import APPLIES
from fashion.profiles.bootstrap import f1_intervals
from fashion.profiles.folds import split_folds
from fashion.taxonomy import NOT_ANNOTATED, YES, Label, Taxonomy
from training.profiles.gate_scores import GatePredictions, fit_gate_thresholds
from training.profiles.predictions import FILE_ENDING
from training.profiles.scores import score_answers

BOTH = Taxonomy((Label(APPLIES, "yes"), Label(APPLIES, "no")))
FEW = 8  # kinds with fewer photographs have no row of their own


def applies_rows(held: HeldOut) -> list[list[str]]:
    """Rows of the table of groups that apply or do not, for all data folders together; none without ground truth."""
    gates = held.seen.gate_predictions[held.products]
    said = gates.probabilities >= gates.gates.threshold_row({})
    rows = []
    for i, group in enumerate(gates.gates.applies):
        known = gates.targets[:, i] != NOT_ANNOTATED
        if not known.any():
            continue
        yes, answer = gates.targets[known, i] == YES, said[known, i]
        answers, targets = np.stack([answer, ~answer], axis=1), np.stack([yes, ~yes], axis=1).astype(np.int8)
        scores = score_answers(answers, targets, np.zeros(2), BOTH)["labels"]
        intervals = f1_intervals(answers, targets, BOTH)["labels"]
        cells = []
        for of, around in zip(scores, intervals, strict=True):
            cells += [decimal_cell(of["f1"], around), f"{of['support']:,}"]
        rows.append([group, *cells])
    return rows


def refused(gates: GatePredictions, ids: np.ndarray) -> np.ndarray:
    """Mask of photographs rejected as showing no product, bool (N,), with cross-validated thresholds.

    Args:
        gates: of a model that has a gate for products.
        ids: (N,), of the photographs.
    """
    said = np.zeros(len(ids), bool)
    for rest, held in split_folds(len(ids), ids):
        thresholds = gates.gates.threshold_row(fit_gate_thresholds(gates[rest]))
        said[held] = gates.probabilities[held, -1] < thresholds[-1]
    return said


def false_alarm_rows(held: HeldOut) -> list[list[str]]:
    """The share of products rejected as no product, by data folder and in total."""
    said = refused(held.seen.gate_predictions, held.seen.ids)
    parts = {name: held.rows_of(i) for i, name in enumerate(held.names)} | {"all": held.products}
    return [[name, f"{len(of):,}", percent_cell(int(said[of].sum()), len(of))] for name, of in parts.items()]


def recognized_rows(held: HeldOut, folders: Sequence[Path]) -> list[list[str]]:
    """The share of photographs without a product that are rejected, by kind.

    Args:
        held: the photographs.
        folders: of those without a product; the column `kind` of their train.csv and val.csv has the kind of each.
    """
    said = refused(held.seen.gate_predictions, held.seen.ids)
    training, kinds = set[str](), dict[str, str]()
    for folder in folders:
        training |= set(_kinds(folder / "train.csv").values())
        kinds |= _kinds(folder / "val.csv")
    of = held.without_product
    kind = np.array([kinds.get(FILE_ENDING.sub("", name), "") for name in held.seen.ids[of]])
    parts = [("all", np.ones(len(of), bool))]
    for new, title in ((False, "kinds that training has too"), (True, "kinds that training has not")):
        chosen = np.array([bool(each) and (each not in training) == new for each in kind], bool)
        if not chosen.any():
            continue
        parts.append((title, chosen))
        counts = Counter(kind[chosen].tolist())
        parts += [(f"— {each}", kind == each) for each, count in counts.most_common() if count >= FEW]
        rest = chosen & np.array([counts[each] < FEW for each in kind])
        if rest.any():
            parts.append((f"— {len(set(kind[rest].tolist()))} of fewer photographs", rest))
    return [[name, f"{part.sum():,}", percent_cell(int(said[of][part].sum()), int(part.sum()))] for name, part in parts]


def _kinds(table: Path) -> dict[str, str]:
    """The kind of each photograph of a table, by its name without extension; empty without such a table or column."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return {FILE_ENDING.sub("", row["image"]): row.get("kind") or "" for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read as a table with a column image: {error!r}") from None
