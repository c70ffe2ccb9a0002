"""Reading of a network's weights from an ONNX file, written by this project or any other exporter."""

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

# The operators that exporters use for a convolutional network with a linear head; others mean another network.
OPERATIONS = {
    *("Conv", "BatchNormalization", "Relu", "MaxPool", "Add", "Gemm", "MatMul", "Sigmoid", "Identity", "Constant"),
    *("GlobalAveragePool", "AveragePool", "ReduceMean"),
    *("Clip", "Pad", "Mul", "HardSwish", "HardSigmoid", "Swish"),
    *("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Shape", "Gather", "Slice", "Concat", "Cast", "CastLike", "Expand"),
}
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"  # additional operators of int8 files
EPSILON = 1e-5  # ONNX's default for batch norms
DUMMY_SIZE = 64  # px, of the dummy image that is run to find the order of the layers
ADVICE = "give the model.pth or model.ckpt of the network"


class SourceEngine:
    """Runs an ONNX file unchanged on the CPU; it has one input and returns logits or probabilities.

    Raises:
        BundleError: onnxruntime cannot load it, or it takes images of another size.
    """

    in_batches = True
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

    def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
        """See `fashion.engines.Engine.run`. Images run one by one, as many files take only one. No embeddings."""
        answers = [
            self._session.run([self._output], {self._input: normalize(image[None], self._spec)})[0] for image in pixels
        ]
        logits = np.concatenate(answers).reshape(len(pixels), -1)
        if self._is_probability:
            with np.errstate(divide="ignore"):  # 0 and 1 become infinite logits, which sigmoid maps back
                logits = np.log(logits) - np.log1p(-logits)
        return Outputs(logits, np.empty((len(pixels), 0), dtype=np.float32))

    @property
    def head(self) -> np.ndarray:
        """Not available."""
        raise NotImplementedError


@dataclass(frozen=True)
class OnnxWeights:
    """The weights of an ONNX graph.

    Attributes:
        state: float32, with the parameter names of the network's library.
        folded: whether the batch norms were folded into the convolutions, so that they are the identity in `state`.
        quantized: whether the file computes in integers; `state` is then dequantized.
        output: name of the graph output of the head.
        is_probability: whether that output is the sigmoid of the logits.
    """

    state: dict[str, Tensor]
    folded: bool
    quantized: bool
    output: str
    is_probability: bool


def read(path: Path, network: Backbone) -> OnnxWeights:
    """Read the weights, matched by their position in the graph: exporters rename or fold some of them.

    Args:
        path: the file.
        network: the network whose weights are read; its head may have any number of labels.

    Raises:
        BundleError: the file is not ONNX, or is the graph of another network.
    """
    graph = _Graph(path)
    layers = _pair(graph, network)
    state: dict[str, Tensor] = {}
    own = network.state_dict()
    for layer, node in layers.items():
        norm = network.get_submodule(layer.norm) if layer.norm else None
        epsilon = norm.eps if isinstance(norm, nn.BatchNorm2d) else 0.0
        has_bias = f"{layer.convolution}.bias" in own
        state |= graph.convolution(node, layer, epsilon, has_bias)
    head, weight, bias = graph.head()
    output, is_probability = graph.output_of(head)
    state |= dict(zip(network.head_weights, (_tensor(weight), _tensor(bias)), strict=True))
    return OnnxWeights(state, not graph.norms, graph.quantized, output, is_probability)


@dataclass(frozen=True)
class _Layer:
    """The names of a convolution and of the batch norm that follows it ("" if none does)."""

    convolution: str
    norm: str


def _pair(graph: "_Graph", network: Backbone) -> dict[_Layer, Any]:
    """Match the layers of a network with the nodes of the graph, both in order of execution.

    Files keep that order except for shortcuts, which come before or after their block and are sorted behind it.
    """
    layers = _layers(network, graph)
    nodes = graph.in_order()
    if len(nodes) != len(layers):
        raise BundleError(f"{graph.path} has {len(nodes)} convolutions; expected {len(layers)}: it is another network")
    for layer, node in zip(layers, nodes, strict=True):
        expected = tuple(network.get_submodule(layer.convolution).get_parameter("weight").shape)
        if graph.shape(node, layer.convolution) != expected:
            raise BundleError(
                f"{graph.path} has a convolution of {graph.shape(node, layer.convolution)} in the place of "
                f"{layer.convolution}, which is {expected}: it is another network"
            )
    return dict(zip(layers, nodes, strict=True))


