"""Reading the last layer's weights without the package onnx."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from starter import STARTER

from fashion.errors import BundleError
from fashion.model_card import INT8_FILE
from fashion.onnx_head import read_head


def stored(path: Path) -> list[np.ndarray]:
    """All matrices of a file, read by `onnx`."""
    tensors = onnx.load(path).graph.initializer
    return [onnx.numpy_helper.to_array(tensor) for tensor in tensors if len(tensor.dims) == 2]


def test_the_starters_head_is_the_one_that_onnx_reads() -> None:
    head = read_head(STARTER / INT8_FILE)
    assert head.dtype == np.float32
    (same,) = [each for each in stored(STARTER / INT8_FILE) if each.shape in (head.shape, head.T.shape)]
    np.testing.assert_array_equal(head, same.astype(np.float32) if same.shape == head.shape else same.T)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_every_way_to_write_it(tmp_path: Path, transposed: int, kind: int) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float16).astype(np.float32)  # exact in both types
    written = onnx.numpy_helper.from_array(
        (weights if transposed else weights.T).astype(np.float16 if kind == TensorProto.FLOAT16 else np.float32), "w"
    )
    nodes = [helper.make_node("Gemm", ["embedding", "cast"], ["logits"], transB=transposed)]
    nodes.insert(0, helper.make_node("Cast", ["w"], ["cast"], to=TensorProto.FLOAT))
    port = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 5])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])
    onnx.save(helper.make_model(helper.make_graph(nodes, "head", [port], [out], [written])), tmp_path / "head.onnx")
    np.testing.assert_array_equal(read_head(tmp_path / "head.onnx"), weights)


def test_a_file_with_another_last_layer_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["embedding"], ["logits"])
    port, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 5]) for name in ("embedding", "logits"))
    onnx.save(helper.make_model(helper.make_graph([node], "none", [port], [out])), tmp_path / "none.onnx")
    with pytest.raises(BundleError, match="does not end in a linear layer"):
        read_head(tmp_path / "none.onnx")


def test_a_server_never_imports_onnx() -> None:
    program = (
        "import sys, serving.app; from fashion.predictor import Predictor\n"
        "Predictor.from_bundle(sys.argv[1]).warm_up(8)\n"
        "print('onnx' in sys.modules, 'torch' in sys.modules)"
    )
    root = Path(__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", program, STARTER], cwd=root, capture_output=True, text=True)
    assert ended.stdout == "False False\n", ended.stderr
