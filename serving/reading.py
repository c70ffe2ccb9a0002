"""A request -> its images and options: raw bodies, forms, JSON, and the KServe protocols v1 and v2.

What a body holds is told by the body itself, because half the clients of this world declare nothing or the wrong
thing. URLs are never fetched.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fashion.errors import InvalidImage, one_line
from fashion.model_card import ModelCard
from fashion.options import NAMES, AnswerOptions, InvalidOption, parse_options
from serving.protocol import JSON_TYPE, Call, InvalidRequest

BODY = "body"  # TorchServe's name for a body that is no form
IMAGE_FIELDS = (BODY, "data", "image")  # of a form; and every name that begins with `image`
HEADER_PREFIX = "fashion-"
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_IMAGES = 64  # in one request; more would keep all others waiting

HOW = "send one as the body (curl -T photo.jpg) or as the form field 'image' (curl -F image=@photo.jpg)"


class Style(Enum):
    """How the answer is wrapped."""

    ONE = "one answer object"
    SEVERAL = "predictions"
    KSERVE_V1 = "KServe v1"
    KSERVE_V2 = "KServe v2"


@dataclass(frozen=True)
class Request:
    """A request that was understood.

    Attributes:
        images: name and bytes of each image, or why there are none; names are empty where the request gives none.
        options: what to answer.
        style: how to wrap it.
        id: the request's own id, KServe v2's.
    """

    images: tuple[tuple[str, bytes | InvalidImage], ...]
    options: AnswerOptions
    style: Style
    id: str | None = None


def read_request(call: Call, card: ModelCard) -> Request:
    """Understand a request.

    Raises:
        InvalidRequest: it is not built as a request is.
        InvalidOption: an option that is unknown, or has a value it cannot take.
        InvalidImage: it has no image, or something else in its place.
    """
    options = header_options(call.headers)
    if call.explain:
        options.setdefault("explain", "maps")
    body = call.fields.get(BODY)
    if len(call.fields) == 1 and body is not None:
        declared = call.content_type.partition(";")[0].strip().lower() == JSON_TYPE
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes | bytearray):  # a server that parses JSON by itself
            return _from_json(body, options, card)
        if declared or bytes(body[:64]).lstrip().startswith(b"{"):
            return _from_json(_json(body), options, card)
    if FORM_TYPE in call.content_type.lower() and not any(map(str.isidentifier, call.fields)):  # as curl -d declares it
        raise InvalidRequest(
            f"the body is declared a form and has no fields; JSON: curl -H 'Content-Type: {JSON_TYPE}' -d ..."
        )
    return _from_form(call.fields, options, card)


def header_options(headers: Mapping[str, str]) -> dict[str, Any]:
    """The options that headers give: `Fashion-Top-K: 3` is the option top_k.

    Raises:
        InvalidOption: a header that begins so and names no option.
    """
    options = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith(HEADER_PREFIX):
            option = lowered.removeprefix(HEADER_PREFIX).replace("-", "_")
            if option not in NAMES:
                choices = ", ".join(header_name(known) for known in NAMES)
                raise InvalidOption(f"header {name[:60]!r} is no option; choose among: {choices}")
            options[option] = value
    return options


def header_name(option: str) -> str:
    """The header that gives an option: top_k is Fashion-Top-K."""
    return "-".join(part.capitalize() for part in f"{HEADER_PREFIX}{option}".replace("_", "-").split("-"))


def _from_form(fields: Mapping[str, Any], options: dict[str, Any], card: ModelCard) -> Request:
    images = {name: value for name, value in fields.items() if name in IMAGE_FIELDS or name.startswith("image")}
    if not images:
        given = f"only {', '.join(map(repr, sorted(fields)))}" if fields else "an empty body"
        raise InvalidImage(f"the request has {given[:200]} and no image; {HOW}")
    parsed = parse_options(options | {name: fields[name] for name in fields if name not in images}, card)
    _check_number(len(images))
    style = Style.ONE if len(images) == 1 else Style.SEVERAL
    names = images if style is Style.SEVERAL else [""]
    return Request(tuple(zip(names, map(_field_bytes, images, images.values()), strict=True)), parsed, style)


def _field_bytes(name: str, value: Any) -> bytes | InvalidImage:
    if isinstance(value, str):  # the client declared text; the decoder will say what it looks like
        return value.encode()
    if not isinstance(value, bytes | bytearray):
        return InvalidImage(f"{name!r} holds JSON, not an image; send the bytes of an image file")
    return bytes(value)


def _json(body: bytes | bytearray) -> Any:
    try:
        return json.loads(body)
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError, and integers of thousands of digits
        raise InvalidRequest(f"the body is no JSON: {one_line(error)[:200]}; {HOW}") from None


def _from_json(body: Any, options: dict[str, Any], card: ModelCard) -> Request:
    if not isinstance(body, dict):
        raise InvalidRequest(
            f"the JSON is {_kind(body)}; expected an object with 'image', 'images', or KServe's fields"
        )
    if "instances" in body:
        return _from_kserve_v1(body, options, card)
    if "inputs" in body:
        return _from_kserve_v2(body, options, card)
    if ("image" in body) == ("images" in body):
        found = "both 'image' and 'images'" if "image" in body else "neither 'image' nor 'images'"
        raise InvalidRequest(f'the JSON has {found}; send {{"image": "<base64>"}} or {{"images": ["<base64>", ...]}}')
    given = {name: value for name, value in body.items() if name not in ("image", "images")}
    parsed = parse_options(options | given, card)
    if "image" in body:
        return Request((("", _decoded(body["image"])),), parsed, Style.ONE)
    return Request(_several(body["images"], "'images'"), parsed, Style.SEVERAL)


def _from_kserve_v1(body: Mapping[str, Any], options: dict[str, Any], card: ModelCard) -> Request:
    """https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol"""
    parsed = parse_options(options | _parameters(body, ("instances", "parameters")), card)
    return Request(_several(body["instances"], "'instances'"), parsed, Style.KSERVE_V1)


def _from_kserve_v2(body: Mapping[str, Any], options: dict[str, Any], card: ModelCard) -> Request:
    """https://github.com/kserve/open-inference-protocol"""
    parsed = parse_options(options | _parameters(body, ("id", "inputs", "outputs", "parameters")), card)
    tensors = body["inputs"]
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise InvalidRequest("'inputs' must be a list of tensors")
    data: list[Any] = []
    for tensor in tensors:
        if tensor.get("datatype") != "BYTES":
            raise InvalidRequest(
                f"tensor {str(tensor.get('name'))[:60]!r} has datatype {str(tensor.get('datatype'))[:20]!r}; "
                "send images as BYTES, each the base64 of an image file"
            )
        values = tensor.get("data")
        if not isinstance(values, list):
            raise InvalidRequest("a tensor's 'data' must be a list; binary tensors are not taken")
        if tensor.get("shape") not in ([len(values)], [len(values), 1]):
            raise InvalidRequest(f"a tensor's 'shape' must be [{len(values)}], the number of its images")
        data += values
    number = body.get("id")
    if number is not None and not isinstance(number, str):
        raise InvalidRequest("'id' must be text")
    return Request(_several(data, "'inputs'"), parsed, Style.KSERVE_V2, number)


