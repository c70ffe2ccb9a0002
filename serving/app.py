"""The FastAPI server: the same requests and answers as with TorchServe, from the same bundle.

From the command line:  python -m serving.app BUNDLE [--host 127.0.0.1] [--port 8080] [--allow-origin ORIGIN]
                                           [--canary BUNDLE --share 0.1]
"""

import argparse
import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from fashion.errors import SettingError, one_line_errors
from fashion.flags import add_address_flags, add_engine_flag
from fashion.options import NAMES
from fashion.predictor import Predictor
from serving import openapi
from serving.counters import Counters
from serving.http_responses import on_disconnect, on_http_error, on_internal_error
from serving.live import LiveModel, Traffic
from serving.log_writer import flush_log, start_log
from serving.model_name import check_name
from serving.ports import http_address, listening_port
from serving.reloading import add_reload_route, reload_on_hangup
from serving.request_parsing import header_name
from serving.routes import add_kserve_routes, add_photograph_routes, add_service_routes

STOP_TIMEOUT = 10  # s for pending requests at shutdown

SHARE = 0.1  # default share of requests that go to a canary

ORIGIN = re.compile(r"\*|https?://[^/?#\s]+")  # as sent by browsers: no path, no trailing slash


def create_app(
    served: Predictor | Traffic, name: str = "fashion", allow_origins: Sequence[str] = (), viewer: bool = True
) -> FastAPI:
    """Create the FastAPI application.

    Args:
        served: the model or models that answer.
        name: of the model, as in `/predictions/NAME`.
        allow_origins: origins of web pages that may read the answers (CORS), such as `https://shop.example`; `*` allows
            all.
        viewer: whether to serve the API's documentation at /docs and /redoc, and a short message at /. False for an
            app that has its own page at / and a content security policy without inline scripts.

    Raises:
        SettingError: an invalid name or origin.
    """
    check_name(name)
    traffic = served if isinstance(served, Traffic) else Traffic(LiveModel(served))
    counters = Counters(lambda: traffic.waiting)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        answering = ExitStack()
        answering.enter_context(traffic.answering(counters.add))
        app.state.traffic, app.state.counters = traffic, counters
        try:
            yield
        finally:
            await asyncio.to_thread(answering.close)  # in a thread: the replies to running requests need the loop
            await asyncio.to_thread(flush_log)

    docs_url = "/docs" if viewer else None
    # FastAPIOffline serves the scripts of /docs and /redoc itself; plain FastAPI loads them from a CDN.
    app = FastAPIOffline(
        title="Fashion attributes",
        version=traffic.versions[0],
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        docs_url=docs_url,
        redoc_url="/redoc" if viewer else None,
    )
    app.state.docs_url = docs_url  # FastAPIOffline hides it from FastAPI
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(Exception, on_internal_error)
    if allow_origins:
        _allow_origins(app, allow_origins)
    add_photograph_routes(app, name)
    add_service_routes(app, name, traffic, root=viewer)
    add_kserve_routes(app, name, traffic)
    add_reload_route(app, traffic)
    return app


def _allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise SettingError(
                f"--allow-origin {origin!r} must be like https://shop.example, without a path or trailing slash"
            )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["Content-Type", "X-Request-Id", *map(header_name, NAMES)],
        expose_headers=["X-Request-Id", "Retry-After"],
    )


def _open_live_model(bundle: Path, engine: str) -> LiveModel:
    def open_bundle() -> Predictor:
        # Resolve a symbolic link once, so that card and weights are of the same bundle even if the link changes.
        return Predictor.from_bundle(bundle.resolve(), engine)

    return LiveModel(open_bundle(), open_bundle)


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve on a host and port until a signal arrives; pending requests then get `STOP_TIMEOUT` seconds."""
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
    add_address_flags(parser, 8080)
    parser.add_argument(
        "--name", default="fashion", help="name of the model, as in /predictions/NAME (default: %(default)s)"
    )
    add_engine_flag(parser)
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="origin of web pages that may read the answers (CORS), such as https://shop.example; may be repeated",
    )
    parser.add_argument("--canary", type=Path, metavar="BUNDLE", help="second bundle, for a share of the requests")
    parser.add_argument("--share", type=float, help=f"the canary's share of the requests, 0 to 1 (default: {SHARE})")
    options = parser.parse_args(arguments)
    start_log(logging.INFO)
    with one_line_errors():
        port = listening_port(options.host, options.port)
        if options.share is not None and options.canary is None:
            raise SettingError(f"--share {options.share} needs a canary; give its bundle with --canary")
        canary = _open_live_model(options.canary, options.engine) if options.canary else None
        share = SHARE if options.share is None else options.share
        traffic = Traffic(_open_live_model(options.bundle, options.engine), canary, share if canary else 0.0)
        app = create_app(traffic, options.name, options.allow_origin)
        reload_on_hangup(traffic)
        address = http_address(options.host, port)
        print(f"curl {address}/predictions/{options.name} -T photo.jpg", flush=True)
        print(f"API documentation: {address}/docs", flush=True)
        run(app, options.host, port)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
