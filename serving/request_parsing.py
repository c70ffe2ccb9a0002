"""Parse requests into images and options: raw bodies, forms, JSON, and the KServe protocols v1 and v2.

The kind of a body is detected from its content, because many clients declare no content type or a wrong one. URLs are
never fetched.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fashion.errors import InvalidImage, one_line
from fashion.model_card import ModelCard
from fashion.options import NAMES, AnswerOptions, InvalidOption, parse_options
from serving.binary_tensors import HEADER as BINARY_TENSORS
from serving.binary_tensors import json_length, with_elements
from serving.decompression import BODY, decompressed
from serving.protocol import JSON_TYPE, IncomingRequest, InvalidRequest
from serving.repeated_parts import without_number

# Names of form fields for photographs. Any other field whose name begins with `image` also counts as a photograph,
# unless it holds a short text: fields such as `image_id` or `imageName` are ignored.
IMAGE_FIELD = re.compile(rf"{BODY}|data|images?[0-9]*(\[\w*\])?")
SHORT_TEXT = 1000  # bytes
HEADER_PREFIX = "fashion-"
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_IMAGES = 64  # in one request; more would delay other requests too long
MAX_COVERED = 8  # with explain=covered, which costs 65 inferences for each image

# Fields that clients of KServe v2 send to any server, and that are ignored here.
MODEL_FIELDS = ("model_name", "model_version")  # the kserve client repeats them from the URL
PROTOCOL_PARAMETERS = ("binary_data_output", "timeout", "priority", "content_type", "headers")

SENDING_ADVICE = "send one as the body (curl -T photo.jpg) or as the form field 'image' (curl -F image=@photo.jpg)"


class Style(Enum):
    """The format of the answer."""

    ONE = "one answer object"
    SEVERAL = "predictions"
    KSERVE_V1 = "KServe v1"
    KSERVE_V2 = "KServe v2"


@dataclass(frozen=True)
class ParsedRequest:
    """A parsed request.

    Attributes:
        images: name (possibly empty) of each image, and its bytes or the error if they are missing.
        options: what to answer.
        style: the format of the answer. Photographs of one product (`options.product`) share one answer.
        id: the request's id in KServe v2.
    """

    images: tuple[tuple[str, bytes | InvalidImage], ...]
    options: AnswerOptions
    style: Style
    id: str | None = None


def read_request(call: IncomingRequest, card: ModelCard) -> ParsedRequest:
    """Parse a request.

    Raises:
        InvalidRequest: the request is malformed, or too large after decompression.
        InvalidOption: an option is unknown, or has an invalid value.
        InvalidImage: the request has no image, or something else in its place.
    """
    call = decompressed(call)
    options = dict(call.query) | header_options(call.headers)
    if call.explain:
        options.setdefault("explain", "maps")
    if call.fields.keys() == {BODY}:
        return _from_body(call, options, card)
    if FORM_TYPE in call.content_type.lower() and not _is_form(call.fields):
        raise InvalidRequest(
            "the body is declared a form, but is not one; send a photograph with -T or -H 'Content-Type: image/jpeg', "
            f"JSON with -H 'Content-Type: {JSON_TYPE}'"
        )
    return _from_form(call, options, card)


def is_kserve_v2(call: IncomingRequest) -> bool:
    """Whether a request uses KServe v2, according to its route or, if that is unknown, to its body."""
    if call.kserve_v2 is not None:
        return call.kserve_v2
    if any(name.lower() == BINARY_TENSORS for name in call.headers):
        return True
    try:
        body = decompressed(call).fields[BODY]
        body = _json(body) if isinstance(body, bytes | bytearray) else body
    except (InvalidRequest, KeyError):
        return False
    return isinstance(body, dict) and "inputs" in body


def header_options(headers: Mapping[str, str]) -> dict[str, Any]:
    """The options in a request's headers: `Fashion-Top-K: 3` is the option top_k.

    Raises:
        InvalidOption: a header begins with `Fashion-` and names no option.
    """
    options = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith(HEADER_PREFIX):
            option = lowered.removeprefix(HEADER_PREFIX).replace("-", "_")
            if option not in NAMES:
                choices = ", ".join(header_name(known) for known in NAMES)
                raise InvalidOption(f"header {name[:60]!r} is not an option; choose among: {choices}")
            options[option] = header_text(value)
    return options


def header_text(value: str) -> str:
    """Decode a header: servers decode headers as Latin-1, but clients mostly send UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def header_name(option: str) -> str:
    """The header for an option: Fashion-Top-K for top_k."""
    return "-".join(part.capitalize() for part in f"{HEADER_PREFIX}{option}".replace("_", "-").split("-"))


def _from_body(call: IncomingRequest, options: dict[str, Any], card: ModelCard) -> ParsedRequest:
    body = call.fields[BODY]
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | bytearray):  # the server has already parsed the JSON
        return _from_json(body, options, card)
    length = json_length(call.headers, body)
    if length is not None:
        return _from_kserve_v2(with_elements(_json(body[:length]), bytes(body[length:])), options, card)
    declared = call.content_type.partition(";")[0].strip().lower() == JSON_TYPE
    if declared or bytes(body[:64]).lstrip().startswith(b"{"):
        return _from_json(_json(body), options, card)
    return ParsedRequest((("", bytes(body)),), parse_options(options, card), Style.ONE)


def _is_form(fields: Mapping[str, Any]) -> bool:
    """Whether a body declared as a form really has fields: curl -d and --data-binary declare any body as a form."""
    return any(map(str.isidentifier, fields)) and all(map(str.isprintable, fields))


