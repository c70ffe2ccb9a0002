"""The endpoint without TorchServe: the same requests and answers from the same bundle, on FastAPI.

From the command line:  python -m serving.app BUNDLE [--host 127.0.0.1] [--port 8080]
"""

import argparse
import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from fashion.answers import describe
from fashion.engines import ENGINES
from fashion.errors import SettingError, one_line_errors
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from serving import openapi
from serving.batcher import BATCH_SIZE, Batcher, QueueFull
from serving.counters import Counters
from serving.ports import is_free, owner_of
from serving.protocol import (
    BUSY,
    DISCONNECTED,
    JSON_TYPE,
    OUTCOME_HEADER,
    Call,
    InvalidRequest,
    Reply,
    error_object,
    error_reply,
    json_bytes,
    log_line,
)
from serving.responder import BatchCounts, Responder

MAX_BODY = 20 * 1024 * 1024  # bytes, as in config.properties
RETRY_AFTER = "1"  # s
CLIENT_CLOSED_REQUEST = 499  # nginx's number for it; HTTP has none

logger = logging.getLogger(__name__)


def create_app(predictor: Predictor, name: str = "fashion") -> FastAPI:
    """The application.

    Args:
        predictor: what answers.
        name: of the model, as in `/predictions/NAME`.
    """

    counters = Counters()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(predictor.warm_up, BATCH_SIZE)
        with Batcher(Responder(predictor), counters.add) as batcher:
            app.state.batcher, app.state.counters = batcher, counters
            yield

    app = FastAPI(
        title="Fashion attributes", version=predictor.card.version, description=openapi.DESCRIPTION, lifespan=lifespan
    )
    app.add_exception_handler(HTTPException, _on_http_error)
    _add_photograph_routes(app, name)
    _add_service_routes(app, name, predictor.card)
    return app


def _add_photograph_routes(app: FastAPI, name: str) -> None:
    async def predictions(request: Request) -> Response:
        """Attributes of one photograph, or of several."""
        return await _respond(request, explain=False)

    async def explanations(request: Request) -> Response:
        """The same with the class activation map of each attribute."""
        return await _respond(request, explain=True)

    for method in ("POST", "PUT"):  # curl -T puts
        for path, endpoint in {
            f"/predictions/{name}": predictions,
            f"/explanations/{name}": explanations,
            f"/v1/models/{name}:predict": predictions,
            f"/v1/models/{name}:explain": explanations,
            f"/v2/models/{name}/infer": predictions,
            f"/v2/models/{name}/explain": explanations,
        }.items():
            app.add_api_route(
                path, endpoint, methods=[method], operation_id=f"{method}{path}", **openapi.operation(path)
            )


def _add_service_routes(app: FastAPI, name: str, card: ModelCard) -> None:
    @app.get(f"/models/{name}", responses=openapi.DESCRIBED)
    async def model() -> Response:
        """The model card: labels, groups, thresholds, versions, sha256 of the weights."""
        return _json(describe(card))

    @app.get("/livez", responses=openapi.STATUS)
    async def live() -> Response:
        """Whether the process answers at all."""
        return _json({"status": "alive"})

    @app.get("/readyz", responses=openapi.STATUS | openapi.UNAVAILABLE)
    @app.get("/ping", responses=openapi.STATUS | openapi.UNAVAILABLE)
    async def ready(request: Request) -> Response:
        """Whether photographs are answered."""
        if request.app.state.batcher.alive:
            return _json({"status": "Healthy"})
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "the model does not answer")

    @app.get("/metrics", responses=openapi.METRICS)
    async def metrics(request: Request) -> Response:
        """Counts for Prometheus."""
        return Response(request.app.state.counters.text(), media_type=CONTENT_TYPE_LATEST)


