"""The weights of a ResNet out of an ONNX file, this project's or one that somebody else's exporter wrote."""

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fashion.backbones.contract import Backbone
from fashion.engines import Outputs
from fashion.errors import BundleError, one_line
from fashion.preprocess import InputSpec, normalize

# All that exporters make of a ResNet with a linear head; a graph with anything else is another network.
OPERATIONS = {
    *("Conv", "BatchNormalization", "Relu", "MaxPool", "Add", "Gemm", "MatMul", "Sigmoid", "Identity", "Constant"),
    *("GlobalAveragePool", "AveragePool", "ReduceMean"),
    *("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Shape", "Gather", "Slice", "Concat", "Cast", "CastLike", "Expand"),
}
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"  # what int8 files have beside them
EPSILON = 1e-5  # of torch's batch norms


class SourceEngine:
    """Runs an ONNX file as it is, with one input and the logits or probabilities as its output, on the CPU.

    Raises:
        BundleError: onnxruntime cannot load it, or it takes images of another size.
    """

    lanes = 1

    def __init__(self, path: Path, spec: InputSpec, output: str, is_probability: bool) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise BundleError(f"{path} cannot be loaded by onnxruntime: {one_line(error)[:200]}") from None
        image, *others = self._session.get_inputs()
        shape = [side if isinstance(side, int) else None for side in image.shape]
        if others or len(shape) != 4 or shape[1] not in (3, None):
            raise BundleError(f"{path} takes {[port.shape for port in (image, *others)]}; expected (B, 3, S, S)")
        if any(side not in (spec.size, None) for side in shape[2:]):
            raise BundleError(f"{path} takes images of {shape[2]}x{shape[3]} px, not of {spec.size}; give its --size")
        self.name = path.name
        self._spec, self._input, self._output, self._is_probability = spec, image.name, output, is_probability

    def run(self, pixels: np.ndarray, features: bool = False, beside: int = 1) -> Outputs:
        """See `fashion.engines.Engine.run`; one by one, because many files take one image only. No embedding."""
        answers = [
            self._session.run([self._output], {self._input: normalize(image[None], self._spec)})[0] for image in pixels
        ]
        logits = np.concatenate(answers).reshape(len(pixels), -1)
        if self._is_probability:
            with np.errstate(divide="ignore"):  # 0 and 1 are infinite logits, and sigmoid gives them back
                logits = np.log(logits) - np.log1p(-logits)
        return Outputs(logits, np.empty((len(pixels), 0), dtype=np.float32))

    @property
    def head(self) -> np.ndarray:
        """Not known."""
        raise NotImplementedError


@dataclass(frozen=True)
class OnnxWeights:
    """What a graph holds.

    Attributes:
        state: by torchvision's names, float32.
        folded: whether the batch norms were folded into the convolutions, and are the identity in `state`.
        quantized: whether the file computes in integers; `state` is what its integers stand for.
        output: name of the graph's output that comes from the head.
        is_probability: whether that is the sigmoid of the logits.
    """

    state: dict[str, Tensor]
    folded: bool
    quantized: bool
    output: str
    is_probability: bool


def read(path: Path, network: Backbone) -> OnnxWeights:
    """Find the weights by their place in the graph: exporters keep the names of some, and rename or fold others.

    Args:
        path: the file.
        network: whose weights are looked for; with a head for any number of labels.

    Raises:
        BundleError: not ONNX, or not the graph of such a network.
    """
    graph = _Graph(path)
    layers = _pair(graph, network)
    state: dict[str, Tensor] = {}
    for (convolution, norm), node in layers.items():
        state |= graph.convolution(node, convolution, norm)
    head, weight, bias = graph.head()
    output, is_probability = graph.output_of(head)
    state |= dict(zip(network.head_weights, (_tensor(weight), _tensor(bias)), strict=True))
    return OnnxWeights(state, not graph.norms, graph.quantized, output, is_probability)


def _pair(graph: "_Graph", network: Backbone) -> dict[tuple[str, str], Any]:
    """Names of a convolution and its batch norm -> the node of the graph.

    The convolutions of the main path follow one another. That of a shortcut reads what the first of its block reads,
    and goes into the addition with no activation between; in the file it may stand on either side of its block.
    """
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    main = [name for name in names if "downsample" not in name]
    shortcuts = {node.input[0]: node for node in graph.convolutions if graph.is_shortcut(node)}
    nodes = [node for node in graph.convolutions if not graph.is_shortcut(node)]
    if len(nodes) != len(main) or len(shortcuts) != len(names) - len(main):
        found = f"{len(graph.convolutions)} convolutions, {len(shortcuts)} of them in shortcuts"
        raise BundleError(
            f"{graph.path} has {found}; expected {len(names)} and {len(names) - len(main)}: it is another network"
        )
    layers = {}
    for name, node in zip(main, nodes, strict=True):
        layers[name, name.replace("conv", "bn")] = node
        shortcut = name.replace("conv1", "downsample.0")
        if name.endswith("conv1") and shortcut in names:
            if node.input[0] not in shortcuts:
                raise BundleError(f"{graph.path} has no shortcut beside {name}: it is another network")
            layers[shortcut, shortcut.removesuffix("0") + "1"] = shortcuts[node.input[0]]
    return layers