def _from_form(call: IncomingRequest, options: dict[str, Any], card: ModelCard) -> ParsedRequest:
    fields = {name: value for name, value in call.fields.items() if not _is_ignored(name, value, call.texts)}
    images = {name: value for name, value in fields.items() if _is_photograph(name)}
    if not images:
        given = f"only {', '.join(map(repr, sorted(call.fields)))}"[:200] if call.fields else "an empty body"
        raise InvalidImage(f"the request has {given} but no image; {SENDING_ADVICE}")
    others = {name: fields[name] for name in fields if name not in images}
    for name in others:
        if without_number(name) != name:
            raise InvalidRequest(f"the form has {without_number(name)[:60]!r} twice; give each part a different name")
    parsed = parse_options(options | others, card)
    _check_number(len(images))
    read = [_field_bytes(name, value, call.texts) for name, value in images.items()]
    names = map(without_number, images) if len(images) > 1 else [""]
    return _request(tuple(zip(names, read, strict=True)), parsed, Style.ONE if len(images) == 1 else Style.SEVERAL)


def _request(
    images: tuple[tuple[str, bytes | InvalidImage], ...], options: AnswerOptions, style: Style, id: str | None = None
) -> ParsedRequest:
    """Build the parsed request; photographs of one product share one answer."""
    if options.explain == "covered" and len(images) > MAX_COVERED:
        raise InvalidOption(
            f"explain 'covered' is available for at most {MAX_COVERED} images per request, not {len(images)}; "
            "split the request, or choose maps or overlay"
        )
    if options.product:
        if options.wants_maps and len(images) > 1:
            raise InvalidOption(
                "explain is not available for several photographs of one product, as a map shows only one of them; "
                "leave product out to get maps of each"
            )
        style = Style.ONE if style is Style.SEVERAL else style
    return ParsedRequest(images, options, style, id)


def _is_photograph(name: str) -> bool:
    """Whether a part with this name holds a photograph."""
    return name.startswith("image") or IMAGE_FIELD.fullmatch(without_number(name)) is not None


def _is_ignored(name: str, value: Any, texts: Collection[str]) -> bool:
    if name not in texts or not name.startswith("image") or IMAGE_FIELD.fullmatch(without_number(name)):
        return False
    return len(value) <= SHORT_TEXT and _is_text(value)


def _is_text(value: Any) -> bool:
    try:
        text = value if isinstance(value, str) else bytes(value).decode()
    except (UnicodeDecodeError, TypeError):
        return False
    return all(map(str.isprintable, text.split()))


def _field_bytes(name: str, value: Any, texts: Collection[str]) -> bytes | InvalidImage:
    sent = without_number(name)[:60]
    if isinstance(value, str):  # declared as text by the client; decoding will report it if it is no image
        value = value.encode()
    if not isinstance(value, bytes | bytearray):
        return InvalidImage(f"{sent!r} holds JSON, not an image; send the bytes of an image file")
    if value and name in texts and _is_text(value):
        return InvalidImage(f"the field {sent!r} holds text; send a file: curl -F {sent}=@photo.jpg")
    return bytes(value)


def _json(body: bytes | bytearray) -> Any:
    try:
        return json.loads(body)
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply") from None
    except ValueError as error:  # includes UnicodeDecodeError, and integers with thousands of digits
        raise InvalidRequest(f"the body is not JSON: {one_line(error)[:200]}; {SENDING_ADVICE}") from None


def _from_json(body: Any, options: dict[str, Any], card: ModelCard) -> ParsedRequest:
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
        return ParsedRequest((("", _decoded(body["image"])),), parsed, Style.ONE)
    return _request(_several(body["images"], "'images'"), parsed, Style.SEVERAL)


def _from_kserve_v1(body: Mapping[str, Any], options: dict[str, Any], card: ModelCard) -> ParsedRequest:
    """https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol"""
    parsed = parse_options(options | _parameters(body, ("instances", "parameters")), card)
    return _request(_several(body["instances"], "'instances'"), parsed, Style.KSERVE_V1)


def _from_kserve_v2(body: Mapping[str, Any], options: dict[str, Any], card: ModelCard) -> ParsedRequest:
    """https://github.com/kserve/open-inference-protocol"""
    given = _parameters(body, ("id", *MODEL_FIELDS, "inputs", "outputs", "parameters"))
    parsed = parse_options(options | {name: given[name] for name in given if name not in PROTOCOL_PARAMETERS}, card)
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
            raise InvalidRequest(
                "a tensor's 'data' must be a list, or follow the JSON as Inference-Header-Content-Length says"
            )
        if tensor.get("shape") not in ([len(values)], [len(values), 1]):
            raise InvalidRequest(f"a tensor's 'shape' must be [{len(values)}], the number of its images")
        data += values
    number = body.get("id")
    if number is not None and not isinstance(number, str):
        raise InvalidRequest("'id' must be text")
    if number is not None and any("\ud800" <= letter <= "\udfff" for letter in number):
        raise InvalidRequest(f"'id' {number[:60]!r} holds half of a surrogate pair; send whole characters")
    return _request(_several(data, "'inputs'"), parsed, Style.KSERVE_V2, number)


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
    """Decode an image in base64, given as text, as a data URL or as KServe's {"b64": text}.

    An element of a binary tensor is used as it is, unless it is ASCII: then it is base64 too.
    """
    if isinstance(value, bytes):
        if not value.isascii() or b"\0" in value:
            return value
        value = value.decode()
    while isinstance(value, dict):
        key = next((name for name in ("b64", "image", "image_bytes", "data") if name in value), None)
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
