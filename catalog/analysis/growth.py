"""Estimate the share of each attribute over time, and test which shares grow or shrink.

from catalog.analysis.growth import trends

found = trends("scored", by="month", groups=["color"])
for label in found.risers:
    print(label.name, label.growth.first, label.growth.last, label.growth.interval)
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catalog.analysis import inference, periods
from catalog.analysis.inference import Sums, TrendLine
from catalog.analysis.label_trends import LabelTrend, ShareGrowth, Trends
from catalog.analysis.opening import open_scored
from catalog.analysis.periods import NONE, DateReader, Unit
from catalog.analysis.share_correction import SelectionCorrection, verdicts_by_id, verdicts_by_row
from catalog.analysis.tally import LabelSelection, Tally, read
from catalog.filters.filtering import RowFilter
from catalog.scored.share_corrections import kept_corrections
from catalog.scored.table import Scored
from fashion.errors import DataError
from fashion.files import utc_now

STEEPEST = 50.0  # log-odds per period, to avoid overflow: intervals of lines through few periods may be very wide


def trends(
    catalog: str | Path | Scored,
    by: Unit = "month",
    groups: Sequence[str] | None = None,
    *,
    column: str | None = None,
    where: str | None = None,
    answers: bool = False,
    correct: bool = True,
) -> Trends:
    """Estimate shares of attributes over time, and test which of them grow or shrink.

    Args:
        catalog: a scored catalog, its folder, or an index of it.
        by: length of a period.
        groups: the attribute groups to analyze; None takes all. q is adjusted for all their labels.
        column: the column of dates; None finds it by its name, see `catalog.analysis.periods.date_column`.
        where: a filter, see `catalog.filters.where`; shares are of the products that pass it.
        answers: count answered attributes instead of calibrated probabilities.
        correct: correct probabilities for the model's errors, if the catalog has share corrections; answers never are.

    Raises:
        DataError: the catalog cannot be used, is empty, has no dates, or no product passes the filter.
        SettingError: an unknown group, column or period, or an invalid filter.
    """
    scored = catalog if isinstance(catalog, Scored) else open_scored(catalog)
    selection = LabelSelection.from_groups(scored, groups)
    kept = RowFilter(where, scored) if where else None
    dates = DateReader(periods.date_column(scored, column), by)
    correction = SelectionCorrection(selection, kept_corrections(scored) if correct and not answers else {})
    expected, answered, count = _read(scored, correction, dates, kept)
    if not count:
        raise DataError(f"no product of {scored.folder} passes the filter {where!r}")
    dates.check(count)
    first, last = expected.cells[0], expected.cells[-1]
    periods.check_span(first, last, by)
    cells = range(first, last + 1)
    counted, other = (answered, expected) if answers else (expected, answered)
    sums, others = counted.sums(cells), other.sums(cells)
    return Trends(
        catalog=str(scored.folder),
        model=scored.manifest.model,
        measure="answered" if answers else "corrected" if correction else "expected",
        correct=correct,
        corrections=correction.groups,
        unit=by,
        column=dates.column,
        where=where,
        starts=[periods.start(cell, by) for cell in cells],
        names=[periods.name(cell, by) for cell in cells],
        products=[int(n) for n in sums.products[:, 0]],
        undated=dates.empty,
        unreadable=dates.unreadable,
        example=dates.example,
        labels=_labels(correction, sums, others),
        created=utc_now(),
    )


def _read(
    scored: Scored, correction: SelectionCorrection, dates: DateReader, where: RowFilter | None
) -> tuple[Tally, Tally, int]:
    """Sums of corrected probabilities and of answers by period, and the number of products that pass the filter."""
    selection, known = correction.selection, verdicts_by_id(scored)
    expected, answered = Tally(correction.width), Tally(len(selection.labels))
    count = 0
    for batch in read(scored, [dates.column, *selection.columns], where):
        cells = dates.read(batch.column(dates.column))
        values, dated = selection.values(batch), cells != NONE
        expected.add(cells[dated], correction.values(values.expected, verdicts_by_row(batch, known))[dated])
        answered.add(cells[dated], values.answered[dated])
        count += len(batch)
    return expected, answered, count


def _labels(correction: SelectionCorrection, sums: Sums, others: Sums) -> list[LabelTrend]:
    share, low, high = map(_optional, inference.shares(sums, correction.noise))
    other = _optional(inference.shares(others)[0])
    overall = np.clip(sums.total.sum(0) / sums.products.sum(), 0, 1)
    growths = _growths(inference.fit_trends(sums, correction.noise), len(correction.selection.labels))
    states = correction.states
    return [
        LabelTrend(
            label.group, label.name, float(overall[i]), share[i], low[i], high[i], other[i], growths[i], states[i]
        )
        for i, label in enumerate(correction.selection.labels)
    ]


def _growths(line: TrendLine, labels: int) -> list[ShareGrowth | None]:
    """The growth of each label; labels are the first columns of the line."""
    p = line.p[:labels]
    columns = np.stack(
        [
            *(line.first, line.last, line.change, line.change_low, line.change_high),
            *(np.expm1(np.minimum(slope, STEEPEST)) for slope in (line.slope, line.low, line.high)),
            *(line.scatter, line.p),
        ],
        axis=1,
    )[:labels]
    columns = np.column_stack([columns, inference.adjusted_p(p)])
    return [None if np.isnan(row).any() else _growth(*row.tolist()) for row in columns]


def _growth(first: float, last: float, change: float, low: float, high: float, *rest: float) -> ShareGrowth:
    odds, odds_low, odds_high, scatter, p, q = rest
    return ShareGrowth(first, last, change, (low, high), odds, (odds_low, odds_high), scatter, p, q)


def _optional(values: np.ndarray) -> list[list[float | None]]:
    """Values (T, A) as one list per label, with None for NaN."""
    return [[None if np.isnan(value) else float(value) for value in column] for column in values.T]
