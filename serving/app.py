"""The endpoint without TorchServe: the same requests and answers from the same bundle, on FastAPI.

From the command line:  python -m serving.app BUNDLE [--host 127.0.0.1] [--port 8080] [--allow-origin ORIGIN]
                                           [--canary BUNDLE --share 0.1]
"""

import argparse
import asyncio
import logging
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from fashion.answers import describe
from fashion.engines import ENGINES
from fashion.errors import FashionError, SettingError, one_line_errors
from fashion.options import NAMES, InvalidOption
from fashion.predictor import Predictor
from serving import openapi
from serving.batcher import QueueFull
from serving.counters import Counters
from serving.forms import with_parts
from serving.live import LiveModel, Traffic, UnknownVersion
from serving.log_writer import flush_log, start_log
from serving.ports import http_address, listening_port
from serving.protocol import (
    BUSY,
    DISCONNECTED,
    JSON_TYPE,
    MAX_BODY,
    OUTCOME_HEADER,
    Call,
    Reply,
    TooLarge,
    TooSlow,
    error_bytes,
    error_object,
    error_reply,
    json_bytes,
    log_line,
)
from serving.reading import header_name
from serving.reloading import add_reload_route, reload_on_hangup
from serving.responder import BatchCounts
from serving.unpacking import BODY, unpacked

BODY_TIMEOUT = 60.0  # s, for all of a body
STOP_TIMEOUT = 10  # s that requests have to end when the server is to
RETRY_AFTER = "1"  # s
CLIENT_CLOSED_REQUEST = 499  # nginx's number for it; HTTP has none

SHARE = 0.1  # of requests that go to a canary

ORIGIN = re.compile(r"\*|https?://[^/?#\s]+")  # as browsers send it: no path, no slash at the end

logger = logging.getLogger(__name__)


def create_app(
    served: Predictor | Traffic, name: str = "fashion", allow_origins: Sequence[str] = (), viewer: bool = True
) -> FastAPI:
    """The application.

    Args:
        served: what answers.
        name: of the model, as in `/predictions/NAME`.
        allow_origins: of web pages that browsers let read the answers, such as `https://shop.example`; `*` is every.
        viewer: whether /docs and /redoc show the API, and / says that the server is there; not where / is a page of
            its own, under a policy that lets no script in a page run.

    Raises:
        SettingError: an origin that is none.
    """
    traffic = served if isinstance(served, Traffic) else Traffic(LiveModel(served))
    counters = Counters(lambda: traffic.waiting)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with traffic.answering(counters.add):
            app.state.traffic, app.state.counters = traffic, counters
            yield
        await asyncio.to_thread(flush_log)

    # Its pages /docs and /redoc bring their scripts along; FastAPI's own fetch them from servers of others.
    app = FastAPIOffline(
        title="Fashion attributes",
        version=traffic.versions[0],
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        docs_url="/docs" if viewer else None,
        redoc_url="/redoc" if viewer else None,
    )
    app.add_exception_handler(HTTPException, _on_http_error)
    if allow_origins:
        _let_browsers_ask(app, allow_origins)
    _add_photograph_routes(app, name)
    _add_service_routes(app, name, traffic, root=viewer)
    _add_kserve_routes(app, name, traffic)
    add_reload_route(app, traffic)
    return app


def _let_browsers_ask(app: FastAPI, origins: Sequence[str]) -> None:
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise SettingError(
                f"--allow-origin {origin!r} must be like https://shop.example, with no path or end slash"
            )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["Content-Type", "X-Request-Id", *map(header_name, NAMES)],
        expose_headers=["X-Request-Id", "Retry-After"],
    )


