"""KServe v2's binary tensor extension: a request's JSON is followed by the elements of its tensors.

It is the default of tritonclient.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Mapping
from typing import Any

from serving.protocol import InvalidRequest

HEADER = "inference-header-content-length"  # bytes of the JSON


def json_length(headers: Mapping[str, str], body: bytes | bytearray) -> int | None:
    """The length of the JSON at the start of a body, or None if the request has no binary tensors.

    Raises:
        InvalidRequest: the header with the length is invalid.
    """
    given = next((value for name, value in headers.items() if name.lower() == HEADER), None)
    if given is None:
        return None
    # Only short texts of digits: int() accepts underscores and spaces, and fails on 5,000 digits with a long message.
    length = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    if not 1 <= length <= len(body):
        raise InvalidRequest(
            f"Inference-Header-Content-Length {given[:60]!r} must be the length of the JSON that the body of "
            f"{len(body)} bytes begins with"
        )
    return length


def with_elements(request: Any, binary: bytes) -> Any:
    """Insert the binary elements that followed a request's JSON into its tensors, as `data`.

    Args:
        request: the parsed JSON.
        binary: the bytes that followed it.

    Raises:
        InvalidRequest: a tensor's elements are missing, or bytes are left over.
    """
    tensors = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(tensors, list):
        raise InvalidRequest("the JSON before binary tensors must be an object with 'inputs', a list of tensors")
    filled, used = [], 0
    for tensor in tensors:
        size = _size(tensor)
        if size is not None:
            if size > len(binary) - used:
                raise InvalidRequest(f"binary_data_size {size} is more than the {len(binary) - used} bytes that follow")
            own, used = binary[used : used + size], used + size
            # Other datatypes are rejected later, when the tensors are read.
            tensor = tensor | {"data": _elements(own) if tensor.get("datatype") == "BYTES" else []}
        filled.append(tensor)
    if used != len(binary):
        raise InvalidRequest(
            f"{len(binary) - used} bytes after the JSON are not covered by any tensor's binary_data_size"
        )
    return request | {"inputs": filled}


def _size(tensor: Any) -> int | None:
    """The number of bytes that a tensor claims in the binary data; None if it claims none."""
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise InvalidRequest(f"binary_data_size {str(size)[:60]!r} must be a number of bytes")
    return size


def _elements(data: bytes) -> list[bytes]:
    """Split a BYTES tensor into elements, each prefixed with its length as a little-endian uint32."""
    elements, at = [], 0
    while at < len(data):
        if len(data) - at < 4:
            raise InvalidRequest("a binary tensor ends within the length of an element")
        (length,) = struct.unpack_from("<I", data, at)
        at += 4
        if length > len(data) - at:
            raise InvalidRequest(f"an element of {length} bytes is longer than what is left of its binary tensor")
        elements.append(data[at : at + length])
        at += length
    return elements
