"""Exports a training run as a bundle: the model in four files that give the same answers, and its model card.

From the command line:  python -m training.export runs/NAME
"""

import argparse
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version as package_version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fashion.backbones.families import build, family
from fashion.engines import Engine, OnnxEngine, TorchEngine, open_engine
from fashion.errors import BundleError, one_line_errors
from fashion.files import utc_now
from fashion.folders import atomic_folder
from fashion.model_card import CHECKPOINT_FILE, INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, sha256
from fashion.predictor import Predictor
from training.bundle.folders import check_bundle_replaceable
from training.bundle.initial_model import compare_with_initial_model, describe_initial_comparison
from training.bundle.int8_speed import measure
from training.bundle.onnx_files import CALIBRATIONS, write_int8, write_onnx
from training.bundle.parity import check_fp32, check_int8, compare_int8, is_close
from training.data.catalogs import Paths, describe_paths
from training.data.images import Photographs
from training.fitting.module import FashionModule
from training.fitting.runs import TrainingRun, load_module, untested_card, write_slim
from training.profiles.gate_scores import score_gates
from training.profiles.predictions import Predictions, predict
from training.profiles.share_corrections import correct_shares, describe_corrections
from training.profiles.validation import describe, more_images, with_thresholds
from training.weights import torch_files

PARITY_IMAGES = 16  # real images that every fp32 file is run on
CALIBRATION_IMAGES = 256  # training images for the activation ranges of the int8 file
VALIDATION_IMAGES = 5_000  # drawn from the validation split for profiles, metrics and the int8 check
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "onnx", "onnxruntime", "numpy", "pillow")


def export(
    run: TrainingRun,
    out: Path,
    checkpoint: str = "best",
    data: Paths | None = None,
    name: str = "fashion",
    version: str = "1.0",
    int8: bool = True,
    mirrored: bool = False,
) -> ModelCard:
    """Write a bundle atomically, after checking every file on real validation images.

    Args:
        run: the training run.
        out: the folder to write; an existing bundle is replaced when the new one is complete.
        checkpoint: `best`, `last` or a file.
        data: the data of the run, if they have moved.
        name, version: of the model; included in answers.
        int8: write the int8 file as well.
        mirrored: answer each image together with its mirror image, see `fashion.mirrored`.

    Returns:
        The model card that was written.

    Raises:
        BundleError: the checkpoint is missing or broken, files disagree, or `out` exists and is not a bundle.
        DataError: the data of the run cannot be opened.
    """
    check_bundle_replaceable(out)
    path = run.checkpoint(checkpoint)
    module = load_module(path)
    validation = run.split("val", module, data).sample(VALIDATION_IMAGES)
    with atomic_folder(out) as folder:
        print(
            f"export {path}: {module.hparams['arch']}, {len(module.taxonomy)} labels, {module.spec.size} px", flush=True
        )
        write_slim(path, folder / CHECKPOINT_FILE)
        write_fp32(module, folder)
        differences = check_fp32(fp32_engines(module, folder), first_pixels(validation, PARITY_IMAGES))
        for file, difference in differences.items():
            print(f"       {file}: largest difference of a probability {difference:.1e}", flush=True)
        card = make_card(module, folder, name, version, {"command": run.command, "settings": run.settings})
        card = replace(card, mirrored=mirrored)
        reference = _predict_each({"validate": validation}, card, folder / ONNX_FILE)
        card = with_thresholds(card, describe_paths(data or run.settings["data"]["path"]), reference)
        print(describe(card), flush=True)
        comparison = compare_with_initial_model(run, card, reference, validation)
        if comparison is not None:
            print(describe_initial_comparison(comparison), flush=True)
            card.metrics["beginning"] = comparison
        card.metrics["parity"] = {"images": PARITY_IMAGES, "largest_probability_difference": differences}
        predictions = reference.recalibrated(card)
        if int8:
            card, predictions = add_int8(card, folder, reference, validation, run.split("train", module, data))
        card = replace(card, share_corrections=correct_shares(predictions, card))
        print(describe_corrections(card), flush=True)
        card.save(folder)
    return card


def write_fp32(module: FashionModule, folder: Path) -> None:
    """Write model.pth and model.onnx."""
    torch_files.write(module.network.state_dict(), folder / STATE_DICT_FILE)
    write_onnx(module.network, module.spec, folder / ONNX_FILE)


def fp32_engines(module: FashionModule, folder: Path) -> dict[str, Engine]:
    """An engine for each fp32 file, read back from disk as a user would."""
    state_dict = build(module.hparams["arch"], len(module.taxonomy) + len(module.gates))
    state_dict.load_state_dict(torch_files.read(folder / STATE_DICT_FILE))
    return {
        CHECKPOINT_FILE: TorchEngine(load_module(folder / CHECKPOINT_FILE).network, module.spec),
        STATE_DICT_FILE: TorchEngine(state_dict, module.spec),
        ONNX_FILE: OnnxEngine(folder / ONNX_FILE, module.spec),
    }


def make_card(module: FashionModule, folder: Path, name: str, version: str, training: dict[str, Any]) -> ModelCard:
    """The card before the model was run: no fitted values, only the fp32 files in `folder`."""
    return untested_card(
        module,
        name=name,
        version=version,
        created=utc_now(),
        files={file: sha256(folder / file) for file in (CHECKPOINT_FILE, STATE_DICT_FILE, ONNX_FILE)},
        training=training,
        versions={"python": platform.python_version()} | {package: package_version(package) for package in PACKAGES},
    )


