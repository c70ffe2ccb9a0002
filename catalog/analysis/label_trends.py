"""What a look at a catalog over time found: shares of each label by period, and which of them rise or fall."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from catalog.analysis.inference import FALSE_DISCOVERIES, LEAST
from catalog.analysis.periods import Unit
from catalog.analysis.share_correction import CorrectedGroup, CorrectionState, correction_notes, marked

SCHEMA = 1
FEW = 30  # products: a period with fewer is named, since little can be said of it

Trend = Literal["riser", "faller"]
Measure = Literal["corrected", "expected", "answered"]


@dataclass(frozen=True)
class ShareGrowth:
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
        correction: how far the label is corrected for the model's errors.
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
        """Whether it rises or falls."""
        return self.growth.trend if self.growth else None


@dataclass(frozen=True)
class Trends:
    """What `trends` found.

    Attributes:
        catalog, model: the scored catalog's folder and its model.
        measure: what counts: "corrected" (calibrated probabilities, where `corrections` says so corrected for the
            model's errors), "expected" (calibrated probabilities) or "answered" (answers at the catalog's profile).
        correct: whether probabilities were to be corrected.
        corrections: by group how far they are; empty where none is.
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
        """The name of a group, marked where its shares are not corrected, or to be doubted, and others are."""
        return marked(group, self.corrections)

    @property
    def tested(self) -> int:
        """How many labels were tested for a trend."""
        return sum(label.growth is not None for label in self.labels)

    @property
    def notes(self) -> list[str]:
        """What a reader must know of these numbers, a sentence each."""
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
