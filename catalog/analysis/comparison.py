"""What a comparison of two catalogs found: shares of labels and combinations, gaps, overlaps."""

from dataclasses import dataclass
from typing import Any

from catalog.analysis.inference import FALSE_DISCOVERIES, LEAST
from catalog.analysis.label_trends import Measure
from catalog.analysis.overlap import Overlap
from catalog.analysis.share_correction import CorrectedGroup, CorrectionState, correction_notes, marked

SCHEMA = 1
GAP_SHARE = 0.01  # a gap is a label that one has on at least this share of its products,
GAP_TIMES = 5.0  # and the other on no more than one in so many of that

Pair = tuple[float, float]


@dataclass(frozen=True)
class ComparedShare:
    """A label, or a combination of two, in both portfolios.

    Attributes:
        groups, names: of the label, or of the two.
        shares, low, high: in each portfolio, with 95 % intervals.
        other: shares by the other measure: answers where probabilities count, or the reverse.
        difference, interval: the first share less the second, with its 95 % interval.
        p, q: of no difference; q allows for all labels and combinations that were tested. None where there were too few
            products to test it.
        correction: how far the label is corrected for the model's errors; of a combination the worse of its two.
    """

    groups: tuple[str, ...]
    names: tuple[str, ...]
    shares: Pair
    low: Pair
    high: Pair
    other: Pair
    difference: float
    interval: Pair
    p: float | None
    q: float | None
    correction: CorrectionState = "none"

    @property
    def name(self) -> str:
        """The label's name, or both with a + between."""
        return " + ".join(self.names)

    @property
    def name_in_group(self) -> str:
        """The same; of a single label with its group: one name may stand in two."""
        return f"{self.name} ({self.groups[0]})" if len(self.names) == 1 else self.name

    @property
    def more(self) -> int | None:
        """Which of the two has more of it at a false discovery rate of 5 %: 0, 1, or None."""
        if self.q is None or self.q > FALSE_DISCOVERIES:
            return None
        return 0 if self.difference > 0 else 1

    @property
    def gap(self) -> int | None:
        """Which of the two hardly has it where the other does: 0, 1, or None."""
        if self.more is None:
            return None
        less, more = sorted(self.shares)
        return 1 - self.more if more >= GAP_SHARE and less * GAP_TIMES <= more else None


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        sides: what the two portfolios are called: their folders, or the filters that split one.
        catalogs: their folders.
        where: the filter of both.
        model: that scored both.
        profiles: the thresholds that the answers reach, of each.
        measure: what counts: "corrected" (calibrated probabilities, where `corrections` says so corrected for the
            model's errors), "expected" (calibrated probabilities) or "answered".
        correct: whether probabilities were to be corrected.
        corrections: by group how far they are; empty where none is.
        products: of each.
        rows: labels by group, in the model's order, then combinations.
        overlaps: how alike the two are, by group.
        created: date and time, ISO 8601, UTC.
    """

    sides: tuple[str, str]
    catalogs: tuple[str, str]
    where: str | None
    model: dict[str, str]
    profiles: tuple[str, str]
    measure: Measure
    correct: bool
    corrections: list[CorrectedGroup]
    products: tuple[int, int]
    rows: list[ComparedShare]
    overlaps: list[Overlap]
    created: str

    @property
    def differences(self) -> list[ComparedShare]:
        """What one has more of than the other, the largest difference first."""
        return sorted((row for row in self.rows if row.more is not None), key=lambda row: -abs(row.difference))

    @property
    def gaps(self) -> list[ComparedShare]:
        """What one has and the other hardly, the largest difference first."""
        return [row for row in self.differences if row.gap is not None]

    def marked(self, groups: tuple[str, ...]) -> str:
        """Names of groups, marked where their shares are not corrected, or to be doubted, and others are."""
        return " + ".join(marked(group, self.corrections) for group in groups)

    @property
    def tested(self) -> int:
        """How many labels and combinations were tested."""
        return sum(row.q is not None for row in self.rows)

    @property
    def notes(self) -> list[str]:
        """What a reader must know of these numbers, a sentence each."""
        found = correction_notes(self.corrections, self.correct and self.measure != "answered")
        if untested := len(self.rows) - self.tested:
            found.append(
                f"{untested:,} of {len(self.rows):,} labels and combinations were not tested: fewer than {LEAST:g} "
                "products are expected with them, or without them."
            )
        if self.profiles[0] != self.profiles[1]:
            found.append(f"Answers are not comparable: the profiles are {self.profiles[0]} and {self.profiles[1]}.")
        return found

    def to_json(self) -> dict[str, Any]:
        """Everything, as `--json` prints it and `compare.json` holds it; docs/trends.md says what it means."""
        own = {name: value for name, value in vars(self).items() if name not in ("rows", "overlaps", "correct")}
        return {
            "schema": SCHEMA,
            **own,
            "corrections": [vars(group) for group in self.corrections],
            "tested": self.tested,
            "notes": self.notes,
            "overlaps": [vars(entry) for entry in self.overlaps],
            "rows": [vars(row) | {"more": row.more, "gap": row.gap} for row in self.rows],
        }