def _parameters(body: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    unknown = [name for name in body if name not in allowed]
    if unknown:
        raise InvalidRequest(
            f"the request has {unknown[0][:60]!r}; expected {', '.join(allowed)}, and options in 'parameters'"
        )
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidRequest(f"'parameters' is {_kind(parameters)}; expected an object of options")
    return parameters


def _several(values: Any, where: str) -> tuple[tuple[str, bytes | InvalidImage], ...]:
    if not isinstance(values, list) or not values:
        raise InvalidRequest(f"{where} must be a list of at least one image in base64")
    _check_number(len(values))
    return tuple(("", _decoded(value)) for value in values)


def _check_number(count: int) -> None:
    if count > MAX_IMAGES:
        raise InvalidRequest(f"{count} images are more than the {MAX_IMAGES} that one request may hold")


def _decoded(value: Any) -> bytes | InvalidImage:
    """The bytes of an image in base64, as text or as KServe's {"b64": text}; a data URL's head is left off."""
    while isinstance(value, dict):
        key = next((name for name in ("b64", "image", "data") if name in value), None)
        if key is None or len(value) > 1:
            return InvalidImage('an image in JSON is text in base64, or {"b64": "<base64>"}')
        value = value[key]
    if not isinstance(value, str):
        return InvalidImage(f"an image in JSON is text in base64, not {_kind(value)}")
    if value.startswith("data:"):
        value = value.partition(",")[2]
    elif value.startswith(("http://", "https://")):
        return InvalidImage("an image in JSON is its bytes in base64; URLs are not fetched")
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        return InvalidImage(f"the image is not base64: {one_line(error)}")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
