"""Fits the product gate of a finished bundle again, on more kinds of pictures that show no product.

From the command line:  python -m training.product_gate BUNDLE --data FOLDER FOLDER --negatives FOLDER --out BUNDLE

Only the last output of the network changes; what the model says of a product stays as it was. There is no training:
each photograph is run once, and the gate is a logistic regression on the embeddings. It takes minutes on a CPU.
"""

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from fashion.errors import BundleError, SettingError, one_line_errors
from fashion.files import utc_now
from fashion.folders import atomic_folder
from fashion.gates import DEFAULT_THRESHOLD, PRODUCT, Gates
from fashion.model_card import ModelCard, checked_file, sha256
from fashion.prediction import Prediction, sigmoid
from fashion.predictor import CHUNK, Predictor
from fashion.preprocess import Source, decode
from fashion.taxonomy import NO, YES
from fashion.text_tables import text_table
from training.bundle.folders import check_bundle_replaceable
from training.data.backgrounds import place_in_front
from training.data.catalogs import Catalog, check_splits, open_catalogs, open_negative_catalogs
from training.data.draws import seeded_generator
from training.data.images import Photographs, Reader, open_rows
from training.profiles.gate_scores import FALSE_ALARMS, GatePredictions, score_gates
from training.profiles.predictions import add_prediction_flags
from training.sources.opening import DEFAULT_CACHE
from training.weights.head_rows import replace_head_row

SPLITS = ("train", "val")
PHOTOGRAPHS = 5_000  # at most this many are drawn from each folder and split
PHOTOGRAPHS_IN_FRONT = 1_000  # the same, of products that come in front of other pictures too
IN_FRONT = "products in front of pictures without one"
# Largest share of any one folder's products that is rejected. FALSE_ALARMS is of all folders together, where a large
# one of easy photographs hides a small one of difficult ones.
FALSE_ALARMS_IN_A_FOLDER = 0.01
PENALTY = 5e-4  # of the squared weights, for embeddings of mean square 1
STEPS = 300  # of L-BFGS, at most
MARGIN = 0.01  # of the gate's logit: products at the threshold pass in spite of rounding


@dataclass(frozen=True)
class GateFolder:
    """What the model says of the photographs of a folder.

    Attributes:
        name: its path.
        shows_products: whether its photographs show products; otherwise none does.
        train, val: float32 (N, E), embeddings of the two splits.
        before: float32 (N,), probability of a product by the gate as it was, of the validation photographs.
    """

    name: str
    shows_products: bool
    train: np.ndarray
    val: np.ndarray
    before: np.ndarray


def refit_product_gate(
    bundle: Path,
    data: Sequence[Path],
    negatives: Sequence[Path],
    out: Path,
    version: str | None = None,
    cache: Path = DEFAULT_CACHE,
    engine: str = "auto",
) -> tuple[ModelCard, str]:
    """Write a copy of a bundle with another product gate.

    The gate is fitted on the training photographs. So that it knows products by themselves and not by where they are
    photographed, products with a plain background also come in front of the pictures without a product. The bias is
    then shifted so that at 0.5, its threshold, the gate rejects at most `FALSE_ALARMS` of the validation products and
    at most `FALSE_ALARMS_IN_A_FOLDER` of those in any folder, or in front of other pictures.

    Args:
        bundle: the folder of a model with a product gate.
        data: folders of products that training can read; each counts the same, whatever its size. Labels are not used.
        negatives: folders of photographs without a product, see `training.sources.opening.open_negatives`.
        out: the folder to write; an existing bundle is replaced.
        version: of the new model; None for the same.
        cache: folder for imported data.
        engine: runs the network.

    Returns:
        The new card, and a table of the validation photographs rejected before and now.

    Raises:
        BundleError: the bundle is broken or has no product gate, or `out` exists and is not a bundle.
        DataError: a folder cannot be used or lacks a split.
        SettingError: `out` is the bundle.
    """
    if out.resolve() == bundle.resolve():
        raise SettingError(f"--out {str(out)!r} is the bundle itself; choose another folder")
    check_bundle_replaceable(out)
    predictor = Predictor.from_bundle(bundle, engine)
    card = predictor.card
    if not card.gates.product:
        raise BundleError(f"{bundle} has no product gate; train it with --data.negatives")
    folders = _run_all(predictor, data, negatives, cache)
    weight, bias = fit_gate([each.train for each in folders], [each.shows_products for each in folders])
    bias -= _threshold([each.val @ weight + bias for each in folders if each.shows_products])
    now = [sigmoid(each.val @ weight + np.float32(bias)) for each in folders]
    with atomic_folder(out) as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        for file in card.files:
            replace_head_row(checked_file(folder, card, file), card.arch, -1, weight, bias)
        card = replace(
            card,
            version=version or card.version,
            created=utc_now(),
            files={file: sha256(folder / file) for file in card.files},
            gate_thresholds=card.gate_thresholds | {PRODUCT: DEFAULT_THRESHOLD},
            metrics=_with_scores(card, folders, now),
        )
        card.save(folder)
        Predictor.from_bundle(folder, engine)  # as a user would
    return card, _table(folders, now, predictor.card)


