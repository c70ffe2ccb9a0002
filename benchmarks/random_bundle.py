"""A bundle with random weights, for measuring speed: the real network and files."""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fashion.errors import BundleError
from fashion.model_card import INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, sha256
from fashion.preprocess import InputSpec, load_pixels
from fashion.taxonomy import Taxonomy, imaterialist

if TYPE_CHECKING:
    from torch import Tensor

    from fashion.backbones.contract import Backbone

STATISTICS_IMAGES = 24  # for the statistics of the normalization layers and of the logits
CALIBRATION_IMAGES = 8  # for the ranges of the int8 file
SPREAD, MEAN = 2.0, -4.0  # of a label's logits: about 5 of 228 labels reach 0.5, as many as people annotate

ROOT = Path(__file__).parents[1]
CODE = (  # source files that the bundle depends on
    Path(__file__),
    ROOT / "training/bundle/onnx_files.py",
    *sorted((ROOT / "fashion/backbones").glob("*.py")),
)


def random_bundle(folder: Path, photographs: Sequence[bytes], arch: str = "resnet50", size: int = 512) -> Path:
    """Write `model.pth`, `model.onnx`, `model.int8.onnx` and the card, unless `folder` holds the same already.

    Speed does not depend on the weights. The statistics of the normalization layers are computed on photographs, so
    that different photographs get different answers, with about as many attributes as a trained model's.

    Args:
        folder: where to write; another bundle in it is replaced.
        photographs: image files; the first 24 are used.
        arch: see `fashion.backbones.families.build`; the labels are the 228 of iMaterialist 2018.
        size: of the input, px.
    """
    recipe = _recipe(photographs, arch, size)
    if _made_with(recipe, folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"writing a bundle with random weights, {arch} at {size} px: {folder}", file=sys.stderr)
    spec, taxonomy = InputSpec(size=size), imaterialist()
    batch = np.stack([load_pixels(photograph, spec) for photograph in photographs[:STATISTICS_IMAGES]])
    _write_weights(folder, arch, taxonomy, spec, batch)
    card = ModelCard(
        name="fashion",
        version="1.0",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        arch=arch,
        input=spec,
        labels=taxonomy.labels,
        thresholds={"0.5": [0.5] * len(taxonomy)},
        default_profile="0.5",
        files={name: sha256(folder / name) for name in (STATE_DICT_FILE, ONNX_FILE, INT8_FILE)},
        metrics={"data": "none: the weights are random"},
        training={"recipe": recipe},
    )
    card.save(folder)  # last: a folder with a card is complete
    return folder


def _write_weights(folder: Path, arch: str, taxonomy: Taxonomy, spec: InputSpec, batch: np.ndarray) -> None:
    import torch

    from training.bundle.onnx_files import write_int8, write_onnx

    network = _network(arch, len(taxonomy), spec, batch)
    torch.save(network.state_dict(), folder / STATE_DICT_FILE)
    write_onnx(network, spec, folder / ONNX_FILE)
    write_int8(folder / ONNX_FILE, spec, [image[None] for image in batch[:CALIBRATION_IMAGES]], folder / INT8_FILE)


def _network(arch: str, num_labels: int, spec: InputSpec, batch: np.ndarray) -> "Backbone":
    import torch

    from fashion.backbones.families import build
    from fashion.backbones.normalize import Normalize

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = build(arch, num_labels)
        images = Normalize(spec)(torch.from_numpy(batch))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # average over all batches seen, here one
        network.train()(images)
        network.eval()
        _fit_head(network, network(images).embedding)
    return network


def _fit_head(network: "Backbone", embedding: "Tensor") -> None:
    """Set random head weights whose logits vary equally for every photograph, so that each gets as many attributes."""
    import torch

    center = embedding.mean(0)
    _, spread, directions = torch.linalg.svd(embedding - center, full_matrices=False)
    count = len(embedding) - 1  # dimensions that the centered embeddings span
    whitened = directions[:count] * (len(embedding) ** 0.5 / spread[:count, None])
    head = network.get_head()
    head.weight.copy_(SPREAD * torch.randn(len(head.bias), count) @ whitened / count**0.5)
    head.bias.copy_(MEAN - head.weight @ center)


def _recipe(photographs: Sequence[bytes], arch: str, size: int) -> str:
    """A fingerprint of everything the files depend on, to detect outdated bundles."""
    digest = hashlib.sha256(f"{arch} {size}".encode())
    for file in CODE:
        digest.update(file.read_bytes())
    for photograph in photographs[:STATISTICS_IMAGES]:
        digest.update(photograph)
    return digest.hexdigest()


def _made_with(recipe: str, folder: Path) -> bool:
    try:
        return ModelCard.load(folder).training.get("recipe") == recipe
    except BundleError:
        return False
