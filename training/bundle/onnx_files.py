"""ONNX export of a network: a file in fp32, and one in int8 that is a quarter of the size and faster on a CPU."""

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from fashion.backbones.contract import Backbone
from fashion.preprocess import InputSpec, normalize, scale_and_shift

OPSET = 18
INPUT = "image"
SMALLEST_RANGE = 1e-12  # of a channel whose weights are all zero
LEAST_DISTANCE = 1e-4  # of a pixel value from a rounding tie, in steps of the input; float32 is off by a few 1e-5
OUTPUTS = ("logits", "embedding", "features")
# How activation ranges are taken from the calibration images, and whether that uses onnxruntime's moving average.
# The extremes over all images clip nothing; with a few outliers, the mean of the batches' extremes is more precise.
CALIBRATIONS = {"extremes": False, "mean extremes": True}


def write_onnx(network: Backbone, spec: InputSpec, path: Path) -> None:
    """Write the network in fp32, for any batch size.

    Its input is `image`, float32 (B, 3, S, S), normalized; its outputs are `logits`, `embedding` and `features` as
    `fashion.backbones.contract.Output` describes them.
    """
    network = network.eval().cpu().to(memory_format=torch.contiguous_format)
    example = torch.zeros(2, 3, spec.size, spec.size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own deprecated calls
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            verbose=False,
        )
    assert program is not None
    program.save(str(path), external_data=False)


def write_int8(
    fp32: Path,
    spec: InputSpec,
    batches: Iterable[np.ndarray],
    path: Path,
    calibration: str = "extremes",
    operations: Sequence[str] = ("Conv",),
) -> None:
    """Quantize the convolutions of an fp32 file to int8: static, per channel, as QDQ nodes.

    The head runs in fp32: it costs nothing, and class activation maps need its exact weights. It is stored in half
    precision, which saves 1 MB for 250 labels. The weight scales are chosen so that no processor saturates, see
    `_weight_ranges`; the file gives the same answers on all.

    Args:
        fp32: file written by `write_onnx`.
        spec: size and normalization of the input.
        batches: uint8 pixels (B, S, S, 3) of a few hundred training images, for the activation ranges.
        path: where to write.
        calibration: one of `CALIBRATIONS`.
        operations: ONNX operators to quantize; a network's family declares the suitable ones
            (`fashion.backbones.contract.Family.QUANTIZED`).
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().setLevel(max(logging.getLogger().level, logging.WARNING))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(fp32, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            _CalibrationReader(batches, spec),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=list(operations),
            extra_options={
                "CalibMovingAverage": CALIBRATIONS[calibration],
                "TensorQuantOverrides": _weight_ranges(onnx.load(prepared).graph) | _input_range(spec),
            },
        )
    _store_head_in_half(path)


def _weight_ranges(graph: onnx.GraphProto) -> dict[str, list[dict[str, Any]]]:
    """Weight range of each output channel of each convolution, in the format of onnxruntime's quantization.

    Processors without VNNI multiply 8-bit weights by 8-bit activations (0 to 255) and add two neighboring products in
    16 bits with saturation: two weights of the same sign may add up to at most 128. Using 7 bits for all weights would
    ensure that at half the precision. But most large weights have neighbors that are small or of the other sign, so the
    range is the largest weight, or the largest sum of two neighbors of the same sign if that is larger. Depthwise
    convolutions add nothing in 16 bits and use all 8 bits.
    """
    from onnxruntime.quantization import QuantType

    constants = {tensor.name: tensor for tensor in graph.initializer}
    ranges = {}
    for node in graph.node:
        if node.op_type != "Conv" or node.input[1] not in constants:
            continue
        weights = onnx.numpy_helper.to_array(constants[node.input[1]])  # (C, K, h, w)
        # In onnxruntime's order of multiplication: all channels of one kernel position, then the next position.
        rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
        largest = np.abs(rows).max(axis=1)
        if weights.shape[1] > 1:
            pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
            sums = np.maximum(pairs.clip(min=0).sum(axis=2), -pairs.clip(max=0).sum(axis=2))
            largest = np.maximum(largest, sums.max(axis=1))
        largest = np.maximum(largest, SMALLEST_RANGE)
        ranges[node.input[1]] = [
            {"quant_type": QuantType.QInt8, "axis": 0, "symmetric": True, "rmin": -limit, "rmax": limit}
            for limit in largest
        ]
    return ranges


def _input_range(spec: InputSpec) -> dict[str, list[dict[str, Any]]]:
    """Range of the input in the format of onnxruntime's quantization: all pixel values, and none on a rounding tie.

    With a mean and a standard deviation of 0.5, the range of the pixel values, [-1, 1], puts each of them halfway
    between two steps, because 0 must be a step: the last bit of a caller's normalization then decides how every pixel
    is rounded. The range is widened by the fewest 256ths that avoid this.

    Raises:
        AssertionError: no range does.
    """
    scale, shift = (values.astype(np.float64) for values in scale_and_shift(spec))
    values = np.arange(256)[:, None] * scale + shift  # (256, 3)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    for widened in range(64):
        factor = 1 + widened / 256
        steps = values * 255 / ((high - low) * factor)
        if np.abs(steps % 1 - 0.5).min() > LEAST_DISTANCE:
            return {INPUT: [{"rmin": np.float32(low * factor), "rmax": np.float32(high * factor)}]}
    raise AssertionError(f"no quantization of the input suits {spec}")


def _store_head_in_half(path: Path) -> None:
    """Store the head's weights as float16, cast to float32 when the model is loaded: same speed, half the size."""
    model = onnx.load(path)
    graph = model.graph
    head = next(node for node in graph.node if OUTPUTS[0] in node.output)
    weights = next(constant for constant in graph.initializer if constant.name == head.input[1])
    half = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights).astype(np.float16), f"{weights.name}_half")
    cast = onnx.helper.make_node("Cast", [half.name], [weights.name], name="cast_head", to=onnx.TensorProto.FLOAT)
    graph.initializer.remove(weights)
    graph.initializer.append(half)
    graph.node.insert(0, cast)
    onnx.save(model, path)


class _CalibrationReader:
    """Calibration data in onnxruntime's protocol: `get_next` returns the next feed, or None at the end."""

    def __init__(self, batches: Iterable[np.ndarray], spec: InputSpec) -> None:
        self._feeds: Iterator[dict[str, np.ndarray]] = ({INPUT: normalize(batch, spec)} for batch in batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)