def add_int8(
    card: ModelCard, folder: Path, reference: Predictions, validation: Photographs, training: Photographs
) -> tuple[ModelCard, Predictions]:
    """Write model.int8.onnx; return the card with it, and the file's predictions for the validation images.

    Args:
        card: with profiles.
        folder: holds model.onnx.
        reference: predictions of the fp32 model for `validation`.
        validation: images on which both must have the same micro-F1.
        training: images for the ranges of the activations. If validation has too few labels for a comparison, some of
            these are added.

    Raises:
        BundleError: the micro-F1 differs with every quantization that the network's family offers.
    """
    images = first_pixels(training.sample(CALIBRATION_IMAGES), CALIBRATION_IMAGES)
    judged, fp32 = {"validate": validation}, reference.recalibrated(card)
    # Compare on other images than those of the ranges, if there are enough.
    skip = CALIBRATION_IMAGES if len(training) > 2 * CALIBRATION_IMAGES else 0
    more = more_images(reference.targets, len(training) - skip)
    if more:
        judged["train"] = training.sample(more, skip)
        fp32 += _predict_each({"train": judged["train"]}, card, folder / ONNX_FILE)
    comparisons = []
    for operations, method in product(family(card.arch).QUANTIZED, CALIBRATIONS):
        what = f"{', '.join(operations)}; ranges: {method} of {len(images)} training images"
        print(f"       quantizing to int8: {what}", flush=True)
        batches = tqdm([images[start : start + 8] for start in range(0, len(images), 8)], "quantize", unit="batch")
        write_int8(folder / ONNX_FILE, card.input, batches, folder / INT8_FILE, method, operations)
        int8 = _predict_each(judged, card, folder / INT8_FILE)
        comparison = compare_int8(fp32, int8, card.threshold_row(), card.taxonomy)
        print(
            f"       {INT8_FILE}: micro-F1 {comparison['micro_f1_int8']:.4f}, fp32 {comparison['micro_f1_fp32']:.4f}; "
            f"the same first label of a group in {comparison['same_first_label']:.1%} of answers",
            flush=True,
        )
        comparisons.append(comparison | {"training_images": more, "ranges": method, "operations": list(operations)})
        if len(card.gates):
            comparisons[-1]["gates"] = score_gates(int8.gate_predictions, card.gate_row)
        if is_close(comparison):
            break
    check_int8(comparisons)
    speed = measure(folder / ONNX_FILE, folder / INT8_FILE, card.input, images[0])
    print(f"       {INT8_FILE}: {speed.describe()}", flush=True)
    if speed.warning():
        print(f"warning: {speed.warning()}", file=sys.stderr, flush=True)
    card = replace(card, files=card.files | {INT8_FILE: sha256(folder / INT8_FILE)})
    card.metrics["int8"] = comparisons[-1] | asdict(speed)
    return card, int8[: len(validation)]


def _predict_each(splits: Mapping[str, Photographs], card: ModelCard, file: Path) -> Predictions:
    """Predictions of an ONNX file for the images of several splits, concatenated."""
    predictor = Predictor(card, OnnxEngine(file, card.input))
    precision = "int8" if file.name == INT8_FILE else "fp32"
    first, *others = [predict(predictor, images, f"{name} {precision}") for name, images in splits.items()]
    return sum(others, first)


def first_pixels(images: Photographs, count: int) -> np.ndarray:
    """Pixels of the first `count` images, uint8 (B, S, S, 3)."""
    return np.stack([images[i]["pixels"].numpy() for i in range(min(count, len(images)))])


def main(arguments: Sequence[str] | None = None) -> int:
    """Export a run and print a summary."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description="Turn a training run into a bundle.")
    parser.add_argument("run", type=Path, help="folder of the run, written by python -m training.fit")
    parser.add_argument("--out", type=Path, help="folder to write (default: RUN/bundle)")
    parser.add_argument("--checkpoint", default="best", help="best, last or a file (default: %(default)s)")
    parser.add_argument(
        "--data", type=Path, nargs="+", help="data folder or folders, if they have moved since the training"
    )
    parser.add_argument("--name", default="fashion", help="name of the model (default: %(default)s)")
    parser.add_argument("--model-version", default="1.0", help="version of the model (default: %(default)s)")
    parser.add_argument("--no-int8", dest="int8", action="store_false", help="do not write the int8 file")
    parser.add_argument(
        "--mirrored",
        action="store_true",
        help="answer each image together with its mirror image: a little more accurate, in twice the time",
    )
    options = parser.parse_args(arguments)
    out = options.out or options.run / "bundle"
    with one_line_errors():
        card = export(
            TrainingRun(options.run),
            out,
            options.checkpoint,
            options.data,
            options.name,
            options.model_version,
            options.int8,
            options.mirrored,
        )
        check_complete(out, card)
        scores = card.metrics["validation"]["profiles"][card.default_profile]
        print(
            f"wrote  {out}: {', '.join(card.files)}; micro-F1 {scores['micro_f1'] or 0:.3f} on validation, out of fold"
        )
    return 0


def check_complete(out: Path, card: ModelCard) -> None:
    """Open the written bundle as a user would. Raises BundleError if a file is missing."""
    open_engine(out, ModelCard.load(out))
    missing = [file for file in card.files if not (out / file).is_file()]
    if missing:
        raise BundleError(f"{out} lacks {missing[0]}; export again")


if __name__ == "__main__":
    raise SystemExit(main())
