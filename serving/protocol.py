"""What a request may hold and what an answer looks like, for every server of this project."""

import json
from collections.abc import Mapping
from typing import Any

from fashion.errors import InvalidImage, SettingError, one_line

JSON_TYPE = "application/json"

# Names under which a multipart form may send its photograph. `body` is also TorchServe's name for a raw body.
IMAGE_FIELDS = ("body", "data", "image")

INTERNAL_ERROR = 500
REASONS = {400: "Bad Request", INTERNAL_ERROR: "Internal Server Error"}


def image_bytes(fields: Mapping[str, Any]) -> bytes | bytearray:
    """The photograph of a request.

    Args:
        fields: the parts of the request's form by name; of a raw body the one part `body`.

    Raises:
        InvalidImage: there is none.
    """
    found = next((name for name in IMAGE_FIELDS if name in fields), None)
    if found is None:
        given = f"only {', '.join(map(repr, sorted(fields)))}" if fields else "an empty body"
        raise InvalidImage(
            f"the request has {given[:200]} and no image; send one as the body (curl -T photo.jpg) "
            f"or as the form field 'image' (curl -F image=@photo.jpg)"
        )
    value = fields[found]
    if isinstance(value, str):  # the client declared text; the decoder will say what it looks like
        return value.encode()
    if not isinstance(value, bytes | bytearray):
        raise InvalidImage(f"{found!r} holds JSON, not an image; send the bytes of an image file")
    return value


def json_bytes(answer: Mapping[str, Any]) -> bytes:
    """An answer as it goes over the wire."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def error_answer(error: BaseException) -> tuple[int, dict[str, Any]]:
    """HTTP status and answer for what went wrong: 400 with its message where the client can mend it, else 500."""
    # Not every FashionError: a bundle or data that cannot be used is a fault of the server's own.
    if isinstance(error, InvalidImage | SettingError):
        return _error(400, type(error).__name__, one_line(error))
    return _error(INTERNAL_ERROR, "InternalError", "the server failed on this request; its log says why")


def _error(code: int, kind: str, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"error": {"code": code, "type": kind, "message": message}}
