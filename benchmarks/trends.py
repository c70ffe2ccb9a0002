"""Accuracy of trends and comparisons of catalogs, with and without correction for the model's errors.

    python -m benchmarks.trends BUNDLE --data FOLDER FOLDER --names FILE --rules FILE --negatives FOLDER

Catalogs are sampled from validation photographs with chosen shares, so that the truth is known. In each repeat the
corrections are learned from one half of the products and the catalogs are sampled from the other. They are written in
the format of `catalog.score` and read by the functions behind `catalog.trends` and `catalog.compare`. Writes the
section `trends` of docs/trends.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.drawn_catalogs import DATE, MONTHS, PRODUCTS, DrawnCatalogs
from benchmarks.machine import describe
from catalog.analysis.growth import trends
from catalog.analysis.portfolios import compare
from fashion.errors import SettingError, one_line_errors
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from training.data.images import open_split
from training.profiles.gate_scores import GatePredictions
from training.profiles.predictions import Predictions, predict
from training.sources.opening import DEFAULT_CACHE

PAGE = Path("docs/trends.md")
NOTICED = 0.01  # minimum true share of a label for its intervals to count
PLANTED = 0.15  # change of a color's share from the first month to the last
FREQUENT = 0.05  # usual share of the colors that are planted
PAIRS = 4  # of catalogs to compare, per redraw and group
WAYS = (True, False)  # corrected, and not
COLORS = ("colour", "color")


class HeldCounts:
    """Counts of cases in which something held, and of all cases, corrected and not."""

    def __init__(self) -> None:
        self._so, self._of, self._errors = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0.0)

    def add(self, way: bool, so: Sequence[bool] | np.ndarray, errors: Sequence[float] = ()) -> None:
        """Count some cases, with the errors of their estimates."""
        self._so[way] += int(np.sum(so))
        self._of[way] += len(so)
        self._errors[way] += float(np.sum(np.abs(errors)))

    def cell(self, way: bool) -> str:
        """Percentage of cases that held."""
        return f"{self._so[way] / self._of[way]:.1%}" if self._of[way] else "-"

    def error(self, way: bool) -> str:
        """Mean absolute error of estimates, in percentage points."""
        return f"{100 * self._errors[way] / self._of[way]:.1f}" if self._of[way] else "-"


def covered_shares(drawn: DrawnCatalogs, group: str, folder: Path, months: HeldCounts) -> None:
    """Count monthly shares that are inside their intervals."""
    shares = drawn.shifted(group, MONTHS)
    scored = drawn.write(folder, group, shares)
    for way in WAYS:
        for place, label in enumerate(trends(scored, groups=[group], correct=way).labels):
            truth = shares[:, place]
            of = np.flatnonzero(truth >= NOTICED)
            low, high, found = (np.array(values, float)[of] for values in (label.low, label.high, label.shares))
            months.add(way, (low <= truth[of]) & (truth[of] <= high), (found - truth[of]).tolist())


def covered_differences(drawn: DrawnCatalogs, group: str, folder: Path, differences: HeldCounts) -> None:
    """Count differences between two catalogs without a common photograph that are inside their intervals."""
    one, other = shares = drawn.shifted(group, 2, distinct=True)
    scored = drawn.write(folder, group, shares, distinct=True)
    split = (f"{DATE}<{drawn.starts[1]}", f"{DATE}>={drawn.starts[1]}")
    for way in WAYS:
        for place, row in enumerate(compare(scored, split=split, groups=[group], combine=[], correct=way).rows):
            differs = float(one[place] - other[place])
            if max(one[place], other[place]) >= NOTICED:
                differences.add(way, [row.interval[0] <= differs <= row.interval[1]], [row.difference - differs])


def false_trends(drawn: DrawnCatalogs, folder: Path, counts: HeldCounts, runs: HeldCounts) -> None:
    """Count labels called rising or falling although nothing changes, and catalogs with such a label."""
    scored = drawn.write(folder, None, None)
    for way in WAYS:
        found = trends(scored, correct=way)
        called = [bool(label.trend) for label in found.labels if label.growth]
        counts.add(way, called)
        runs.add(way, [any(called)])


def planted_color(drawn: DrawnCatalogs, group: str, folder: Path, called: HeldCounts, covered: HeldCounts) -> None:
    """Count planted changes of a frequent color that are detected, and those inside their intervals."""
    usual = drawn.usual(group)
    place = int(drawn.rng.choice(np.flatnonzero(usual[:-1] >= FREQUENT)))
    rising = drawn.rng.random() < 0.5
    ends = np.array([usual[place], usual[place] + PLANTED])[:: 1 if rising else -1]
    logits = np.log(ends / (1 - ends))
    line = 1 / (1 + np.exp(-np.linspace(logits[0], logits[1], MONTHS)))
    shares = np.outer(1 - line, usual * (np.arange(len(usual)) != place) / (1 - usual[place]))
    shares[:, place] = line
    scored = drawn.write(folder, group, shares)
    for way in WAYS:
        label = trends(scored, groups=[group], correct=way).labels[place]
        called.add(way, [label.trend == ("riser" if rising else "faller")])
        if label.growth:
            low, high = label.growth.interval
            truth = ends[1] - ends[0]
            covered.add(way, [low <= truth <= high], [label.growth.change - truth])


def measure(drawn: DrawnCatalogs, groups: Sequence[str], redraws: int, color: str | None) -> str:
    """Sample catalogs, measure them and return the section of the page."""
    months, differences = ({group: HeldCounts() for group in groups} for _ in range(2))
    false, runs, called, covered = HeldCounts(), HeldCounts(), HeldCounts(), HeldCounts()
    with TemporaryDirectory() as name:
        folder = Path(name)
        for _ in tqdm(range(redraws), "redraws", unit="redraw", disable=None):
            drawn.split()
            for group in groups:
                if drawn.teaches(group):
                    covered_shares(drawn, group, folder, months[group])
                    for _ in range(PAIRS):
                        covered_differences(drawn, group, folder, differences[group])
            false_trends(drawn, folder, false, runs)
            if color:
                planted_color(drawn, color, folder, called, covered)
    named = ("corrected", "uncorrected")
    rows = [_row(drawn, group, months[group], differences[group]) for group in groups]
    header = ["group", "photographs", *(f"{of} held, {way}" for of in ("months", "differences") for way in named)]
    header.append("months off by, points: corrected, uncorrected")
    whole = [
        ["labels called a trend where nothing changes", false.cell(True), false.cell(False)],
        ["catalogs with such a label", runs.cell(True), runs.cell(False)],
    ]
    if color:
        title = f"a change of {PLANTED:.0%} of a color"
        whole += [
            [f"{title}: called", called.cell(True), called.cell(False)],
            [f"{title}: held by its interval", covered.cell(True), covered.cell(False)],
            [f"{title}: off by, points", covered.error(True), covered.error(False)],
        ]
    return "\n\n".join([table(header, rows), table(["", *named], whole)])


def _row(drawn: DrawnCatalogs, group: str, months: HeldCounts, differences: HeldCounts) -> list[str]:
    cells = [part.cell(way) for part in (months, differences) for way in WAYS]
    return [group, f"{drawn.known(group):,}", *cells, f"{months.error(True)}, {months.error(False)}"]


def _kept(file: Path, card: ModelCard) -> Predictions | None:
    """Predictions saved by an earlier run; None if there are none of this model."""
    if not file.is_file():
        return None
    with np.load(file) as kept:
        if str(kept["weights"]) != card.weights_id:
            return None
        gates = GatePredictions(card.gates, kept["gates"], kept["gate_targets"])
        return Predictions(kept["probabilities"], kept["targets"], kept["logits"], kept["ids"], gates=gates)


def _keep(file: Path, card: ModelCard, seen: Predictions) -> None:
    gates = seen.gate_predictions
    np.savez_compressed(
        file,
        weights=card.weights_id,
        probabilities=seen.probabilities,
        targets=seen.targets,
        logits=seen.logits,
        ids=seen.ids,
        gates=gates.probabilities,
        gate_targets=gates.targets,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the section."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trends", description="Measure trends of drawn catalogs."
    )
    parser.add_argument("bundle", type=Path, help="the model")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labeled photographs")
    parser.add_argument("--names", type=Path, help="YAML file of names to change")
    parser.add_argument("--rules", type=Path, help="YAML file of rules")
    parser.add_argument("--negatives", type=Path, nargs="+", default=(), help="photographs that show no product")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder for imported data")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep what the model answers, and take it from there")
    parser.add_argument("--redraws", type=int, default=40, help="(default: %(default)s)")
    parser.add_argument("--group", action="append", help="may be repeated (default: all)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        if options.redraws < 1:
            raise SettingError(f"--redraws is {options.redraws}; expected 1 or more")
        predictor = Predictor.from_bundle(options.bundle)
        card = predictor.card
        seen = _kept(options.keep, card) if options.keep else None
        if seen is None:
            images = open_split(
                options.data, "val", card.taxonomy, card.input, card.taxonomy.groups, options.cache, options.names,
                partly=True, gates=card.gates, rules=options.rules, negatives=options.negatives,
            )  # fmt: skip
            seen = predict(predictor, images, "validation photographs")
            if options.keep:
                _keep(options.keep, card, seen)
        drawn = DrawnCatalogs(card, seen)
        groups = options.group or card.taxonomy.groups
        color = next((name for name in COLORS if name in groups), None)
        text = measure(drawn, groups, options.redraws, color)
        about = (
            f"{describe()}. Model {card.name} {card.version}; {len(seen.ids):,} validation photographs, "
            f"{options.redraws} redraws; catalogs of {MONTHS} months with {PRODUCTS} products each. "
            f"`python -m benchmarks.trends {options.bundle} --redraws {options.redraws}` and its data"
        )
        print(f"{about}\n\n{text}")
        write_section("trends", f"{about}:\n\n{text}", PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
