"""Compare two catalogs, or two parts of one: differences of shares, gaps and overlaps.

from catalog.analysis.portfolios import compare

found = compare("ours/scored", "theirs/scored", groups=["color"])
for row in found.gaps:
    print(row.name, row.shares, row.interval)
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.analysis import inference
from catalog.analysis.comparison import ComparedShare, Comparison
from catalog.analysis.inference import Sums
from catalog.analysis.opening import open_scored
from catalog.analysis.overlap import Overlap, overlap
from catalog.analysis.portfolio_sums import SIDES, PortfolioSums
from catalog.analysis.share_correction import CorrectionState, SelectionCorrection, verdicts_by_id
from catalog.analysis.tally import LabelSelection, read
from catalog.filters.filtering import RowFilter
from catalog.filters.where import FilterError
from catalog.scored.columns import ID
from catalog.scored.share_corrections import is_refitted, kept_corrections
from catalog.scored.table import Scored, describe_model
from fashion.errors import DataError, SettingError
from fashion.files import utc_now
from fashion.taxonomy import Label

# Groups that are combined by default: the first pair that the model has.
COMBINED = (("category", "color"), ("category", "colour"), ("article", "color"), ("article", "colour"))


def compare(
    one: str | Path | Scored,
    other: str | Path | Scored | None = None,
    *,
    split: tuple[str, str] | None = None,
    groups: Sequence[str] | None = None,
    combine: Sequence[str] | None = None,
    where: str | None = None,
    answers: bool = False,
    correct: bool = True,
) -> Comparison:
    """Compare the attributes of two catalogs, or of two parts of one.

    Args:
        one, other: scored catalogs, their folders, or indexes of them.
        split: instead of `other`: the filters of the two parts of `one`, which must exclude each other.
        groups: the attribute groups to compare; None takes all.
        combine: two groups whose combinations are compared as well; None takes category and color if the model has
            both, an empty list none.
        where: a filter for both.
        answers: count answered attributes instead of calibrated probabilities.
        correct: correct probabilities for the model's errors, if the catalog has share corrections; answers never are.

    Raises:
        DataError: a catalog cannot be used or is empty, the two are of different models, or no product passes a filter.
        SettingError: an unknown group, an invalid filter, or both or neither of `other` and `split`.
    """
    sides = _sides(one, other, split)
    manifests = [scored.manifest for scored in sides]
    profiles = manifests[0].profile, manifests[1].profile
    if answers and profiles[0] != profiles[1]:
        raise DataError(
            f"the answers of the two catalogs are of different profiles, {' and '.join(profiles)}; score one of them "
            "again, or compare probabilities"
        )
    selection = LabelSelection.from_groups(sides[0], groups)
    combined = _combined(sides[0], combine)
    # A correction applies to both sides, so a refit of either rules it out.
    can_correct = correct and not answers and not any(map(is_refitted, sides))
    kept = (kept_corrections(sides[0]) or kept_corrections(sides[1])) if can_correct else {}
    correction = SelectionCorrection(selection, kept)
    of_combinations = SelectionCorrection(combined, kept) if combined else None
    known = verdicts_by_id(sides[0]), verdicts_by_id(sides[1])
    sums = PortfolioSums(correction, of_combinations, answers, known)
    for side, batch in _split(sides[0], split, where, sums.columns) if split else _both(sides, where, sums.columns):
        sums.add(side, batch)
    labels = sums.labels.sums(SIDES)
    for side, count in enumerate(labels.products[:, 0]):
        if not count:
            passes = " and ".join(repr(text) for text in (where, split[side] if split else None) if text)
            raise DataError(f"no product of {sides[side].folder} passes the filter {passes}")
    return Comparison(
        sides=split or _names(sides),
        catalogs=(str(sides[0].folder), str(sides[1].folder)),
        where=where,
        model=manifests[0].model,
        profiles=profiles,
        measure="answered" if answers else "corrected" if correction else "expected",
        correct=correct,
        corrections=correction.groups,
        products=(int(labels.products[0, 0]), int(labels.products[1, 0])),
        rows=_rows(sums),
        overlaps=_overlaps(selection, sums, labels),
        created=utc_now(),
    )


def _sides(
    one: str | Path | Scored, other: str | Path | Scored | None, split: tuple[str, str] | None
) -> tuple[Scored, Scored]:
    """The two catalogs; with `split` both are the same."""
    if (other is None) == (split is None):
        raise SettingError("give two catalogs to compare, or one and --split FILTER FILTER for two parts of it")
    if split is not None and len(split) != len(SIDES):
        raise SettingError(f"--split takes two filters, not {len(split)}")
    first = one if isinstance(one, Scored) else open_scored(one)
    if other is None:
        return first, first
    second = other if isinstance(other, Scored) else open_scored(other)
    if first.folder.resolve() == second.folder.resolve():
        raise SettingError(f"both are the catalog {first.folder}; to compare parts of it give --split FILTER FILTER")
    models = first.manifest.model, second.manifest.model
    if models[0]["weights"] != models[1]["weights"]:
        raise DataError(
            f"{first.folder} was scored by {describe_model(models[0])}, {second.folder} by "
            f"{describe_model(models[1])}; probabilities of two models cannot be compared: score both with one"
        )
    return first, second


def _names(sides: tuple[Scored, Scored]) -> tuple[str, str]:
    """Names for two catalogs: the last parts of their paths that differ."""
    paths = [scored.folder.resolve().parts for scored in sides]
    short = next(
        (pair for pair in zip(*(reversed(parts) for parts in paths), strict=False) if pair[0] != pair[1]), None
    )
    return short or (str(sides[0].folder), str(sides[1].folder))


def _combined(scored: Scored, groups: Sequence[str] | None) -> LabelSelection | None:
    there = scored.manifest.groups
    if groups is None:
        groups = next((pair for pair in COMBINED if set(pair) <= set(there)), ())
    if groups and (len(groups) != 2 or groups[0] == groups[1]):
        raise SettingError(
            f"--combine takes two different groups, not {','.join(groups)!r}; there are: {', '.join(there)}"
        )
    return LabelSelection.from_groups(scored, groups) if groups else None


def _both(sides: tuple[Scored, Scored], where: str | None, columns: Sequence[str]) -> Iterator[tuple[int, Any]]:
    filters = [_filter(where, scored) if where else None for scored in sides]  # fail before reading the first
    for side, scored in enumerate(sides):
        for batch in read(scored, columns, filters[side]):
            yield side, batch


def _filter(where: str, scored: Scored) -> RowFilter:
    try:
        return RowFilter(where, scored)
    except FilterError as error:  # the two catalogs may have different columns
        raise FilterError(f"{scored.folder}: {error}") from None


def _split(
    scored: Scored, split: tuple[str, str], where: str | None, columns: Sequence[str]
) -> Iterator[tuple[int, Any]]:
    parts = [RowFilter(text, scored) for text in split]
    needed = [ID, *columns, *(name for part in parts for name in part.needed)]
    for batch in read(scored, needed, RowFilter(where, scored) if where else None):
        kept = [part.keeps(batch) for part in parts]
        if (twice := np.flatnonzero(kept[0] & kept[1])).size:
            raise SettingError(
                f"product {batch.column(ID)[int(twice[0])].as_py()!r} passes both filters, {split[0]!r} and "
                f"{split[1]!r}; the two parts must exclude each other"
            )
        for side, mask in enumerate(kept):
            yield side, batch.filter(pa.array(mask))


def _rows(sums: PortfolioSums) -> list[ComparedShare]:
    found: list[tuple[tuple[Label, ...], list[float], list[float], CorrectionState]] = []
    tests = []
    for family in sums.families():
        spans = [inference.shares(part, family.noise) for part in family.counted]
        counted = np.stack([part[0, family.columns] for triple in spans for part in triple], axis=1)
        others = np.stack([inference.shares(part)[0][0] for part in family.other], axis=1)
        differences = np.stack(inference.share_difference(family.counted[0], family.counted[1], family.noise), axis=1)[
            family.columns
        ]
        tests.append(differences[:, -1])
        values = np.concatenate([counted, others], axis=1)
        found += zip(family.names, values.tolist(), differences.tolist(), family.states, strict=True)
    q = inference.adjusted_p(np.concatenate(tests)).tolist()
    return [_row(*row, q[i]) for i, row in enumerate(found)]


def _row(
    labels: tuple[Label, ...], values: list[float], difference: list[float], state: CorrectionState, q: float
) -> ComparedShare:
    (a, a_low, a_high, b, b_low, b_high, a_other, b_other), (value, low, high, p) = values, difference
    return ComparedShare(
        groups=tuple(label.group for label in labels),
        names=tuple(label.name for label in labels),
        shares=(a, b),
        low=(a_low, b_low),
        high=(a_high, b_high),
        other=(a_other, b_other),
        difference=value,
        interval=(low, high),
        p=None if math.isnan(p) else p,
        q=None if math.isnan(p) else q,
        correction=state,
    )


def _overlaps(selection: LabelSelection, sums: PortfolioSums, labels: Sums) -> list[Overlap]:
    shares = np.maximum(labels.total / labels.products, 0)  # corrected shares may be below 0 by chance
    counts = float(labels.products[0, 0]), float(labels.products[1, 0])
    return [
        overlap(
            group,
            (shares[0, selection.places(group)], shares[1, selection.places(group)]),
            counts,
            sums.moments.covariance(group, labels),
        )
        for group in selection.groups
    ]
