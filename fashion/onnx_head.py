"""Read the weights of an ONNX file's last layer without the package `onnx`.

For this one matrix, that package would take a third of a server's memory and of its environment. protobuf, a dependency
of onnxruntime, can read the few fields needed. Field names and numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fashion.errors import BundleError

# The fields to read, by message: name, number, type, and whether the field is repeated.
FIELDS = {
    "Model": [("graph", 7, "Graph", False)],
    "Graph": [("node", 1, "Node", True), ("initializer", 5, "Tensor", True)],
    "Node": [
        ("input", 1, "string", True),
        ("output", 2, "string", True),
        ("op_type", 4, "string", False),
        ("attribute", 5, "Attribute", True),
    ],
    "Attribute": [("name", 1, "string", False), ("i", 3, "int64", False)],
    "Tensor": [
        ("dims", 1, "int64", True),
        ("data_type", 2, "int32", False),
        ("name", 8, "string", False),
        ("raw_data", 9, "bytes", False),
    ],
}
VALUES = {1: "<f4", 10: "<f2"}  # tensor data_type -> numpy dtype


def read_head(path: Path) -> np.ndarray:
    """The weights W, float32 (outputs, features), of the layer logits = embedding @ W.T + bias.

    Raises:
        BundleError: the file does not end in such a layer.
    """
    graph = _model_message().FromString(Path(path).read_bytes()).graph
    last = next((node for node in graph.node if "logits" in node.output), None)
    constants = {constant.name: constant for constant in graph.initializer}
    for node in graph.node:  # the int8 file stores them in half precision
        if node.op_type == "Cast" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    weights = constants.get(last.input[1]) if last is not None and last.op_type == "Gemm" else None
    if last is None or weights is None or weights.data_type not in VALUES or not weights.raw_data:
        raise BundleError(f"{path} does not end in a linear layer of float weights: export again")
    values = np.frombuffer(weights.raw_data, VALUES[weights.data_type]).reshape(weights.dims)
    transposed = any(attribute.name == "transB" and attribute.i for attribute in last.attribute)
    return np.ascontiguousarray(values if transposed else values.T, dtype=np.float32)


@cache
def _model_message() -> Any:
    """The protobuf message class for `Model` in FIELDS; it ignores all other fields."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # only heat maps need protobuf

    file = descriptor_pb2.FileDescriptorProto(name="fashion/onnx_head.proto", package="fashion", syntax="proto2")
    for message, fields in FIELDS.items():
        described = file.message_type.add(name=message)
        for name, number, kind, many in fields:
            field = described.field.add(name=name, number=number, label=3 if many else 1)
            if kind in FIELDS:
                field.type_name = f".fashion.{kind}"
            field.type = getattr(field, f"TYPE_{'MESSAGE' if kind in FIELDS else kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("fashion.Model"))
