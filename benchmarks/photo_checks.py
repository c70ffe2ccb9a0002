"""Detection rate of `catalog.check` on damaged photographs, and its false alarms on good ones.

    python -m benchmarks.photo_checks BUNDLE --data FOLDER --amateur FOLDER

It writes the section `checks` of docs/checks.md. FOLDER is a data folder with full-size photographs and a column
`name`; its validation photographs are damaged on purpose (`benchmarks/photo_damage.py`), and titles are replaced by
those of products with another article. --amateur is a folder of photographs without plain backgrounds.

    python -m benchmarks.photo_checks BUNDLE --data FOLDER --amateur FOLDER --fit

prints limits fitted on training photographs, which maximize the detection rate minus three times the false alarm rate.
"""

import argparse
import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from benchmarks.photo_damage import DAMAGES, damaged
from benchmarks.proportions import percent_cell
from catalog.checking.faults import BLURRED, CUT, DARK, GROUND, SMALL, SMALL_SOON, TEXT, Limits, measured_faults
from catalog.checking.measures import PhotographMeasures, measure_photograph
from catalog.checking.titles import TitleReader, title_probability
from catalog.words.vocabulary import Vocabulary
from fashion.errors import DataError, one_line_errors
from fashion.predictor import Predictor
from fashion.preprocess import decode

PAGE = Path("docs/checks.md")
TODAY = date(2026, 11, 29)  # whose size limits apply
FOUND_BY = dict(zip(DAMAGES, (SMALL, BLURRED, DARK, CUT, TEXT, TEXT), strict=True))
COST = 3  # of a false alarm, in detections
BATCH = 32


@dataclass(frozen=True)
class TitledPhotograph:
    """A photograph, its title, and its article."""

    path: Path
    title: str
    article: str


@dataclass(frozen=True)
class MeasuredSplit:
    """Measures of good, damaged and amateur photographs, and of titles.

    Attributes:
        good, amateur: measures.
        bad: by the name of the damage.
        titles: probability of the label that each title names; titles that name none are left out.
        swapped: the same with titles of other products.
        unnamed: number of titles that name no label.
        products: probability that there is a product; empty if the model has no such gate.
    """

    good: list[PhotographMeasures]
    bad: dict[str, list[PhotographMeasures]]
    amateur: list[PhotographMeasures]
    titles: list[float]
    swapped: list[float]
    unnamed: int
    products: list[float]


