"""Files in the formats of the project VisualFashionAttributePrediction, with random weights.

Its README names torch 1.4 and pytorch_lightning 1.0.6: checkpoints in torch's format before 1.6, with the callbacks'
classes and the trainer's arguments in them, and ONNX of opset 9 for one image.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import onnx
import torch
import torchvision
from pytorch_lightning.callbacks import ModelCheckpoint
from tiny_bundle import garments
from torch import Tensor, nn

from fashion.backbones.normalize import Normalize
from fashion.preprocess import InputSpec
from training.import_weights import MEAN, STD

SIZE = 64
SPEC = InputSpec(size=SIZE, mean=MEAN, std=STD)


def seed_network(arch: str = "resnet18", outputs: int = 228) -> nn.Module:
    """torchvision's network with batch norm statistics of images, so that different images get different answers."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = torchvision.models.get_model(arch, num_classes=outputs)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
        images = Normalize(SPEC)(torch.from_numpy(garments(16, SIZE, 3)))
        network.train()(images)
        network.eval()
        network.fc.weight.mul_(3 / network(images).std())
    return network


def fit_head(network: nn.Module, pixels: np.ndarray, targets: np.ndarray) -> nn.Module:
    """Fit the last layer to targets (B, A) of 0 and 1 by ridge regression on the features of the layers before it."""
    with torch.no_grad():
        body = nn.Sequential(*list(network.children())[:-1])
        features = body(Normalize(SPEC)(torch.from_numpy(pixels))).flatten(1)
        mean = features.mean(0)
        x, y = features - mean, torch.from_numpy(targets).float() * 8 - 4
        weight = torch.linalg.solve(x.T @ x + torch.eye(x.shape[1]), x.T @ (y - y.mean(0))).T
        network.fc.weight.copy_(weight)
        network.fc.bias.copy_(y.mean(0) - weight @ mean)
    return network


def answers(network: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """Probabilities (B, A), computed by torchvision alone."""
    with torch.inference_mode():
        return network(Normalize(SPEC)(torch.from_numpy(pixels))).sigmoid().numpy()


class Seed(nn.Module):
    """The wrapper module of that project; with `sigmoid`, it returns probabilities."""

    def __init__(self, predictor: nn.Module, sigmoid: bool = False) -> None:
        super().__init__()
        self.predictor, self.sigmoid = predictor, sigmoid

    def forward(self, images: Tensor) -> Tensor:
        logits = self.predictor(images)
        return logits.sigmoid() if self.sigmoid else logits


def write_state(network: nn.Module, path: Path, prefix: str = "", *, old: bool = False) -> Path:
    """Write a state dict in torch's current format or that before 1.6."""
    state = {prefix + name: values for name, values in network.state_dict().items()}
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    return path


def write_checkpoint(network: nn.Module, path: Path, *, old: bool = True) -> Path:
    """Write a checkpoint as Lightning 1.0 does: callbacks by class, hyperparameters in its class, with a function."""
    parsing, arguments = ModuleType("pytorch_lightning.utilities.parsing"), ModuleType("argparse_utils")
    arguments.__name__ = "pytorch_lightning.utilities.argparse_utils"
    hparams = type("AttributeDict", (dict,), {"__module__": parsing.__name__})
    default = type("_gpus_arg_default", (), {"__module__": arguments.__name__})
    parsing.AttributeDict, arguments._gpus_arg_default = hparams, default  # type: ignore[attr-defined]
    moment = {"step": 10, "exp_avg": torch.zeros(228), "exp_avg_sq": torch.zeros(228)}
    content = {
        "epoch": 3,
        "global_step": 60_000,
        "pytorch-lightning_version": "1.0.6",
        "callbacks": {ModelCheckpoint: {"best_model_score": torch.tensor(0.54), "best_model_path": "epoch=3.ckpt"}},
        "optimizer_states": [{"state": {0: moment}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]}],
        "lr_schedulers": [],
        "state_dict": {f"predictor.{name}": values for name, values in network.state_dict().items()},
        "hparams_name": "kwargs",
        "hyper_parameters": hparams(n_attributes=228, prediction_threshold=0.0, gpus=default, batch_size=16),
    }
    with patch.dict(sys.modules, {parsing.__name__: parsing, arguments.__name__: arguments}):
        torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


def write_onnx(
    network: nn.Module, path: Path, *, folded: bool = True, sigmoid: bool = False, dynamic: bool = False
) -> Path:
    """Export as `LightningModule.to_onnx` did, for one image or any number, optionally with folded batch norms."""
    mode = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old exporter is deprecated
        torch.onnx.export(
            Seed(network, sigmoid).eval(),
            (torch.zeros(1, 3, SIZE, SIZE),),
            str(path),
            dynamo=False,
            opset_version=9 if dynamic else 17,
            training=mode.EVAL if folded else mode.PRESERVE,
            do_constant_folding=folded,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}} if dynamic else None,
        )
    return path


def change_onnx(path: Path, operation: str | None = None, strides: Sequence[int] = ()) -> Path:
    """Append an operation to the output, or change the strides of the pooling."""
    model = onnx.load(path)
    if operation:
        head = next(node for node in model.graph.node if "output" in node.output)
        head.output[0] = "before"
        model.graph.node.append(onnx.helper.make_node(operation, ["before"], ["output"]))
    for node in model.graph.node:
        for attribute in node.attribute if strides and node.op_type == "MaxPool" else ():
            if attribute.name == "strides":
                attribute.ints[:] = strides
    onnx.save(model, path)
    return path
