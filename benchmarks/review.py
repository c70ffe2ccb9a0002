"""Work that the review queue saves, with a simulated reviewer who knows the true labels.

    python -m benchmarks.review BUNDLE --data FOLDER --source "NAME OF THE DATA"

It scores the data's validation photographs as a catalog and corrects one group of one product after another, in the
order of the queue `uncertain` and in random order, until micro-F1 of the whole catalog has risen by some amount.
Neither order knows which answers are wrong. Then it writes the first corrections into a store and times a refit of
calibration and thresholds. It writes the section `review` of docs/corrections.md.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from catalog.corrections.queues import RANDOM, expected_errors, read_cells
from catalog.corrections.refitting import Proposal, propose
from catalog.corrections.source_labels import SourceLabels
from catalog.score import score
from catalog.scored.columns import ID
from catalog.scored.correction_store import ONLY, Correction, CorrectionStore
from catalog.scored.table import Scored
from fashion.errors import DataError, one_line_errors
from fashion.model_card import ModelCard
from fashion.taxonomy import Taxonomy

PAGE = Path("docs/corrections.md")
GAINS = (0.01, 0.02, 0.03, 0.05)
GOAL = 0.03
REPEATS = 20
DRAWN = 0.8  # share of the products sampled in each repeat
REFITTED = 300  # products that are corrected before the refit
SEED = 0


@dataclass(frozen=True)
class ReviewedCells:
    """The C cells of a catalog with known truth; a cell is one group of one product.

    Attributes:
        product: (C,), row of the product.
        errors: float64 (C,), the queue's expected number of wrong or missing answers.
        right, answered: (C,), numbers of right answers and of answers before corrections.
        positives: (C,), number of true labels: a correction sets both to it.
    """

    product: np.ndarray
    errors: np.ndarray
    right: np.ndarray
    answered: np.ndarray
    positives: np.ndarray

    def of_products(self, products: np.ndarray) -> "ReviewedCells":
        """The cells of some products."""
        kept = np.isin(self.product, products)
        return ReviewedCells(*(values[kept] for values in vars(self).values()))

    def micro_f1(self, order: np.ndarray) -> np.ndarray:
        """Micro-F1 of all cells before the first correction and after each, (len(order) + 1,)."""
        right = self.right.sum() + np.append(0, np.cumsum((self.positives - self.right)[order]))
        answered = self.answered.sum() + np.append(0, np.cumsum((self.positives - self.answered)[order]))
        return 2 * right / (answered + self.positives.sum())

    def corrections_until(self, order: np.ndarray, gain: float) -> int:
        """The number of corrections in that order that raise micro-F1 by `gain`; all if they never do."""
        f1 = self.micro_f1(order)
        risen = np.flatnonzero(f1 >= f1[0] + gain)
        return int(risen[0]) if len(risen) else len(order)

    def by_queue(self) -> np.ndarray:
        """The order of the queue `uncertain`."""
        return np.argsort(-self.errors, kind="stable")

    def by_products(self, products: np.ndarray) -> np.ndarray:
        """An order with all cells of a product together, product by product."""
        place = np.empty(int(self.product.max()) + 1, np.int64)
        place[products] = np.arange(len(products))
        return np.argsort(place[self.product], kind="stable")


def reviewed_cells(scored: Scored) -> ReviewedCells:
    """The cells that the catalog's own table annotates. Raises DataError if there are none."""
    taxonomy = scored.manifest.taxonomy
    truth = SourceLabels.from_groups(scored, taxonomy.groups)
    if not truth.columns:
        raise DataError(f"{scored.folder} has no column that is a group of the model, so there are no true labels")
    groups = list(truth.columns)
    parts, first = [], 0
    for batch, cells in zip(truth.batches(scored), read_cells(scored), strict=True):
        targets, known = _targets(batch, truth, taxonomy)
        member = np.stack([np.isin(np.arange(len(taxonomy)), taxonomy.indices(group)) for group in groups], axis=1)
        mask = member.astype(np.float64)
        columns = [
            np.repeat(first + np.arange(len(batch))[:, None], len(groups), axis=1),
            expected_errors(cells.probabilities, cells.answered, mask),
            (cells.answered & targets) @ mask,
            cells.answered @ mask,
            targets @ mask,
        ]
        parts.append([values[known] for values in columns])
        first += len(batch)
    return ReviewedCells(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _targets(batch: pa.RecordBatch, truth: SourceLabels, taxonomy: Taxonomy) -> tuple[np.ndarray, np.ndarray]:
    """The true labels, bool (N, A), and the annotated groups, bool (N, G)."""
    given = truth.label_indices(batch)
    targets = np.zeros((len(batch), len(taxonomy)), bool)
    rows, columns = np.nonzero(given >= 0)
    targets[rows, given[rows, columns]] = True
    filled = [[bool(cell) for cell in batch.column(name).to_pylist()] for name in truth.columns.values()]
    return targets, np.array(filled).T


@dataclass(frozen=True)
class Work:
    """Numbers of corrections needed in the repeats, int64 (REPEATS,) each: by the queue and at random."""

    queue: np.ndarray
    random: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """The queue's number relative to the random order's."""
        return self.queue / np.maximum(1, self.random)

    def cells(self) -> list[str]:
        """The numbers as cells of the table."""
        ratio = self.ratio
        return [
            f"{self.queue.mean():,.0f} ({self.queue.min():,} to {self.queue.max():,})",
            f"{self.random.mean():,.0f} ({self.random.min():,} to {self.random.max():,})",
            f"{ratio.mean():.2f} ({ratio.min():.2f} to {ratio.max():.2f})",
        ]


def simulate(cells: ReviewedCells, gain: float, by_product: bool, repeats: int = REPEATS) -> Work:
    """Correct until micro-F1 has risen by `gain`; each repeat has other products and another random order.

    Args:
        cells: of the catalog.
        gain: of micro-F1.
        by_product: whether the reviewer decides all groups of a product before the next.
        repeats: number of repeats.
    """
    rng = np.random.default_rng(SEED)
    products = np.unique(cells.product)
    queued: list[float] = []
    random: list[float] = []
    for _ in range(repeats):
        drawn = rng.choice(products, int(DRAWN * len(products)), replace=False)
        part = cells.of_products(drawn)
        if by_product:
            total = np.bincount(part.product, part.errors, minlength=int(products.max()) + 1)[drawn]
            orders = part.by_products(drawn[np.argsort(-total, kind="stable")]), part.by_products(drawn)
        else:
            orders = part.by_queue(), rng.permutation(len(part.product))
        for found, order in zip((queued, random), orders, strict=True):
            found.append(part.corrections_until(order, gain))
    return Work(np.array(queued), np.array(random))


def timed_refit(scored: Scored, card: ModelCard, products: int = REFITTED) -> tuple[Proposal, float]:
    """Write true labels of random products into the store of a copy and refit; returns the refit and its seconds."""
    taxonomy = scored.manifest.taxonomy
    truth = SourceLabels.from_groups(scored, taxonomy.groups)
    drawn = set(np.random.default_rng(SEED).permutation(scored.rows)[:products].tolist())
    corrections, first = [], 0
    for batch, ids in zip(truth.batches(scored), scored.batches([ID]), strict=True):
        given = truth.label_indices(batch)
        for row, column in zip(*np.nonzero(given >= 0), strict=True):
            if first + row in drawn:
                label = taxonomy.labels[given[row, column]]
                corrections.append(Correction(ids.column(0)[int(row)].as_py(), ONLY, label.group, label.name))
        first += len(batch)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "scored"
        shutil.copytree(scored.folder, copy)
        store = CorrectionStore(copy)
        store.write(corrections, store.states(each.product for each in corrections), "simulated", found_by=RANDOM)
        started = time.process_time()
        proposal = propose(Scored.open(copy), card)
        return proposal, time.process_time() - started


def section(scored: Scored, card: ModelCard, source: str, command: str) -> str:
    """Measure everything: the Markdown that goes into the page."""
    cells = reviewed_cells(scored)
    f1 = cells.micro_f1(np.empty(0, np.int64))[0]
    rows = []
    for by_product, name in ((False, "one group of a product at a time"), (True, "all groups of a product at a time")):
        for gain in GAINS if not by_product else (GOAL,):
            rows.append([f"+{gain:.2f}, {name}", *simulate(cells, gain, by_product).cells()])
    work = simulate(cells, GOAL, False)
    proposal, seconds = timed_refit(scored, card)
    low, high = proposal.interval or (float("nan"), float("nan"))
    header = ["micro-F1", "corrections, `uncertain`", "corrections, random order", "ratio"]
    return (
        f"{table(header, rows)}\n\n"
        f"A simulated reviewer with the true labels of {scored.rows:,} validation photographs of {source}: "
        f"{len(cells.product):,} cells (a group of a product, of those that the data annotate) with a micro-F1 of "
        f"{f1:.3f} before. A correction is one look at a cell, whether its answer was right or wrong. Means and ranges "
        f"of {REPEATS} repeats, each of {DRAWN:.0%} of the products, drawn anew, and with another random order. For "
        f"+{GOAL:.2f} the queue takes {work.ratio.mean():.2f} of the corrections and saves "
        f"{1 - work.ratio.mean():.0%}. The model's calibration was fitted on validation photographs, these among them."
        "\n\n"
        f"Corrections of {proposal.products:,} products drawn at random refit thresholds and calibration of the "
        f"catalog in {seconds:.1f} s of processor time. Micro-F1 of these products is {proposal.before:.3f} before and "
        f"{proposal.after:.3f} after, out of fold ({proposal.gain:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}); "
        f"{proposal.added:,} answers would be added and {proposal.removed:,} of {proposal.answers:,} removed.\n\n"
        f"Model: {card.name} {card.version}. Machine: {describe()}. Measured by\n\n    {command}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, simulate and write the section; existing scores are reused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--data", type=Path, required=True, help="data folder with val.csv")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--out", type=Path, default=Path("runs/review"), help="(default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        if not (options.data / "val.csv").is_file():
            raise DataError(f"{options.data} has no val.csv; its photographs are the catalog that is reviewed")
        score(options.bundle, [str(options.data / "val.csv")], options.out)
        command = f"python -m benchmarks.review BUNDLE --data FOLDER --source '{options.source}'"
        text = section(Scored.open(options.out), ModelCard.load(options.bundle), options.source, command)
        write_section("review", text, options.page)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