def _layers(network: Backbone, graph: "_Graph") -> list[_Layer]:
    """The convolutions of a network in order of execution, each with the batch norm that follows it.

    Raises:
        BundleError: the network has other layers with weights, which cannot be matched by position.
    """
    names = {module: name for name, module in network.named_modules()}
    head = network.get_head()
    others = [
        names[module]
        for module in network.modules()
        if list(module.parameters(recurse=False))
        and not isinstance(module, nn.Conv2d | nn.BatchNorm2d)
        and module is not head
    ]
    seen: list[tuple[nn.Module, int, int]] = []  # module, addresses of its input and output
    kept: list[Tensor] = []  # kept alive so that no address is reused

    def see(module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        kept.extend((given[0], result))
        seen.append((module, given[0].data_ptr(), result.data_ptr()))

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(see) for module in layers]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, DUMMY_SIZE, DUMMY_SIZE))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    norm_of = {given: names[module] for module, given, _ in seen if isinstance(module, nn.BatchNorm2d)}
    found = [
        _Layer(names[module], norm_of.get(result, "")) for module, _, result in seen if isinstance(module, nn.Conv2d)
    ]
    unpaired = [names[module] for module in layers if isinstance(module, nn.BatchNorm2d)]
    unpaired = sorted(set(unpaired) - {layer.norm for layer in found})
    if others or unpaired or len({layer.convolution for layer in found}) != len(found):
        what = (others + unpaired or ["a convolution that is run twice"])[0]
        raise BundleError(
            f"{graph.path} has {what}; from ONNX only networks of convolutions, each with its batch norm, and one "
            f"linear layer can be read: {ADVICE}"
        )
    return found


