"""Agreement of colors measured on photographs with the colors that a shop, or a person, names.

    python -m benchmarks.colors BUNDLE --data FOLDER,... --amateur FOLDER

It writes the section `colors` of docs/colors.md. The folders of --data are data folders whose column `colour` has the
shop's name of the color; only validation photographs with one of twelve basic colors count.
`clothing_colors.csv`, beside this file, holds the colors of 120 garments of the Clothing dataset, named by eye on
contact sheets with 150 px per photograph: one, or several if people could disagree or the garment has several; any of
them counts as right. 60 are training photographs, on which the method of finding the product was chosen, 60 are
validation photographs.

    python -m benchmarks.colors BUNDLE --data FOLDER,... --fit

prints the values of `fashion.colors.naming.REACH`, fitted on training photographs of all colors that map to a basic
one, such as Navy Blue.
"""

import argparse
import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from benchmarks.proportions import decimal_cell, wilson
from catalog.coloring.segmentation import grabbed_product, product_pixels, working_levels
from fashion.colors.naming import BASIC_COLORS, basic_distances, basic_of_label, nearest_basic
from fashion.colors.palette import basic_shares, clusters, dominant_colors
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.explanation import activation_maps, upsampled_evidence
from fashion.predictor import Predictor
from fashion.preprocess import Source, decode

AMATEUR = Path(__file__).with_name("clothing_colors.csv")
PAGE = Path("docs/colors.md")
COLOR_GROUPS = ("colour", "color")
KINDS = ("article", "garment", "subcategory")  # groups whose summed evidence locates the product
WARM = 0.35  # share of the highest evidence above which a position counts as product
JOINED = 0.3  # weight of the log of a measured share relative to the log of the model's probability
STEPS = (-8, -4, -2, -1, 1, 2, 4, 8)  # of the fit
LARGE = 512  # px

Shares = np.ndarray  # of the twelve basic colors


@dataclass(frozen=True)
class ColoredPhotograph:
    """A photograph and its true basic colors."""

    path: Path
    right: tuple[str, ...]


def shop_photographs(folders: Sequence[Path], split: str, most: int, finer: bool = False) -> list[ColoredPhotograph]:
    """The photographs that the shop labels with a basic color, or a finer one. Raises DataError without a table."""
    found = []
    for folder in folders:
        try:
            with (folder / f"{split}.csv").open(encoding="utf-8", newline="") as file:
                rows = [(row["image"], row["colour"]) for row in csv.DictReader(file)]
        except (FileNotFoundError, KeyError):
            raise DataError(f"{folder / split}.csv is not a table with a column colour") from None
        for image, color in rows:
            basic = basic_of_label(color)
            if basic and (finer or color.lower() == basic):
                found.append(ColoredPhotograph(folder / "images" / image, (basic,)))
    order = np.random.default_rng(0).permutation(len(found))
    return [found[i] for i in order[:most]]


def amateur_photographs(folder: Path, split: str) -> list[ColoredPhotograph]:
    """The photographs whose colors were named by eye. Raises DataError if one is missing."""
    with AMATEUR.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    found = [
        ColoredPhotograph(folder / "images" / row["image"], tuple(row["colors"].split("|")))
        for row in rows
        if row["split"] == split
    ]
    for photograph in found:
        if not photograph.path.is_file():
            raise DataError(f"{photograph.path} is missing; {AMATEUR} names it")
    return found