def _add_photograph_routes(app: FastAPI, name: str) -> None:
    async def predictions(request: Request) -> Response:
        """Attributes of one photograph, or of several."""
        _check_version(request, name)
        return await _respond(request, name, explain=False)

    async def explanations(request: Request) -> Response:
        """The same with the class activation map of each attribute."""
        _check_version(request, name)
        return await _respond(request, name, explain=True)

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
    for path, endpoint in {
        f"/predictions/{name}/{{version}}": predictions,
        f"/explanations/{name}/{{version}}": explanations,
        f"/v2/models/{name}/versions/{{version}}/infer": predictions,
        f"/v2/models/{name}/versions/{{version}}/explain": explanations,
    }.items():
        app.add_api_route(path, endpoint, methods=["POST", "PUT"], include_in_schema=False)


def _check_version(request: Request, name: str) -> None:
    if request.path_params.get("version") not in (None, *request.app.state.traffic.versions):
        raise _no_such_version(request, name)


def _no_such_version(request: Request, name: str) -> HTTPException:
    versions, asked = request.app.state.traffic.versions, request.path_params["version"]
    here = f"version{'s' if len(versions) > 1 else ''} {' and '.join(versions)}"
    return HTTPException(HTTPStatus.NOT_FOUND, f"{name} is here in {here} and not in {asked[:60]!r}")


def _add_service_routes(app: FastAPI, name: str, traffic: Traffic, root: bool) -> None:
    @app.get(f"/models/{name}", responses=openapi.DESCRIBED)
    async def model() -> Response:
        """The model card: labels, groups, thresholds, versions, sha256 of the weights."""
        return _json(describe(traffic.models[0].predictor.card))

    @app.get("/livez", responses=openapi.STATUS)
    async def live() -> Response:
        """Whether the process answers at all."""
        return _json({"status": "alive"})

    if root:
        app.get("/", responses=openapi.STATUS)(live)  # where clients of KServe v1 ask

    @app.get("/readyz", responses=openapi.STATUS | openapi.UNAVAILABLE)
    @app.get("/ping", responses=openapi.STATUS | openapi.UNAVAILABLE)
    async def ready(request: Request) -> Response:
        """Whether photographs are answered."""
        return _if_ready(request, {"status": "Healthy"})

    @app.get("/metrics", responses=openapi.METRICS)
    async def metrics(request: Request) -> Response:
        """Counts for Prometheus."""
        return Response(request.app.state.counters.text(), media_type=CONTENT_TYPE_LATEST)


def _add_kserve_routes(app: FastAPI, name: str, traffic: Traffic) -> None:
    """What clients of KServe ask before they send anything, v1 and v2."""

    @app.get("/v2", responses=openapi.STATUS)
    async def server_metadata() -> Response:
        """Which server this is."""
        return _json({"name": app.title, "version": traffic.versions[0], "extensions": ["binary_tensor_data"]})

    @app.get("/v2/health/live", responses=openapi.STATUS)
    async def server_live() -> Response:
        """Whether the process answers at all."""
        return _json({"live": True})

    @app.get("/v2/health/ready", responses=openapi.STATUS | openapi.UNAVAILABLE_V2)
    async def server_ready(request: Request) -> Response:
        """Whether photographs are answered."""
        return _if_ready(request, {"ready": True})

    async def model_ready(request: Request) -> Response:
        """Whether photographs are answered."""
        _check_version(request, name)
        return _if_ready(request, {"name": name, "ready": True})

    async def model_metadata(request: Request) -> Response:
        """What the model takes and answers."""
        _check_version(request, name)
        inputs, outputs = ([{"name": tensor, "datatype": "BYTES", "shape": [-1]}] for tensor in ("image", "answers"))
        platform = traffic.models[0].predictor.engine.name.partition(" ")[0]
        answer = {"name": name, "versions": traffic.versions, "platform": platform}
        return _json(answer | {"inputs": inputs, "outputs": outputs})

    versioned = f"/v2/models/{name}/versions/{{version}}"
    app.add_api_route(f"/v1/models/{name}", model_ready, responses=openapi.STATUS | openapi.UNAVAILABLE)
    app.add_api_route(f"/v2/models/{name}/ready", model_ready, responses=openapi.STATUS | openapi.UNAVAILABLE_V2)
    app.add_api_route(f"/v2/models/{name}", model_metadata, responses=openapi.STATUS)
    app.add_api_route(f"{versioned}/ready", model_ready, include_in_schema=False)
    app.add_api_route(versioned, model_metadata, include_in_schema=False)


