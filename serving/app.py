"""The endpoint without TorchServe: the same requests and answers from the same bundle, on FastAPI.

From the command line:  python -m serving.app BUNDLE [--host 127.0.0.1] [--port 8080] [--allow-origin ORIGIN]
                                           [--canary BUNDLE --share 0.1]
"""

import argparse
import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from fashion.engines import ENGINES
from fashion.errors import SettingError, one_line_errors
from fashion.options import NAMES
from fashion.predictor import Predictor
from serving import openapi
from serving.counters import Counters
from serving.http_responses import on_http_error
from serving.live import LiveModel, Traffic
from serving.log_writer import flush_log, start_log
from serving.ports import http_address, listening_port
from serving.reading import header_name
from serving.reloading import add_reload_route, reload_on_hangup
from serving.routes import add_kserve_routes, add_photograph_routes, add_service_routes

STOP_TIMEOUT = 10  # s that requests have to end when the server is to

SHARE = 0.1  # of requests that go to a canary

ORIGIN = re.compile(r"\*|https?://[^/?#\s]+")  # as browsers send it: no path, no slash at the end


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
    app.add_exception_handler(HTTPException, on_http_error)
    if allow_origins:
        _let_browsers_ask(app, allow_origins)
    add_photograph_routes(app, name)
    add_service_routes(app, name, traffic, root=viewer)
    add_kserve_routes(app, name, traffic)
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
