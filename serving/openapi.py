"""OpenAPI schemas of the FastAPI server's requests and answers."""

from typing import Any

from fashion.options import NAMES, OPTIONS
from serving.protocol import JSON_TYPE
from serving.request_parsing import MAX_IMAGES, MODEL_FIELDS, PROTOCOL_PARAMETERS, header_name

DESCRIPTION = (
    "Named attributes of fashion photographs. Send a photograph as the body, as the parts of a form, or in base64 in "
    "JSON. Options are fields of the form or of the JSON, headers, or in the query."
)

_TEXT: dict[str, Any] = {"type": "string"}
_BASE64: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
_MANY: dict[str, Any] = {"type": "array", "items": _BASE64, "minItems": 1, "maxItems": MAX_IMAGES}
_PROBABILITY: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}

_ATTRIBUTE = {
    "type": "object",
    "required": ["group", "name", "probability", "threshold"],
    "properties": {
        "group": _TEXT,
        "name": _TEXT,
        "probability": _PROBABILITY,
        "threshold": _PROBABILITY,
        "map": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "overlay": _BASE64 | {"description": "JPEG"},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["attributes", "model"],
    "properties": {
        "attributes": {"type": "array", "items": _ATTRIBUTE},
        "product": {
            "type": "object",
            "description": "whether there is a product; only with models that predict it",
            "required": ["recognized", "probability"],
            "properties": {"recognized": {"type": "boolean"}, "probability": _PROBABILITY},
        },
        "applies": {"type": "object", "additionalProperties": _PROBABILITY},
        "embedding": {"type": "array", "items": {"type": "number"}},
        "photographs": {
            "type": "object",
            "description": "for a product: how many photographs were used, and which could not be",
            "required": ["used", "left_out"],
            "properties": {"used": {"type": "integer"}, "left_out": {"type": "array", "items": {"type": "object"}}},
        },
        "model": {
            "type": "object",
            "required": ["name", "version", "weights"],
            "properties": {"name": _TEXT, "version": _TEXT, "weights": _TEXT},
        },
    },
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "type", "message"],
            "properties": {"code": {"type": "integer"}, "type": _TEXT, "message": _TEXT},
        }
    },
}
_ERROR_V2 = {"type": "object", "required": ["error"], "properties": {"error": _TEXT}}
_PREDICTIONS = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": {"type": "array", "items": {"anyOf": [_ANSWER, _ERROR]}}},
}
_TENSORS = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {"model_name": _TEXT, "model_version": _TEXT, "id": _TEXT, "outputs": {"type": "array"}},
}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON_TYPE: {"schema": schema}}}


_ANY_OBJECT = {"type": "object"}
STATUS: dict[int | str, dict[str, Any]] = {200: _json(_ANY_OBJECT, "OK")}
UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: _json(_ERROR, "temporarily unavailable; try again after Retry-After seconds")
}
UNAVAILABLE_V2: dict[int | str, dict[str, Any]] = {
    503: _json(_ERROR_V2, "temporarily unavailable; try again after Retry-After seconds")
}
DESCRIBED: dict[int | str, dict[str, Any]] = {200: _json(_ANY_OBJECT, "the model card")}
METRICS: dict[int | str, dict[str, Any]] = {200: {"description": "counters", "content": {"text/plain": {}}}}


def operation(path: str) -> dict[str, Any]:
    """The schemas of a photograph route's requests and answers, as arguments for FastAPI's `add_api_route`."""
    kserve = {"v1": _V1, "v2": _V2}.get(path.split("/")[1])
    body = {JSON_TYPE: {"schema": kserve or _BODY}}
    if kserve is None:
        body |= {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        body |= {"multipart/form-data": {"schema": _FORM}}
    good = {"anyOf": [_ANSWER, _PREDICTIONS, _TENSORS]}
    error = _ERROR_V2 if kserve is _V2 else _ERROR
    bad = error if kserve is _V2 else {"anyOf": [_ERROR, _PREDICTIONS, _TENSORS]}
    return {
        "responses": (UNAVAILABLE_V2 if kserve is _V2 else UNAVAILABLE)
        | {
            200: _json(good, "the attributes; among several images, an invalid one has an error instead"),
            400: _json(bad, "an image, option or request that cannot be used"),
            408: _json(error, "the body did not arrive in time"),
            413: _json(error, "the body is too large, as sent or decompressed"),
            415: _json(error, "the body's Content-Encoding is neither gzip nor deflate"),
            500: _json(error, "an internal error"),
        },
        "openapi_extra": {
            "requestBody": {"required": True, "content": body},
            "parameters": [
                {"name": written, "in": place, "schema": _TEXT, "description": OPTIONS[name].meaning}
                for name in NAMES
                for written, place in ((header_name(name), "header"), (name, "query"))
            ],
        },
    }


def _object(required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [required], "properties": properties, "additionalProperties": False}


_OPTIONS = {name: {**option.schema, "description": option.meaning} for name, option in OPTIONS.items()}
_PARAMETERS = {"type": "object", "properties": _OPTIONS, "additionalProperties": False}
_BODY = {"oneOf": [_object("image", image=_BASE64, **_OPTIONS), _object("images", images=_MANY, **_OPTIONS)]}
_FORM = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {
            "anyOf": [
                {"type": "string", "format": "binary"},
                {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": MAX_IMAGES},
            ]
        }
    }
    | dict.fromkeys(NAMES, _TEXT),
}
_V1 = _object(
    "instances",
    instances={"type": "array", "items": _object("b64", b64=_BASE64), "minItems": 1, "maxItems": MAX_IMAGES},
    parameters=_PARAMETERS,
)
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": _TEXT,
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"const": "BYTES"},
        "data": _MANY,
    },
}
_V2 = _object(
    "inputs",
    id=_TEXT,
    **dict.fromkeys(MODEL_FIELDS, _TEXT),
    inputs={"type": "array", "items": _TENSOR, "minItems": 1},
    outputs={"type": "array", "items": {"type": "object"}},
    parameters=_PARAMETERS | {"properties": _OPTIONS | {name: {} for name in PROTOCOL_PARAMETERS}},
)
