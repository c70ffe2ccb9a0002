#!/usr/bin/env bash
# onnxruntime static quantization: with mean 0.5 and deviation 0.5, the last bit of the input decides how pixels are rounded.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11.
# Behavior: a convolution is quantized with MinMax calibration on images normalized to [-1, 1], as for MobileNet,
#   EfficientNet-Lite and most networks that come from TensorFlow. onnxruntime takes (max - min) / 255 as the step and rounds
#   the zero point, so each of the 256 pixel values lies halfway between two steps. Two usual ways to normalize the same pixels
#   in float32, (p / 255 - 0.5) / 0.5 and p * (1 / 127.5) - 1, differ by 1.2e-7 at most, and yet a fifth of the values are
#   rounded to another step: the int8 file's output changes by 1.3 %, a hundred thousand times as much as the fp32 file's. With
#   ImageNet's mean and deviation it does not change at all.
# Output: mean 0.5: pixel values at another step 55 of 256; relative change   fp32 1.4e-07   int8 1.3e-02
#   mean ImageNet's: pixel values at another step 0 of 256; relative change   fp32 1.4e-07   int8 0.0e+00
# Expected: a calibrated range leaves the 256 values that an 8-bit image can have away from rounding ties, for example 1/256
#   wider; or the documentation of static quantization warns of this normalization.
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

SIDE = 64
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, (8, 3, SIDE, SIDE), dtype=np.uint8)
weights = rng.normal(size=(16, 3, 3, 3)).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node("Conv", ["image", "weights"], ["output"], strides=[2, 2])],
    "convolution",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
    [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 16, None, None])],
    [numpy_helper.from_array(weights, "weights")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), "fp32.onnx")
quant_pre_process("fp32.onnx", "prepared.onnx")


class Images(CalibrationDataReader):
    def __init__(self, images):
        self.left = iter(images)

    def get_next(self):
        image = next(self.left, None)
        return None if image is None else {"image": image[None]}


def run(path, images):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": images})[0]


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def measure(mean, std):
    """The number of values at another step, and the change of the output of both files."""
    mean, std = (np.reshape(values, (3, 1, 1)).astype(np.float32) for values in (mean, std))

    def divided(values):
        return (values / np.float32(255) - mean) / std

    def multiplied(values):
        return values * (1 / (np.float32(255) * std)) - mean / std

    one, other = divided(pixels), multiplied(pixels)
    assert one.dtype == other.dtype == np.float32 and np.abs(one - other).max() < 1e-6
    quantize_static(
        "prepared.onnx",
        "int8.onnx",
        Images(one),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,  # 7 bits, which cannot overflow on any processor
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load("int8.onnx").graph.initializer}
    every = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 1, 256))
    steps = [np.rint(normalized(every) / constants["image_scale"])[0, 0] for normalized in (divided, multiplied)]
    moved = int((steps[0] != steps[1]).sum())
    changes = [relative(run(path, one), run(path, other)) for path in ("fp32.onnx", "int8.onnx")]
    return moved, *changes


print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, numpy {np.__version__}")
found = {name: measure(*values) for name, values in {"0.5": ((0.5,) * 3, (0.5,) * 3), "ImageNet's": IMAGENET}.items()}
for name, (moved, fp32, int8) in found.items():
    print(f"mean {name}: pixel values at another step {moved} of 256; relative change   fp32 {fp32:.1e}   int8 {int8:.1e}")
moved, fp32, int8 = found["0.5"]
if not (moved > 25 and int8 > 1000 * fp32 and found["ImageNet's"][2] < int8 / 10):
    raise SystemExit("changed: the last bit of the input no longer decides how pixels are rounded")
PYTHON
"$folder/venv/bin/python" measure.py