class _Graph:
    """The nodes and constants of an ONNX file; the graph is not executed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._graph = _load(path)
        self._constants = _constants(self._graph)
        self.quantized = any(node.op_type == QUANTIZE for node in self._graph.node)
        _drop_quantization(self._graph, self._constants)
        others = sorted({node.op_type for node in self._graph.node} - OPERATIONS)
        if others:
            raise BundleError(
                f"{path} has operations that a convolutional network does not: {', '.join(others)}; {ADVICE}"
            )
        self._readers: Mapping[str, list[Any]] = defaultdict(list)
        for node in self._graph.node:
            for name in node.input:
                self._readers[name].append(node)
        self.norms = self._nodes("BatchNormalization")

    def in_order(self) -> list[Any]:
        """The convolutions in order of execution: by the longest path from the image, each shortcut behind its block.

        Raises:
            BundleError: two convolutions are parallel, so that their order is ambiguous.
        """
        source = {name: node for node in self._graph.node for name in node.output}
        depths: dict[str, int] = {}  # by value: convolutions on the longest path to it
        last: dict[str, Any] = {}  # by value: the convolution that it is the output of, directly or via a batch norm
        for node in self._graph.node:  # in the order of execution
            depth = max((depths.get(name, 0) for name in node.input), default=0) + (node.op_type == "Conv")
            depths |= dict.fromkeys(node.output, depth)
            if node.op_type == "Conv":
                last[node.output[0]] = node
            elif node.op_type == "BatchNormalization" and node.input[0] in last:
                last[node.output[0]] = last[node.input[0]]
        places = {node.output[0]: 2 * depths[node.output[0]] for node in source.values() if node.op_type == "Conv"}
        for node in self._graph.node:
            # A value read only by an Add ends a branch; one that a convolution reads too is an identity shortcut.
            branches = node.input if node.op_type == "Add" else []
            ends = [last[name] for name in branches if name in last and len(self._readers[name]) == 1]
            if len(ends) == 2:  # a block and its shortcut; the shortcut has fewer convolutions
                shortcut, block = sorted(ends, key=lambda end: depths[end.output[0]])
                places[shortcut.output[0]] = 2 * depths[block.output[0]] + 1
        if len(set(places.values())) != len(places):
            raise BundleError(f"{self.path} has parallel convolutions, which cannot be read: {ADVICE}")
        return [source[name] for name in sorted(places, key=lambda name: places[name])]

    def shape(self, node: Any, name: str) -> tuple[int, ...]:
        """The shape of a convolution's weights; `name` is used in errors."""
        return tuple(self._constant(node.input[1], name).shape)

    def convolution(self, node: Any, layer: "_Layer", epsilon: float, has_bias: bool) -> dict[str, Tensor]:
        """The weights of a convolution and of its batch norm, which is the identity if it was folded.

        Args:
            node: of the graph.
            layer: of the network.
            epsilon: of the network's batch norm.
            has_bias: whether the network's convolution has a bias.
        """
        name, norm = layer.convolution, layer.norm
        weight = self._constant(node.input[1], name)
        channels = len(weight)
        bias = self._constant(node.input[2], name) if len(node.input) > 2 else np.zeros(channels)
        values = {f"{name}.weight": weight}
        if has_bias:
            values[f"{name}.bias"] = bias
            bias = np.zeros(channels)
        after = self._readers[node.output[0]]
        if norm and after and after[0].op_type == "BatchNormalization":
            scale, shift, mean, variance = (self._constant(value, norm) for value in after[0].input[1:5])
            theirs = next((a.f for a in after[0].attribute if a.name == "epsilon"), EPSILON)
            values |= {f"{norm}.weight": scale, f"{norm}.bias": shift, f"{norm}.running_mean": mean - bias}
            values[f"{norm}.running_var"] = variance + (theirs - epsilon)
        elif norm:
            one, zero = np.ones(channels), np.zeros(channels)
            values |= {f"{norm}.weight": one, f"{norm}.bias": bias, f"{norm}.running_mean": zero}
            values[f"{norm}.running_var"] = one - epsilon
        return {key: _tensor(value) for key, value in values.items()}

    def head(self) -> tuple[Any, np.ndarray, np.ndarray]:
        """The last node of the linear layer, its weights (A, E) and bias (A,)."""
        linear = self._nodes("Gemm") + self._nodes("MatMul")
        if len(linear) != 1:
            raise BundleError(f"{self.path} has {len(linear)} linear layers; expected one, the head")
        node = linear[0]
        weight = self._constant(node.input[1], "the head's weight")
        if node.op_type == "Gemm":
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            weight = weight if transposed else weight.T
            # Exporters omit a zero bias, such as that of a new network.
            bias = self._constant(node.input[2], "the head's bias") if len(node.input) > 2 else np.zeros(len(weight))
            return node, weight, bias
        after = self._readers[node.output[0]]
        if len(after) == 1 and after[0].op_type == "Add":
            bias = next(name for name in after[0].input if name != node.output[0])
            return after[0], weight.T, self._constant(bias, "the head's bias")
        return node, weight.T, np.zeros(weight.shape[1])

    def output_of(self, head: Any) -> tuple[str, bool]:
        """The graph output that is the head's output or its sigmoid, and whether it is the sigmoid."""
        outputs = {output.name for output in self._graph.output}
        if head.output[0] in outputs:
            return head.output[0], False
        for node in self._readers[head.output[0]]:
            if node.op_type == "Sigmoid" and node.output[0] in outputs:
                return node.output[0], True
        raise BundleError(f"{self.path} ends neither in its linear layer nor in a sigmoid of it: it is another network")

    def _nodes(self, operation: str) -> list[Any]:
        return [node for node in self._graph.node if node.op_type == operation]

    def _constant(self, name: str, what: str) -> np.ndarray:
        if name not in self._constants:
            raise BundleError(f"{self.path} computes {what} at run time; expected constant weights")
        return self._constants[name]


def _load(path: Path) -> Any:
    import onnx

    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's, or onnx's about external weight files
        raise BundleError(f"{path} cannot be read as ONNX: {one_line(error)[:200]}") from None
    if not graph.node:
        raise BundleError(f"{path} cannot be read as ONNX: it has no operation")
    return graph


def _drop_quantization(graph: Any, constants: Container[str]) -> None:
    """Remove the quantization of activations from a graph and connect its readers to its input."""
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
    """The float32 values of a DequantizeLinear node."""
    shape = [-1 if i == axis else 1 for i in range(values.ndim)] if scale.ndim else []
    shift = np.asarray(zero, dtype=np.float32)
    return (values.astype(np.float32) - shift.reshape(shape)) * scale.reshape(shape)


def _constants(graph: Any) -> dict[str, np.ndarray]:
    """Initializers and constants by name, including the outputs of Identity, Cast and DequantizeLinear of them."""
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