class ModelColors:
    """A model's outputs for photographs: the probability of each basic color, and the location of the product."""

    def __init__(self, predictor: Predictor) -> None:
        taxonomy = predictor.taxonomy
        self._group = next((group for group in COLOR_GROUPS if group in taxonomy.groups), None)
        if self._group is None:
            raise SettingError(f"the model has no group of colors, {' or '.join(COLOR_GROUPS)}")
        self.predictor = predictor
        self._kinds = [group for group in KINDS if group in taxonomy.groups]

    def predict(self, photograph: Source) -> tuple[Shares, np.ndarray]:
        """Probabilities of the basic colors (12,), and the product's evidence at each working pixel (H, W)."""
        image = decode(photograph, LARGE)
        result = self.predictor.predict_each([image], features=True)[0].get()
        taxonomy, found = self.predictor.taxonomy, np.zeros(len(BASIC_COLORS))
        for i in taxonomy.indices(str(self._group)):
            basic = basic_of_label(taxonomy.labels[i].name)
            if basic:
                found[BASIC_COLORS.index(basic)] += result.probabilities[i]
        best = [
            taxonomy.indices(group)[result.probabilities[taxonomy.indices(group)].argmax()] for group in self._kinds
        ]
        assert result.features is not None  # they were asked for
        maps = activation_maps(result.features, self.predictor.engine.head[best])
        image.thumbnail(working_levels(photograph).shape[1::-1], Image.Resampling.BOX)
        evidence = np.mean(
            [upsampled_evidence(each, image, image.size, self.predictor.card.input) for each in maps], axis=0
        )
        return found, evidence / max(float(evidence.max()), 1e-6)


Finder = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Methods of finding the product: levels (H, W, 3) and the model's evidence (H, W) -> bool (H, W).
FINDERS: dict[str, Finder] = {
    "the whole photograph": lambda levels, evidence: np.ones(levels.shape[:2], bool),
    "where the model's heat map is warm": lambda levels, evidence: evidence >= WARM,
    "flood fill, else GrabCut from the middle": lambda levels, evidence: product_pixels(levels),
    "GrabCut from the heat map": lambda levels, evidence: grabbed_product(levels, evidence >= WARM),
}
TAKEN = "flood fill, else GrabCut from the middle"


@dataclass(frozen=True)
class ColorResult:
    """Results for a photograph: the shares of the basic colors by each method, and the model's probabilities."""

    right: tuple[str, ...]
    shares: dict[str, Shares]
    model: Shares
    seconds: float

    def is_right(self, scores: Shares) -> bool:
        """Whether the basic color with the highest score is correct."""
        return BASIC_COLORS[int(scores.argmax())] in self.right

    @property
    def joined(self) -> Shares:
        """The model's probabilities combined with the measured shares."""
        return np.log(self.model + 1e-3) + JOINED * np.log(self.shares[TAKEN] + 0.05)


def results(
    photographs: Sequence[ColoredPhotograph], model: ModelColors, minutes: float = math.inf
) -> Iterator[ColorResult]:
    """Measure photographs with every method, until the minutes are used up."""
    end = time.monotonic() + 60 * minutes
    for photograph in tqdm(photographs, unit="image", disable=None):
        if time.monotonic() > end:
            return
        probabilities, evidence = model.predict(photograph.path)
        levels = working_levels(photograph.path)
        shares, seconds = {}, 0.0
        for name, finder in FINDERS.items():
            start = time.process_time()
            shares[name] = basic_shares(dominant_colors(levels, finder(levels, evidence)))
            seconds = time.process_time() - start if name == TAKEN else seconds
        yield ColorResult(photograph.right, shares, probabilities, seconds)


def _cell(right: Sequence[bool]) -> str:
    return decimal_cell(float(np.mean(right)), wilson(sum(right), len(right)))


def text(parts: dict[str, list[ColorResult]], machine: str, limits: str) -> str:
    """The section of the page."""
    header = ["right basic color", *(f"{name}, {len(found)}" for name, found in parts.items())]
    rows = [
        [
            f"**{name}**" if name == TAKEN else name,
            *(_cell([r.is_right(r.shares[name]) for r in f]) for f in parts.values()),
        ]
        for name in FINDERS
    ]
    rows.append(["the model's answer", *(_cell([r.is_right(r.model) for r in found]) for found in parts.values())])
    rows.append(["both joined", *(_cell([r.is_right(r.joined) for r in found]) for found in parts.values())])
    times = [
        f"{name} {np.median(seconds):.1f} ms ({np.quantile(seconds, 0.95):.1f} ms at the 95th percentile)"
        for name, found in parts.items()
        if (seconds := [1000 * result.seconds for result in found])
    ]
    return (
        f"{table(header, rows)}\n\nShares with 95 % intervals (Wilson). Processor time of one photograph, decoded: "
        f"{'; '.join(times)}. Machine: {machine}. Measured by\n\n"
        f"    python -m benchmarks.colors BUNDLE --data FOLDER,... --amateur FOLDER{limits}"
    )


