"""Requests, replies and errors as exchanged between this project's servers and the responder."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from fashion.errors import FashionError, InvalidImage, SettingError, one_line

JSON_TYPE = "application/json"
MAX_BODY = 20 * 1024 * 1024  # bytes, as in config.properties; for compressed bodies, after decompression
OUTCOME_HEADER = "Fashion-Outcome"  # a `RequestOutcome`; tells the proxy that a status 500 is not from a dead worker


class InvalidRequest(FashionError):
    """A malformed request.

    Attributes:
        status: the HTTP status of the response.
    """

    status = HTTPStatus.BAD_REQUEST


class TooLarge(InvalidRequest):
    """A body that is larger than `MAX_BODY`, as sent or decompressed."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"the body is larger than {MAX_BODY // 2**20} MiB; send a smaller photograph, or fewer")


class TooSlow(InvalidRequest):
    """A body that does not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UnsupportedEncoding(InvalidRequest):
    """A body with an unsupported Content-Encoding."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


@dataclass(frozen=True)
class IncomingRequest:
    """One request, as passed on by a server.

    Attributes:
        fields: the parts of a form by name; any other body is the single part `body`.
        headers: headers by name, in any letter case; values are decoded as Latin-1.
        content_type: of the body, as declared by the client, or empty.
        texts: names of the parts that were sent as text, not as files.
        query: query parameters of the URL, if the server provides them.
        explain: whether the route is for explanations.
        kserve_v2: whether the route is KServe v2, whose errors are strings; None if only the body can tell.
        request_id: identifies the request in logs.
    """

    fields: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    texts: Collection[str] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    explain: bool = False
    kserve_v2: bool | None = False
    request_id: str = ""


# Answered; unusable image; invalid request or option; internal error. In TorchServe, the handler never sees the last
# two: queue full; client disconnected.
RequestOutcome = Literal["ok", "invalid_image", "bad_request", "error", "busy", "disconnected"]


@dataclass(frozen=True)
class Reply:
    """The answer to a request.

    Attributes:
        status: HTTP status.
        body: JSON.
        outcome: for metrics and logs.
        images: number of images in the request.
        decode_seconds, inference_seconds: sums over its images.
    """

    status: int
    body: bytes
    outcome: RequestOutcome = "ok"
    images: int = 0
    decode_seconds: float = 0.0
    inference_seconds: float = 0.0


def log_line(call: IncomingRequest, reply: Reply) -> str:
    """One line of JSON for the log: a request's outcome and the time its images took."""
    line = {
        "request": call.request_id,
        "status": reply.status,
        "outcome": reply.outcome,
        "images": reply.images,
        "decode_ms": round(1000 * reply.decode_seconds, 1),
        "inference_ms": round(1000 * reply.inference_seconds, 1),
    }
    return json.dumps(line, separators=(",", ":"))


def json_bytes(answer: Any) -> bytes:
    """Serialize an answer to JSON."""
    # An unpaired surrogate is valid in JSON but not in UTF-8, so it is escaped.
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def reason(status: int) -> str:
    """The reason phrase of an HTTP status."""
    return HTTPStatus(status).phrase


def error_answer(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and answer for an error: 4xx with its message if the client can fix it, else 500."""
    # Not every FashionError: an unusable bundle or data set is an internal error of the server.
    if isinstance(error, InvalidImage | InvalidRequest | SettingError):
        status = error.status if isinstance(error, InvalidRequest) else HTTPStatus.BAD_REQUEST
        return error_object(status, type(error).__name__, one_line(error))
    message = "the server failed on this request; its log says why"
    return error_object(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message)


def error_object(code: int, kind: str, message: str) -> tuple[int, dict[str, Any]]:
    """An HTTP status and the error object for it."""
    return int(code), {"error": {"code": int(code), "type": kind, "message": message}}


def error_reply(error: BaseException, kserve_v2: bool = False) -> Reply:
    """The reply for an error of a whole request."""
    status, answer = error_answer(error)
    return Reply(status, error_bytes(answer, kserve_v2), outcome_of(error))


def error_bytes(answer: dict[str, Any], kserve_v2: bool = False) -> bytes:
    """Serialize an error made by `error_answer` or `error_object`.

    In KServe v2, the error is a string instead of an object, and clients raise an exception with that string:
    https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
    """
    return json_bytes({"error": answer["error"]["message"]} if kserve_v2 else answer)


def outcome_of(error: BaseException) -> RequestOutcome:
    """The outcome for an error."""
    if isinstance(error, InvalidImage):
        return "invalid_image"
    return "bad_request" if isinstance(error, InvalidRequest | SettingError) else "error"
