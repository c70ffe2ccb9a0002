"""The endpoint without TorchServe: the same requests and answers from the same bundle, on FastAPI.

From the command line:  python -m serving.app BUNDLE [--host 127.0.0.1] [--port 8080]
"""

import argparse
import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from fashion.answers import describe
from fashion.engines import ENGINES
from fashion.errors import SettingError, one_line_errors
from fashion.predictor import Predictor
from serving import openapi
from serving.batcher import BATCH_SIZE, Batcher, QueueFull
from serving.metrics import REQUEST_SECONDS, counts
from serving.ports import is_free, owner_of
from serving.protocol import (
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
from serving.responder import Responder, Tally

MAX_BODY = 20 * 1024 * 1024  # bytes, as in config.properties
RETRY_AFTER = "1"  # s

logger = logging.getLogger(__name__)


def create_app(predictor: Predictor, name: str = "fashion") -> FastAPI:
    """The application.

    Args:
        predictor: what answers.
        name: of the model, as in `/predictions/NAME`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(predictor.warm_up, BATCH_SIZE)
        with Batcher(Responder(predictor), meter.observe) as batcher:
            app.state.batcher = batcher
            yield

    meter = _Meter()
    app = FastAPI(
        title="Fashion attributes", version=predictor.card.version, description=openapi.DESCRIPTION, lifespan=lifespan
    )
    app.add_exception_handler(HTTPException, _on_http_error)

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

    @app.get(f"/models/{name}", responses=openapi.DESCRIBED)
    async def model() -> Response:
        """The model card: labels, groups, thresholds, versions, sha256 of the weights."""
        return _json(describe(predictor.card))

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
    async def metrics() -> Response:
        """Counts for Prometheus."""
        return Response(meter.text(), media_type=CONTENT_TYPE_LATEST)

    return app


class _Meter:
    """Tallies as Prometheus counters, under the names that TorchServe's metrics have."""

    def __init__(self) -> None:
        disable_created_metrics()  # a time beside each counter, which nothing here reads
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._seconds = Histogram(REQUEST_SECONDS, "seconds from the queue to the answer", registry=self._registry)

    def observe(self, tally: Tally) -> None:
        for seconds in tally.request_seconds:
            self._seconds.observe(seconds)
        for name, value, dimensions in counts(tally):
            if name not in self._counters:
                self._counters[name] = Counter(name, name.replace("_", " "), list(dimensions), registry=self._registry)
            counter = self._counters[name]
            (counter.labels(**dimensions) if dimensions else counter).inc(value)

    def text(self) -> bytes:
        return generate_latest(self._registry)


async def _respond(request: Request, explain: bool) -> Response:
    call = Call(fields={}, request_id=request.headers.get("x-request-id", "")[:100] or uuid.uuid4().hex)
    try:
        fields = await _fields(request)
        call = Call(fields, request.headers, request.headers.get("content-type", ""), explain, call.request_id)
        reply = await asyncio.wrap_future(request.app.state.batcher.submit(call))
    except InvalidRequest as error:
        reply = error_reply(error)
    except QueueFull:
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "too many requests wait; ask again in a second")
    logger.info(log_line(call, reply))
    return _response(reply, call.request_id)


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
    status = HTTPStatus(error.status_code)
    # Every word of the phrase, so that 404 is of type NotFound.
    return _error(status, status.phrase.title().replace(" ", ""), str(error.detail), error.headers)


def _error(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    given = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        given["Retry-After"] = RETRY_AFTER
    return Response(json_bytes(error_object(status, kind, message)[1]), status, given, JSON_TYPE)


def _response(reply: Reply, request_id: str) -> Response:
    return Response(reply.body, reply.status, {"X-Request-Id": request_id, OUTCOME_HEADER: reply.outcome}, JSON_TYPE)


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
