"""Handle a request to the FastAPI server: read body and options, queue it for the model, return the answer."""

import asyncio
import logging
import random
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from fashion.options import InvalidOption
from serving.batcher import QueueFull
from serving.decompression import BODY, decompressed
from serving.forms import parse_form
from serving.http_responses import CLIENT_CLOSED_REQUEST, http_error, is_kserve_v2, retry_after
from serving.live import UnknownVersion
from serving.protocol import (
    JSON_TYPE,
    MAX_BODY,
    OUTCOME_HEADER,
    IncomingRequest,
    Reply,
    TooLarge,
    TooSlow,
    error_bytes,
    error_object,
    error_reply,
    log_line,
)
from serving.responder import BatchCounts

BODY_TIMEOUT = 60.0  # s, for the whole body

logger = logging.getLogger(__name__)


async def respond(request: Request, name: str, explain: bool) -> Response:
    """Answer photographs: read the body, queue the request for the model, count and log the outcome.

    Args:
        request: the request; the application's `state` has `traffic` and `counters`.
        name: of the model, for messages.
        explain: whether the route asks for class activation maps.
    """
    headers = request.headers
    request_id = headers.get("x-request-id", "")[:100] or f"{random.getrandbits(128):032x}"
    call = IncomingRequest(
        *({}, headers, headers.get("content-type", "")),
        explain=explain,
        kserve_v2=is_kserve_v2(request),
        request_id=request_id,
    )
    answer: Future[Reply] | None = None
    try:
        call = await _with_body(replace(call, query=_query(request)), request)
        answer = _submit(call, request, name)
        reply = await _wait_for_answer(answer, request)
    except (Exception, asyncio.CancelledError) as error:
        reply = _refusal(error, is_kserve_v2(request))
        if reply.outcome == "error":
            logger.error("a request failed before it reached the model", exc_info=error)
        if answer is None or answer.cancelled():  # else the thread that answers it counts it
            request.app.state.counters.add(BatchCounts(Counter([reply.outcome])))
    logger.info(log_line(call, reply))
    answered = {"X-Request-Id": call.request_id, OUTCOME_HEADER: reply.outcome}
    if reply.status == HTTPStatus.REQUEST_TIMEOUT:
        answered["Connection"] = "close"  # else the rest of the body would be parsed as the next request
    return Response(reply.body, reply.status, answered | retry_after(reply.status), JSON_TYPE)


def no_such_version(request: Request, name: str) -> HTTPException:
    """The error for a request to a model version that is not served."""
    versions, asked = request.app.state.traffic.versions, request.path_params["version"]
    here = f"version{'s' if len(versions) > 1 else ''} {' and '.join(versions)}"
    return HTTPException(HTTPStatus.NOT_FOUND, f"{name} is served in {here}, not in version {asked[:60]!r}")


async def _wait_for_answer(answer: "Future[Reply]", request: Request) -> Reply:
    """Wait for the model's answer; cancel a queued request if its client disconnects.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    reply, left = asyncio.wrap_future(answer), asyncio.create_task(_until_disconnected(request))
    try:
        await asyncio.wait((reply, left), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            raise ClientDisconnect
        return reply.result()
    finally:
        left.cancel()
        answer.cancel()  # removes it from the queue, unless it runs or is done; `reply.cancel()` would do so later
        reply.cancel()


async def _until_disconnected(request: Request) -> None:
    """Wait until the client disconnects. The body has been read, so no other message can arrive."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _submit(call: IncomingRequest, request: Request, name: str) -> "Future[Reply]":
    try:
        return request.app.state.traffic.submit(call, request.path_params.get("version"))
    except UnknownVersion:  # replaced while the body was received
        raise no_such_version(request, name) from None


def _refusal(error: BaseException, kserve_v2: bool) -> Reply:
    """The reply to a request that did not reach the model."""
    if isinstance(error, QueueFull):
        status, answer = error_object(
            HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "too many requests are waiting; try again in a second"
        )
        return Reply(status, error_bytes(answer, kserve_v2), "busy")
    if isinstance(error, asyncio.CancelledError):  # raised by uvicorn after `STOP_TIMEOUT`
        status, answer = error_object(
            HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "the server is stopping; try again"
        )
        return Reply(status, error_bytes(answer, kserve_v2), "busy")
    if isinstance(error, ClientDisconnect):
        return Reply(CLIENT_CLOSED_REQUEST, b"", "disconnected")  # logged only; the client has disconnected
    if isinstance(error, HTTPException):
        return Reply(error.status_code, http_error(error, kserve_v2), "bad_request")
    return error_reply(error, kserve_v2)


def _query(request: Request) -> dict[str, str]:
    """The options in the URL.

    Raises:
        InvalidOption: an option is given twice.
    """
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in query:
            raise InvalidOption(f"option {name[:60]!r} is given twice in the URL; give it once")
        query[name] = value
    return query


async def _with_body(call: IncomingRequest, request: Request) -> IncomingRequest:
    """Read a request's body into `fields`: the parts of a form by name, or any other body as `body`, as in TorchServe.

    Raises:
        InvalidRequest: the body is too large, arrives too slowly or cannot be decompressed, or the form is invalid.
    """
    call = replace(call, fields={BODY: await receive_body(request)})
    if "content-encoding" in call.headers:
        call = await asyncio.to_thread(decompressed, call)
    return await parse_form(call)


async def receive_body(request: Request) -> bytes:
    """Receive the whole body.

    Raises:
        TooLarge, TooSlow: it has more than `MAX_BODY` bytes, or does not arrive within `BODY_TIMEOUT`.
    """
    parts, length = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for part in request.stream():
                length += len(part)
                if length > MAX_BODY:  # reject before the rest is received
                    raise TooLarge
                parts.append(part)
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {BODY_TIMEOUT:g} s; send it again, or a smaller one") from None
    return b"".join(parts)
