"""Compare methods of joining the photographs of a product, and test whether each of them finds the product.

    python -m benchmarks.views BUNDLE --data TABLE --source "NAME OF THE DATA" [--attributes TABLE] [--count N]
    python -m benchmarks.views BUNDLE --drawn N

TABLE is a CSV file with a column `image`, of files in the folder `images` beside it, and columns of labels; that of
--attributes has further columns for the same photographs. Seven views of each are generated
(`benchmarks.made_views`), because no data set here has second photographs of products. It writes the section `views`
of docs/scoring.md, or the one that --section names. --keep FILE saves the model's outputs for the next run.
"""

import argparse
import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from benchmarks.made_views import VIEWS, made_views
from catalog.similar.spaces import unit_vectors
from fashion.answers import answered_mask
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.model_card import ModelCard
from fashion.prediction import sigmoid
from fashion.predictor import Predictor
from fashion.preprocess import Source, decode
from fashion.views import combine_embeddings, logits_of, view_weights
from training.sources.drawing import draw

PAGE = Path("docs/scoring.md")
# Sets of photographs of a product, as in shops. The baseline is the answer to the first of each set.
SETS: Mapping[str, tuple[str, ...]] = {
    "whole, detail, light": ("whole", "detail", "light"),
    "detail, half, border": ("detail", "half", "border"),
    "whole, blurred, border": ("whole", "blurred", "border"),
    "whole, detail, size chart": ("whole", "detail", "chart"),
}
DRAWN_SIDE = 400  # px
SMALLEST_SIDE = 24  # px, if only the labels are needed: they are the same at every size
EVERYTHING = 1_000_000  # photographs
LEAST_KNOWN = 20  # minimum number of labeled products for a group to count
# Names of the drawn garments' labels in the starter.
DRAWN_NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "color": ("colour", {}),
    "sleeve": ("sleeve", {"Long Sleeved": "Long Sleeves"}),
    "neckline": ("neck", {"V-Necks": "V-Neck", "Turtlenecks": "High Neck", "Square Necked": "Square Neck"}),
    "pattern": ("pattern", {"Stripes": "Striped", "Checkered": "Checked", "Plaid": "Checked"}),
}


@dataclass(frozen=True)
class ViewPredictions:
    """A model's outputs for V views of each of N products.

    Attributes:
        logits: (N, V, A + K), of labels and gates.
        embeddings: (N, V, E).
        sharpness: (N, V), the variance of the Laplacian of the gray image at 200 px.
    """

    logits: np.ndarray
    embeddings: np.ndarray
    sharpness: np.ndarray

    def select(self, names: Sequence[str]) -> "ViewPredictions":
        """Some of the views."""
        places = [list(VIEWS).index(name) for name in names]
        return ViewPredictions(self.logits[:, places], self.embeddings[:, places], self.sharpness[:, places])

    def save(self, path: Path) -> None:
        """Save the outputs for the next run."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, logits=self.logits, embeddings=self.embeddings, sharpness=self.sharpness)


@dataclass(frozen=True)
class Judged:
    """Methods of joining, evaluated with true labels.

    Attributes:
        card: of the model.
        seen: its outputs for the views of each product.
        truth: by group and product the true label, or "" if it is unknown.
    """

    card: ModelCard
    seen: ViewPredictions
    truth: Mapping[str, Sequence[str]]

    @cached_property
    def ways(self) -> Mapping[str, Callable[[ViewPredictions], np.ndarray]]:
        """Methods by name: functions that return weights of the views' outputs, (N, V, A + K), with sum 1 over V."""
        labels, card = len(self.card.labels), self.card

        def product(seen: ViewPredictions) -> np.ndarray:
            return sigmoid(seen.logits[..., -1:])

        def first(seen: ViewPredictions) -> np.ndarray:
            return np.arange(seen.logits.shape[1])[None, :, None] == 0

        def best(seen: ViewPredictions) -> np.ndarray:
            """For each group the view with the most probable label; for gates the most probable product."""
            found = card.probabilities(seen.logits)
            weights = np.zeros(seen.logits.shape)
            for group in card.taxonomy.groups:
                indices = card.taxonomy.indices(group)
                top = found[..., indices].max(-1)
                weights[..., indices] = (top == top.max(1, keepdims=True))[..., None]
            shown = product(seen)
            weights[..., labels:] = shown == shown.max(1, keepdims=True)
            return weights

        def applies(seen: ViewPredictions) -> np.ndarray:
            gates = sigmoid(seen.logits[..., labels:])
            own = card.gates.factors(gates, card.taxonomy)
            return np.concatenate([own, np.broadcast_to(product(seen), gates.shape)], axis=-1)

        return {
            "the first photograph alone": first,
            "mean of logits": lambda seen: np.ones((1, 1, 1)),
            "best view of each group": best,
            "by sharpness": lambda seen: seen.sharpness[..., None],
            "by the probability of a product": product,
            "by product and applies": applies,
            "by certainty in each group (used)": lambda seen: np.stack(
                [view_weights(rows, card) for rows in seen.logits]
            ),
        }

    def scores(self, name: str, seen: ViewPredictions) -> tuple[float, float]:
        """Scores of a method.

        Returns:
            The share of products whose most probable label is right, the mean over the groups; and micro-F1 of the
            answers at the card's default profile, for products whose label is known.
        """
        weights = np.broadcast_to(self.ways[name](seen), seen.logits.shape).astype(np.float64)
        outputs = (seen.logits * weights / weights.sum(1, keepdims=True)).sum(1).astype(np.float32)
        found = self.card.probabilities(outputs)
        gates = self.card.gates.probabilities(self.card.gates.split(outputs)[1])
        given = answered_mask(self.card, found, gates=gates)
        first: list[float] = []
        hits = answers = true = 0
        for group, names in self.truth.items():
            indices = self.card.taxonomy.indices(group)
            known = np.array([bool(name) for name in names])
            of = [self.card.labels[i].name for i in indices]
            right = np.array([of.index(name) for name in names if name])
            rows = np.arange(len(right))
            first.append(float(np.mean(found[known][:, indices].argmax(1) == right)))
            hits += int(given[known][:, indices][rows, right].sum())
            answers += int(given[known][:, indices].sum())
            true += len(right)
        return float(np.mean(first)), 2 * hits / (answers + true)