async def _respond(request: Request, explain: bool) -> Response:
    call = Call(fields={}, request_id=request.headers.get("x-request-id", "")[:100] or uuid.uuid4().hex)
    try:
        fields = await _fields(request)
        call = Call(fields, request.headers, request.headers.get("content-type", ""), explain, call.request_id)
        reply = await asyncio.wrap_future(request.app.state.batcher.submit(call))
    except (InvalidRequest, QueueFull, HTTPException, ClientDisconnect) as error:
        reply = _refusal(error)
        request.app.state.counters.add(BatchCounts(Counter([reply.outcome])))
    logger.info(log_line(call, reply))
    headers = {"X-Request-Id": call.request_id, OUTCOME_HEADER: reply.outcome}
    return Response(reply.body, reply.status, headers | _retry_after(reply.status), JSON_TYPE)


def _refusal(error: Exception) -> Reply:
    """The reply to a request that does not reach the model."""
    if isinstance(error, QueueFull):
        status, answer = error_object(
            HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "too many requests wait; ask again in a second"
        )
        return Reply(status, json_bytes(answer), BUSY)
    if isinstance(error, ClientDisconnect):
        return Reply(CLIENT_CLOSED_REQUEST, b"", DISCONNECTED)  # for the log: nobody hears it
    if isinstance(error, HTTPException):
        return Reply(error.status_code, _http_error(error), "bad_request")
    return error_reply(error)


async def _fields(request: Request) -> Mapping[str, Any]:
    """The parts of a form by name, or of another body the one part `body`, as TorchServe hands them on.

    Raises:
        HTTPException: 413, a body that is too large, or 400, a form that cannot be read.
        InvalidRequest: two parts of one name.
    """
    body = await _body(request)
    if not request.headers.get("content-type", "").lower().startswith(("multipart/", "application/x-www-form")):
        return {"body": body}
    fields: dict[str, Any] = {}
    async with Request(request.scope, _once(body)).form() as form:
        for name, value in form.multi_items():
            if name in fields:
                raise InvalidRequest(f"the form has {name[:60]!r} twice; give each part a name of its own")
            fields[name] = await value.read() if isinstance(value, UploadFile) else value.encode()
    return fields


async def _body(request: Request) -> bytes:
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > MAX_BODY:  # told before all of it has come
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MAX_BODY // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)


def _once(body: bytes) -> Any:
    """A body that was read already, for Starlette to read again."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Errors of the framework in the project's own form."""
    assert isinstance(error, HTTPException)
    return Response(_http_error(error), error.status_code, error.headers, JSON_TYPE)


def _http_error(error: HTTPException) -> bytes:
    phrase = HTTPStatus(error.status_code).phrase
    # Every word of the phrase, so that 404 is of type NotFound.
    return json_bytes(error_object(error.status_code, phrase.title().replace(" ", ""), str(error.detail))[1])


def _error(status: int, kind: str, message: str) -> Response:
    return Response(json_bytes(error_object(status, kind, message)[1]), status, _retry_after(status), JSON_TYPE)


def _retry_after(status: int) -> dict[str, str]:
    return {"Retry-After": RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _json(content: Any) -> Response:
    return Response(json_bytes(content), media_type=JSON_TYPE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a bundle until ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m serving.app", description="Serve a bundle without TorchServe.")
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="(default: %(default)s)")
    parser.add_argument(
        "--name", default="fashion", help="of the model, as in /predictions/NAME (default: %(default)s)"
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with one_line_errors():
        if not is_free(options.host, options.port):
            owner = owner_of(options.port)
            raise SettingError(f"port {options.port} is taken{f' by {owner}' if owner else ''}; choose another --port")
        app = create_app(Predictor.from_bundle(options.bundle, options.engine), options.name)
        print(f"curl http://{options.host}:{options.port}/predictions/{options.name} -T photo.jpg", flush=True)
        print(f"what can be asked: http://{options.host}:{options.port}/docs", flush=True)
        uvicorn.run(app, host=options.host, port=options.port, access_log=False, log_level="warning")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
