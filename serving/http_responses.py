"""Responses of the FastAPI server: JSON, and errors in the project's own form."""

from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from serving.protocol import JSON_TYPE, error_bytes, error_object, json_bytes

RETRY_AFTER = "1"  # s


def json_response(content: Any) -> Response:
    """A value as JSON, with status 200."""
    return Response(json_bytes(content), media_type=JSON_TYPE)


def unavailable(request: Request, message: str) -> Response:
    """Status 503, in the form that the request's protocol has for errors."""
    status, answer = error_object(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", message)
    return Response(error_bytes(answer, is_kserve_v2(request)), status, retry_after(status), JSON_TYPE)


def retry_after(status: int) -> dict[str, str]:
    """The header that says when to ask again, of the statuses after which that helps."""
    return {"Retry-After": RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def is_kserve_v2(request: Request) -> bool:
    """Whether a request is one of KServe's protocol v2, whose errors are texts."""
    return request.url.path.startswith("/v2/")


async def on_http_error(request: Request, error: Exception) -> Response:
    """Errors of the framework in the project's own form."""
    assert isinstance(error, HTTPException)
    return Response(http_error(error, is_kserve_v2(request)), error.status_code, error.headers, JSON_TYPE)


def http_error(error: HTTPException, kserve_v2: bool) -> bytes:
    """The body that tells an error of the framework."""
    phrase = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == phrase:  # the framework's own, which says nothing
        detail = "nothing is answered so at this address; /docs says what is"
    # Every word of the phrase, so that 404 is of type NotFound.
    return error_bytes(error_object(error.status_code, phrase.title().replace(" ", ""), detail)[1], kserve_v2)