def joined_rows(judged: Judged) -> list[list[str]]:
    """The scores of each method by set of views, and their means."""
    rows = []
    for name in judged.ways:
        scores = [judged.scores(name, judged.seen.select(views)) for views in SETS.values()]
        scores.append((float(np.mean([top for top, _ in scores])), float(np.mean([f1 for _, f1 in scores]))))
        rows.append([name, *(f"{top:.3f}, {f1:.3f}" for top, f1 in scores)])
    return rows


def found_rows(seen: ViewPredictions, card: ModelCard) -> list[list[str]]:
    """How often a photograph finds its product first: by joined embeddings, and by the nearest of all photographs."""
    rows = []
    for name, views in SETS.items():
        own = seen.select(views)
        embeddings = unit_vectors(own.embeddings)
        shown = sigmoid(own.logits[..., -1]) if card.gates.product else np.ones(embeddings.shape[:2])
        means = unit_vectors(embeddings.mean(1))
        joined = unit_vectors(np.stack([combine_embeddings(*each) for each in zip(own.embeddings, shown, strict=True)]))
        cells = [_first(embeddings, gallery[:, None]) for gallery in (means, joined)]
        everything = np.concatenate([embeddings, joined[:, None]], axis=1)
        rows.append([name, *(f"{cell:.1%}" for cell in (*cells, _first(embeddings, everything), _unseen(embeddings)))])
    return rows


def _first(asked: np.ndarray, gallery: np.ndarray) -> float:
    """The share of photographs (N, V, E) whose nearest of all vectors (N, W, E) is of their own product."""
    cosines = np.einsum("qe,nwe->qnw", asked.reshape(-1, asked.shape[-1]), gallery).max(-1)
    return float(np.mean(cosines.argmax(1) == np.repeat(np.arange(len(asked)), asked.shape[1])))


def _unseen(embeddings: np.ndarray) -> float:
    """The same with each photograph left out of the gallery when it is the query."""
    found = []
    for view in range(embeddings.shape[1]):
        others = np.delete(embeddings, view, axis=1)
        everything = np.concatenate([others, unit_vectors(others.mean(1))[:, None]], axis=1)
        found.append(_first(embeddings[:, view : view + 1], everything))
    return float(np.mean(found))


def sharpness(image: Image.Image) -> float:
    """The variance of the Laplacian of the gray image at 200 px."""
    gray = np.asarray(image.convert("L").resize((200, 200)), np.float32)
    inner = gray[1:-1, 1:-1]
    return float((4 * inner - gray[:-2, 1:-1] - gray[2:, 1:-1] - gray[1:-1, :-2] - gray[1:-1, 2:]).var())


def predict_views(predictor: Predictor, images: Iterable[Image.Image], total: int) -> ViewPredictions:
    """A model's outputs for the views of photographs."""
    logits, embeddings, sharp = [], [], []
    for seed, image in enumerate(tqdm(images, total=total, unit="product", disable=None)):
        views = made_views(image, seed)
        found = predictor.predict(list(views))
        logits.append(np.stack([logits_of(prediction) for prediction in found]))
        embeddings.append(np.stack([prediction.embedding for prediction in found]))
        sharp.append([sharpness(view) for view in views])
    return ViewPredictions(np.stack(logits), np.stack(embeddings), np.array(sharp))


