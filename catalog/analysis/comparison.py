"""Result of a comparison of two catalogs: shares of labels and combinations, gaps, overlaps."""

from dataclasses import dataclass
from typing import Any

from catalog.analysis.inference import FALSE_DISCOVERIES, LEAST
from catalog.analysis.label_trends import Measure
from catalog.analysis.overlap import Overlap
from catalog.analysis.share_correction import CorrectedGroup, CorrectionState, correction_notes, marked

SCHEMA = 1
# A gap is a label with at least this share in one portfolio, and at most 1 / GAP_TIMES of that in the other.
GAP_SHARE = 0.01
GAP_TIMES = 5.0

Pair = tuple[float, float]


@dataclass(frozen=True)
class ComparedShare:
    """Shares of a label, or of a combination of two, in both portfolios.

    Attributes:
        groups, names: of the label, or of the two.
        shares, low, high: in each portfolio, with 95 % intervals.
        other: shares by the other measure: answers if probabilities are counted, or the reverse.
        difference, interval: the first share minus the second, with its 95 % interval.
        p, q: for the null hypothesis of no difference; q is adjusted for all labels and combinations tested. None if
            there were too few products for a test.
        correction: state of the correction for the model's errors; for a combination, the worse of the two.
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
        """The label's name, or both names joined by +."""
        return " + ".join(self.names)

    @property
    def name_in_group(self) -> str:
        """`name`, for a single label followed by its group, since two groups may share a name."""
        return f"{self.name} ({self.groups[0]})" if len(self.names) == 1 else self.name

    @property
    def more(self) -> int | None:
        """The portfolio with the larger share at a false discovery rate of 5 %: 0, 1, or None."""
        if self.q is None or self.q > FALSE_DISCOVERIES:
            return None
        return 0 if self.difference > 0 else 1

    @property
    def gap(self) -> int | None:
        """The portfolio in which it is a gap, because the other has far more: 0, 1, or None."""
        if self.more is None:
            return None
        less, more = sorted(self.shares)
        return 1 - self.more if more >= GAP_SHARE and less * GAP_TIMES <= more else None


@dataclass(frozen=True)
class Comparison:
    """Result of `compare`.

    Attributes:
        sides: names of the two portfolios: their folders, or the filters that split one.
        catalogs: their folders.
        where: the filter on both.
        model: the model that scored both.
        profiles: names of the thresholds of the answers, of each.
        measure: what is counted: "corrected" (calibrated probabilities, corrected for the model's errors as far as
            `corrections` says), "expected" (calibrated probabilities) or "answered".
        correct: whether correction was requested.
        corrections: state of the correction by group; empty if nothing is corrected.
        products: number of products of each.
        rows: labels by group, in the model's order, then combinations.
        overlaps: similarity of the two, by group.
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
        """Significant differences, the largest first."""
        return sorted((row for row in self.rows if row.more is not None), key=lambda row: -abs(row.difference))

    @property
    def gaps(self) -> list[ComparedShare]:
        """Gaps, the largest difference first."""
        return [row for row in self.differences if row.gap is not None]

    def marked(self, groups: tuple[str, ...]) -> str:
        """Names of groups; uncorrected or doubtful ones are marked if others are corrected."""
        return " + ".join(marked(group, self.corrections) for group in groups)

    @property
    def tested(self) -> int:
        """Number of labels and combinations that were tested."""
        return sum(row.q is not None for row in self.rows)

    @property
    def notes(self) -> list[str]:
        """Caveats for the reader, one sentence each."""
        found = correction_notes(self.corrections, self.correct and self.measure != "answered")
        if untested := len(self.rows) - self.tested:
            found.append(
                f"{untested:,} of {len(self.rows):,} labels and combinations were not tested: fewer than {LEAST:g} "
                "products are expected with them, or without them, or all have the same value."
            )
        if self.profiles[0] != self.profiles[1]:
            found.append(f"Answers are not comparable: the profiles are {self.profiles[0]} and {self.profiles[1]}.")
        return found

    def to_json(self) -> dict[str, Any]:
        """The content of `--json` and `compare.json`, documented in docs/trends.md."""
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
