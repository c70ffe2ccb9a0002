"""Replaces one output of a finished model, a row of its last layer, in every file of a bundle."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fashion.backbones.families import build
from fashion.errors import BundleError
from fashion.model_card import CHECKPOINT_FILE, INT8_FILE, ONNX_FILE, STATE_DICT_FILE
from training.weights import torch_files

IN_CHECKPOINT = "network."  # what Lightning puts before the names of the network's weights


def replace_head_row(path: Path, arch: str, row: int, weight: np.ndarray, bias: float) -> None:
    """Rewrite one of the four files of a bundle; all other outputs keep their weights.

    Args:
        path: model.ckpt, model.pth, model.onnx or model.int8.onnx.
        arch: the network's name.
        row: index of the output, negative ones from the end.
        weight: float32 (E,). An int8 file keeps it in half precision, see `training.bundle.onnx_files.write_int8`.
        bias: added to embedding @ weight.

    Raises:
        BundleError: the file cannot be read, or does not end in a linear layer of that width.
    """
    if path.name in (ONNX_FILE, INT8_FILE):
        _replace_in_onnx(path, row, weight, bias)
        return
    content = torch_files.read(path)
    state, prefix = {STATE_DICT_FILE: (content, ""), CHECKPOINT_FILE: (content.get("state_dict"), IN_CHECKPOINT)}[
        path.name
    ]
    weights, biases = (f"{prefix}{name}" for name in build(arch, 1).head_weights)
    try:
        state[weights][row], state[biases][row] = torch.from_numpy(weight), bias
    except (KeyError, RuntimeError, TypeError):
        raise BundleError(f"{path} has no last layer of {len(weight)} inputs: export again") from None
    torch_files.write(content, path)


def _replace_in_onnx(path: Path, row: int, weight: np.ndarray, bias: float) -> None:
    import onnx

    model = onnx.load(path)
    graph = model.graph
    head = next((node for node in graph.node if "logits" in node.output), None)
    half = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}  # of an int8 file
    names = [half.get(name, name) for name in head.input[1:]] if head is not None and head.op_type == "Gemm" else []
    found = {constant.name: constant for constant in graph.initializer if constant.name in names}
    if head is None or len(names) != 2 or len(found) != 2:
        raise BundleError(f"{path} does not end in a linear layer: export again")
    transposed = any(attribute.name == "transB" and attribute.i for attribute in head.attribute)
    values = onnx.numpy_helper.to_array(found[names[0]]).copy()
    rows = values if transposed else values.T
    if rows.shape[1] != len(weight):
        raise BundleError(f"{path} has no last layer of {len(weight)} inputs: export again")
    rows[row] = weight
    _set_values(found[names[0]], values)
    biases = onnx.numpy_helper.to_array(found[names[1]]).copy()
    biases[row] = bias
    _set_values(found[names[1]], biases)
    onnx.save(model, path)


def _set_values(constant: Any, values: np.ndarray) -> None:
    import onnx

    constant.CopyFrom(onnx.numpy_helper.from_array(values, constant.name))
