"""Result of a trend analysis: shares of each label by period, and which labels rise or fall."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from catalog.analysis.inference import FALSE_DISCOVERIES, LEAST
from catalog.analysis.periods import Unit
from catalog.analysis.share_correction import CorrectedGroup, CorrectionState, correction_notes, marked

SCHEMA = 1
FEW = 30  # products; a note mentions periods with fewer, whose shares are imprecise

Trend = Literal["riser", "faller"]
Measure = Literal["corrected", "expected", "answered"]


@dataclass(frozen=True)
class ShareGrowth:
    """Change of a label's share along the line through its periods.

    Attributes:
        first, last: share on the line in the first and the last period with products.
        change, interval: last minus first, and its 95 % interval.
        odds, odds_interval: growth of share / (1 - share) per period, 0.03 for 3 %; for a small share, about that of
            the share itself.
        scatter: dispersion of the periods around the line, 1 for random samples; see `inference.TrendLine`.
        p, q: for the null hypothesis of no trend; q is adjusted for all labels tested.
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
        """Direction of the trend at a false discovery rate of 5 %; None if it is not significant."""
        if self.q > FALSE_DISCOVERIES:
            return None
        return "riser" if self.odds > 0 else "faller"


@dataclass(frozen=True)
class LabelTrend:
    """A label over time; lists have one value per period, None for a period without products.

    Attributes:
        group, name: of the label.
        share: over all periods.
        shares, low, high: per period, with 95 % intervals.
        other: shares per period by the other measure: answers if probabilities are counted, or the reverse.
        growth: None if it was not tested, with too few products or a single period.
        correction: state of the correction for the model's errors.
    """

    group: str
    name: str
    share: float
    shares: list[float | None]
    low: list[float | None]
    high: list[float | None]
    other: list[float | None]
    growth: ShareGrowth | None
    correction: CorrectionState = "none"

    @property
    def trend(self) -> Trend | None:
        """Direction of the trend, if significant."""
        return self.growth.trend if self.growth else None


@dataclass(frozen=True)
class Trends:
    """Result of `trends`.

    Attributes:
        catalog, model: the scored catalog's folder and its model.
        measure: what is counted: "corrected" (calibrated probabilities, corrected for the model's errors as far as
            `corrections` says), "expected" (calibrated probabilities) or "answered" (answers at the catalog's profile).
        correct: whether correction was requested.
        corrections: state of the correction by group; empty if nothing is corrected.
        unit: of the periods.
        column, where: the column of dates, and the filter.
        starts, names: first day and name of each period, without gaps.
        products: number of products per period.
        undated, unreadable: numbers of products left out because they have no date or an unreadable one, such as
            `example`.
        labels: by group, in the model's order.
        created: date and time, ISO 8601, UTC.
    """

    catalog: str
    model: dict[str, str]
    measure: Measure
    correct: bool
    corrections: list[CorrectedGroup]
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

    def marked(self, group: str) -> str:
        """The name of a group; an uncorrected or doubtful one is marked if others are corrected."""
        return marked(group, self.corrections)

    @property
    def tested(self) -> int:
        """Number of labels tested for a trend."""
        return sum(label.growth is not None for label in self.labels)

    @property
    def notes(self) -> list[str]:
        """Caveats for the reader, one sentence each."""
        found = correction_notes(self.corrections, self.correct and self.measure != "answered")
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
            found.append(
                f"{few} of {len(there)} {self.unit}s have fewer than {FEW} products; their shares are imprecise."
            )
        if len(there) == 1:
            found.append(f"All products are of one {self.unit}; a trend needs at least two, so none was tested.")
        elif untested := len(self.labels) - self.tested:
            found.append(
                f"{untested} of {len(self.labels)} labels were not tested: fewer than {LEAST:g} products are expected "
                "with them, or without them, or all have the same value."
            )
        if 1 < len(there) < 5:
            found.append(
                f"{len(there)} {self.unit}s are too few to show how much shares vary from {self.unit} to {self.unit}: "
                "take shorter periods, or read a trend only as a difference between them."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The content of `--json` and `trends.json`, documented in docs/trends.md."""
        return {
            "schema": SCHEMA,
            "catalog": self.catalog,
            "model": self.model,
            "measure": self.measure,
            "corrections": [vars(group) for group in self.corrections],
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


def _label_json(label: LabelTrend) -> dict[str, Any]:
    found = dict(vars(label))
    growth = label.growth
    found["growth"] = None if growth is None else vars(growth) | {"trend": growth.trend}
    return found
