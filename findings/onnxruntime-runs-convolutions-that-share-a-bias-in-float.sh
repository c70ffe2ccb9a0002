#!/usr/bin/env bash
# onnxruntime: if convolutions share one bias, quantize_static marks all as int8, but the session runs only the first in int8.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11.
# Behavior: four consecutive convolutions, either with a separate bias of zeros each or with one initializer as the bias of all
#   four (as written by exporters that merge equal tensors, or after folding the batch norms of an untrained network).
#   The shared bias is quantized once, with the scales of the first convolution. In the others its scale is not that of input
#   times weights, so onnxruntime cannot fuse them. They run in float between a dequantization and a quantization; neither
#   call warns.
# Output: a bias each: QLinearConv 4, Conv 0   one bias: QLinearConv 1, Conv 3
# Expected: a shared bias is quantized separately for each convolution, or quantize_static warns what will stay in float.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat >shared.py <<'PYTHON'
import sys
from collections import Counter

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

CHANNELS, SIDE, LAYERS = 8, 16, 4
random = np.random.default_rng(0)


class Images(CalibrationDataReader):
    def __init__(self):
        self.images = iter(random.normal(size=(4, 1, CHANNELS, SIDE, SIDE)).astype("float32"))

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"x": image}


def network(shared):
    nodes, tensors, last = [], [], "x"
    for layer in range(LAYERS):
        bias = "bias" if shared else f"bias{layer}"
        weight = random.normal(0, 0.2, (CHANNELS, CHANNELS, 3, 3)).astype("float32")
        tensors.append(numpy_helper.from_array(weight, f"weight{layer}"))
        if layer == 0 or not shared:
            tensors.append(numpy_helper.from_array(np.zeros(CHANNELS, "float32"), bias))
        nodes.append(helper.make_node("Conv", [last, f"weight{layer}", bias], [f"conv{layer}"], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"conv{layer}"], [f"relu{layer}"]))
        last = f"relu{layer}"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE]) for name in ("x", last))
    graph = helper.make_graph(nodes, "network", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run_as(shared):
    onnx.save(network(shared), "float.onnx")
    quantize_static(
        "float.onnx", "int8.onnx", Images(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = "optimized.onnx", 3
    onnxruntime.InferenceSession("int8.onnx", options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load("optimized.onnx").graph.node)
    return kinds["QLinearConv"], kinds["Conv"]


own, one = run_as(False), run_as(True)
print("a bias each: QLinearConv %d, Conv %d   one bias: QLinearConv %d, Conv %d" % (own + one))
sys.exit((own, one) != ((LAYERS, 0), (1, LAYERS - 1)))
PYTHON
"$folder/venv/bin/python" shared.py 2>/dev/null