def _if_ready(request: Request, content: Any) -> Response:
    if request.app.state.traffic.alive:
        return _json(content)
    return _unavailable(request, "the model does not answer")


async def _respond(request: Request, name: str, explain: bool) -> Response:
    headers = request.headers
    request_id = headers.get("x-request-id", "")[:100] or uuid.uuid4().hex
    call = Call(
        *({}, headers, headers.get("content-type", "")),
        explain=explain,
        kserve_v2=_is_kserve_v2(request),
        request_id=request_id,
    )
    try:
        call = await _with_body(replace(call, query=_query(request)), request)
        reply = await _answered(_submit(call, request, name), request)
    except (FashionError, QueueFull, HTTPException, ClientDisconnect, asyncio.CancelledError) as error:
        reply = _refusal(error, _is_kserve_v2(request))
        request.app.state.counters.add(BatchCounts(Counter([reply.outcome])))
    logger.info(log_line(call, reply))
    answered = {"X-Request-Id": call.request_id, OUTCOME_HEADER: reply.outcome}
    if reply.status == HTTPStatus.REQUEST_TIMEOUT:
        answered["Connection"] = "close"  # what is still to come would be taken for the next request
    return Response(reply.body, reply.status, answered | _retry_after(reply.status), JSON_TYPE)


