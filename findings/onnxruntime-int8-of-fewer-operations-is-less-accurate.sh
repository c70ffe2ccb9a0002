#!/usr/bin/env bash
# onnxruntime static quantization: quantizing fewer operations makes a network with ReLU6 less accurate.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11.
# Behavior: a chain of convolutions, each followed by Clip(0, 6), is quantized as QDQ with op_types_to_quantize=["Conv"]
#   and with ["Conv", "Clip"]. The first keeps Clip in float, so it should be at least as accurate.
#   It is several times less accurate: with Conv alone, the output of each convolution is quantized before Clip, over the
#   full range including values that Clip cuts off, so few of the 256 levels are left for the range 0 to 6.
# Output: relative error of the output   Conv 0.3476   Conv and Clip 0.0698
# Expected: quantizing fewer operations does not increase the error; or the documentation of op_types_to_quantize says that
#   an activation must be quantized with its convolution.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 sympy
cd "$folder"
cat >measure.py <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

LAYERS, CHANNELS, SIDE = 3, 16, 16
rng = np.random.default_rng(0)
images = [rng.normal(size=(1, CHANNELS, SIDE, SIDE)).astype(np.float32) for _ in range(32)]


def network(path):
    """Convolutions with one channel far outside the range of Clip(0, 6), as in trained ReLU6 networks."""
    constants = [numpy_helper.from_array(np.float32(0), "low"), numpy_helper.from_array(np.float32(6), "high")]
    nodes, given = [], "image"
    for layer in range(LAYERS):
        weights = rng.normal(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / np.float32(np.sqrt(CHANNELS))
        weights[0] *= 20
        constants.append(numpy_helper.from_array(weights, f"weights{layer}"))
        nodes.append(helper.make_node("Conv", [given, f"weights{layer}"], [f"conv{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Clip", [f"conv{layer}", "low", "high"], [f"clip{layer}"]))
        given = f"clip{layer}"
    shape = ["batch", CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


class Images(CalibrationDataReader):
    def __init__(self):
        self.left = iter(images)

    def get_next(self):
        image = next(self.left, None)
        return None if image is None else {"image": image}


def run(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": image})[0] for image in images])


network("fp32.onnx")
quant_pre_process("fp32.onnx", "prepared.onnx")
expected, errors = run("fp32.onnx"), {}
for operations in (["Conv"], ["Conv", "Clip"]):
    quantize_static(
        "prepared.onnx",
        "int8.onnx",
        Images(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,  # 7 bits, which cannot overflow on any processor
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=operations,
    )
    errors[" and ".join(operations)] = np.linalg.norm(run("int8.onnx") - expected) / np.linalg.norm(expected)
print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, numpy {np.__version__}")
print("relative error of the output  ", "   ".join(f"{name} {error:.4f}" for name, error in errors.items()))
if errors["Conv"] < 2 * errors["Conv and Clip"]:
    raise SystemExit("changed: quantizing the convolutions alone is no longer clearly less accurate")
PYTHON
"$folder/venv/bin/python" measure.py
