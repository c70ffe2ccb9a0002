"""Imports weights of the project VisualFashionAttributePrediction as a bundle: python -m training.import_weights FILE

That project trained torchvision's ResNet50 for the 228 labels of iMaterialist 2018 at 512x512 px, ignoring the aspect
ratio, and published it as a Lightning checkpoint, a state dict and ONNX files. No code in a file is executed, and the
bundle is written only if its files give the same answers as the source.
"""

import argparse
import csv
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from fashion.backbones.families import build
from fashion.engines import OnnxEngine, TorchEngine
from fashion.errors import BundleError, DataError, one_line_errors
from fashion.folders import atomic_folder
from fashion.model_card import CHECKPOINT_FILE, ONNX_FILE, ModelCard, sha256
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec, load_pixels
from fashion.taxonomy import Label, Taxonomy, imaterialist
from training.bundle.folders import check_bundle_replaceable
from training.bundle.parity import check_fp32
from training.data.images import Photographs, open_split
from training.export import (
    PARITY_IMAGES,
    VALIDATION_IMAGES,
    add_int8,
    check_complete,
    first_pixels,
    fp32_engines,
    make_card,
    write_fp32,
)
from training.fitting.module import FashionModule
from training.profiles.predictions import predict
from training.profiles.share_corrections import correct_shares
from training.profiles.validation import with_thresholds
from training.sources import open_folder, read_description
from training.sources.drawing import draw
from training.sources.opening import DEFAULT_CACHE
from training.weights import first_weights, torch_files
from training.weights.foreign_weights import WeightsSource, read_source

# Normalization and input size from that project's documentation.
MEAN, STD, SIZE = (0.6765, 0.6347, 0.6207), (0.3284, 0.3371, 0.3379), 512
DRAWN_IMAGES, DRAWN_SIZE = 4, 256  # number and px of synthetic images for comparing files if no photographs are given


def import_weights(
    file: Path,
    out: Path,
    *,
    name: str = "fashion",
    version: str = "1.0",
    arch: str = "resnet50",
    taxonomy: Taxonomy | None = None,
    size: int = SIZE,
    data: Path | None = None,
    cache: Path = DEFAULT_CACHE,
    command: str = "training.import_weights.import_weights",
) -> ModelCard:
    """Write a bundle with the weights of a file, atomically.

    Args:
        file: a Lightning checkpoint, a state dict with any prefix before torchvision's names, or a `.onnx`.
        out: the folder to write; an existing bundle is replaced when the new one is complete.
        name, version: of the model; included in answers.
        arch: of the network, see `fashion.backbones.families`.
        taxonomy: labels in output order; None for the 228 of iMaterialist, where output index = label id - 1.
        size: of the input, px.
        data: labeled photographs, any folder that training can read. Their val split is used for thresholds and scores,
            their train split (or val, if there is none) for the ranges of the int8 file. Without them the card has only
            the profile 0.5 and the bundle no int8 file.
        cache: folder for imported data.
        command: the command recorded in the card.

    Returns:
        The model card that was written.

    Raises:
        BundleError: the file is broken, holds more than weights or is of another network, or files disagree.
        DataError: the data cannot be used.
    """
    taxonomy = taxonomy or imaterialist()
    spec = InputSpec(size=size, mean=MEAN, std=STD)
    check_bundle_replaceable(out)
    source = read_source(file, arch, spec)
    module = _module(file, source.state, arch, taxonomy, spec)
    validation = open_split(data, "val", taxonomy, spec, cache=cache).sample(VALIDATION_IMAGES) if data else None
    images = first_pixels(validation, PARITY_IMAGES) if validation else _synthetic_images(spec)
    print(f"import {file}: {source.kind}; {arch}, {len(taxonomy)} labels, {size} px", flush=True)
    if source.engine:
        check_fp32({file.name: source.engine, "its weights": TorchEngine(module.network, spec)}, images)
    with atomic_folder(out) as folder:
        _write_checkpoint(module, folder / CHECKPOINT_FILE)
        write_fp32(module, folder)
        engines = ({file.name: source.engine} if source.engine else {}) | fp32_engines(module, folder)
        differences = check_fp32(engines, images)
        for other, difference in differences.items():
            print(f"       {other}: largest difference of a probability {difference:.1e}", flush=True)
        card = make_card(module, folder, name, version, _origin(file, source, command))
        if data and validation:
            card = _fit(card, folder, data, cache, validation)
        card.metrics["parity"] = {"images": len(images), "largest_probability_difference": differences}
        card.save(folder)
    return card