class _Graph:
    """The nodes and constants of an ONNX file, without running any of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._graph = _load(path)
        self._constants = _constants(self._graph)
        self.quantized = any(node.op_type == QUANTIZE for node in self._graph.node)
        _drop_quantization(self._graph, self._constants)
        others = sorted({node.op_type for node in self._graph.node} - OPERATIONS)
        if others:
            raise BundleError(f"{path} has operations that a ResNet with a linear head does not: {', '.join(others)}")
        self._readers: Mapping[str, list[Any]] = defaultdict(list)
        for node in self._graph.node:
            for name in node.input:
                self._readers[name].append(node)
        self.convolutions = self._nodes("Conv")
        self.norms = self._nodes("BatchNormalization")

    def is_shortcut(self, convolution: Any) -> bool:
        """Whether it reads what another convolution reads too, and is added with no activation between."""
        beside = [node for node in self._readers[convolution.input[0]] if node.op_type == "Conv"]
        return len(beside) == 2 and [node.op_type for node in self._after(convolution)] == ["Add"]

    def convolution(self, node: Any, name: str, norm: str) -> dict[str, Tensor]:
        """The weights of a convolution and of the batch norm behind it: the identity where there is none."""
        weight = self._constant(node.input[1], name)
        channels = len(weight)
        bias = self._constant(node.input[2], name) if len(node.input) > 2 else np.zeros(channels)
        after = self._readers[node.output[0]]
        if after and after[0].op_type == "BatchNormalization":
            scale, shift, mean, variance = (self._constant(value, norm) for value in after[0].input[1:5])
            epsilon = next((a.f for a in after[0].attribute if a.name == "epsilon"), EPSILON)
            values = {"weight": scale, "bias": shift, "running_mean": mean - bias}
            values["running_var"] = variance + (epsilon - EPSILON)
        else:
            one, zero = np.ones(channels), np.zeros(channels)
            values = {"weight": one, "bias": bias, "running_mean": zero, "running_var": one - EPSILON}
        return {f"{name}.weight": _tensor(weight)} | {f"{norm}.{key}": _tensor(value) for key, value in values.items()}

    def head(self) -> tuple[Any, np.ndarray, np.ndarray]:
        """The last node of the linear layer, its weights (A, E) and bias (A,)."""
        linear = self._nodes("Gemm") + self._nodes("MatMul")
        if len(linear) != 1:
            raise BundleError(f"{self.path} has {len(linear)} linear layers; expected one, the head")
        node = linear[0]
        weight = self._constant(node.input[1], "the head's weight")
        if node.op_type == "Gemm":
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            bias = (
                self._constant(node.input[2], "the head's bias") if len(node.input) > 2 else np.zeros(weight.shape[-1])
            )
            return node, weight if transposed else weight.T, bias
        after = self._readers[node.output[0]]
        if len(after) == 1 and after[0].op_type == "Add":
            bias = next(name for name in after[0].input if name != node.output[0])
            return after[0], weight.T, self._constant(bias, "the head's bias")
        return node, weight.T, np.zeros(weight.shape[1])

    def output_of(self, head: Any) -> tuple[str, bool]:
        """The graph's output that is the head's, or its sigmoid; and whether it is the sigmoid."""
        outputs = {output.name for output in self._graph.output}
        if head.output[0] in outputs:
            return head.output[0], False
        for node in self._readers[head.output[0]]:
            if node.op_type == "Sigmoid" and node.output[0] in outputs:
                return node.output[0], True
        raise BundleError(f"{self.path} ends neither in its linear layer nor in the sigmoid of it: another network")

    def _nodes(self, operation: str) -> list[Any]:
        return [node for node in self._graph.node if node.op_type == operation]

    def _after(self, node: Any) -> list[Any]:
        """What reads a node's output, by way of its batch norm."""
        after = self._readers[node.output[0]]
        if len(after) == 1 and after[0].op_type == "BatchNormalization":
            after = self._readers[after[0].output[0]]
        return after

    def _constant(self, name: str, what: str) -> np.ndarray:
        if name not in self._constants:
            raise BundleError(f"{self.path} computes {what} while it runs; expected constant weights")
        return self._constants[name]


def _load(path: Path) -> Any:
    import onnx

    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's own, or onnx's about files of weights beside it
        raise BundleError(f"{path} cannot be read as ONNX: {one_line(error)[:200]}") from None
    if not graph.node:
        raise BundleError(f"{path} cannot be read as ONNX: it has no operation")
    return graph


def _drop_quantization(graph: Any, constants: Container[str]) -> None:
    """Take what rounds activations out of a graph: what read its result reads its input. `constants` are known."""
    source: dict[str, str] = {}
    kept = []
    for node in graph.node:  # in the order of execution
        for i, name in enumerate(node.input):
            node.input[i] = source.get(name, name)
        if node.op_type not in (QUANTIZE, DEQUANTIZE):
            kept.append(node)
        elif node.output[0] not in constants:
            source[node.output[0]] = node.input[0]
    del graph.node[:]
    graph.node.extend(kept)


def _dequantized(values: np.ndarray, scale: np.ndarray, zero: np.ndarray | int, axis: int) -> np.ndarray:
    """What the integers of a DequantizeLinear stand for, float32."""
    shape = [-1 if i == axis else 1 for i in range(values.ndim)] if scale.ndim else []
    shift = np.asarray(zero, dtype=np.float32)
    return (values.astype(np.float32) - shift.reshape(shape)) * scale.reshape(shape)


def _constants(graph: Any) -> dict[str, np.ndarray]:
    """Initializers and constants by name, also under the names that an identity, a cast or integers give them."""
    from onnx.numpy_helper import to_array

    constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:  # in the order of execution
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = to_array(attribute.t)
        elif node.op_type in ("Identity", "Cast") and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
        elif node.op_type == DEQUANTIZE and all(name in constants for name in node.input):
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            values, scale, *zero = (constants[name] for name in node.input)
            constants[node.output[0]] = _dequantized(values, scale, zero[0] if zero else 0, axis)
    return constants


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))
