"""Format tables of shares, as aligned text and as CSV."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from catalog.analysis.comparison import ComparedShare, Comparison
from catalog.analysis.inference import FALSE_DISCOVERIES
from catalog.analysis.label_trends import LabelTrend, Measure, Trends
from fashion.files import write_csv
from fashion.text_tables import number_cell, percent_cell, text_table

RARE = 0.01  # the table of trends omits untested labels with a lower share
RATE = percent_cell(FALSE_DISCOVERIES)
BARS = "▁▂▃▄▅▆▇█"
MARKS = {"riser": "rises", "faller": "falls", None: ""}
COUNTED: dict[Measure, str] = {
    "corrected": "calibrated probabilities, corrected for the model's errors",
    "expected": "calibrated probabilities, not corrected for the model's errors",
    "answered": "answered attributes, not corrected for the model's errors",
}
SHOWN = 20  # maximum number of differences, and of gaps, in the table of a comparison
WIDTH = 36  # maximum number of periods in a sparkline
LABEL_HEADER = ("group", "name", "share", "trend", "first", "last", "change", "change_low", "change_high")
GROWTH_HEADER = ("odds_growth", "odds_growth_low", "odds_growth_high", "scatter", "p", "q", "correction")
PERIOD_HEADER = ("group", "name", "period", "start", "products", "share", "low", "high", "by_other_measure")
ROW_HEADER = ("group", "name", "combined_group", "combined_name", "share_1", "low_1", "high_1", "share_2", "low_2")
ROW_REST = ("high_2", "other_1", "other_2", "difference", "difference_low", "difference_high", "p", "q")
ROW_END = ("more", "gap", "correction")


def trends_text(found: Trends) -> str:
    """Trends as a table: risers and fallers first, then other labels by group and share, without untested rare ones."""
    heading = ("", "group", "label", "share", "in time", "from", "to", "change in points", "odds a " + found.unit, "q")
    rest = sorted((label for label in found.labels if not label.trend), key=lambda label: -label.share)
    groups = list(dict.fromkeys(label.group for label in found.labels))
    rest.sort(key=lambda label: groups.index(label.group))
    shown = [label for label in rest if label.growth or label.share >= RARE]
    rows = [_trend_row(found, label) for label in (*found.risers, *found.fallers, *shown)]
    table = text_table(heading, rows, right=[3, *range(5, len(heading))])
    left_out = len(rest) - len(shown)
    rare = [f"Labels of less than 1 % of the products that were not tested, left out of this table: {left_out}."]
    products = f"{sum(found.products):,} products, {len(found.names)} {found.unit}s"
    head = (
        f"{products}, {found.names[0]} to {found.names[-1]}, by the column {found.column!r}; {COUNTED[found.measure]}"
    )
    tail = (
        f"{len(found.risers)} rise and {len(found.fallers)} fall of {found.tested} labels tested, at a false discovery "
        f"rate of {RATE}."
    )
    return "\n".join([head, "", table, "", tail, *found.notes, *(rare if left_out else [])])


def _trend_row(found: Trends, label: LabelTrend) -> tuple[str, ...]:
    bars, group = spark(label.shares), found.marked(label.group)
    if label.growth is None:
        return "", group, label.name, percent(label.share), bars, "", "", "", "", ""
    growth = label.growth
    return (
        MARKS[growth.trend],
        group,
        label.name,
        percent(label.share),
        bars,
        percent(growth.first),
        percent(growth.last),
        points(growth.change, growth.interval),
        f"{growth.odds:+.1%}",
        significance(growth.q),
    )


def compare_text(found: Comparison) -> str:
    """A comparison as tables: groups, gaps, and the largest differences."""
    one, other = (f"{name} ({count:,} products)" for name, count in zip(found.sides, found.products, strict=True))
    parts = [f"{one}\n{other}\n{COUNTED[found.measure]}"]
    rows = [
        (found.marked((o.group,)), number_cell(o.overlap, absent="–"), number_cell(o.chance, absent="–"))
        for o in found.overlaps
    ]
    parts.append(text_table(("group", "overlap", "by chance"), rows, right=[1, 2]))
    for title, chosen in (
        ("In one and hardly in the other", found.gaps),
        ("More frequent in one", [row for row in found.differences if row.gap is None]),
    ):
        rest = f", {SHOWN} of {len(chosen):,}" if len(chosen) > SHOWN else ""
        header = ("group", "label", *found.sides, "difference in points", "q")
        table = text_table(header, [_difference_row(found, row) for row in chosen[:SHOWN]], right=[2, 3, 4, 5])
        parts.append(f"{title}{rest}\n{table if chosen else 'nothing'}")
    tail = (
        f"{len(found.differences)} of {found.tested:,} labels and combinations tested differ, at a false discovery "
        f"rate of {RATE}."
    )
    return "\n\n".join([*parts, "\n".join([tail, *found.notes])])


def _difference_row(found: Comparison, row: ComparedShare) -> tuple[str, ...]:
    shares = percent(row.shares[0]), percent(row.shares[1])
    return found.marked(row.groups), row.name, *shares, points(row.difference, row.interval), significance(row.q)


def write_trends_csv(path: Path, found: Trends) -> None:
    """Write one line per label: its growth, and its share in each period."""
    header = [*LABEL_HEADER, *GROWTH_HEADER, *found.names]
    _write(path, header, (_csv_growth(label) for label in found.labels))


def _csv_growth(label: LabelTrend) -> list[object]:
    growth = label.growth
    numbers: Sequence[float | None] = [None] * 11
    if growth:
        numbers = [growth.first, growth.last, growth.change, *growth.interval, growth.odds, *growth.odds_interval]
        numbers += [growth.scatter, growth.p, growth.q]
    return [label.group, label.name, label.share, label.trend or "", *numbers, label.correction, *label.shares]


def write_periods_csv(path: Path, found: Trends) -> None:
    """Write one line per label and period, with intervals."""
    _write(
        path,
        PERIOD_HEADER,
        (
            [label.group, label.name, name, start.isoformat(), count, *values]
            for label in found.labels
            for name, start, count, *values in zip(
                *(found.names, found.starts, found.products, label.shares, label.low, label.high, label.other),
                strict=True,
            )
        ),
    )


def write_compare_csv(path: Path, found: Comparison) -> None:
    """Write one line per label and combination."""
    _write(path, [*ROW_HEADER, *ROW_REST, *ROW_END], map(_csv_row, found.rows))


def _csv_row(row: ComparedShare) -> list[object]:
    labels = [cell for pair in zip(row.groups, row.names, strict=True) for cell in pair]
    spans = [cell for side in (0, 1) for cell in (row.shares[side], row.low[side], row.high[side])]
    sides = [None if side is None else side + 1 for side in (row.more, row.gap)]
    return [
        *labels,
        *[""] * (4 - len(labels)),
        *spans,
        *row.other,
        row.difference,
        *row.interval,
        row.p,
        row.q,
        *sides,
        row.correction,
    ]


def spark(shares: Sequence[float | None]) -> str:
    """A sparkline of the last shares, scaled to the largest; a dot for a missing one."""
    shown = shares[-WIDTH:]
    most = max((share for share in shown if share is not None), default=0) or 1
    return "".join("·" if share is None else BARS[min(int(share / most * len(BARS)), 7)] for share in shown)


def percent(share: float) -> str:
    """A share as 12.3%; one above 0 is never shown as 0."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def points(change: float, interval: tuple[float, float]) -> str:
    """A change with its interval in percentage points: +3.1 [+1.0, +5.2]."""
    return f"{100 * change:+.1f} [{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]"


def significance(q: float | None) -> str:
    """q with three digits; a dash for untested labels."""
    return "–" if q is None else "<0.001" if q < 0.001 else f"{q:.3f}"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    cells = ([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    write_csv(path, header, cells, lineterminator="\n")