def _module(file: Path, state: dict[str, Tensor], arch: str, taxonomy: Taxonomy, spec: InputSpec) -> FashionModule:
    outputs = len(state[build(arch, 1).head_weights[1]])
    if outputs != len(taxonomy):
        raise BundleError(
            f"{file} has {outputs} outputs, expected {len(taxonomy)}, one for each label; name its own by --labels FILE"
        )
    module = FashionModule(arch=arch, weights=first_weights.NONE)
    module.build(taxonomy, spec)
    module.network.load_state_dict(state, strict=False)  # names were checked; old files lack num_batches_tracked
    return module.eval()


def _write_checkpoint(module: FashionModule, path: Path) -> None:
    """Write a checkpoint in the format of `training.fitting.runs.write_slim`."""
    import pytorch_lightning

    content = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        "hparams_name": "kwargs",
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": pytorch_lightning.__version__,
    }
    torch_files.write(content, path)


def _origin(file: Path, source: WeightsSource, command: str) -> dict[str, Any]:
    return {
        "command": command,
        "source": {"file": file.name, "sha256": sha256(file), "kind": source.kind},
    }


def _fit(card: ModelCard, folder: Path, data: Path, cache: Path, validation: Photographs) -> ModelCard:
    """Add thresholds, scores, the int8 file and share corrections, as `training.export` does."""
    reference = predict(Predictor(card, OnnxEngine(folder / ONNX_FILE, card.input)), validation, "validate fp32")
    if not (reference.targets >= 0).any():
        raise DataError(f"{data} has no annotations of the groups {', '.join(card.taxonomy.groups)}")
    card = with_thresholds(card, str(data), reference)
    split = "train" if read_description(open_folder(data, None, cache))["splits"].get("train") else "val"
    training = open_split(data, split, card.taxonomy, card.input, cache=cache)
    card, predictions = add_int8(card, folder, reference, validation, training)
    return replace(card, share_corrections=correct_shares(predictions, card))


def _synthetic_images(spec: InputSpec) -> np.ndarray:
    """Synthetic images to compare files on, uint8 (B, S, S, 3)."""
    return np.stack([load_pixels(draw(seed, DRAWN_SIZE)[0], spec) for seed in range(DRAWN_IMAGES)])


def read_labels(file: Path) -> Taxonomy:
    """Read labels from a CSV file with the columns `group` and `name`, one row per output, in order.

    Raises:
        DataError: the file is missing or has another layout.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            return Taxonomy(tuple(_label(row, f"{file}:{reader.line_num}") for row in reader))
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from None
    except (KeyError, ValueError, csv.Error):
        raise DataError(f"{file} is not a list of labels; expected CSV with the columns group and name") from None


def _label(row: dict[str, str], where: str) -> Label:
    if not (row["group"] and row["name"]):
        raise DataError(f"{where} lacks its group or its name; expected both for each output")
    return Label(row["group"], row["name"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Import a file and print a summary."""
    parser = argparse.ArgumentParser(
        prog="python -m training.import_weights",
        description="Turn weights of VisualFashionAttributePrediction into a bundle that serves.",
    )
    parser.add_argument("file", type=Path, help="Lightning checkpoint, state dict (.pth) or .onnx")
    parser.add_argument("--out", type=Path, help="folder to write (default: runs/FILE/bundle)")
    parser.add_argument("--data", type=Path, help="labeled photographs: fits the thresholds, and makes the int8 file")
    parser.add_argument("--name", default="fashion", help="name of the model (default: %(default)s)")
    parser.add_argument("--model-version", default="1.0", help="version of the model (default: %(default)s)")
    parser.add_argument("--arch", default="resnet50", help="resnet50, resnet18 or timm/NAME (default: %(default)s)")
    parser.add_argument("--size", type=int, default=SIZE, help="input size, px (default: %(default)s)")
    parser.add_argument(
        "--labels", type=Path, help="CSV with group and name of each output (default: the 228 of iMaterialist 2018)"
    )
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="folder for imported data (default: %(default)s)"
    )
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    out = options.out or Path("runs") / options.file.stem / "bundle"
    with one_line_errors():
        card = import_weights(
            options.file,
            out,
            name=options.name,
            version=options.model_version,
            arch=options.arch,
            taxonomy=read_labels(options.labels) if options.labels else None,
            size=options.size,
            data=options.data,
            cache=options.cache,
            command=shlex.join(["python", "-m", "training.import_weights", *arguments]),
        )
        check_complete(out, card)
        print(f"wrote  {out}: {', '.join(card.files)}")
        if not options.data:
            print("note   no int8 file and no fitted thresholds; both need photographs with labels: --data FOLDER")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
