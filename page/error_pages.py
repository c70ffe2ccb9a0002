"""Error handlers: HTML error pages for browsers, the server's JSON for programs."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from fashion.errors import FashionError, one_line
from page.rendering import Renderer
from page.security import HEADERS
from serving.protocol import JSON_TYPE, error_answer, error_object, json_bytes

Handler = Callable[[Request, Exception], Awaitable[Response]]


def add_error_pages(app: FastAPI, renderer: Renderer) -> None:
    """Show errors as pages to browsers: of HTTP, of this project (such as of an unreadable catalog) and any other."""
    in_json, internal_in_json = (cast(Handler, app.exception_handlers[kind]) for kind in (HTTPException, Exception))

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if not _wants_page(request):
            return await in_json(request, error)
        known = str(error.detail) != HTTPStatus(error.status_code).phrase
        message = str(error.detail) if known else "There is no such page."
        return renderer.page("error.html.j2", error.status_code, section="", message=message)

    async def on_own_error(request: Request, error: Exception) -> Response:
        status, message = HTTPStatus.INTERNAL_SERVER_ERROR, one_line(error)
        if _wants_page(request):
            return renderer.page("error.html.j2", status, section="", message=message)
        content = error_object(status, type(error).__name__, message)[1]
        return Response(json_bytes(content), status, media_type=JSON_TYPE)

    async def on_internal_error(request: Request, error: Exception) -> Response:
        if _wants_page(request):
            status, answer = error_answer(error)
            response: Response = renderer.page("error.html.j2", status, section="", message=answer["error"]["message"])
        else:
            response = await internal_in_json(request, error)
        response.headers.update(HEADERS)  # Starlette calls this handler outside of the `Guard`
        return response

    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(FashionError, on_own_error)
    app.add_exception_handler(Exception, on_internal_error)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