def fit_gate(embeddings: Sequence[np.ndarray], shows_products: Sequence[bool]) -> tuple[np.ndarray, float]:
    """Logistic regression of whether there is a product, all folders of one kind weighing the same, and both kinds.

    Args:
        embeddings: float32 (N, E), of each folder.
        shows_products: for each folder, whether its photographs show products.

    Returns:
        Weight, float32 (E,) of values that half precision holds, as int8 files do; and bias.
    """
    kinds = np.array(shows_products)
    sizes = [len(each) for each in embeddings]
    targets = torch.from_numpy(np.repeat(kinds.astype(float), sizes))
    weights = torch.from_numpy(np.repeat([0.5 / (kinds == kind).sum() for kind in kinds] / np.array(sizes), sizes))
    inputs = torch.from_numpy(np.concatenate(embeddings)).double()
    scale = inputs.square().mean().sqrt()
    inputs /= scale
    gate = torch.zeros(inputs.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([gate], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = inputs @ gate[:-1] + gate[-1]
        value = binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
        value += 0.5 * PENALTY * gate[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    weight = (gate[:-1].detach() / scale).numpy()
    return weight.astype(np.float16).astype(np.float32), float(gate[-1].detach())


def _run_all(predictor: Predictor, data: Sequence[Path], negatives: Sequence[Path], cache: Path) -> list[GateFolder]:
    """The outputs for all folders, and for a made one: products in front of the pictures without a product."""
    products = [_open(open_catalogs(path, cache=cache)[0], predictor.card, cache) for path in data]
    others = [_open(open_negative_catalogs([path], cache)[0], predictor.card, cache) for path in negatives]
    folders = [
        _run(predictor, str(path), shows_products, {split: _encoded(images[split]) for split in SPLITS})
        for paths, opened, shows_products in ((data, products, True), (negatives, others, False))
        for path, images in zip(paths, opened, strict=True)
    ]
    in_front = {
        split: _in_front([images[split] for images in products], [images[split] for images in others])
        for split in SPLITS
    }
    made = _run(predictor, IN_FRONT, True, in_front)
    return [*folders, made] if len(made.train) and len(made.val) else folders  # no product may have a plain background


def _open(catalog: Catalog, card: ModelCard, cache: Path) -> dict[str, Photographs]:
    check_splits([catalog], SPLITS)
    reader = Reader(card.taxonomy, card.input, [catalog])
    return {split: Photographs(open_rows([catalog], split, cache), reader).sample(PHOTOGRAPHS) for split in SPLITS}


def _encoded(images: Photographs) -> Iterator[bytes]:
    return (images.encoded(i) for i in range(len(images)))


def _in_front(products: Sequence[Photographs], others: Sequence[Photographs]) -> Iterator[Image.Image]:
    """Some products of each folder, if they have a plain background, in front of other pictures."""
    generator = seeded_generator(0)
    for folder in products:
        drawn = folder.sample(PHOTOGRAPHS_IN_FRONT)
        for i in range(len(drawn)):
            scenes = others[i % len(others)]
            scene = decode(scenes.encoded(int(torch.randint(len(scenes), (), generator=generator))))
            made = place_in_front(decode(drawn.encoded(i)), scene, generator)
            if made is not None:
                yield made


def _run(predictor: Predictor, name: str, shows_products: bool, images: Mapping[str, Iterator[Source]]) -> GateFolder:
    found: dict[str, list[Prediction]] = {split: [] for split in SPLITS}
    for split, predictions in found.items():
        with tqdm(desc=f"{name} {split}", unit="image") as bar:
            while part := list(islice(images[split], CHUNK)):
                predictions += [outcome.get() for outcome in predictor.predict_each(part)]
                bar.update(len(part))
    train, val = (np.array([each.embedding for each in predictions], np.float32) for predictions in found.values())
    before = np.array([each.product for each in found["val"]], np.float32)
    return GateFolder(name, shows_products, train, val, before)


def _threshold(products: Sequence[np.ndarray]) -> float:
    """The largest threshold for the logits of each folder's products that rejects few enough of them."""

    def limit(logits: np.ndarray, share: float) -> float:
        return float(np.sort(logits)[int(share * len(logits))])

    limits = [limit(each, FALSE_ALARMS_IN_A_FOLDER) for each in products]
    return min(limit(np.concatenate(products), FALSE_ALARMS), *limits) - MARGIN


def _with_scores(card: ModelCard, folders: Sequence[GateFolder], now: Sequence[np.ndarray]) -> dict[str, Any]:
    """The card's metrics with the scores of the new gate in place of the old one's."""
    kinds = np.repeat([YES if each.shows_products else NO for each in folders], [len(each) for each in now])
    gate = GatePredictions(Gates(product=True), np.concatenate(now)[:, None], kinds[:, None])
    scores = score_gates(gate, np.array([DEFAULT_THRESHOLD]))[PRODUCT] | {"data": [each.name for each in folders]}
    validation = card.metrics.get("validation", {})
    gates = validation.get("gates", {}) | {PRODUCT: scores}
    return card.metrics | {"validation": validation | {"gates": gates}}


def _table(folders: Sequence[GateFolder], now: Sequence[np.ndarray], before: ModelCard) -> str:
    rows = []
    for each, probabilities in zip(folders, now, strict=True):
        rejected = (
            each.before < before.gate_row[-1],
            probabilities < DEFAULT_THRESHOLD,
        )
        kind = "products" if each.shows_products else "no product"
        rows.append([each.name, kind, f"{len(probabilities):,}", *(f"{share.mean():.1%}" for share in rejected)])
    return text_table(["validation photographs", "of", "number", "rejected before", "now"], rows, range(2, 5))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the bundle and print what the old and the new gate reject."""
    parser = argparse.ArgumentParser(
        prog="python -m training.product_gate",
        description="Fit the product gate of a bundle again, on more kinds of pictures that show no product.",
    )
    parser.add_argument("bundle", type=Path, help="folder of a model with a product gate")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="photographs of products: any folders that training can read",
    )
    parser.add_argument(
        "--negatives", type=Path, nargs="+", required=True, help="folders of photographs that show no product"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--model-version", help="version of the new model (default: the same)")
    add_prediction_flags(parser)
    options = parser.parse_args(arguments)
    with one_line_errors():
        _, table = refit_product_gate(
            options.bundle,
            options.data,
            options.negatives,
            options.out,
            options.model_version,
            options.cache,
            options.engine,
        )
        print(table)
        print(f"wrote  {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