def read_photographs(folder: Path, split: str, most: int) -> list[TitledPhotograph]:
    """Some photographs of a data folder. Raises DataError for a folder without such a table."""
    try:
        with (folder / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
            found = [TitledPhotograph(folder / "images" / r["image"], r["name"], r["article"]) for r in rows]
    except (FileNotFoundError, KeyError):
        raise DataError(f"{folder / split}.csv is not a table with columns image, name and article") from None
    order = np.random.default_rng(0).permutation(len(found))
    return [found[i] for i in order[:most]]


def measure_split(
    predictor: Predictor, photographs: Sequence[TitledPhotograph], amateurs: Sequence[Path], minutes: float = math.inf
) -> MeasuredSplit:
    """Measure good and damaged photographs, as many as the minutes allow, and all titles, own and swapped."""
    probabilities, products = _predicted(predictor, [photograph.path for photograph in photographs])
    end = time.monotonic() + 60 * minutes
    good, bad = [], {name: list[PhotographMeasures]() for name in DAMAGES}
    for seed, photograph in enumerate(tqdm(photographs, unit="image", disable=None)):
        if time.monotonic() > end:
            break
        photo = decode(photograph.path)
        good.append(measure_photograph(photograph.path))
        for name, measures in bad.items():
            measures.append(measure_photograph(damaged(photo, name, seed)))
    amateur = [measure_photograph(path) for path in tqdm(amateurs, unit="image", disable=None)]
    reader = TitleReader(Vocabulary(predictor.taxonomy), predictor.taxonomy.groups)
    own, swapped, unnamed = [], [], 0
    for i, photograph in enumerate(photographs):
        labels = reader.labels(photograph.title)
        unnamed += not labels
        if labels:
            own.append(title_probability(labels, predictor.taxonomy.index, probabilities[i]))
        others = [other for other in photographs if other.article != photograph.article]
        labels = reader.labels(others[(7 * i) % len(others)].title)
        if labels:
            swapped.append(title_probability(labels, predictor.taxonomy.index, probabilities[i]))
    return MeasuredSplit(good, bad, amateur, own, swapped, unnamed, products)


def _predicted(predictor: Predictor, paths: Sequence[Path]) -> tuple[np.ndarray, list[float]]:
    found = []
    for start in range(0, len(paths), BATCH):
        found += predictor.predict(list(paths[start : start + BATCH]))
    products = [each.product for each in found if each.product is not None]
    return np.stack([each.probabilities for each in found]), products


# The measure that each limit applies to, and whether values above it are faults.
VALUES: dict[str, tuple[Callable[[PhotographMeasures], float], bool]] = {
    "blur": (lambda measures: measures.blur, True),
    "brightest": (lambda measures: measures.brightest, False),
    "ground": (lambda measures: measures.ground, False),
    "cut": (lambda measures: max(measures.cut.values()), True),
    "letters": (lambda measures: float(measures.letters), True),
}
FAULTY = {
    "blur": ("blurred",),
    "brightest": ("darkened",),
    "cut": ("a quarter of the product cropped away",),
    "letters": ("a line of text at the border", "a watermark across the middle"),
}


def fitted(split: MeasuredSplit) -> Iterator[tuple[str, float, float, float]]:
    """For each limit its value, detection rate and false alarm rate."""
    for name, (value, more) in VALUES.items():
        good = np.array([value(each) for each in split.good])
        faulty = split.amateur if name == "ground" else [each for damage in FAULTY[name] for each in split.bad[damage]]
        yield name, *_best(good, np.array([value(each) for each in faulty]), more)
    yield "title", *_best(np.array(split.titles), np.array(split.swapped), False)


def _best(good: np.ndarray, faulty: np.ndarray, more: bool) -> tuple[float, float, float]:
    """The best limit, its detection rate and false alarm rate; faults are above it, or below."""
    candidates = np.unique(np.concatenate([good, faulty]))
    rates = np.array(
        [[np.mean(values > limit if more else values < limit) for values in (faulty, good)] for limit in candidates]
    )
    gains = rates @ (1, -COST)
    best = np.flatnonzero(gains == gains.max())
    # In the middle of a gap between values, to leave a margin on both sides.
    found, alarms = rates[best[0]]
    return float(candidates[best].mean()), float(found), float(alarms)


def text(split: MeasuredSplit, limits: Limits, machine: str, most: int) -> str:
    """The section of the page."""

    def blamed(measures: Sequence[PhotographMeasures], check: str) -> int:
        return sum(any(each[0] == check for each in measured_faults(m, limits, TODAY)) for m in measures)

    rows: list[list[Any]] = []
    for damage, check in FOUND_BY.items():
        bad = split.bad[damage]
        rows.append([check, damage, percent_cell(blamed(bad, check), len(bad)), ""])
    rows.append([GROUND, "amateurs' photographs", percent_cell(blamed(split.amateur, GROUND), len(split.amateur)), ""])
    for row in rows:
        row[3] = "-" if row[0] == SMALL else percent_cell(blamed(split.good, row[0]), len(split.good))
    swapped = sum(value < limits.title for value in split.swapped)
    alarms = sum(value < limits.title for value in split.titles)
    title = [percent_cell(swapped, len(split.swapped)), percent_cell(alarms, len(split.titles))]
    rows.append(["title", "titles of products of another article", *title])
    none = sum(value < limits.product for value in split.products)
    rows.append(["no product", "docs/starter.md", "-", percent_cell(none, len(split.products))])
    header = ["check", "damage", "found", "false alarms"]
    sides = [max(measures.width, measures.height) for measures in split.good]
    return (
        f"{table(header, rows)}\n\n{len(split.good)} validation photographs, the longer side {min(sides)} to "
        f"{max(sides)} px, each damaged in each way, and {len(split.amateur)} of amateurs. Undamaged, "
        f"{blamed(split.good, SMALL)} are `small` and {blamed(split.good, SMALL_SOON)} `small soon`, which is true of "
        f"them. {split.unnamed} titles name nothing that the model knows. Shares with 95 % intervals (Wilson); titles "
        f"of {len(split.titles)}. Machine: {machine}. Measured by\n\n"
        f"    python -m benchmarks.photo_checks BUNDLE --data FOLDER --amateur FOLDER --most {most}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section, or print fitted limits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photo_checks", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export or training.ship")
    parser.add_argument("--data", type=Path, required=True, help="data folder with full-size photographs")
    parser.add_argument("--amateur", type=Path, required=True, help="folder of the Clothing dataset")
    parser.add_argument("--most", type=int, default=200, help="photographs of each folder (default: %(default)s)")
    parser.add_argument("--section", default="checks", help="of the page (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="damage as many as this allows")
    parser.add_argument("--fit", action="store_true", help="choose limits on training photographs")
    options = parser.parse_args(arguments)
    with one_line_errors():
        split = "train" if options.fit else "val"
        with (options.amateur / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            names = [row["image"] for row in csv.DictReader(file)][: options.most]
        amateurs = [options.amateur / "images" / name for name in names]
        photographs = read_photographs(options.data, split, options.most)
        measured = measure_split(Predictor.from_bundle(options.bundle), photographs, amateurs, options.minutes)
        if options.fit:
            for name, limit, found, alarms in fitted(measured):
                print(f"{name:10} {limit:8.4f}  finds {found:.1%}, false alarms {alarms:.1%}")
            for most in range(8):
                bad = [each.letters > most for damage in FAULTY["letters"] for each in measured.bad[damage]]
                good = [each.letters > most for each in measured.good]
                print(f"more than {most} letters  finds {np.mean(bad):.1%}, false alarms {np.mean(good):.1%}")
            return 0
        section = text(measured, Limits(), describe(), options.most)
        write_section(options.section, section, PAGE)
        print(section)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
