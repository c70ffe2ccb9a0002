"""Responses of the FastAPI server: JSON, and errors in this project's format."""

from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from serving.protocol import JSON_TYPE, error_bytes, error_object, error_reply, json_bytes

RETRY_AFTER = "1"  # s
CLIENT_CLOSED_REQUEST = 499  # nginx's status for it; HTTP defines none


def json_response(content: Any) -> Response:
    """A value as JSON, with status 200."""
    return Response(json_bytes(content), media_type=JSON_TYPE)


def unavailable(request: Request, message: str) -> Response:
    """A response with status 503, in the error format of the request's protocol."""
    status, answer = error_object(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", message)
    return Response(error_bytes(answer, is_kserve_v2(request)), status, retry_after(status), JSON_TYPE)


def retry_after(status: int) -> dict[str, str]:
    """The Retry-After header, for statuses after which a retry helps."""
    return {"Retry-After": RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def is_kserve_v2(request: Request) -> bool:
    """Whether a request uses KServe's protocol v2, whose errors are strings."""
    return request.scope["path"].startswith("/v2/")  # `request.url` would be built from the headers each time


async def on_http_error(request: Request, error: Exception) -> Response:
    """Exception handler: convert errors of the framework to this project's format."""
    assert isinstance(error, HTTPException)
    body = http_error(error, is_kserve_v2(request), request.app.state.docs_url)
    return Response(body, error.status_code, error.headers, JSON_TYPE)


async def on_disconnect(request: Request, error: Exception) -> Response:
    """Exception handler: end a request whose client has disconnected, so that no traceback is logged."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def on_internal_error(request: Request, error: Exception) -> Response:
    """Exception handler: the response for an unexpected error, whose traceback uvicorn logs."""
    reply = error_reply(error, is_kserve_v2(request))
    return Response(reply.body, reply.status, media_type=JSON_TYPE)


def http_error(error: HTTPException, kserve_v2: bool, docs_url: str | None = None) -> bytes:
    """The response body for an error of the framework; `docs_url` is the path of the API's documentation, if any."""
    phrase = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == phrase:  # the framework's default, which is not informative
        detail = "no such operation at this address" + (f"; see {docs_url}" if docs_url else "")
    # The error type is the phrase in camel case, such as NotFound for 404.
    return error_bytes(error_object(error.status_code, phrase.title().replace(" ", ""), detail)[1], kserve_v2)