async def _answered(answer: "Future[Reply]", request: Request) -> Reply:
    """What the model answers; where the client leaves before its turn, nothing is computed for it.

    Raises:
        ClientDisconnect: it has left.
    """
    reply, left = asyncio.wrap_future(answer), asyncio.create_task(_until_left(request))
    try:
        await asyncio.wait((reply, left), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            raise ClientDisconnect
        return reply.result()
    finally:
        left.cancel()
        reply.cancel()  # takes it out of the queue, unless it is done


async def _until_left(request: Request) -> None:
    """Ends when the connection does. The body has been read: nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _submit(call: Call, request: Request, name: str) -> "Future[Reply]":
    try:
        return request.app.state.traffic.submit(call, request.path_params.get("version"))
    except UnknownVersion:  # another took its place while the body came
        raise _no_such_version(request, name) from None


def _is_kserve_v2(request: Request) -> bool:
    return request.url.path.startswith("/v2/")


def _refusal(error: BaseException, kserve_v2: bool) -> Reply:
    """The reply to a request that does not reach the model."""
    if isinstance(error, QueueFull):
        status, answer = error_object(
            HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "too many requests wait; ask again in a second"
        )
        return Reply(status, error_bytes(answer, kserve_v2), BUSY)
    if isinstance(error, asyncio.CancelledError):  # uvicorn's, when `STOP_TIMEOUT` is over
        status, answer = error_object(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "the server is ending; ask again")
        return Reply(status, error_bytes(answer, kserve_v2), BUSY)
    if isinstance(error, ClientDisconnect):
        return Reply(CLIENT_CLOSED_REQUEST, b"", DISCONNECTED)  # for the log: nobody hears it
    if isinstance(error, HTTPException):
        return Reply(error.status_code, _http_error(error, kserve_v2), "bad_request")
    return error_reply(error, kserve_v2)


def _query(request: Request) -> dict[str, str]:
    """The options that the URL gives.

    Raises:
        InvalidOption: one that is given twice.
    """
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in query:
            raise InvalidOption(f"option {name[:60]!r} is twice in the URL; give it once")
        query[name] = value
    return query


async def _with_body(call: Call, request: Request) -> Call:
    """A request with the parts of its form by name, or with another body as the one part `body`, as TorchServe has it.

    Raises:
        InvalidRequest: a body that is too large, does not come, or cannot be unpacked, or a form that cannot be read.
    """
    call = replace(call, fields={BODY: await received_body(request)})
    if "content-encoding" in call.headers:
        call = await asyncio.to_thread(unpacked, call)
    return await with_parts(call)


async def received_body(request: Request) -> bytes:
    """All of a body.

    Raises:
        TooLarge, TooSlow: it has more than `MAX_BODY` bytes, or is not here within `BODY_TIMEOUT`.
    """
    parts, length = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for part in request.stream():
                length += len(part)
                if length > MAX_BODY:  # told before all of it has come
                    raise TooLarge
                parts.append(part)
    except TimeoutError:
        raise TooSlow(f"the body was not here within {BODY_TIMEOUT:g} s; send it again, or a smaller one") from None
    return b"".join(parts)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Errors of the framework in the project's own form."""
    assert isinstance(error, HTTPException)
    return Response(_http_error(error, _is_kserve_v2(request)), error.status_code, error.headers, JSON_TYPE)


def _http_error(error: HTTPException, kserve_v2: bool) -> bytes:
    phrase = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == phrase:  # the framework's own, which says nothing
        detail = "nothing is answered so at this address; /docs says what is"
    # Every word of the phrase, so that 404 is of type NotFound.
    return error_bytes(error_object(error.status_code, phrase.title().replace(" ", ""), detail)[1], kserve_v2)


def _unavailable(request: Request, message: str) -> Response:
    status, answer = error_object(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", message)
    return Response(error_bytes(answer, _is_kserve_v2(request)), status, _retry_after(status), JSON_TYPE)


def _retry_after(status: int) -> dict[str, str]:
    return {"Retry-After": RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _json(content: Any) -> Response:
    return Response(json_bytes(content), media_type=JSON_TYPE)


def _opened(bundle: Path, engine: str) -> LiveModel:
    def open_bundle() -> Predictor:
        # A link is followed once: its card and its weights are of one bundle, wherever the link leads meanwhile.
        return Predictor.from_bundle(bundle.resolve(), engine)

    return LiveModel(open_bundle(), open_bundle)


def run(app: FastAPI, host: str, port: int) -> None:
    """Answer at a host and port until a signal ends it; requests under way have some seconds to end too."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,  # see `serving.log_writer`
        log_level="warning",
        timeout_graceful_shutdown=STOP_TIMEOUT,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a bundle until ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m serving.app", description="Serve a bundle without TorchServe.")
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default="8080", help="(default: %(default)s)")
    parser.add_argument(
        "--name", default="fashion", help="of the model, as in /predictions/NAME (default: %(default)s)"
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="(default: %(default)s)")
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="of web pages that browsers let read the answers, such as https://shop.example; may be given again",
    )
    parser.add_argument("--canary", type=Path, metavar="BUNDLE", help="answers a share of the requests in its place")
    parser.add_argument("--share", type=float, help=f"of requests for the canary, from 0 to 1 (default: {SHARE})")
    options = parser.parse_args(arguments)
    start_log(logging.INFO)
    with one_line_errors():
        port = listening_port(options.host, options.port)
        if options.share is not None and options.canary is None:
            raise SettingError(f"--share {options.share} is of the canary's requests; give its bundle with --canary")
        canary = _opened(options.canary, options.engine) if options.canary else None
        share = SHARE if options.share is None else options.share
        traffic = Traffic(_opened(options.bundle, options.engine), canary, share if canary else 0.0)
        app = create_app(traffic, options.name, options.allow_origin)
        reload_on_hangup(traffic)
        address = http_address(options.host, port)
        print(f"curl {address}/predictions/{options.name} -T photo.jpg", flush=True)
        print(f"what can be asked: {address}/docs", flush=True)
        run(app, options.host, port)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
