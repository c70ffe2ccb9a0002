"""What goes over the wire, for every server of this project: requests as servers hand them on, replies, and errors."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fashion.errors import FashionError, InvalidImage, SettingError, one_line

JSON_TYPE = "application/json"
MAX_BODY = 20 * 1024 * 1024  # bytes, as in config.properties; of a packed body, what it is unpacked
OUTCOME_HEADER = "Fashion-Outcome"  # one of `OUTCOMES`: tells the proxy that a 500 is an answer, not a dead worker


class InvalidRequest(FashionError):
    """A request that is not built as this project's requests are.

    Attributes:
        status: the HTTP status that says so.
    """

    status = HTTPStatus.BAD_REQUEST


class TooLarge(InvalidRequest):
    """A body that is larger than `MAX_BODY`, as it comes or unpacked."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"the body is larger than {MAX_BODY // 2**20} MiB; send a smaller photograph, or fewer")


class TooSlow(InvalidRequest):
    """A body that does not come."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UnsupportedEncoding(InvalidRequest):
    """A body that is packed in a way that cannot be unpacked here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


@dataclass(frozen=True)
class Call:
    """One request, as a server hands it on.

    Attributes:
        fields: the parts of its form by name; of any other body the one part `body`.
        headers: by name, in any case, as servers read them: each byte a character.
        content_type: of the body, as the client declared it, or nothing.
        texts: the names of those parts that came as text and not as files.
        query: the URL's, where the server hands it on.
        explain: whether the route is one for explanations.
        kserve_v2: whether the route is one of KServe v2, whose errors are texts; None where only the body says so.
        request_id: under which logs name it.
    """

    fields: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    texts: Collection[str] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    explain: bool = False
    kserve_v2: bool | None = False
    request_id: str = ""


@dataclass(frozen=True)
class Reply:
    """The answer to a request.

    Attributes:
        status: HTTP status.
        body: JSON.
        outcome: in one word, for metrics and logs: see `OUTCOMES`.
        images: how many images the request held.
        decode_seconds, inference_seconds: summed over its images.
    """

    status: int
    body: bytes
    outcome: str = "ok"
    images: int = 0
    decode_seconds: float = 0.0
    inference_seconds: float = 0.0


# What can become of a request: answered; an image that cannot be used; a request or option that cannot be understood;
# a fault of the server's own. Those that TorchServe keeps from the handler: too many waited; the caller went away
# before all of it was here.
BUSY, DISCONNECTED = "busy", "disconnected"
OUTCOMES = ("ok", "invalid_image", "bad_request", "error", BUSY, DISCONNECTED)


def log_line(call: Call, reply: Reply) -> str:
    """One line of JSON for the log: what became of a request, and how long its images took."""
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
    """An answer as it goes over the wire."""
    # Half of a surrogate pair, which JSON can say and UTF-8 cannot, goes back as it came: escaped.
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def reason(status: int) -> str:
    """The phrase that goes with an HTTP status."""
    return HTTPStatus(status).phrase


def error_answer(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and answer for what went wrong: 4xx with its message where the client can mend it, else 500."""
    # Not every FashionError: a bundle or data that cannot be used is a fault of the server's own.
    if isinstance(error, InvalidImage | InvalidRequest | SettingError):
        status = error.status if isinstance(error, InvalidRequest) else HTTPStatus.BAD_REQUEST
        return error_object(status, type(error).__name__, one_line(error))
    message = "the server failed on this request; its log says why"
    return error_object(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message)


def error_object(code: int, kind: str, message: str) -> tuple[int, dict[str, Any]]:
    """An HTTP status and the JSON that goes with it."""
    return int(code), {"error": {"code": int(code), "type": kind, "message": message}}


def error_reply(error: BaseException, kserve_v2: bool = False) -> Reply:
    """The reply for what went wrong with a whole request."""
    status, answer = error_answer(error)
    return Reply(status, error_bytes(answer, kserve_v2), outcome_of(error))


def error_bytes(answer: dict[str, Any], kserve_v2: bool = False) -> bytes:
    """What `error_answer` or `error_object` made, as it goes over the wire.

    KServe v2 has a text where this project has an object, and its clients raise an exception of that text:
    https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
    """
    return json_bytes({"error": answer["error"]["message"]} if kserve_v2 else answer)


def outcome_of(error: BaseException) -> str:
    """The word among `OUTCOMES` for what went wrong."""
    if isinstance(error, InvalidImage):
        return "invalid_image"
    return "bad_request" if isinstance(error, InvalidRequest | SettingError) else "error"