def labeled(
    table_file: Path, attributes: Path | None, card: ModelCard, count: int
) -> tuple[list[Path], dict[str, list[str]]]:
    """Photographs and, by group, their labels in the model's names; "" if unknown.

    Raises:
        DataError: a table that has none of the model's groups.
    """
    rows = _read(table_file)[:count]
    further = {row["image"]: row for row in _read(attributes)} if attributes else {}
    named = {"sleeve_length": "sleeve"}
    columns = {
        column: named.get(column, column) for column in dict.fromkeys([*rows[0], *next(iter(further.values()), {})])
    }
    truth: dict[str, list[str]] = {}
    for column, group in columns.items():
        if group in card.taxonomy.groups and group not in truth:
            cells = [row.get(column) or further.get(row["image"], {}).get(column, "") for row in rows]
            names = set(card.taxonomy.names(group))
            known = [cell if cell in names else "" for cell in cells]
            if sum(map(bool, known)) >= LEAST_KNOWN:
                truth[group] = known
    if not truth:
        raise DataError(f"{table_file} has no column that is a group of the model: {', '.join(card.taxonomy.groups)}")
    return [table_file.parent / "images" / row["image"] for row in rows], truth


def drawn(count: int, card: ModelCard, side: int = DRAWN_SIDE) -> tuple[list[Image.Image], dict[str, list[str]]]:
    """Drawn garments, `side` px wide and high, and those of their labels that the model has."""
    images: list[Image.Image] = []
    truth: dict[str, list[str]] = {group: [] for group, _ in DRAWN_NAMES.values()}
    for seed in tqdm(range(count), "drawing", unit="image", disable=None):
        image, labels = draw(seed, side)
        images.append(image)
        for of, (group, names) in DRAWN_NAMES.items():
            name = next(iter(labels.get(of, [])), "")
            name = names.get(name, name)
            truth[group].append(name if name in card.taxonomy.names(group) else "")
    return images, truth


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def section(judged: Judged, source: str, command: str) -> str:
    """The Markdown that goes into the page."""
    known = ", ".join(f"{group} {sum(map(bool, names)):,}" for group, names in judged.truth.items())
    return "\n\n".join(
        [
            f"**{source}**, {len(judged.seen.logits):,} products. First the share of products whose most "
            f"probable label is right, the mean over the groups (products whose label is known: {known}), then "
            "micro-F1 of the default profile's answers. The three photographs of a product are generated from one; "
            "real second photographs were not available.",
            table(["joined by", *SETS, "mean"], joined_rows(judged)),
            "How often a photograph finds its own product first, by the embedding, among the products of this table:",
            table(
                [
                    "photographs",
                    "mean",
                    "weighted by product (the joined one)",
                    "nearest of all (used)",
                    "a photograph that is not in the catalog, nearest of all",
                ],
                found_rows(judged.seen, judged.card),
            ),
            f"Machine: {describe()}. Measured by\n\n    {command}",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views", description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, metavar="TABLE", help="CSV file of labeled photographs")
    parser.add_argument("--attributes", type=Path, metavar="TABLE", help="CSV file of further labels of them")
    parser.add_argument("--drawn", type=int, metavar="N", help="so many drawn garments instead")
    parser.add_argument("--source", default="Drawn garments", help="what the page calls the photographs")
    parser.add_argument("--count", type=int, default=EVERYTHING, help="the first photographs only")
    parser.add_argument("--keep", type=Path, metavar="FILE", help=".npz, read if it is there, else written")
    parser.add_argument("--section", default="views", help="of docs/scoring.md (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        if (options.data is None) == (options.drawn is None):
            raise SettingError("give one of --data and --drawn")
        card = ModelCard.load(options.bundle)
        kept = options.keep is not None and options.keep.is_file()
        photographs: Sequence[Source]
        if options.data is None:
            photographs, truth = drawn(options.drawn, card, SMALLEST_SIDE if kept else DRAWN_SIDE)
        else:
            photographs, truth = labeled(options.data, options.attributes, card, options.count)
        if kept:
            seen = ViewPredictions(**np.load(options.keep))
        else:
            predictor = Predictor.from_bundle(options.bundle)
            seen = predict_views(predictor, (decode(photograph) for photograph in photographs), len(photographs))
            if options.keep:
                seen.save(options.keep)
        shown = [f"--drawn {options.drawn}"] if options.data is None else [f"--data TABLE --source {options.source!r}"]
        shown += ["--attributes TABLE"] * (options.attributes is not None)
        shown += [f"--count {options.count}"] * (options.count != EVERYTHING)
        command = " ".join(["python -m benchmarks.views BUNDLE", *shown, f"--section {options.section}"])
        write_section(options.section, section(Judged(card, seen, truth), options.source, command), PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