def by_color(found: Sequence[ColorResult]) -> str:
    """A table of the names given to the photographs of each color."""
    rows = []
    for name in BASIC_COLORS:
        of = [result for result in found if result.right == (name,)]
        if of:
            named = [BASIC_COLORS[int(result.shares[TAKEN].argmax())] for result in of]
            wrong = sorted({each for each in named if each != name}, key=lambda each: (-named.count(each), each))[:3]
            said = ", ".join(f"{each} {named.count(each)}" for each in wrong)
            rows.append([name, str(len(of)), f"{named.count(name) / len(of):.2f}", said])
    return table(["the shop says", "photographs", "right", "else most often"], rows)


def fit_reach(photographs: Sequence[ColoredPhotograph]) -> tuple[dict[str, float], float]:
    """The reach of each basic color that maximizes the share of correctly named photographs, and that share."""
    measured = []
    for photograph in tqdm(photographs, unit="image", disable=None):
        levels = working_levels(photograph.path)
        centers, shares = clusters(levels, product_pixels(levels))
        measured.append((basic_distances(centers), np.hypot(centers[:, 1], centers[:, 2]), shares))
    right = np.array([BASIC_COLORS.index(photograph.right[0]) for photograph in photographs])
    distances, chroma, shares = (np.concatenate(each) for each in zip(*measured, strict=True))
    owner = np.repeat(np.arange(len(measured)), [len(each[2]) for each in measured])

    def score(reach: dict[str, float]) -> float:
        found = np.zeros((len(measured), len(BASIC_COLORS)))
        np.add.at(found, (owner, nearest_basic(distances, chroma, reach)), shares)
        # The mean share of the right color breaks ties.
        return float(np.mean(found.argmax(axis=1) == right) + 0.02 * found[np.arange(len(right)), right].mean())

    reach, best = dict.fromkeys(BASIC_COLORS, 0.0), -1.0
    for _ in range(4):
        for name in BASIC_COLORS:
            for step in (0, *STEPS):
                tried = reach | {name: reach[name] + step}
                if (value := score(tried)) > best:
                    best, reach = value, tried
    return {name: value for name, value in reach.items() if value}, best


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section, or fit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.colors", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export or training.ship")
    parser.add_argument("--data", required=True, help="data folders with a column colour, separated by commas")
    parser.add_argument("--amateur", type=Path, help="folder of the Clothing dataset")
    parser.add_argument("--most", type=int, default=100_000, help="photographs of the catalogs, drawn at random")
    parser.add_argument("--minutes", type=float, default=math.inf, help="measure as many as this allows")
    parser.add_argument("--fit", action="store_true", help="fit the reach of the basic colors on training photographs")
    options = parser.parse_args(arguments)
    with one_line_errors():
        folders = [Path(folder) for folder in options.data.split(",")]
        if options.fit:
            print(*fit_reach(shop_photographs(folders, "train", options.most, finer=True)))
            return 0
        model = ModelColors(Predictor.from_bundle(options.bundle))
        minutes = options.minutes / (3 if options.amateur else 1)
        limits = f" --minutes {options.minutes:g}" if math.isfinite(options.minutes) else ""
        shop = list(results(shop_photographs(folders, "val", options.most), model, minutes))
        parts = {"shop, white grounds": shop}
        if options.amateur:
            for split in ("val", "train"):
                amateur = amateur_photographs(options.amateur, split)
                found = list(results(amateur, model, minutes))
                parts[f"amateurs, {'chosen on' if split == 'train' else 'validation'}"] = found
        section = f"{text(parts, describe(), limits)}\n\nBy color, white grounds:\n\n{by_color(shop)}"
        write_section("colors", section, PAGE)
        print(section)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
