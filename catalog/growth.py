"""The share of each attribute among a catalog's products over time, and which of them grow or shrink.

from catalog.growth import trends

found = trends("scored", by="month", groups=["color"])
for label in found.risers:
    print(label.name, label.growth.first, label.growth.last, label.growth.interval)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from catalog import inference, periods
from catalog.filtering import RowFilter
from catalog.inference import FALSE_DISCOVERIES, LEAST, Sums
from catalog.periods import NONE, DateReader, Unit
from catalog.scored_at import scored_at
from catalog.table import Scored
from catalog.tally import Selection, Tally, read
from fashion.errors import DataError

SCHEMA = 1
FEW = 30  # products: a period with fewer is named, since little can be said of it

Trend = Literal["riser", "faller"]
Measure = Literal["expected", "answered"]


@dataclass(frozen=True)
class Growth:
    """How a label's share changes along the line through its periods.

    Attributes:
        first, last: share on the line in the first and in the last period that has products.
        change, interval: last less first, and its 95 % interval.
        odds, odds_interval: growth of share / (1 - share) in one period, 0.03 for 3 %; of a small share, that of the
            share.
        scatter: how much more periods scatter around the line than chance would make them; see `inference.Line`.
        p, q: of no trend; q allows for all labels that were tested.
    """

    first: float
    last: float
    change: float
    interval: tuple[float, float]
    odds: float
    odds_interval: tuple[float, float]
    scatter: float
    p: float
    q: float

    @property
    def trend(self) -> Trend | None:
        """Whether it rises or falls, at a false discovery rate of 5 %."""
        if self.q > FALSE_DISCOVERIES:
            return None
        return "riser" if self.odds > 0 else "faller"


@dataclass(frozen=True)
class LabelTrend:
    """One label over time; lists go by period, None where the period has no product.

    Attributes:
        group, name: of the label.
        share: of all products that were read.
        shares, low, high: in each period, with their 95 % intervals.
        other: the shares in each period by the other measure: answers where probabilities count, or the reverse.
        growth: None where it was not tested: too few products, or one period only.
    """

    group: str
    name: str
    share: float
    shares: list[float | None]
    low: list[float | None]
    high: list[float | None]
    other: list[float | None]
    growth: Growth | None

    @property
    def trend(self) -> Trend | None:
        """Whether it rises or falls."""
        return self.growth.trend if self.growth else None


@dataclass(frozen=True)
class Trends:
    """What `trends` found.

    Attributes:
        catalog, model: the scored catalog's folder and its model.
        measure: what counts: "expected" (calibrated probabilities) or "answered" (answers at the catalog's profile).
        unit: of the periods.
        column, where: the column of dates, and the filter.
        starts, names: the first day and the name of each period, without gaps.
        products: of each period.
        undated, unreadable: products left out because they have no date, or a cell that is none; `example` is one.
        labels: by group, in the model's order.
        created: date and time, ISO 8601, UTC.
    """

    catalog: str
    model: dict[str, str]
    measure: Measure
    unit: Unit
    column: str
    where: str | None
    starts: list[date]
    names: list[str]
    products: list[int]
    undated: int
    unreadable: int
    example: str
    labels: list[LabelTrend]
    created: str

    @property
    def risers(self) -> list[LabelTrend]:
        """Labels whose share grows, the fastest first."""
        return self._with("riser")

    @property
    def fallers(self) -> list[LabelTrend]:
        """Labels whose share shrinks, the fastest first."""
        return self._with("faller")

    def _with(self, trend: Trend) -> list[LabelTrend]:
        found = [(label.growth.odds, label) for label in self.labels if label.growth and label.trend == trend]
        sign = -1 if trend == "riser" else 1
        return [label for _, label in sorted(found, key=lambda pair: sign * pair[0])]

    @property
    def tested(self) -> int:
        """How many labels were tested for a trend."""
        return sum(label.growth is not None for label in self.labels)

    @property
    def notes(self) -> list[str]:
        """What a reader must know of these numbers, a sentence each."""
        found = []
        if self.undated:
            found.append(f"{self.undated:,} products have no date and are left out.")
        if self.unreadable:
            found.append(
                f"{self.unreadable:,} products are left out: their dates cannot be read, such as {self.example!r}."
            )
        there = [n for n in self.products if n]
        if len(there) < len(self.products):
            found.append(f"{len(self.products) - len(there)} of {len(self.products)} {self.unit}s have no product.")
        if few := sum(n < FEW for n in there):
            found.append(f"{few} of {len(there)} {self.unit}s have fewer than {FEW} products; their shares are rough.")
        if len(there) == 1:
            found.append(f"All products are of one {self.unit}; a trend needs at least two, so none was tested.")
        elif untested := len(self.labels) - self.tested:
            found.append(
                f"{untested} of {len(self.labels)} labels were not tested: fewer than {LEAST:g} products are expected "
                "with them, or without them."
            )
        if 1 < len(there) < 5:
            found.append(
                f"{len(there)} {self.unit}s hardly show how much shares move from {self.unit} to {self.unit} by "
                "themselves: take shorter periods, or see a trend as a difference between them only."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Everything, as `--json` prints it and `trends.json` holds it; docs/trends.md says what it means."""
        return {
            "schema": SCHEMA,
            "catalog": self.catalog,
            "model": self.model,
            "measure": self.measure,
            "by": self.unit,
            "date_column": self.column,
            "where": self.where,
            "created": self.created,
            "left_out": {"undated": self.undated, "unreadable": self.unreadable},
            "tested": self.tested,
            "notes": self.notes,
            "periods": [
                {"name": name, "start": start.isoformat(), "products": count}
                for name, start, count in zip(self.names, self.starts, self.products, strict=True)
            ],
            "labels": [_label_json(label) for label in self.labels],
        }


def trends(
    catalog: str | Path | Scored,
    by: Unit = "month",
    groups: Sequence[str] | None = None,
    *,
    column: str | None = None,
    where: str | None = None,
    answers: bool = False,
) -> Trends:
    """Shares of attributes over time, and which of them grow or shrink.

    Args:
        catalog: a scored catalog, its folder, or an index of it.
        by: length of a period.
        groups: the attribute groups that are looked at; None takes all. Every label of them is a test that q allows
            for.
        column: the column of dates; None tells it by its name, see `catalog.periods.date_column`.
        where: a filter, see `catalog.where`; shares are of the products that it keeps.
        answers: count answered attributes instead of calibrated probabilities.

    Raises:
        DataError: the catalog cannot be used, is empty, has no dates, or no product passes the filter.
        SettingError: an unknown group, column or period, or a filter that cannot be read.
    """
    scored = catalog if isinstance(catalog, Scored) else scored_at(catalog)
    selection = Selection.of(scored, groups)
    kept = RowFilter(where, scored) if where else None
    dates = DateReader(periods.date_column(scored, column), by)
    expected, answered, count = _read(scored, selection, dates, kept)
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
        measure="answered" if answers else "expected",
        unit=by,
        column=dates.column,
        where=where,
        starts=[periods.start(cell, by) for cell in cells],
        names=[periods.name(cell, by) for cell in cells],
        products=[int(n) for n in sums.products[:, 0]],
        undated=dates.empty,
        unreadable=dates.unreadable,
        example=dates.example,
        labels=_labels(selection, sums, others),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _read(scored: Scored, selection: Selection, dates: DateReader, where: RowFilter | None) -> tuple[Tally, Tally, int]:
    """Sums of probabilities and of answers by period, and how many products passed the filter."""
    expected, answered = Tally(len(selection.labels)), Tally(len(selection.labels))
    count = 0
    for batch in read(scored, [dates.column, *selection.columns], where):
        cells = dates.read(batch.column(dates.column))
        values, dated = selection.values(batch), cells != NONE
        expected.add(cells[dated], values.expected[dated])
        answered.add(cells[dated], values.answered[dated])
        count += len(batch)
    return expected, answered, count


def _labels(selection: Selection, sums: Sums, others: Sums) -> list[LabelTrend]:
    share, low, high = map(_optional, inference.shares(sums))
    other = _optional(inference.shares(others)[0])
    overall = sums.total.sum(0) / sums.products.sum()
    growths = _growths(sums)
    return [
        LabelTrend(label.group, label.name, float(overall[i]), share[i], low[i], high[i], other[i], growths[i])
        for i, label in enumerate(selection.labels)
    ]


def _growths(sums: Sums) -> list[Growth | None]:
    line = inference.line(sums)
    columns = np.stack(
        [
            *(line.first, line.last, line.change, line.change_low, line.change_high),
            *(np.expm1(slope) for slope in (line.slope, line.low, line.high)),
            *(line.scatter, line.p, inference.adjusted(line.p)),
        ],
        axis=1,
    )
    return [None if np.isnan(row).any() else _growth(*row.tolist()) for row in columns]


def _growth(first: float, last: float, change: float, low: float, high: float, *rest: float) -> Growth:
    odds, odds_low, odds_high, scatter, p, q = rest
    return Growth(first, last, change, (low, high), odds, (odds_low, odds_high), scatter, p, q)


def _optional(values: np.ndarray) -> list[list[float | None]]:
    """Values (T, A) as a list for each label, NaN as None."""
    return [[None if np.isnan(value) else float(value) for value in column] for column in values.T]


def _label_json(label: LabelTrend) -> dict[str, Any]:
    found = dict(vars(label))
    growth = label.growth
    found["growth"] = None if growth is None else vars(growth) | {"trend": growth.trend}
    return found
