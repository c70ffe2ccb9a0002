"""A small but real bundle: a ResNet18 with random weights, exported to every format, with its model card.

It is made in seconds and answers differently for different images; its files are loaded and run like those of a
trained model.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from fashion.backbones.contract import Backbone
from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.gates import NO_GATES, Gates
from fashion.model_card import INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, sha256
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label
from training.bundle.onnx_files import write_int8, write_onnx

# Three interleaved groups, a name with commas and one that is not ASCII, as a real taxonomy may have.
LABELS = (
    Label("category", "Dresses"),
    Label("color", "Black"),
    Label("category", "Hosiery, Stockings, Tights"),
    Label("color", "Écru"),
    Label("sleeve", "Long Sleeved"),
    Label("category", "Jeans"),
    Label("color", "Red"),
    Label("sleeve", "Sleeveless"),
    Label("category", "T-Shirts"),
    Label("color", "White"),
)
CALIBRATION = {  # sleeve is not calibrated
    "category": {"method": "temperature", "scale": 0.8, "offset": 0.0},
    "color": {"method": "platt", "scale": 1.25, "offset": -0.3},
}
TOP_K = {"category": 1, "color": 2, "sleeve": 1}
GATES = Gates(("sleeve", "category"), product=True)
GATE_THRESHOLDS = {"applies": {"category": 0.4}, "product": 0.3}


def make_tiny_bundle(
    folder: Path, labels: Sequence[Label] = LABELS, size: int = 64, seed: int = 0, gates: Gates = NO_GATES
) -> Path:
    """Write model.pth, model.onnx, model.int8.onnx and model_card.json into `folder` and return it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    spec = InputSpec(size=size)
    network = _network(len(labels) + len(gates), spec, seed)
    torch.save(network.state_dict(), folder / STATE_DICT_FILE)
    write_onnx(network, spec, folder / ONNX_FILE)
    write_int8(folder / ONNX_FILE, spec, [garments(16, size, seed + 1)], folder / INT8_FILE)
    half = [0.5] * len(labels)
    card = ModelCard(
        name="fashion",
        version="1.0",
        created="2026-01-01T00:00:00+00:00",
        arch="resnet18",
        input=spec,
        labels=tuple(labels),
        thresholds={"0.5": half, "micro-f1": [round(0.2 + 0.5 * i / len(labels), 3) for i in range(len(labels))]},
        default_profile="micro-f1",
        files={name: sha256(folder / name) for name in (STATE_DICT_FILE, ONNX_FILE, INT8_FILE)},
        metrics={"data": "none: the weights are random"},
        calibration=CALIBRATION if tuple(labels) == LABELS else {},
        top_k=TOP_K if tuple(labels) == LABELS else {},
        gates=gates,
        gate_thresholds=GATE_THRESHOLDS if gates == GATES else {},
    )
    card.save(folder)
    return folder


def garments(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Colored shapes on a light background, uint8 (count, size, size, 3), for calibration and parity checks."""
    rng = np.random.default_rng(seed)
    return np.stack([_garment(size, rng) for _ in range(count)])


def _garment(size: int, rng: np.random.Generator) -> np.ndarray:
    image = Image.new("RGB", (size, size), tuple(int(v) for v in rng.integers(200, 256, 3)))
    draw = ImageDraw.Draw(image)
    color, second = (tuple(int(v) for v in rng.integers(0, 220, 3)) for _ in range(2))
    left, top, right, bottom = (rng.uniform([0.1, 0.05, 0.6, 0.6], [0.4, 0.3, 0.9, 0.95]) * size).tolist()
    draw.polygon([(left, top), (right, top), (0.9 * size, bottom), (0.1 * size, bottom)], fill=color)
    for y in range(int(top), int(bottom), int(rng.integers(4, 20))):
        draw.line([(left, y), (right, y)], fill=second, width=int(rng.integers(1, 4)))
    noise = rng.normal(0, 4, (size, size, 3))
    return (np.asarray(image) + noise).clip(0, 255).astype(np.uint8)


def _network(num_outputs: int, spec: InputSpec, seed: int) -> Backbone:
    """Random weights with batch norm statistics of images: without them all images get the same answer."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = build("resnet18", num_outputs)
        images = Normalize(spec)(torch.from_numpy(garments(32, spec.size, seed)))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # cumulative average over batches, here one
        network.train()(images)
        network.eval()
        logits = network(images).logits
        network.fc.weight.mul_((2 / logits.std(0))[:, None])  # probabilities from about 0.1 to 0.9 for every label
        network.fc.bias.zero_()
        network.fc.bias.sub_(network(images).logits.mean(0))
    return network
